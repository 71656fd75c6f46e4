#include "edge/cli/cli_opts.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/nearest.h"
#include "edge/cli/cli_unserved.h"

/* One word of the command line, cut into its parts. */
struct word {
    char name[64]; /* of an option, without dashes */
    bool is_long;
    const char *attached; /* the value behind "=" or glued to a letter, or NULL */
};

static const char *const help_words[] = { "help", "h" };
static const char *const version_words[] = { "version", "V" };

static int refuse(struct cli_line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct cli_line *line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line->error, sizeof(line->error), fmt, args); /* a cut text still explains */
    va_end(args);
    return CLI_OPTS_E_USAGE;
}

static bool is_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0';
}

static void word_cut(const char *text, struct word *ret_word)
{
    struct word word = { .is_long = text[1] == '-' };
    const char *name = text + (word.is_long ? 2 : 1);
    size_t len = word.is_long ? strcspn(name, "=") : 1;

    if (word.is_long && name[len] == '=') {
        word.attached = name + len + 1;
    } else if (!word.is_long && name[1]) {
        word.attached = name + 1;
    }
    if (len >= sizeof(word.name)) {
        len = sizeof(word.name) - 1;
    }
    memcpy(word.name, name, len);
    *ret_word = word;
}

static bool word_is(const struct word *word, const char *const names[2])
{
    return strcmp(word->name, names[word->is_long ? 0 : 1]) == 0;
}

static const struct cli_opt *option_in(const struct cli_command *command, const struct word *word)
{
    for (size_t t = 0; command->options && command->options[t]; t++) {
        for (const struct cli_opt *opt = command->options[t]; opt->name; opt++) {
            if (word->is_long ? strcmp(opt->name, word->name) == 0 : opt->letter == word->name[0]) {
                return opt;
            }
        }
    }
    return NULL;
}

static const struct cli_opt *option_of_line(const struct cli_line *line, const struct word *word)
{
    for (size_t i = line->chain_n; i-- > 0;) {
        const struct cli_opt *opt = option_in(line->chain[i], word);

        if (opt) {
            return opt;
        }
    }
    return NULL;
}

/* While the command is not known yet, an option may belong to any command below. */
static const struct cli_opt *option_below(const struct cli_command *command, const struct word *word)
{
    const struct cli_opt *found = option_in(command, word);

    for (const struct cli_command *sub = command->commands; sub && sub->name; sub++) {
        const struct cli_opt *opt = found && found->kind == CLI_OPT_FLAG ? NULL : option_below(sub, word);

        found = opt ? opt : found;
    }
    return found;
}

static const struct cli_command *command_in(const struct cli_command *command, const char *name)
{
    for (const struct cli_command *sub = command->commands; sub && sub->name; sub++) {
        if (strcmp(sub->name, name) == 0) {
            return sub;
        }
    }
    return NULL;
}

static const struct cli_command *command_last(const struct cli_line *line)
{
    return line->chain[line->chain_n - 1];
}

