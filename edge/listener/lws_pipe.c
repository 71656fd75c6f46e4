#include "edge/listener/lws_pipe.h"

#include <fcntl.h>
#include <unistd.h>

static void on_before(uv_handle_t *handle, void *arg)
{
    struct lws_pipe *self = arg;

    if (handle->type == UV_POLL && self->polls_n < LWS_PIPE_POLLS_MAX) {
        self->polls[self->polls_n++] = handle;
    }
}

static void on_after(uv_handle_t *handle, void *arg)
{
    struct lws_pipe *self = arg;
    uv_os_fd_t fd;

    if (handle->type != UV_POLL || self->polls_n == LWS_PIPE_POLLS_MAX) {
        return;
    }
    for (size_t i = 0; i < self->polls_n; i++) {
        if (self->polls[i] == handle) {
            return;
        }
    }
    if (!uv_fileno(handle, &fd)) {
        self->fd = fd;
    }
}

static void drop(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* never written to */
        *fd = -1;
    }
}

void lws_pipe_before(struct lws_pipe *self, uv_loop_t *loop)
{
    *self = (struct lws_pipe){ .fd = -1 };
    uv_walk(loop, on_before, self);
    for (size_t i = 0; i < LWS_PIPE_BELOW; i++) {
        self->below[i] = open("/dev/null", O_RDONLY | O_CLOEXEC); /* fewer do as well */
    }
}

void lws_pipe_after(struct lws_pipe *self, uv_loop_t *loop)
{
    uv_walk(loop, on_after, self);
    for (size_t i = 1; i < LWS_PIPE_BELOW; i++) {
        if (self->below[i] > self->fd) {
            drop(&self->below[i]); /* nobody would be given it before that of the pipe */
        }
    }
}

/* The first stays, to be what holds the number. */
void lws_pipe_leave(struct lws_pipe *self)
{
    for (size_t i = 1; i < LWS_PIPE_BELOW; i++) {
        drop(&self->below[i]);
    }
}

void lws_pipe_hold(struct lws_pipe *self)
{
    int held = self->fd < 0 || self->below[0] < 0 ? -1 : fcntl(self->below[0], F_DUPFD_CLOEXEC, self->fd);

    if (held != self->fd) {
        drop(&held);
    }
    drop(&self->below[0]);
}
