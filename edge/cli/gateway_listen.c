#include "edge/cli/gateway_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "edge/cli/gateway_claim.h"
#include "edge/cli/gateway_port.h"

#define PORTS_OF_ROOT 1024
#define OWNER_STATE_MAX 120 /* bytes of its path that are told */
#define LISTEN_BACKLOG 4096 /* who connects during a restart waits here; the kernel cuts it to somaxconn */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int address_make(const char *host, uint16_t port, union address *ret_address, socklen_t *ret_len)
{
    memset(ret_address, 0, sizeof(*ret_address));
    if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(port);
        *ret_len = sizeof(ret_address->v4);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(port);
        *ret_len = sizeof(ret_address->v6);
        return 0;
    }
    return -EINVAL;
}

static int option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* The socket, or a negative errno. */
static int socket_listen(const char *host, uint16_t port, bool is_shared, uint16_t *ret_port)
{
    union address address;
    socklen_t len;
    int r = address_make(host, port, &address, &len);
    int fd;

    if (r) {
        return r;
    }
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    /* Connections of the life before in TIME_WAIT do not count; a listener there still does. */
    if (option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) || (is_shared && option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
        (address.any.sa_family == AF_INET6 && option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
        bind(fd, &address.any, len) || listen(fd, LISTEN_BACKLOG) || getsockname(fd, &address.any, &len)) {
        r = -errno;
        (void)close(fd);
        return r;
    }
    *ret_port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return fd;
}

/* While they may be shared a socket of another address can be opened on their port: all of them must agree. */
static void share(const struct gateway_listen *self, bool is_shared)
{
    for (size_t i = 0; i < self->n; i++) {
        (void)option_set(self->fds[i], SOL_SOCKET, SO_REUSEPORT, is_shared); /* without it the port is busy */
    }
}

/* 127.0.0.1 and 0.0.0.0 of one port stand in each other's way, also when both are ours. */
static int socket_listen_beside(const char *host, uint16_t port, const struct gateway_listen *ours, uint16_t *ret_port)
{
    int fd = socket_listen(host, port, false, ret_port);

    if (fd != -EADDRINUSE || !ours || ours->port != port) {
        return fd;
    }
    share(ours, true);
    fd = socket_listen(host, port, true, ret_port);
    share(ours, false);
    if (fd >= 0) {
        (void)option_set(fd, SOL_SOCKET, SO_REUSEPORT, 0); /* nobody else gets in */
    }
    return fd;
}

static void busy_explain(const char *host, uint16_t port, struct gateway_listen_error *error)
{
    pid_t pids[GATEWAY_PORT_HOLDERS_MAX];
    size_t n = gateway_port_holders(port, pids, GATEWAY_PORT_HOLDERS_MAX);
    char program[160] = "";
    char state[PATH_MAX] = "";

    if (n == 0) {
        (void)snprintf(error->text, sizeof(error->text),
                       "port %u on %s is in use by a process that cannot be seen from here", port, host);
        (void)snprintf(error->fix, sizeof(error->fix), "free it, or choose another with --port");
        return;
    }
    gateway_port_program(pids[0], program, sizeof(program));
    for (size_t i = 0; i < n && !state[0]; i++) { /* its hosts have the socket, too */
        gateway_claim_state_of(pids[i], state);
    }
    (void)snprintf(error->text, sizeof(error->text), "port %u on %s is in use by pid %d (%s%s%.*s)", port, host,
                   (int)pids[0], program[0] ? program : "unknown program", state[0] ? ", the gateway of " : "",
                   OWNER_STATE_MAX, state);
    (void)snprintf(error->fix, sizeof(error->fix), "stop it, choose another port with --port, or end it with --force");
}

/* What to do about it, where there is something to say. */
static const char *why_not(int number, uint16_t port)
{
    if (number == EACCES && port < PORTS_OF_ROOT) {
        return "; ports below 1024 are for root, or for a program with CAP_NET_BIND_SERVICE: choose another with "
               "--port";
    }
    return number == EADDRNOTAVAIL ? "; this machine has no such address: choose another with --bind" : "";
}

static int add(struct gateway_listen *self, const char *host, uint16_t port, const struct gateway_listen *ours,
               struct gateway_listen_error *error)
{
    int fd = socket_listen_beside(host, port, ours, &self->port);

    if (fd == -EADDRINUSE) {
        busy_explain(host, port, error);
        return GATEWAY_LISTEN_E_BUSY;
    }
    if (fd < 0) {
        (void)snprintf(error->text, sizeof(error->text), "cannot listen on %s port %u: %s%s", host, port, strerror(-fd),
                       why_not(-fd, port));
        return GATEWAY_LISTEN_E_REFUSED;
    }
    self->fds[self->n] = fd;
    (void)snprintf(self->hosts[self->n], sizeof(self->hosts[self->n]), "%s", host);
    self->n++;
    return 0;
}

int gateway_listen_open(const char *host, uint16_t port, const struct gateway_listen *ours,
                        struct gateway_listen *ret_self, struct gateway_listen_error *error)
{
    struct gateway_listen self = { .n = 0 };
    int r = add(&self, host, port, ours, error);

    if (r == 0 && strcmp(host, "127.0.0.1") == 0) {
        r = add(&self, "::1", self.port, ours, error);
        if (r == GATEWAY_LISTEN_E_REFUSED) {
            r = 0; /* a machine without IPv6 is no reason to stay away */
        }
    }
    if (r) {
        gateway_listen_close(&self);
        return r;
    }
    *ret_self = self;
    return 0;
}

int gateway_listen_local(const char *path, int *ret_fd, struct gateway_listen_error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = -1;
    int r = 0;

    if (strlen(path) >= sizeof(address.sun_path)) {
        r = -ENAMETOOLONG;
    } else {
        (void)strcpy(address.sun_path, path);
        (void)unlink(path); /* of an earlier life; absent is fine */
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) ||
                    listen(fd, LISTEN_BACKLOG)
                ? -errno
                : 0;
    }
    if (r) {
        (void)snprintf(error->text, sizeof(error->text), "cannot listen on %s: %s", path, strerror(-r));
        if (fd >= 0) {
            (void)close(fd);
        }
        return GATEWAY_LISTEN_E_REFUSED;
    }
    *ret_fd = fd;
    return 0;
}

void gateway_listen_close(struct gateway_listen *self)
{
    for (size_t i = 0; i < self->n; i++) {
        (void)close(self->fds[i]);
    }
    self->n = 0;
}
