/*
 * cli_rpc: what nearly every client command does: find the gateway, connect, ask, print.
 *
 * Functions that return an exit code have already explained themselves when it is not
 * CLI_EXIT_OK.
 */
#ifndef EDGE_CLI_CLI_RPC_H
#define EDGE_CLI_CLI_RPC_H

#include "edge/cli/cli_session.h"

struct cli_rpc {
    const struct cli *cli;
    struct cli_target target;
    struct cli_session *session; /* NULL until opened */
};

/* Fields of cli_session_opts that differ between commands. */
struct cli_rpc_opts {
    const char *display_name;
    uint64_t timeout_ms;
    const char *expect_url;          /* the only address to connect to, or NULL */
    bool is_config_broken;           /* that is what is to be mended: go in as the owner */
    struct cli_problem *ret_problem; /* what goes wrong is told here instead of explained; NULL: explained */
    void *arg;
    void (*on_event)(void *arg, struct span name, struct span payload);
};

/* Resolves the target and opens a session. Returns an exit code. */
int cli_rpc_open(const struct cli *cli, const struct cli_rpc_opts *opts, struct cli_rpc *ret_rpc);
/* One request; the answer is appended to `ret_payload`. Returns an exit code. */
int cli_rpc_call(struct cli_rpc *self, const struct cli_call *call, struct pack *ret_payload);
void cli_rpc_close(struct cli_rpc *self);

/* --params of the command line as a packed map; `example` shows one. Returns an exit code. */
int cli_rpc_params(const struct cli *cli, const char *example, struct pack *ret_params);

/* One JSON document on standard output, indented, with a line feed. Returns an exit code. */
int cli_rpc_print_json(struct span value);
/* The same on one line. */
int cli_rpc_print_json_line(struct span value);

#endif
