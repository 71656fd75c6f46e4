#include "actors/config/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"

#define CONTENT_MAX (4U << 20) /* bytes of a file; larger ones are refused anyway */

struct watch_dir {
    uv_fs_event_t event;
    struct watch *watch; /* NULL once nobody wants it any more */
    bool is_wanted;
    char path[PATH_MAX];
};

/* --- what the files are --------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3U;
}

/* File systems that do not tell of changes made elsewhere, and whose times may be coarse or those of another machine.
 */
static bool is_silent(const char *dir)
{
    static const unsigned long kinds[] = { 0x6969UL /* NFS */,      0x517bUL /* SMB */,      0xff534d42UL /* CIFS */,
                                           0xfe534d42UL /* SMB2 */, 0x65735546UL /* FUSE */, 0x01021997UL /* 9P */ };
    struct statfs fs;

    if (statfs(dir, &fs)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (((unsigned long)fs.f_type & 0xffffffffUL) == kinds[i]) {
            return true;
        }
    }
    return false;
}

static uint64_t content_mix(uint64_t hash, const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned char part[4096];
    size_t total = 0;
    size_t n;

    while (file && total < CONTENT_MAX && (n = fread(part, 1, sizeof(part), file)) > 0) {
        for (size_t i = 0; i < n; i++) {
            hash = mix(hash, part[i]);
        }
        total += n;
    }
    if (file) {
        (void)fclose(file); /* only read from */
    }
    mem_wipe(part, sizeof(part)); /* there are secrets among them */
    return hash;
}

static uint64_t signature_of(const struct watch *self)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < self->files_n; i++) {
        struct stat st;

        if (stat(self->files[i], &st)) {
            hash = mix(hash, 1);
            continue;
        }
        hash = mix(hash, (uint64_t)st.st_ino);
        hash = mix(hash, (uint64_t)st.st_size);
        hash = mix(hash, (uint64_t)st.st_mtim.tv_sec);
        hash = mix(hash, (uint64_t)st.st_mtim.tv_nsec);
        hash = mix(hash, (uint64_t)st.st_ctim.tv_nsec);
        hash = self->is_silent ? content_mix(hash, self->files[i]) : hash;
    }
    return hash;
}

static uint64_t names_hash(const struct watch *self)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < self->files_n; i++) {
        for (const char *at = self->files[i]; *at; at++) {
            hash = mix(hash, (unsigned char)*at);
        }
        hash = mix(hash, 0);
    }
    return hash;
}

/* --- bursts ------------------------------------------------------------------------------------------- */

static void on_burst_end(uv_timer_t *timer)
{
    struct watch *self = timer->data;

    self->burst_start_ms = 0;
    self->signature = signature_of(self); /* before the files are read: what changes later is seen again */
    self->on_change(self->arg);
}

void watch_again(struct watch *self, uint64_t ms)
{
    (void)uv_timer_start(&self->burst, on_burst_end, ms, 0);
}

static void burst_extend(struct watch *self)
{
    uint64_t now_ms = clock_mono_ms();
    uint64_t wait_ms = self->debounce_ms;

    self->burst_start_ms = self->burst_start_ms ? self->burst_start_ms : now_ms;
    if (now_ms - self->burst_start_ms + wait_ms > WATCH_BURST_MAX_MS) {
        uint64_t end_ms = self->burst_start_ms + WATCH_BURST_MAX_MS;
        wait_ms = end_ms > now_ms ? end_ms - now_ms : 0;
        wait_ms = wait_ms < self->debounce_ms ? wait_ms : self->debounce_ms;
    }
    watch_again(self, wait_ms);
}

static void on_look(uv_timer_t *timer)
{
    struct watch *self = timer->data;

    if (!uv_is_active((uv_handle_t *)&self->burst) && signature_of(self) != self->signature) {
        burst_extend(self);
    }
}

/* --- events --------------------------------------------------------------------------------------------- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    const struct watch_dir *dir = event->data;
    struct watch *self = dir->watch;

    (void)events;
    (void)status; /* an event that failed is a reason to look, too */
    for (size_t i = 0; self && i < self->files_n; i++) {
        if (!name || !strcmp(name, name_of(self->files[i]))) {
            burst_extend(self);
            return;
        }
    }
}

static void on_dir_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void dir_close(struct watch_dir *dir)
{
    dir->watch = NULL;
    uv_close((uv_handle_t *)&dir->event, on_dir_closed);
}

