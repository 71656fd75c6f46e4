#include "edge/cli/secrets_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define LEFT_OVER ".secrets"

static int refuse(struct config_error *error, const char *path, const char *why)
{
    (void)snprintf(error->text, sizeof(error->text), "%.500s: %s", path, why);
    return SECRETS_FILES_E_REFUSED;
}

void secrets_text_wipe(struct text_buf *text)
{
    if (text->data) {
        mem_wipe(text->data, text->cap);
    }
    text_buf_deinit(text);
}

static void file_destroy(struct secrets_file *self)
{
    if (self->fresh[0]) {
        (void)unlink(self->fresh); /* gone already unless something is wrong */
    }
    secrets_text_wipe(&self->before);
    secrets_text_wipe(&self->after);
    free(self);
}

void secrets_files_deinit(struct secrets_files *self)
{
    for (size_t i = 0; i < self->n; i++) {
        file_destroy(self->items[i]);
    }
    self->n = 0;
}

/* --- reading ------------------------------------------------------------------------------------- */

static int bytes_read(int fd, size_t size, struct text_buf *text)
{
    int fault = text_buf_reserve(text, size + 1);

    while (!fault && text->len <= size) {
        ssize_t n = read(fd, text->data + text->len, size + 1 - text->len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n ? FAULT(-errno) : 0;
        }
        text->len += (size_t)n;
    }
    return fault;
}

int secrets_file_read(const char *path, size_t max, struct text_buf *text, bool *ret_is_there,
                      struct config_error *error)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    *ret_is_there = fd >= 0;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &st)) {
        return refuse(error, path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(error, path, "is no regular file");
    }
    if (st.st_size > (off_t)max) {
        char why[64];
        (void)snprintf(why, sizeof(why), "is larger than %zu MiB", max >> 20U);
        return refuse(error, path, why);
    }
    int fault = bytes_read(fd, (size_t)st.st_size, text);
    if (fault) {
        return refuse(error, path, fault_text(fault));
    }
    return text->len > (size_t)st.st_size ? refuse(error, path, "grew while it was read") : 0;
}

int secrets_files_get(struct secrets_files *self, const char *path, struct secrets_file **ret_file,
                      struct config_error *error)
{
    struct secrets_file *file;

    for (size_t i = 0; i < self->n; i++) {
        if (!strcmp(self->items[i]->path, path)) {
            *ret_file = self->items[i];
            return 0;
        }
    }
    if (self->n == SECRETS_FILES_MAX || strlen(path) >= PATH_MAX) {
        return refuse(error, path, "is one file too many, or has too long a name");
    }
    file = mem_new(sizeof(*file));
    memcpy(file->path, path, strlen(path) + 1);
    int r = secrets_file_read(path, SECRETS_FILE_BYTES_MAX, &file->before, &file->is_there, error);
    if (r) {
        file_destroy(file);
        return r;
    }
    self->items[self->n++] = file;
    *ret_file = file;
    return 0;
}

struct span secrets_file_text(const struct secrets_file *self)
{
    const struct text_buf *text = self->is_changed ? &self->after : &self->before;

    return (struct span){ text->data ? text->data : "", text->len };
}

void secrets_file_change(struct secrets_file *self, struct text_buf *text)
{
    secrets_text_wipe(&self->after);
    self->after = *text;
    *text = (struct text_buf){ 0 };
    self->is_changed = !self->is_there || !span_is((struct span){ self->after.data, self->after.len },
                                                   (struct span){ self->before.data, self->before.len });
}

/* --- directories ----------------------------------------------------------------------------------- */

static void directory_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
}

/* Makes what is missing of the directories that lead to the file, for nobody else to look into. */
static int directories_make(const char *path)
{
    char dir[PATH_MAX];

    (void)snprintf(dir, sizeof(dir), "%s", path);
    for (char *at = strchr(dir + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(dir, 0700) && errno != EEXIST) {
            return FAULT(-errno);
        }
        *at = '/';
    }
    return 0;
}

static bool is_left_over(const char *name, const char *base, const char *ending)
{
    size_t len = strlen(base);

    return !strncmp(name, base, len) && name[len] == '.' && strspn(name + len + 1, "0123456789abcdef") == 8 &&
           !strcmp(name + len + 9, ending);
}

