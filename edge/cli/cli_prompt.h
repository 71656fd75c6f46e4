/*
 * cli_prompt: questions to the person at the terminal. Questions go to standard error, so that
 * standard output stays what scripts read. An answer that does not fit is told why, and the
 * question asked again; the end of input (Ctrl-D) ends the whole conversation.
 */
#ifndef EDGE_CLI_CLI_PROMPT_H
#define EDGE_CLI_CLI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_PROMPT_ANSWER_MAX 8192U

enum {
    CLI_PROMPT_E_ENDED = 1, /* no more answers */
};

struct cli_choice {
    const char *value; /* what is typed instead of the number */
    const char *hint;  /* a few words more, or NULL */
};

/* Is there somebody to ask? */
bool cli_prompt_is_possible(void);

/* A numbered list; the answer is a number or a value. `preset` counts for an empty answer; `choices_n`: there is none.
 */
int cli_prompt_choose(const char *question, const struct cli_choice *choices, size_t choices_n, size_t preset,
                      size_t *ret_choice);

struct cli_question {
    const char *text;
    const char *preset; /* counts for an empty answer, and can then be cleared with "-"; NULL: there is none */
    /* What is wrong with an answer, or NULL; NULL: everything is fine. */
    const char *(*check)(void *arg, const char *answer);
    void *arg;
};
/* A line of text, blanks at both ends cut off. */
int cli_prompt_text(const struct cli_question *question, char ret_answer[CLI_PROMPT_ANSWER_MAX]);

int cli_prompt_confirm(const char *question, bool preset, bool *ret_answer);

#endif
