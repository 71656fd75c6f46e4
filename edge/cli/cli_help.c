#include "edge/cli/cli_help.h"

#include <stdio.h>
#include <string.h>

#include "edge/cli/cli_out.h"

#define LEFT_MAX 34 /* a longer left side gets a line of its own */

void cli_help_path(const struct cli_command *const *chain, size_t chain_n, char *out, size_t out_size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < chain_n && len < out_size; i++) {
        int n = snprintf(out + len, out_size - len, "%s%s", i ? " " : "", chain[i]->name);

        len += n > 0 ? (size_t)n : 0;
    }
}

/* "-m, --message <text>" */
static void option_left(const struct cli_opt *opt, char *out, size_t out_size)
{
    char letter[8] = "";

    if (opt->letter) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
    }
    (void)snprintf(out, out_size, "%s--%s%s%s%s", letter, opt->name, opt->value ? " <" : "",
                   opt->value ? opt->value : "", opt->value ? ">" : "");
}

static void line_print(const char *left, size_t width, const char *text, const char *preset)
{
    size_t columns = cli_out_columns();
    size_t indent = width + 4;
    char full[512];

    (void)snprintf(full, sizeof(full), "%s%s%s%s", text, preset ? " (default: " : "", preset ? preset : "",
                   preset ? ")" : "");
    cli_out("  ");
    cli_out_styled(CLI_STYLE_BOLD, left);
    if (strlen(left) > width) {
        cli_out("\n%*s", (int)indent, "");
    } else {
        cli_out("%*s", (int)(width - strlen(left) + 2), "");
    }
    cli_out_wrapped(full, indent, indent, columns > indent + 20 ? columns : indent + 20);
    cli_out("\n");
}

static size_t options_width(const struct cli_command *const *chain, size_t chain_n)
{
    size_t width = strlen("-V, --version");

    for (size_t i = 0; i < chain_n; i++) {
        for (size_t t = 0; chain[i]->options && chain[i]->options[t]; t++) {
            for (const struct cli_opt *opt = chain[i]->options[t]; opt->name; opt++) {
                char left[96];

                option_left(opt, left, sizeof(left));
                if (strlen(left) > width && strlen(left) <= LEFT_MAX) {
                    width = strlen(left);
                }
            }
        }
    }
    return width;
}

static void options_print(const struct cli_command *command, size_t width)
{
    for (size_t t = 0; command->options && command->options[t]; t++) {
        for (const struct cli_opt *opt = command->options[t]; opt->name; opt++) {
            char left[96];

            option_left(opt, left, sizeof(left));
            line_print(left, width, opt->summary, opt->preset);
        }
    }
}

static void commands_print(const struct cli_command *command)
{
    size_t width = 0;

    for (const struct cli_command *sub = command->commands; sub->name; sub++) {
        width = !sub->is_hidden && strlen(sub->name) > width ? strlen(sub->name) : width;
    }
    cli_out("\n");
    cli_out_styled(CLI_STYLE_BOLD, "Commands");
    cli_out("\n");
    for (const struct cli_command *sub = command->commands; sub->name; sub++) {
        if (!sub->is_hidden) {
            line_print(sub->name, width, sub->summary, NULL);
        }
    }
}

static void examples_print(const struct cli_command *command)
{
    cli_out("\n");
    cli_out_styled(CLI_STYLE_BOLD, "Examples");
    cli_out("\n");
    for (const struct cli_example *example = command->examples; example->line; example++) {
        cli_out("  %s\n      ", example->line);
        cli_out_styled(CLI_STYLE_DIM, example->says);
        cli_out("\n");
    }
}

static void all_options_print(const struct cli_line *line, bool is_root)
{
    size_t width = options_width(line->chain, line->chain_n);

    cli_out("\n");
    cli_out_styled(CLI_STYLE_BOLD, "Options");
    cli_out("\n");
    for (size_t i = line->chain_n; i-- > (is_root ? 0 : 1);) {
        options_print(line->chain[i], width);
    }
    if (is_root) {
        line_print("-V, --version", width, "Print the version and stop.", NULL);
    }
    line_print("-h, --help", width, "Print this help and stop.", NULL);
    if (!is_root) {
        cli_out("\nOptions of every command (--profile, --dev, --no-color, …): openclaw --help\n");
    }
}

void cli_help_print(const struct cli_line *line)
{
    size_t chain_n = line->named_last || line->chain_n == 1 ? line->chain_n : line->chain_n - 1;
    const struct cli_command *command = line->chain[chain_n - 1];
    char path[128];

    cli_help_path(line->chain, chain_n, path, sizeof(path));
    cli_out("Usage: %s%s%s%s [options]\n\n", path,
            command->commands ? (command->preset ? " [command]" : " <command>") : "", command->args ? " " : "",
            command->args ? command->args : "");
    cli_out_wrapped(command->summary, 0, 0, cli_out_columns());
    cli_out("\n");
    if (command->details) {
        cli_out("\n");
        cli_out_wrapped(command->details, 0, 0, cli_out_columns());
        cli_out("\n");
    }
    if (command->commands) {
        commands_print(command);
    }
    all_options_print(line, chain_n == 1);
    if (command->examples) {
        examples_print(command);
    }
}
