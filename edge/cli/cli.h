/*
 * cli: what every command of `openclaw` gets, and how commands are described.
 *
 * A command is one file, cmd_<name>.c, which exports `int cmd_<name>(struct cli *cli)`
 * and returns the exit code. Its words, options and help stand in a table
 * (cli_commands.c); by the time it runs, the options have been checked against it.
 */
#ifndef EDGE_CLI_CLI_H
#define EDGE_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/cli/cli_opts.h"
#include "edge/cli/cli_paths.h"

/* Exit codes, documented in docs/cli.md; scripts rely on them. */
enum {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1,       /* the gateway answered, and the answer is an error */
    CLI_EXIT_USAGE = 2,        /* the command line is wrong; nothing was done */
    CLI_EXIT_UNAVAILABLE = 69, /* no gateway answers there */
    CLI_EXIT_SOFTWARE = 70,    /* we broke */
    CLI_EXIT_TRY_LATER = 75,   /* timed out, starting, or limited: the same command may work later */
    CLI_EXIT_REFUSED = 77,     /* the gateway does not let us in */
    CLI_EXIT_CONFIG = 78,      /* configuration, port or lock stand in the way of starting */
    CLI_EXIT_INTERRUPTED = 130,
};

struct cli {
    const struct cli_command *command; /* the one that runs */
    struct cli_line line;              /* checked options and arguments */
    struct cli_paths paths;            /* which gateway is meant */
    int argc;
    char **argv; /* as the program got them */
};

/* What an option was given, else its default; the name is without dashes. */
bool cli_flag(const struct cli *cli, const char *name);
const char *cli_text(const struct cli *cli, const char *name); /* NULL when neither */
uint64_t cli_number(const struct cli *cli, const char *name);  /* 0 when neither */
bool cli_given(const struct cli *cli, const char *name);
/* Argument `i` of the command, or NULL. */
const char *cli_arg(const struct cli *cli, size_t i);

/* The whole program: parses, prints help or runs the command. Returns the exit code. */
int cli_main(int argc, char **argv);

#endif
