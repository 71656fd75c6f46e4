/*
 * disk_watch: an actor whose database the disk refuses. Whoever asked has been told; this
 * tells the operator, once in the log and in the actor's status, for as long as it lasts,
 * and finds out by itself when it is over.
 */
#ifndef SCHEMA_BASE_DISK_WATCH_H
#define SCHEMA_BASE_DISK_WATCH_H

#include <limits.h>
#include <stdbool.h>

#include "bus/actor.h"

struct disk_watch {
    struct actor *actor;
    int (*probe)(void *arg);    /* 0 when the disk takes writes again */
    void (*on_over)(void *arg); /* it does: shows what else there is to say; NULL: nothing */
    void *arg;
    uv_timer_t timer;
    bool is_open;
    bool is_failing;
    char path[PATH_MAX];
};

/* Part of the actor's state. `path` is copied. */
void disk_watch_open(struct disk_watch *self, struct actor *actor, const char *path, int (*probe)(void *arg),
                     void *arg);
/* In deinit; also for one that was never opened. */
void disk_watch_close(struct disk_watch *self);
/* The disk has refused a write. */
void disk_watch_refused(struct disk_watch *self);

#endif
