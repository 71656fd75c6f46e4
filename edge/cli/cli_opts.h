/*
 * cli_opts: the command line against tables of commands and options.
 *
 * Options may stand before, between or after the words of the command and its
 * arguments: `openclaw --dev gateway --port 1`, `openclaw gateway --json status`.
 * "--name value", "--name=value", "-n value", "-nvalue"; "--" ends the options. An
 * option given twice keeps the last value, unless it may be repeated.
 */
#ifndef EDGE_CLI_CLI_OPTS_H
#define EDGE_CLI_CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_DEPTH_MAX 6
#define CLI_VALUES_MAX 64
#define CLI_ARGS_MAX 32

struct cli;

enum cli_opt_kind {
    CLI_OPT_FLAG,   /* takes no value */
    CLI_OPT_TEXT,   /* any value that is not empty */
    CLI_OPT_NUMBER, /* a whole number between min and max */
    CLI_OPT_CHOICE, /* one of `choices` */
};

struct cli_opt {
    const char *name; /* without dashes; NULL ends a table */
    char letter;      /* short form, or 0 */
    uint8_t kind;     /* enum cli_opt_kind */
    bool required;
    bool is_repeated;    /* may be given more than once: every value counts */
    const char *value;   /* how help names the value: "ms" */
    const char *summary; /* one sentence for help */
    const char *preset;  /* default, in the form a user would type it, or NULL */
    uint64_t min;
    uint64_t max;
    const char *const *choices; /* NULL-ended */
};

struct cli_example {
    const char *line; /* NULL ends a table */
    const char *says;
};

struct cli_command {
    const char *name;                     /* NULL ends a table */
    const char *summary;                  /* one sentence */
    const char *args;                     /* "<method>" for help, or NULL */
    const char *details;                  /* a paragraph more for help, or NULL */
    const struct cli_opt *const *options; /* NULL-ended list of NULL-ended tables, or NULL */
    const struct cli_example *examples;   /* or NULL */
    const struct cli_command *commands;   /* commands below this one, or NULL */
    const char *preset;                   /* name of the one that runs when none is named */
    unsigned args_min;
    unsigned args_max;
    int usage_exit; /* with what a wrong command line ends from here on down; 0: CLI_EXIT_USAGE */
    bool is_hidden; /* works, but help does not list it */
    int (*run)(struct cli *cli);
};

struct cli_value {
    const struct cli_opt *opt;
    const char *text; /* "" for a flag */
    uint64_t number;  /* NUMBER */
};

/* What a command line says; texts point into argv and the tables. */
struct cli_line {
    const struct cli_command *chain[CLI_DEPTH_MAX]; /* root first, the command last */
    size_t chain_n;
    bool named_last; /* false when the last of the chain was taken by preset */
    struct cli_value values[CLI_VALUES_MAX];
    size_t values_n;
    const char *args[CLI_ARGS_MAX];
    size_t args_n;
    bool wants_help;
    bool wants_version;
    char error[512]; /* set with CLI_OPTS_E_USAGE: what is wrong and what would be right */
};

enum {
    CLI_OPTS_E_USAGE = 1, /* see line->error; chain tells whose help to offer */
};

/* A line that asks for help or the version is not checked further. */
int cli_opts_parse(const struct cli_command *root, int argc, char *const *argv, struct cli_line *line);

/* The given value of an option, or NULL; and its description in the tables of the chain, or NULL. */
const struct cli_value *cli_opts_value(const struct cli_line *line, const char *name);
const struct cli_opt *cli_opts_find(const struct cli_line *line, const char *name);

/* Reads a whole number; false when `text` is not one, or outside the limits. */
bool cli_opts_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number);

#endif
