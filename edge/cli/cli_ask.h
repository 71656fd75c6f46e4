/*
 * cli_ask: commands that ask the gateway one thing after the other and print what comes.
 * Functions that return an exit code have already explained themselves when it is not
 * CLI_EXIT_OK.
 */
#ifndef EDGE_CLI_CLI_ASK_H
#define EDGE_CLI_CLI_ASK_H

#include "bus/pack.h"
#include "edge/cli/cli_rpc.h"

struct cli_ask {
    const struct cli *cli;
    struct cli_rpc rpc;
    struct pack params; /* of the next call: one map, packed by the caller after cli_ask_params */
    struct pack answer; /* of the last one */
    uint64_t timeout_ms;
};

/* Connects; `name` is shown in the presence list. Returns an exit code. */
int cli_ask_open(const struct cli *cli, const char *name, struct cli_ask *ret_ask);
void cli_ask_close(struct cli_ask *self);

/* Empties the params and opens their map. */
struct pack *cli_ask_params(struct cli_ask *self);
/* Closes the map and asks. Returns an exit code. */
int cli_ask_send(struct cli_ask *self, const char *method);
/* The same without params. */
int cli_ask_plain(struct cli_ask *self, const char *method);
/* The same with one text. */
int cli_ask_text(struct cli_ask *self, const char *method, const char *key, const char *text);
struct span cli_ask_answer(const struct cli_ask *self);
/* Prints the answer as JSON. */
int cli_ask_show(const struct cli_ask *self);

/* One call with one text; prints the answer as JSON with --json, else `done` and the text. */
int cli_ask_once(const struct cli *cli, const char *method, const char *key, const char *text, const char *done);

/* The texts of a list, joined by a comma and a space; cut to fit. */
const char *cli_ask_join(struct span list, char *out, size_t out_size);
/* How long ago that was, "-" for never. */
const char *cli_ask_age(struct span ms, char *out, size_t out_size);

#endif
