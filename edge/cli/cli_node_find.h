/*
 * cli_node_find: the node that a person means.
 */
#ifndef EDGE_CLI_CLI_NODE_FIND_H
#define EDGE_CLI_CLI_NODE_FIND_H

#include "edge/cli/cli_ask.h"

#define CLI_NODE_ID_MAX 513U

/* By id, name, address, or a beginning of the id (6 characters or more) that only one has,
 * among the rows of node.list. Returns an exit code. */
int cli_node_find(struct cli_ask *ask, const char *name, char ret_id[CLI_NODE_ID_MAX]);

#endif
