#include "edge/listener/canvas_watch.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBOUNCE_MS 75U /* an editor, or a build, writes several files at once */
#define EVENTS_BYTES 8192U
#define WATCHED (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)

struct canvas_watch {
    int fd;
    bool is_made;
    bool is_walking; /* a worker thread uses `fd` and `root` */
    bool is_stopped;
    bool is_stale; /* directories came while it walked */
    unsigned handles_n;
    unsigned dirs_n; /* of the worker */
    uv_poll_t poll;
    uv_timer_t debounce;
    uv_work_t work;
    void (*on_change)(void *arg);
    void *arg;
    char root[];
};

/* --- on a worker thread ------------------------------------------------------------------- */

static bool is_skipped(const char *name)
{
    return name[0] == '.' || strcmp(name, "node_modules") == 0;
}

/* A watch that is there already stays as it is. One that cannot be had is left out: the file it would tell of is still
 * served. */
static void dir_walk(struct canvas_watch *self, const char *path, unsigned depth)
{
    DIR *dir = self->dirs_n < CANVAS_WATCH_DIRS_MAX ? opendir(path) : NULL;
    struct dirent *entry;

    if (!dir) {
        return;
    }
    self->dirs_n++;
    if (inotify_add_watch(self->fd, path, WATCHED) < 0) {
        (void)closedir(dir);
        return;
    }
    while (depth < CANVAS_WATCH_DEPTH && (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        char below[PATH_MAX];
        struct stat st;
        int len = snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);

        if (!is_skipped(entry->d_name) && len > 0 && (size_t)len < sizeof(below) && lstat(below, &st) == 0 &&
            S_ISDIR(st.st_mode)) {
            dir_walk(self, below, depth + 1);
        }
    }
    (void)closedir(dir);
}

static void on_work(uv_work_t *work)
{
    struct canvas_watch *self = work->data;

    if (self->is_made) {
        (void)mkdir(self->root, 0700); /* it may be there; who cannot make it is told when a page is asked for */
    }
    self->dirs_n = 0;
    dir_walk(self, self->root, 0);
}

/* --- on the loop -------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct canvas_watch *self = handle->data;

    if (--self->handles_n == 0) {
        (void)close(self->fd);
        free(self);
    }
}

static void handles_close(struct canvas_watch *self)
{
    uv_close((uv_handle_t *)&self->poll, on_closed);
    uv_close((uv_handle_t *)&self->debounce, on_closed);
}

static void walk(struct canvas_watch *self);

static void on_walked(uv_work_t *work, int status)
{
    struct canvas_watch *self = work->data;

    (void)status; /* never cancelled */
    self->is_walking = false;
    if (self->is_stopped) {
        handles_close(self);
    } else if (self->is_stale) {
        walk(self);
    }
}

static void walk(struct canvas_watch *self)
{
    self->is_stale = self->is_walking;
    if (!self->is_walking) {
        self->is_walking = uv_queue_work(self->poll.loop, &self->work, on_work, on_walked) == 0;
    }
}

static void on_quiet(uv_timer_t *timer)
{
    struct canvas_watch *self = timer->data;

    self->on_change(self->arg);
}

/* Is it worth telling? A file that was only made is not written yet. */
static bool event_take(struct canvas_watch *self, const struct inotify_event *event)
{
    bool is_dir = event->mask & IN_ISDIR;

    if (event->mask & (IN_IGNORED | IN_Q_OVERFLOW)) {
        walk(self); /* a directory went, or events were lost */
        return event->mask & IN_Q_OVERFLOW;
    }
    if (event->len > 0 && is_skipped(event->name)) {
        return false;
    }
    if (is_dir && event->mask & (IN_CREATE | IN_MOVED_TO)) {
        walk(self);
    }
    return is_dir || !(event->mask & IN_CREATE);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
    struct canvas_watch *self = poll->data;
    char bytes[EVENTS_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t len = status ? -1 : read(self->fd, bytes, sizeof(bytes));
    bool is_told = false;

    (void)events;
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const struct inotify_event *)(bytes + at);

        is_told = event_take(self, event) || is_told;
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    if (is_told) {
        (void)uv_timer_start(&self->debounce, on_quiet, DEBOUNCE_MS, 0); /* it has a callback */
    }
}

struct canvas_watch *canvas_watch_start(uv_loop_t *loop, const struct canvas_watch_ask *ask)
{
    size_t size = strlen(ask->root) + 1;
    struct canvas_watch *self = calloc(1, sizeof(*self) + size);

    if (!self) {
        return NULL;
    }
    self->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (self->fd < 0 || uv_poll_init(loop, &self->poll, self->fd)) {
        if (self->fd >= 0) {
            (void)close(self->fd);
        }
        free(self);
        return NULL;
    }
    memcpy(self->root, ask->root, size);
    self->is_made = ask->is_made;
    self->on_change = ask->on_change;
    self->arg = ask->arg;
    (void)uv_timer_init(loop, &self->debounce); /* cannot fail */
    self->poll.data = self;
    self->debounce.data = self;
    self->work.data = self;
    self->handles_n = 2;
    (void)uv_poll_start(&self->poll, UV_READABLE, on_events); /* it was just made */
    walk(self);
    return self;
}

void canvas_watch_stop(struct canvas_watch *self)
{
    self->is_stopped = true;
    (void)uv_poll_stop(&self->poll);      /* cannot fail */
    (void)uv_timer_stop(&self->debounce); /* nor this */
    if (!self->is_walking) {
        handles_close(self);
    }
}
