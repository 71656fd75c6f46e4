/*
 * listening: whether the gateway listens where the config says.
 *
 * The supervising process holds the sockets (bus.listen). It opens other ones before a config
 * that wants them comes in force, so that a busy port refuses the change and the old ones stay
 * in service; they take the place of the old ones when everybody works by that config, and the
 * edges start again on them.
 */
#ifndef ACTORS_CONFIG_LISTENING_H
#define ACTORS_CONFIG_LISTENING_H

#include <stdbool.h>

#include "actors/config/snapshot.h"
#include "bus/failure.h"

#define LISTENING_DUE_MAX 64

struct config;

/* `problem` is why the others cannot be opened; NULL: they are, or need not be. */
typedef void (*listening_on_open)(struct config *self, const char *problem);

struct listening {
    struct snapshot_place served; /* port 0: not known, or nobody holds sockets */
    listening_on_open on_open;    /* somebody waits for the others */
    bool is_other;                /* others are open for what comes in force next */
    char problem[512];            /* why it does not listen where the config in force says; "": it does, or waits */
};

/* The first config of this life is in force. 0 or a fault. */
int listening_start(struct config *self);
/* Must others be open before this one may come in force? */
bool listening_is_other(const struct config *self, const struct snapshot *fresh);
/* Does it listen elsewhere than the one in force? */
bool listening_is_changed(const struct config *self, const struct snapshot *fresh);
/* Why a config that wants them is refused: "gateway.port cannot be used: …". */
void listening_refusal(const struct config *self, const struct snapshot_place *place, const char *problem, char *out,
                       size_t out_size);
/* Opens them; `on_open` is called later. 0 or a fault. */
int listening_open(struct config *self, const struct snapshot *fresh, listening_on_open on_open);
/* What they were opened for does not come in force. */
void listening_drop(struct config *self);
/* Has that come in force? Then listening_take is due; asks once. */
bool listening_is_move_due(struct config *self);
/* Everybody works by the config in force: the edges start again where it says. */
void listening_take(struct config *self);
/* What of the config in force waits for a new start, "gateway.port, gateway.bind"; "": nothing. */
void listening_due(const struct config *self, char out[LISTENING_DUE_MAX]);

#endif
