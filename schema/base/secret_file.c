#include "schema/base/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "schema/base/secret_memory.h"

struct secret_file {
    uv_work_t work;
    uv_timer_t timeout;
    struct secret_file_opts opts;
    char path[PATH_MAX];
    struct secret_arena arena; /* the thread's until it is done */
    struct span content;
    struct secret_problem problem;
    bool is_worked; /* the thread is done */
    bool is_closed; /* the timer is */
};

/* --- in the thread ---------------------------------------------------------------------------------- */

static void problem_set(struct secret_file *self, const char *text)
{
    (void)snprintf(self->problem.text, sizeof(self->problem.text), "%s", text);
}

static void content_read(struct secret_file *self, int fd)
{
    size_t max = self->opts.bytes_max;
    char *room = secret_arena_room(&self->arena, max + 1); /* one more shows that it is too much */
    size_t len = 0;
    ssize_t n = room ? 1 : -1;

    while (n > 0 && len <= max) {
        do {
            n = read(fd, room + len, max + 1 - len);
        } while (n < 0 && errno == EINTR);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        problem_set(self, "the file cannot be read");
    } else if (len > max) {
        (void)snprintf(self->problem.text, sizeof(self->problem.text), "the file is larger than %zu bytes", max);
    } else {
        self->content = (struct span){ room, len };
    }
}

static void on_work(uv_work_t *work)
{
    struct secret_file *self = work->data;
    struct secret_path_rules rules = { .is_insecure_fine = self->opts.is_insecure_fine };
    char real[PATH_MAX];
    int fd = secret_path_open(self->path, &rules, real, &self->problem);

    if (fd >= 0) {
        content_read(self, fd);
        close(fd);
    }
}

/* --- on the loop -------------------------------------------------------------------------------------- */

static void free_when_over(struct secret_file *self)
{
    if (self->is_worked && self->is_closed) {
        secret_arena_deinit(&self->arena);
        free(self);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct secret_file *self = handle->data;

    self->is_closed = true;
    free_when_over(self);
}

static void tell(struct secret_file *self, struct span content, const struct secret_problem *problem)
{
    void (*on_done)(void *arg, struct span content, const struct secret_problem *problem) = self->opts.on_done;

    self->opts.on_done = NULL;
    if (on_done) {
        on_done(self->opts.arg, content, problem);
    }
    if (!uv_is_closing((uv_handle_t *)&self->timeout)) {
        uv_close((uv_handle_t *)&self->timeout, on_closed);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct secret_file *self = work->data;

    (void)status;
    self->is_worked = true;
    tell(self, self->content, self->problem.text[0] ? &self->problem : NULL);
    free_when_over(self);
}

static void on_timeout(uv_timer_t *timer)
{
    struct secret_file *self = timer->data;
    struct secret_problem problem;

    (void)snprintf(problem.text, sizeof(problem.text), "the file was not read after %u ms", self->opts.timeout_ms);
    (void)uv_cancel((uv_req_t *)&self->work); /* when it has begun, its result is thrown away */
    tell(self, (struct span){ 0 }, &problem);
}

int secret_file_start(uv_loop_t *loop, const struct secret_file_opts *opts, struct secret_file **ret_file)
{
    struct secret_file *self = mem_new(sizeof(*self));

    self->opts = *opts;
    self->work.data = self;
    if (!secret_path_expand(opts->path, secret_path_home(), self->path)) {
        self->path[0] = '\0'; /* no absolute path, and refused as such */
    }
    int r = uv_timer_init(loop, &self->timeout);
    if (!r) {
        r = uv_queue_work(loop, &self->work, on_work, on_worked);
        self->timeout.data = self;
        self->is_worked = r != 0;
        r = r ? r : uv_timer_start(&self->timeout, on_timeout, opts->timeout_ms, 0);
    }
    if (r) {
        secret_file_cancel(&self);
        return FAULT(r);
    }
    *ret_file = self;
    return 0;
}

void secret_file_cancel(struct secret_file **file_p)
{
    struct secret_file *self = *file_p;

    *file_p = NULL;
    if (self) {
        self->opts.on_done = NULL;
        (void)uv_cancel((uv_req_t *)&self->work);
        tell(self, (struct span){ 0 }, NULL);
    }
}
