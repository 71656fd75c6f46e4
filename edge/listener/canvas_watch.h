/*
 * canvas_watch: tells when a file below a directory was written, came or went. It looks at what the kernel says
 * (inotify(7)) and at nothing while nothing changes; the directories are walked through on a worker thread.
 */
#ifndef EDGE_LISTENER_CANVAS_WATCH_H
#define EDGE_LISTENER_CANVAS_WATCH_H

#include <stdbool.h>
#include <uv.h>

#define CANVAS_WATCH_DIRS_MAX 512U /* directories, ... */
#define CANVAS_WATCH_DEPTH 16U     /* ... and how deep; what lies beyond is served, but not watched */

struct canvas_watch;

struct canvas_watch_ask {
    const char *root;
    bool is_made; /* the directory is made when it is not there */
    void (*on_change)(void *arg);
    void *arg;
};

/* NULL when the kernel gives no more of them; then nothing is told. */
struct canvas_watch *canvas_watch_start(uv_loop_t *loop, const struct canvas_watch_ask *ask);
/* on_change is not called any more. The memory goes when the loop has closed what was on it. */
void canvas_watch_stop(struct canvas_watch *self);

#endif
