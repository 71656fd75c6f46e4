/*
 * cli_node_call: having a node do something, and what it sends kept in a file.
 *
 * Functions that return an exit code have already explained themselves when it is not
 * CLI_EXIT_OK.
 */
#ifndef EDGE_CLI_CLI_NODE_CALL_H
#define EDGE_CLI_CLI_NODE_CALL_H

#include <limits.h>

#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_node_find.h"

struct cli_node_call {
    struct cli_ask ask;
    char id[CLI_NODE_ID_MAX];
    struct pack params; /* one map, packed by the caller after cli_node_params */
};

/* Connects and finds the node of --node. Close it in any case but a failure of this. */
int cli_node_open(const struct cli *cli, const char *name, struct cli_node_call *ret_call);
void cli_node_close(struct cli_node_call *self);

/* Empties the params and opens their map. */
struct pack *cli_node_params(struct cli_node_call *self);
/* Closes the map and has the node do `command`, within --invoke-timeout. */
int cli_node_send(struct cli_node_call *self, const char *command);
/* The same with `params` as they are: one whole value. */
int cli_node_ask(struct cli_node_call *self, const char *command);
/* What the node answered; one msgpack value, or empty. */
struct span cli_node_payload(const struct cli_node_call *self);

/* The option `name` as a number with a fraction, under `key`, when it is given and one. */
int cli_node_fraction(const struct cli *cli, struct pack *out, const char *name, const char *key);
/* The option `name`, a time such as 3000, 10s or 1m, under `key`. */
int cli_node_duration(const struct cli *cli, struct pack *out, const char *name, const char *key);

/* Writes what `base64` of the payload stands for to `path`, or to a new file in the temporary directory whose name
 * tells `what` and ends with `ext`. */
int cli_node_save(const struct cli_node_call *self, const char *path, const char *what, const char *ext,
                  char ret_path[PATH_MAX]);

#endif