void secrets_files_left_over(const char *path, const char *ending, void (*on)(void *arg, const char *path), void *arg)
{
    const char *slash = strrchr(path, '/');
    const struct dirent *entry;
    char dir[PATH_MAX];
    char found[PATH_MAX];

    directory_of(path, dir);
    DIR *all = opendir(dir);
    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (is_left_over(entry->d_name, slash ? slash + 1 : path, ending) &&
            snprintf(found, sizeof(found), "%s/%s", dir, entry->d_name) < (int)sizeof(found)) {
            on(arg, found);
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

/* One run is at work at a time, so what a run left behind is nobody's. */
static void on_left_over(void *arg, const char *path)
{
    (void)arg;
    (void)unlink(path); /* else it stays a little longer */
}

/* --- writing ----------------------------------------------------------------------------------------- */

/* The text beside the file, under a name of its own, synced. */
static int aside_write(struct secrets_file *self, struct span text)
{
    unsigned number = 0;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        return FAULT(-EIO);
    }
    if (snprintf(self->fresh, sizeof(self->fresh), "%s.%08x" LEFT_OVER, self->path, number) >= PATH_MAX) {
        self->fresh[0] = '\0';
        return FAULT(-ENAMETOOLONG);
    }
    CLEANUP(fd_close) int fd = open(self->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? FAULT(-errno) : durable_write(fd, text);
}

static int in_place_put(struct secrets_file *self)
{
    if (rename(self->fresh, self->path)) {
        return FAULT(-errno);
    }
    self->fresh[0] = '\0';
    return durable_name(self->path);
}

static int stage(struct secrets_file *self)
{
    int r = directories_make(self->path);

    return r ? r : aside_write(self, secrets_file_text(self));
}

int secrets_files_stage(struct secrets_files *self, struct config_error *error)
{
    for (size_t i = 0; i < self->n; i++) {
        secrets_files_left_over(self->items[i]->path, LEFT_OVER, on_left_over, NULL);
    }
    for (size_t i = 0; i < self->n; i++) {
        int r = self->items[i]->is_changed ? stage(self->items[i]) : 0;

        if (r) {
            return refuse(error, self->items[i]->path, fault_text(r));
        }
    }
    return 0;
}

/* Is it still what was read? A link in its place is not written to: what it names would stay as it is. */
static int unchanged_check(const struct secrets_file *self, struct config_error *error)
{
    CLEANUP(secrets_text_wipe) struct text_buf now = { 0 };
    struct stat st;
    bool is_there = false;

    if (!lstat(self->path, &st) && S_ISLNK(st.st_mode)) {
        return refuse(error, self->path, "is a symbolic link: put the file itself in its place");
    }
    int r = secrets_file_read(self->path, SECRETS_FILE_BYTES_MAX, &now, &is_there, error);
    if (r) {
        return r;
    }
    bool is_same = is_there == self->is_there &&
                   span_is((struct span){ now.data, now.len }, (struct span){ self->before.data, self->before.len });
    return is_same ? 0 : refuse(error, self->path, "was changed meanwhile: run the command again");
}

static int replace(struct secrets_file *self, struct config_error *error)
{
    int r = unchanged_check(self, error);

    if (r) {
        return r;
    }
    r = in_place_put(self);
    self->is_replaced = !self->fresh[0];
    return r ? refuse(error, self->path, fault_text(r)) : 0;
}

int secrets_files_commit(struct secrets_files *self, struct config_error *error)
{
    struct config_error more = { "" };
    int r = 0;

    for (size_t i = 0; !r && i < self->n; i++) {
        r = self->items[i]->is_changed ? unchanged_check(self->items[i], error) : 0;
    }
    for (size_t i = 0; !r && i < self->n; i++) {
        r = self->items[i]->is_changed ? replace(self->items[i], error) : 0;
    }
    if (r && !secrets_files_undo(self, &more)) {
        size_t len = strlen(error->text);
        (void)snprintf(error->text + len, sizeof(error->text) - len, "; besides, %.300s", more.text);
        return SECRETS_FILES_E_TORN;
    }
    return r;
}

static bool undo(struct secrets_file *self)
{
    int r = 0;

    if (self->is_replaced && !self->is_there) {
        r = unlink(self->path);
    } else if (self->is_replaced) {
        r = aside_write(self, (struct span){ self->before.data, self->before.len });
        r = r ? r : in_place_put(self);
    }
    self->is_replaced &= r != 0;
    return !r;
}

bool secrets_files_undo(struct secrets_files *self, struct config_error *error)
{
    size_t len = (size_t)snprintf(error->text, sizeof(error->text), "not put back as it was:");
    bool is_done = true;

    for (size_t i = self->n; i > 0; i--) {
        if (!undo(self->items[i - 1]) && len < sizeof(error->text)) {
            len += (size_t)snprintf(error->text + len, sizeof(error->text) - len, " %.400s", self->items[i - 1]->path);
            is_done = false;
        }
    }
    return is_done;
}
