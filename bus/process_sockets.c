/*
 * The listening sockets: given to the hosts that ask for them, exchanged when a host has
 * asked for that. A host has none but those that it asked for, so that a socket is closed
 * when the last who serves on it lets it go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/process_internal.h"

/* Lives until its close callback, so each life of a host has one of its own. */
struct socket_channel {
    uv_poll_t poll;
    struct hostling *host;
    int fd;
};

static void on_closed(uv_handle_t *handle)
{
    struct socket_channel *self = handle->data;

    (void)close(self->fd); /* whoever asks there hears that nobody answers */
    free(self);
}

void process_sockets_close(struct hostling *host)
{
    if (host->sockets) {
        uv_close((uv_handle_t *)&host->sockets->poll, on_closed);
        host->sockets = NULL;
    }
}

static void on_request(uv_poll_t *poll, int status, int events)
{
    struct socket_channel *self = poll->data;
    const struct process_opts *opts = self->host->process->opts;
    int fds[SOCKETS_MAX];
    int r = 0;

    (void)events;
    while (status == 0 && r == 0) {
        size_t n = opts->sockets.list ? opts->sockets.list(opts->sockets.arg, fds) : 0;
        r = sockets_answer(self->fd, fds, n);
    }
    if (r == SOCKETS_E_NOT_YET) {
        return;
    }
    if (r < 0) {
        log_warning("sockets_not_given", "host=%s error=\"%s\"", self->host->host->name, fault_text(r));
    }
    process_sockets_close(self->host); /* it has ended, or is about to */
}

int process_sockets_open(struct hostling *host, int *ret_fd)
{
    struct socket_channel *self = mem_new(sizeof(*self));
    int ends[2];
    int r = sockets_channel(ends);

    if (r) {
        free(self);
        return r;
    }
    r = uv_poll_init(&host->process->loop, &self->poll, ends[0]);
    if (r) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(self);
        return FAULT(r);
    }
    self->poll.data = self;
    self->host = host;
    self->fd = ends[0];
    host->sockets = self;
    *ret_fd = ends[1];
    r = uv_poll_start(&self->poll, UV_READABLE, on_request);
    return r ? FAULT(r) : 0;
}

int process_sockets_on_listen(void *arg, const char *host, uint16_t port, bool is_taken, char *why, size_t why_size)
{
    const struct process_sockets *sockets = &((const struct process *)arg)->opts->sockets;

    if (!sockets->listen) {
        (void)snprintf(why, why_size, "the sockets of this process stay as they are");
        return -1;
    }
    return sockets->listen(sockets->arg, host, port, is_taken, why, why_size);
}
