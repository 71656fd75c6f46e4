#include "edge/cli/gateway_sockets.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/base/log.h"

_Static_assert(GATEWAY_LISTEN_MAX + 1 <= SOCKETS_MAX, "more sockets than a host can be given");

void gateway_sockets_init(struct gateway_sockets *self)
{
    *self = (struct gateway_sockets){ .local_fd = -1 };
}

void gateway_sockets_deinit(struct gateway_sockets *self)
{
    gateway_listen_close(&self->now);
    gateway_listen_close(&self->next);
    if (self->local_fd >= 0) {
        (void)close(self->local_fd); /* its file goes with the run directory */
    }
}

static size_t list(void *arg, int fds[SOCKETS_MAX])
{
    const struct gateway_sockets *self = arg;
    size_t n = 0;

    for (size_t i = 0; i < self->now.n; i++) {
        fds[n++] = self->now.fds[i];
    }
    if (self->local_fd >= 0) {
        fds[n++] = self->local_fd;
    }
    return n;
}

static bool is_at(const struct gateway_listen *listen, const char *host, uint16_t port)
{
    return listen->n && listen->port == port && strcmp(listen->hosts[0], host) == 0;
}

static int open_next(struct gateway_sockets *self, const char *host, uint16_t port, char *why, size_t why_size)
{
    struct gateway_listen_error error = { "", "" };

    if (!host[0]) {
        (void)snprintf(why, why_size, "no interface has a tailnet address (100.64.0.0/10)");
        return -1;
    }
    if (is_at(&self->next, host, port)) {
        return 1;
    }
    gateway_listen_close(&self->next); /* nobody was let in there */
    if (is_at(&self->now, host, port)) {
        return 0;
    }
    if (gateway_listen_open(host, port, &self->now, &self->next, &error)) {
        (void)snprintf(why, why_size, "%s", error.text); /* cut */
        return -1;
    }
    return 1;
}

/* The hosts that serve them let them go only when they start again; until then nobody could listen there. */
static void end(struct gateway_listen *listen)
{
    for (size_t i = 0; i < listen->n; i++) {
        (void)shutdown(listen->fds[i], SHUT_RDWR); /* of all duplicates */
    }
    gateway_listen_close(listen);
}

static int on_listen(void *arg, const char *host, uint16_t port, bool is_taken, char *why, size_t why_size)
{
    struct gateway_sockets *self = arg;
    int r = open_next(self, host, port, why, why_size);

    if (r > 0 && is_taken) {
        log_info("listening_moved", "from=%s:%u to=%s:%u", self->now.hosts[0], self->now.port, host, port);
        end(&self->now);
        self->now = self->next;
        self->next.n = 0;
    }
    return r;
}

struct process_sockets gateway_sockets_serve(struct gateway_sockets *self)
{
    return (struct process_sockets){ .list = list, .listen = on_listen, .arg = self };
}
