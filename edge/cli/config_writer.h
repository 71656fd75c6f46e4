/*
 * config_writer: changes the config of this machine from the command line. A running gateway
 * writes its config itself; while none runs, this program does, under the lock that a gateway
 * would hold.
 *
 * Functions that return an exit code have already explained themselves when it is not
 * CLI_EXIT_OK.
 */
#ifndef EDGE_CLI_CONFIG_WRITER_H
#define EDGE_CLI_CONFIG_WRITER_H

#include <stdbool.h>

#include "bus/json.h"
#include "edge/cli/cli.h"
#include "edge/cli/config_turn.h"
#include "schema/base/config_document.h"
#include "schema/base/config_edit.h"

struct config_writer {
    struct config_again *again; /* borrowed; NULL: it is made once */
    const struct cli *cli;
    struct config_document document; /* what the files say now */
    struct text_buf raw;             /* what the config shall be, as JSON: filled by the owner, wiped */
    char start_due[128];             /* by a running gateway: what counts only when it is started again; "": nothing */
    char overridden[128];            /* likewise: what its flags or its environment count before */
    struct config_error left;        /* what is wrong still with a config that could not be used before either */
    int lock_fd;                     /* held while no gateway runs; -1: one does */
    int turn_fd;                     /* held against other commands; -1: not yet */
};

void config_writer_init(struct config_writer *self, const struct cli *cli);
/* Wipes everything and gives the lock back. */
void config_writer_deinit(struct config_writer *self);

/* Waits for other commands, takes the lock, or finds that a gateway has it, and reads the config. Returns an exit code.
 */
int config_writer_open(struct config_writer *self);
/*
 * The same in two steps, for who needs time in between: a gateway that would start meanwhile is not kept
 * from it, and a config that was changed meanwhile is not written over.
 */
int config_writer_read(struct config_writer *self);
int config_writer_lock(struct config_writer *self);
/* Waits for other commands alone, for who must not be overtaken by one from the reading on. Returns an exit code. */
int config_writer_turn(struct config_writer *self);
/* No gateway runs, and none can start until this ends. */
bool config_writer_is_alone(const struct config_writer *self);

/* What `raw` makes of the config: in `edit` the text of the file that changes, in `fresh` (initialized) the whole. 0, a
 * positive outcome with the error, or a fault. */
int config_writer_make(const struct config_writer *self, struct config_edit *edit, struct config_document *fresh,
                       struct config_error *error);
/*
 * Would `fresh` do in place of what is there? It must be a config, and must not keep a gateway from starting that would
 * start now. Of one that cannot be used already it is enough that less is wrong, and nothing that was right; `left`
 * then gets the rest. 0, a positive outcome with the error, or a fault.
 */
int config_writer_judge(struct config_writer *self, const struct config_document *fresh, struct config_error *error);
/* Checks what `raw` makes of the config as far as that can be done here. Returns an exit code. */
int config_writer_try(struct config_writer *self);
/* Checks and writes. Returns an exit code. */
int config_writer_write(struct config_writer *self);

/* Notes in the audit log that this program wrote `after` over `before` at `path`, or why it did not ("": it did). */
void config_writer_audit(const struct cli *cli, const char *path, struct span before, struct span after,
                         const char *reason);

/* Says why nothing was written; returns CLI_EXIT_FAILED. */
int config_writer_refuse(const struct config_writer *self, const char *text);

#endif
