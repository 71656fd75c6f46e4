/*
 * syncer: has what was written to a file reach the disk, while the loop goes on.
 *
 * A thread of its own, as the pool of libuv is shared with whatever else waits for disks in this process. It is made
 * with the first request and knows nothing but the path.
 */
#ifndef ACTORS_AGENT_SYNCER_H
#define ACTORS_AGENT_SYNCER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct syncer {
    char path[4096];
    void (*on_synced)(void *arg, int rc); /* on the loop; 0, or -errno of the first call that failed */
    void *arg;
    uv_async_t done;
    uv_sem_t asked;
    uv_thread_t thread;
    atomic_int rc;
    atomic_bool is_ending;
    bool is_open;
    bool has_thread;
    bool is_busy;
};

/* The caller sets path, on_synced and arg before. 0 or a fault. */
int syncer_open(struct syncer *self, uv_loop_t *loop);
/* What was written until now is to be synced; one request at a time (`is_busy`). 0 or a fault. */
int syncer_ask(struct syncer *self);
/* The same on the calling thread, which waits for the disk. 0 or -errno. */
int syncer_now(const struct syncer *self);
/* Waits for a request that is under way, whose end is not told. Copes with one that was never opened. */
void syncer_close(struct syncer *self);

#endif