static void dir_open(struct watch *self, const char *path)
{
    struct watch_dir *dir = mem_new(sizeof(*dir));

    if (uv_fs_event_init(self->loop, &dir->event)) {
        free(dir);
        return; /* the slow look is left */
    }
    dir->event.data = dir;
    dir->watch = self;
    dir->is_wanted = true;
    (void)snprintf(dir->path, sizeof(dir->path), "%s", path);
    self->is_silent |= is_silent(path);
    int r = self->is_polling ? UV_ENOTSUP : uv_fs_event_start(&dir->event, on_event, path, 0);
    if (r && !self->is_told) {
        self->is_told = true;
        log_warning("config_watch_slow", "dir=%s every_ms=%u reason=\"%s\"", path, WATCH_LOOK_MS, uv_strerror(r));
    }
    if (r) {
        self->is_silent = true;
        dir_close(dir);
        return;
    }
    self->dirs[self->dirs_n++] = dir;
}

/* --- which files -------------------------------------------------------------------------------------------- */

static void files_drop(struct watch *self)
{
    while (self->files_n) {
        free(self->files[--self->files_n]);
    }
}

void watch_begin(struct watch *self)
{
    files_drop(self);
    for (size_t i = 0; i < self->dirs_n; i++) {
        self->dirs[i]->is_wanted = false;
    }
}

static void dir_want(struct watch *self, const char *file)
{
    char path[PATH_MAX];
    const char *slash = strrchr(file, '/');

    (void)snprintf(path, sizeof(path), "%.*s", slash ? (int)(slash - file) + (slash == file) : 1, slash ? file : ".");
    for (size_t i = 0; i < self->dirs_n; i++) {
        if (!strcmp(self->dirs[i]->path, path)) {
            self->dirs[i]->is_wanted = true;
            return;
        }
    }
    if (self->dirs_n < WATCH_DIRS_MAX) {
        dir_open(self, path);
    }
}

static void file_add(struct watch *self, const char *path)
{
    for (size_t i = 0; i < self->files_n; i++) {
        if (!strcmp(self->files[i], path)) {
            return;
        }
    }
    if (self->files_n < WATCH_FILES_MAX) {
        self->files[self->files_n++] = mem_text(path, strlen(path));
        dir_want(self, path);
    }
}

void watch_add(struct watch *self, const char *path)
{
    char real[PATH_MAX];

    file_add(self, path);
    if (realpath(path, real) && strcmp(real, path) != 0) {
        file_add(self, real); /* a link: what it leads to changes elsewhere */
    }
}

void watch_end(struct watch *self)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->dirs_n; i++) {
        if (self->dirs[i]->is_wanted) {
            self->dirs[kept++] = self->dirs[i];
        } else {
            dir_close(self->dirs[i]);
        }
    }
    self->dirs_n = kept;
    if (names_hash(self) != self->names) {
        self->names = names_hash(self);
        self->signature = signature_of(self);
    }
    if (!self->files_n) {
        (void)uv_timer_stop(&self->look);
    } else if (!uv_is_active((uv_handle_t *)&self->look)) {
        (void)uv_timer_start(&self->look, on_look, WATCH_LOOK_MS, WATCH_LOOK_MS); /* has a callback */
    }
}

/* --- life ------------------------------------------------------------------------------------------------------ */

int watch_open(struct watch *self, uv_loop_t *loop, void (*on_change)(void *arg), void *arg)
{
    self->loop = loop;
    self->on_change = on_change;
    self->arg = arg;
    self->is_polling =
        getenv("OPENCLAW_WATCH_POLL") != NULL; /* NOLINT(concurrency-mt-unsafe): set before threads start */
    int r = uv_timer_init(loop, &self->burst);
    r = r ? r : uv_timer_init(loop, &self->look);
    if (r) {
        return FAULT(r);
    }
    self->burst.data = self;
    self->look.data = self;
    self->is_open = true;
    return 0;
}

void watch_close(struct watch *self)
{
    if (!self->is_open) {
        return;
    }
    self->is_open = false;
    files_drop(self);
    uv_close((uv_handle_t *)&self->burst, NULL);
    uv_close((uv_handle_t *)&self->look, NULL);
    while (self->dirs_n) {
        dir_close(self->dirs[--self->dirs_n]);
    }
}
