#include "edge/cli/cli_prompt.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bus/base/span.h"
#include "edge/cli/cli_opts.h"
#include "edge/cli/cli_out.h"

bool cli_prompt_is_possible(void)
{
    return isatty(STDIN_FILENO) == 1;
}

/* What goes to the person: control characters of names from a file must not act on the terminal. */
static void say(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        (void)fprintf(stderr, c < 0x20 || c == 0x7f ? "\\x%02X" : "%c", c);
    }
}

/* One line without its end and the blanks around it. */
static int line_read(char answer[CLI_PROMPT_ANSWER_MAX])
{
    (void)cli_out_flush(); /* what was said before comes before the question */
    (void)fflush(stderr);
    if (!fgets(answer, CLI_PROMPT_ANSWER_MAX, stdin)) {
        (void)fputc('\n', stderr);
        return CLI_PROMPT_E_ENDED;
    }
    if (!strchr(answer, '\n')) { /* longer than any answer may be: the rest is no second answer */
        for (int c = fgetc(stdin); c != '\n' && c != EOF; c = fgetc(stdin)) {
        }
    }
    size_t len = strlen(answer);
    size_t front = strspn(answer, " \t");
    while (len > front && strchr(" \t\r\n", answer[len - 1])) {
        len--;
    }
    memmove(answer, answer + front, len - front);
    answer[len - front] = '\0';
    return 0;
}

static void choices_print(const struct cli_choice *choices, size_t choices_n)
{
    for (size_t i = 0; i < choices_n; i++) {
        (void)fprintf(stderr, "  %2zu  ", i + 1);
        say(choices[i].value);
        if (choices[i].hint) {
            (void)fputs("  (", stderr);
            say(choices[i].hint);
            (void)fputc(')', stderr);
        }
        (void)fputc('\n', stderr);
    }
}

int cli_prompt_choose(const char *question, const struct cli_choice *choices, size_t choices_n, size_t preset,
                      size_t *ret_choice)
{
    char answer[CLI_PROMPT_ANSWER_MAX];
    uint64_t number = 0;

    (void)fprintf(stderr, "%s\n", question);
    choices_print(choices, choices_n);
    for (;;) {
        (void)fputs("> ", stderr);
        if (preset < choices_n) {
            (void)fputc('[', stderr);
            say(choices[preset].value);
            (void)fputs("] ", stderr);
        }
        if (line_read(answer)) {
            return CLI_PROMPT_E_ENDED;
        }
        if (!answer[0] && preset < choices_n) {
            *ret_choice = preset;
            return 0;
        }
        for (size_t i = 0; i < choices_n; i++) {
            if (!strcmp(answer, choices[i].value)) {
                *ret_choice = i;
                return 0;
            }
        }
        if (cli_opts_number(answer, 1, choices_n, &number)) {
            *ret_choice = (size_t)number - 1;
            return 0;
        }
        (void)fprintf(stderr, "Type a number from 1 to %zu, or one of the names.\n", choices_n);
    }
}

int cli_prompt_text(const struct cli_question *question, char ret_answer[CLI_PROMPT_ANSWER_MAX])
{
    const char *preset = question->preset && question->preset[0] ? question->preset : NULL;

    for (;;) {
        (void)fprintf(stderr, "%s%s", question->text, preset ? " [" : ": ");
        if (preset) {
            say(preset);
            (void)fputs("]: ", stderr);
        }
        if (line_read(ret_answer)) {
            return CLI_PROMPT_E_ENDED;
        }
        if (preset && !strcmp(ret_answer, "-")) {
            ret_answer[0] = '\0';
        } else if (preset && !ret_answer[0]) {
            (void)snprintf(ret_answer, CLI_PROMPT_ANSWER_MAX, "%s", preset);
        }
        const char *problem = question->check ? question->check(question->arg, ret_answer) : NULL;
        if (!problem) {
            return 0;
        }
        (void)fprintf(stderr, "%s\n", problem);
    }
}

int cli_prompt_confirm(const char *question, bool preset, bool *ret_answer)
{
    char answer[CLI_PROMPT_ANSWER_MAX];

    for (;;) {
        (void)fprintf(stderr, "%s [%s] ", question, preset ? "Y/n" : "y/N");
        if (line_read(answer)) {
            return CLI_PROMPT_E_ENDED;
        }
        if (!answer[0] || !strcasecmp(answer, "y") || !strcasecmp(answer, "yes")) {
            *ret_answer = answer[0] ? true : preset;
            return 0;
        }
        if (!strcasecmp(answer, "n") || !strcasecmp(answer, "no")) {
            *ret_answer = false;
            return 0;
        }
        (void)fputs("Type y or n.\n", stderr);
    }
}
