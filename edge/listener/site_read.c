#include "edge/listener/site_read.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edge/http/site.h"

/* --- on a worker thread ------------------------------------------------------------------- */

static int beneath_open(int dir, const char *name, bool is_strict)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                            .resolve =
                                RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (is_strict ? RESOLVE_NO_SYMLINKS : 0U) };
    long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* Why it is not given out; 0 when it is. A second name of a file may be that of one from elsewhere. */
static int stat_judge(const struct site_read *self, const struct stat *st)
{
    if (!S_ISREG(st->st_mode)) {
        return self->is_strict && S_ISDIR(st->st_mode) ? -EISDIR : -ENOENT;
    }
    if (self->is_strict && st->st_nlink > 1) {
        return -ENOENT;
    }
    return self->size_max && (uint64_t)st->st_size > self->size_max ? -EFBIG : 0;
}

/* A regular file, open; or a negative errno. */
static int file_open(struct site_read *self, int dir, const char *name)
{
    struct stat st;
    int fd = beneath_open(dir, name, self->is_strict);
    int r;

    if (fd < 0) {
        return fd == -EXDEV || fd == -ELOOP || fd == -ENOTDIR || fd == -ENAMETOOLONG ? -ENOENT : fd;
    }
    r = fstat(fd, &st) ? -errno : stat_judge(self, &st);
    if (r) {
        (void)close(fd);
        return r;
    }
    self->size = (uint64_t)st.st_size;
    self->left = self->size;
    (void)snprintf(self->etag, sizeof(self->etag), "\"%llx-%llx\"", (unsigned long long)st.st_size,
                   (unsigned long long)st.st_mtim.tv_sec * 1000000000ULL + (unsigned long long)st.st_mtim.tv_nsec);
    return fd;
}

static int piece_read(struct site_read *self)
{
    size_t want = self->left < self->room ? (size_t)self->left : self->room;

    for (self->len = 0; self->len < want;) {
        ssize_t n = read(self->fd, self->data + self->len, want - self->len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO; /* it became shorter than it was */
        }
        self->len += (size_t)n;
    }
    self->left -= want;
    return 0;
}

/* To where the part begins that is asked for. */
static int part_seek(struct site_read *self)
{
    self->part =
        range_read(span_from(self->range), span_from(self->if_range), self->size, self->has_etag ? self->etag : "");
    if (self->part.kind == RANGE_WHOLE) {
        return 0;
    }
    self->left = self->part.len;
    return self->part.first && lseek(self->fd, (off_t)self->part.first, SEEK_SET) < 0 ? -errno : 0;
}

static int open_and_read(struct site_read *self)
{
    int r;
    int dir = open(self->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0) {
        return -ENODEV; /* apart from a file that is not there */
    }
    self->fd = file_open(self, dir, self->name);
    if (self->fd == -ENOENT && self->falls_back) {
        (void)strcpy(self->name, "index.html"); /* has room */
        self->fd = file_open(self, dir, self->name);
    }
    (void)close(dir);
    if (self->fd < 0) {
        return self->fd;
    }
    self->is_page = site_is_page(self->name) && self->size <= SITE_PAGE_MAX;
    r = self->is_page ? 0 : part_seek(self);
    if (r) {
        return r;
    }
    self->room = self->is_page ? (size_t)self->size : SITE_PIECE;
    self->data = malloc(self->room + 1);
    return self->data ? piece_read(self) : -ENOMEM;
}

static void on_work(uv_work_t *work)
{
    struct site_read *self = work->data;

    self->r = self->data ? piece_read(self) : open_and_read(self);
}

/* --- on the loop -------------------------------------------------------------------------- */

static void on_done(uv_work_t *work, int status)
{
    struct site_read *self = work->data;

    self->is_working = false;
    self->r = status ? status : self->r;
    if (!self->stream) {
        site_read_free(self);
    } else {
        self->on_ready(self);
    }
}

int site_read_next(struct site_read *self, uv_loop_t *loop)
{
    int r = uv_queue_work(loop, &self->work, on_work, on_done);

    self->is_working = r == 0;
    return r;
}

/* What does not fit could not be served either. */
static void range_keep(struct site_read *self, const struct site_read_ask *ask)
{
    self->has_etag = ask->has_etag;
    if (ask->range.len < sizeof(self->range) && ask->if_range.len < sizeof(self->if_range)) {
        (void)snprintf(self->range, sizeof(self->range), "%.*s", SPAN_FMT(ask->range));
        (void)snprintf(self->if_range, sizeof(self->if_range), "%.*s", SPAN_FMT(ask->if_range));
    }
}

struct site_read *site_read_new(uv_loop_t *loop, const struct site_read_ask *ask)
{
    struct site_read *self = calloc(1, sizeof(*self));
    size_t name_len = strlen(ask->name);

    if (!self) {
        return NULL;
    }
    self->fd = -1;
    self->work.data = self;
    self->falls_back = ask->falls_back;
    self->is_strict = ask->is_strict;
    self->size_max = ask->size_max;
    range_keep(self, ask);
    self->root = strdup(ask->root);
    self->name = calloc(1, name_len + sizeof("index.html"));
    if (self->root && self->name) {
        memcpy(self->name, ask->name, name_len);
    }
    if (!self->root || !self->name || site_read_next(self, loop)) {
        site_read_free(self);
        return NULL;
    }
    return self;
}

void site_read_replace(struct site_read *self, struct text_buf *page)
{
    free(self->data);
    self->data = page->data;
    self->len = page->len;
    self->room = page->cap;
    self->size = page->len;
    *page = (struct text_buf){ 0 };
}

void site_read_free(struct site_read *self)
{
    if (self->is_working) {
        self->stream = NULL;
        return;
    }
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    free(self->root);
    free(self->name);
    free(self->data);
    free(self->about);
    free(self);
}
