/*
 * watch: tells when files (of the config, of secrets) may have changed.
 *
 * Directories are watched, not files, since editors put a new file in the place of the old
 * one. Where events do not come (network file systems), a slow look at size, time and number of
 * the files finds the change. Bursts count as one.
 */
#ifndef ACTORS_CONFIG_WATCH_H
#define ACTORS_CONFIG_WATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define WATCH_FILES_MAX 512
#define WATCH_DIRS_MAX 256
#define WATCH_LOOK_MS 5000U
#define WATCH_BURST_MAX_MS 5000U /* a burst that does not end counts after this long */

struct watch_dir;

struct watch {
    uv_loop_t *loop;
    uv_timer_t burst; /* runs while a burst lasts */
    uv_timer_t look;
    bool is_silent;  /* somewhere events or times cannot be relied on: contents are compared as well */
    bool is_polling; /* no events are asked for */
    bool is_told;    /* that events do not come */
    bool is_open;
    uint64_t debounce_ms;
    uint64_t burst_start_ms;
    uint64_t signature;           /* of all files as last seen */
    uint64_t names;               /* of the list of files */
    char *files[WATCH_FILES_MAX]; /* owned */
    size_t files_n;
    struct watch_dir *dirs[WATCH_DIRS_MAX]; /* each lives until its handle has closed */
    size_t dirs_n;
    void (*on_change)(void *arg);
    void *arg;
};

/* 0 or a fault. `on_change` is called from the loop. */
int watch_open(struct watch *self, uv_loop_t *loop, void (*on_change)(void *arg), void *arg);
/* The owner's state must live until the loop has run the close callbacks. */
void watch_close(struct watch *self);

/* The files to watch from now on: watch_begin, watch_add for each, watch_end. What they hold now is known. */
void watch_begin(struct watch *self);
void watch_add(struct watch *self, const char *path);
void watch_end(struct watch *self);
/* Calls on_change after `ms`, as if something had changed. */
void watch_again(struct watch *self, uint64_t ms);

#endif
