/*
 * config_ops: what `openclaw config set` is asked to set: a value at a path, a reference to
 * a secret or an entry of secrets.providers built from options, or a batch of all three.
 */
#ifndef EDGE_CLI_CONFIG_OPS_H
#define EDGE_CLI_CONFIG_OPS_H

#include <stdbool.h>

#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "schema/base/config_path.h"

#define CONFIG_OPS_MAX 256U

enum config_op_mode {
    CONFIG_OP_VALUE,   /* JSON5 if it is that, else a text */
    CONFIG_OP_JSON,    /* JSON5, or it is refused */
    CONFIG_OP_BUILDER, /* a reference or a provider */
};
#define CONFIG_OP_MODES_N 3
const char *config_op_mode_name(enum config_op_mode mode);

struct config_op {
    char *place; /* owned; steps of the path borrow from it */
    struct config_path path;
    enum config_op_mode mode;
    struct pack value;
    bool is_provider; /* an entry of secrets.providers */
};

struct config_ops {
    struct config_op *items; /* CONFIG_OPS_MAX of them */
    size_t n;
};

void config_ops_init(struct config_ops *self);
/* Wipes the values. */
void config_ops_deinit(struct config_ops *self);

/* Reads options and arguments; explains itself unless it returns CLI_EXIT_OK. */
int config_ops_read(struct config_ops *self, const struct cli *cli);

#endif
