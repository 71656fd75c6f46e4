#include "actors/log/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"

#define FIRST_LINE_MAX (256U * 1024) /* a line is shorter, with its text twice and escaped */

void file_init(struct file *self)
{
    *self = (struct file){ .fd = -1 };
}

static int fail(struct file *self, int error)
{
    self->error = error;
    return FILE_E_DISK;
}

void file_archive_path(const char *path, unsigned number, char ret_path[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    int stem = dot && dot != path ? (int)(dot - path) : (int)strlen(path);
    int n = snprintf(ret_path, PATH_MAX, "%.*s.%u%s", stem, path, number, path + stem);

    if (n >= PATH_MAX) {
        ret_path[0] = '\0'; /* refused by every system call that gets it */
    }
}

/* Only the last folder of the path is made; the ones above are somebody's decision. */
static void folder_make(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (slash && slash != path) {
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
        (void)mkdir(dir, 0700); /* there already, or open() will say what is wrong */
    }
}

/* A line as this log or that of an earlier release writes it. */
static bool is_log_line(struct span text)
{
    CLEANUP(pack_deinit) struct pack doc;

    pack_init(&doc, 0);
    return !json_to_pack(text, &(struct json_opts){ 0 }, &doc, NULL) &&
           value_str(value_get(pack_span(&doc), "time"), SPAN_LIT("")).len &&
           value_kind_of(value_get(pack_span(&doc), "_meta")) == VALUE_MAP;
}

static bool is_log(int fd, const struct stat *st)
{
    char *text;
    bool is_ours;

    if (!st->st_size) {
        return true;
    }
    text = mem_new(FIRST_LINE_MAX);
    ssize_t n = pread(fd, text, FIRST_LINE_MAX, 0);
    const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
    is_ours = end && is_log_line((struct span){ text, (size_t)(end - text) });
    free(text);
    return is_ours;
}

/* 0 when this file may be appended to. */
static int fitness(const struct file *self, int fd, const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || (self->is_chosen && (st->st_uid != geteuid() || !is_log(fd, st)))) {
        return self->is_chosen ? FILE_E_FOREIGN : FILE_E_DISK;
    }
    return 0;
}

static int reopen(struct file *self)
{
    struct stat st;
    int fd;

    folder_make(self->path);
    fd = open(self->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) {
        (void)fail(self, errno);
        return self->is_chosen && errno == ELOOP ? FILE_E_FOREIGN : FILE_E_DISK;
    }
    int r = fstat(fd, &st) ? FILE_E_DISK : fitness(self, fd, &st);
    int error = r ? EINVAL : 0;
    if (!r && fchmod(fd, 0600)) {
        error = errno;
        r = FILE_E_DISK;
    }
    if (r) {
        close(fd);
        (void)fail(self, error);
        return r;
    }
    self->fd = fd;
    self->dev = st.st_dev;
    self->ino = st.st_ino;
    self->size = (uint64_t)st.st_size;
    self->error = 0;
    return 0;
}

static int place_open(struct file *self, const char *path, uint64_t bytes_max, bool is_chosen)
{
    struct file other = { .fd = -1, .is_chosen = is_chosen };

    snprintf(other.path, sizeof(other.path), "%s", path);
    other.bytes_max = bytes_max < FILE_BYTES_LEAST ? FILE_BYTES_LEAST : bytes_max;
    int r = reopen(&other);
    if (r != FILE_E_FOREIGN) {
        file_close(self);
        other.base = self->base;
        *self = other;
    }
    return r;
}

int file_open(struct file *self, const char *path, uint64_t bytes_max)
{
    return place_open(self, path, bytes_max, false);
}

int file_open_chosen(struct file *self, const char *path, uint64_t bytes_max)
{
    return place_open(self, path, bytes_max, true);
}

void file_close(struct file *self)
{
    if (self->fd >= 0) {
        close(self->fd);
        self->base += self->size;
    }
    self->fd = -1;
    self->size = 0;
}

static int rotate(struct file *self)
{
    char from[PATH_MAX];
    char to[PATH_MAX];

    for (unsigned i = FILE_ARCHIVES; i > 1; i--) {
        file_archive_path(self->path, i - 1, from);
        file_archive_path(self->path, i, to);
        (void)rename(from, to); /* there may be fewer archives */
    }
    file_archive_path(self->path, 1, to);
    if (rename(self->path, to)) {
        return fail(self, errno);
    }
    file_close(self);
    return reopen(self);
}

/* A half-written line would spoil the next one: cut back to what was there. */
static int undo(struct file *self, int error)
{
    if (ftruncate(self->fd, (off_t)self->size) != 0) { /* shrinking needs no space: the file is worse off */
        error = errno;
    }
    return fail(self, error);
}

int file_write(struct file *self, struct span lines)
{
    size_t done = 0;

    if (self->fd < 0 && reopen(self)) {
        return FILE_E_DISK;
    }
    if (self->size && self->size + lines.len > self->bytes_max && rotate(self)) {
        return FILE_E_DISK;
    }
    while (done < lines.len) {
        ssize_t n = write(self->fd, lines.ptr + done, lines.len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return undo(self, n ? errno : EIO);
        }
        done += (size_t)n;
    }
    self->size += lines.len;
    self->error = 0;
    return 0;
}

int file_follow(struct file *self)
{
    struct stat st;

    if (self->fd < 0) {
        return reopen(self);
    }
    bool is_gone = stat(self->path, &st) || st.st_dev != self->dev || st.st_ino != self->ino;
    if (!is_gone && (uint64_t)st.st_size >= self->size) {
        return 0;
    }
    if (!is_gone) { /* emptied in place, as `copytruncate` does */
        self->base += self->size;
        self->size = (uint64_t)st.st_size;
        return 0;
    }
    file_close(self);
    return reopen(self);
}