static int command_unknown(struct cli_line *line, const char *name)
{
    const struct cli_command *group = command_last(line);
    struct nearest nearest = { .typed = name };
    const char *below = line->chain_n > 1 ? group->name : NULL;
    const char *instead = cli_unserved_instead(below, name);

    if (instead) {
        return refuse(line, "'%s%s%s' is not served by this version: %s", below ? below : "", below ? " " : "", name,
                      instead);
    }

    for (const struct cli_command *sub = group->commands; sub && sub->name; sub++) {
        if (!sub->is_hidden) {
            nearest_offer(&nearest, sub->name);
        }
    }
    return refuse(line, "unknown command '%s%s%s'%s%s%s%s%s", below ? below : "", below ? " " : "", name,
                  nearest.best ? ", did you mean '" : "", nearest.best && below ? below : "",
                  nearest.best && below ? " " : "", nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
}

/* Offers every option of a command; while the command is not known, also of those below. */
static void options_offer(const struct cli_command *command, bool with_below, struct nearest *nearest)
{
    for (size_t t = 0; command->options && command->options[t]; t++) {
        for (const struct cli_opt *opt = command->options[t]; opt->name; opt++) {
            nearest_offer(nearest, opt->name);
        }
    }
    for (const struct cli_command *sub = with_below ? command->commands : NULL; sub && sub->name; sub++) {
        options_offer(sub, true, nearest);
    }
}

static int option_unknown(struct cli_line *line, const struct word *word)
{
    struct nearest nearest = { .typed = word->name };
    const char *dashes = word->is_long ? "--" : "-";
    const char *instead = word->is_long ? cli_unserved_option(command_last(line)->name, word->name) : NULL;

    if (instead) {
        return refuse(line, "--%s is not served by this version: %s", word->name, instead);
    }

    for (size_t i = 0; word->is_long && i < line->chain_n; i++) {
        options_offer(line->chain[i], i + 1 == line->chain_n, &nearest);
    }
    if (nearest.best && strcmp(nearest.best, word->name) == 0) {
        return refuse(line, "--%s needs a command that takes it", word->name);
    }
    return refuse(line, "unknown option '%s%s'%s%s%s", dashes, word->name, nearest.best ? ", did you mean '--" : "",
                  nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
}

/* First pass: the words that name the command, with the options between them stepped over. */
static int chain_find(struct cli_line *line, int argc, char *const *argv, unsigned *ret_words)
{
    unsigned words = 0;
    struct word stray = { .is_long = false }; /* the first option that no command has */

    line->named_last = true;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const struct cli_command *now = command_last(line);

        if (is_option(argv[i])) {
            struct word word;
            const struct cli_opt *opt;

            word_cut(argv[i], &word);
            opt = option_of_line(line, &word);
            opt = opt ? opt : option_below(now, &word);
            if (!opt && !stray.name[0] && !word_is(&word, help_words) && !word_is(&word, version_words)) {
                stray = word;
            }
            i += opt && opt->kind != CLI_OPT_FLAG && !word.attached;
            continue;
        }
        if (!now->commands) {
            break;
        }
        if (!command_in(now, argv[i])) {
            /* The word may well be the value of an option we do not know. */
            return stray.name[0] ? option_unknown(line, &stray) : command_unknown(line, argv[i]);
        }
        line->chain[line->chain_n++] = command_in(now, argv[i]);
        words++;
    }
    if (command_last(line)->preset) {
        line->chain[line->chain_n] = command_in(command_last(line), command_last(line)->preset);
        line->chain_n++;
        line->named_last = false;
    }
    *ret_words = words;
    return 0;
}

static void choices_join(const char *const *choices, char *out, size_t out_size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; choices[i] && len < out_size; i++) {
        int n = snprintf(out + len, out_size - len, "%s%s", i ? ", " : "", choices[i]);

        len += n > 0 ? (size_t)n : 0;
    }
}

static int value_check(struct cli_line *line, struct cli_value *value)
{
    const struct cli_opt *opt = value->opt;
    char choices[256];

    if (opt->kind == CLI_OPT_TEXT && !value->text[0]) {
        return refuse(line, "--%s needs a value that is not empty", opt->name);
    }
    if (opt->kind == CLI_OPT_NUMBER && !cli_opts_number(value->text, opt->min, opt->max, &value->number)) {
        return refuse(line, "--%s needs a whole number from %llu to %llu, not '%s'", opt->name,
                      (unsigned long long)opt->min, (unsigned long long)opt->max, value->text);
    }
    if (opt->kind == CLI_OPT_CHOICE) {
        for (size_t i = 0; opt->choices[i]; i++) {
            if (strcmp(opt->choices[i], value->text) == 0) {
                return 0;
            }
        }
        choices_join(opt->choices, choices, sizeof(choices));
        return refuse(line, "--%s is one of %s, not '%s'", opt->name, choices, value->text);
    }
    return 0;
}

static int value_keep(struct cli_line *line, const struct cli_value *value)
{
    for (size_t i = 0; i < line->values_n; i++) {
        if (line->values[i].opt == value->opt && !value->opt->is_repeated) {
            line->values[i] = *value;
            return 0;
        }
    }
    if (line->values_n == CLI_VALUES_MAX) {
        return refuse(line, "more than %d different options", CLI_VALUES_MAX);
    }
    line->values[line->values_n++] = *value;
    return 0;
}

/* Reads the option at argv[*at] and moves *at to the last word it used. */
static int option_read(struct cli_line *line, int argc, char *const *argv, int *at)
{
    struct word word;
    struct cli_value value = { .text = "" };
    int r;

    word_cut(argv[*at], &word);
    if (word_is(&word, help_words)) {
        line->wants_help = true;
        return 0;
    }
    if (word_is(&word, version_words)) {
        line->wants_version = true;
        return 0;
    }
    value.opt = option_of_line(line, &word);
    if (!value.opt) {
        return option_unknown(line, &word);
    }
    if (value.opt->kind == CLI_OPT_FLAG) {
        if (word.attached) {
            return refuse(line, "--%s takes no value", value.opt->name);
        }
        return value_keep(line, &value);
    }
    if (word.attached) {
        value.text = word.attached;
    } else if (*at + 1 < argc && strcmp(argv[*at + 1], "--") != 0) {
        value.text = argv[++*at];
    } else {
        return refuse(line, "--%s needs a value: --%s <%s>", value.opt->name, value.opt->name, value.opt->value);
    }
    r = value_check(line, &value);
    return r ? r : value_keep(line, &value);
}

static int rest_check(struct cli_line *line)
{
    const struct cli_command *command = command_last(line);

    if (!command->run) {
        line->wants_help = true; /* of the commands that there are */
        return 0;
    }
    if (line->args_n < command->args_min) {
        return refuse(line, "'%s' needs %s", command->name, command->args);
    }
    if (line->args_n > command->args_max) {
        return refuse(line, "'%s' does not take '%s'", command->name, line->args[command->args_max]);
    }
    for (size_t i = 0; i < line->chain_n; i++) {
        const struct cli_opt *const *tables = line->chain[i]->options;

        for (size_t t = 0; tables && tables[t]; t++) {
            for (const struct cli_opt *opt = tables[t]; opt->name; opt++) {
                if (opt->required && !cli_opts_value(line, opt->name)) {
                    return refuse(line, "'%s' needs --%s <%s>", command->name, opt->name, opt->value);
                }
            }
        }
    }
    return 0;
}

/* Second pass: with the command known, every option is checked against its table. */
static int words_read(struct cli_line *line, int argc, char *const *argv, unsigned words)
{
    bool options_end = false;

    for (int i = 1; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && is_option(argv[i])) {
            int r = option_read(line, argc, argv, &i);

            if (r) {
                return r;
            }
        } else if (words > 0) {
            words--;
        } else if (line->args_n == CLI_ARGS_MAX) {
            return refuse(line, "more than %d arguments", CLI_ARGS_MAX);
        } else {
            line->args[line->args_n++] = argv[i];
        }
    }
    return 0;
}

static bool asks_for(const char *const names[2], int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_option(argv[i])) {
            struct word word;

            word_cut(argv[i], &word);
            if (!word.attached && word_is(&word, names)) {
                return true;
            }
        }
    }
    return false;
}

int cli_opts_parse(const struct cli_command *root, int argc, char *const *argv, struct cli_line *line)
{
    unsigned words = 0;
    int r;

    *line = (struct cli_line){ .chain = { root }, .chain_n = 1 };
    r = chain_find(line, argc, argv, &words);
    if (r) {
        return r;
    }
    if (asks_for(help_words, argc, argv)) {
        line->wants_help = true;
        return 0;
    }
    if (line->chain_n == 1 && asks_for(version_words, argc, argv)) {
        line->wants_version = true; /* whatever options of commands stand beside it */
        return 0;
    }
    r = words_read(line, argc, argv, words);
    if (r || line->wants_version) {
        return r;
    }
    return rest_check(line);
}

const struct cli_value *cli_opts_value(const struct cli_line *line, const char *name)
{
    for (size_t i = 0; i < line->values_n; i++) {
        if (strcmp(line->values[i].opt->name, name) == 0) {
            return &line->values[i];
        }
    }
    return NULL;
}

const struct cli_opt *cli_opts_find(const struct cli_line *line, const char *name)
{
    struct word word = { .is_long = true };

    (void)snprintf(word.name, sizeof(word.name), "%s", name);
    return option_of_line(line, &word);
}

bool cli_opts_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
    char *end = NULL;
    unsigned long long number;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno || *end || number < min || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
}
