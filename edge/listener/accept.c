#include "edge/listener/accept.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/base/descriptors.h"
#include "bus/base/log.h"
#include "bus/sockets.h"
#include "edge/listener/edge.h"

_Static_assert(SOCKETS_MAX <= LIMIT_LISTEN_SOCKETS, "more sockets than there is room for");

#define DESCRIPTORS_RESERVE 64U /* for the rest of the process: its actors, databases and providers */

static const char full_text[] =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n\r\nToo many connections";

static bool is_welcome(const struct edge *edge, const struct peer *peer)
{
    return edge->conns_n < LIMIT_CONNECTIONS && (peer->is_loopback || peer->connections_n < LIMIT_CONNECTIONS_PER_PEER);
}

/* What we say does not matter enough to wait for it: a fresh socket takes it at once. */
static void turn_away(struct edge *edge, int fd, struct peer *peer)
{
    edge->tally.turned_away_n++;
    (void)send(fd, full_text, sizeof(full_text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
    peer_release(&edge->peers, peer);
}

/* Answers are small and wait for nothing; a peer that vanished is noticed in two minutes. */
static void socket_tune(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },    { SOL_SOCKET, SO_KEEPALIVE, 1 }, { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 20 }, { IPPROTO_TCP, TCP_KEEPCNT, 3 },
    };

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        /* Not TCP, or not supported: it works without. */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
    }
}

/* Once until there is room again: the next one is told by its own refusal. */
static void low_tell(struct edge *edge, const char *what)
{
    if (!edge->is_low_told) {
        edge->is_low_told = true;
        log_warning("edge_descriptors_low", "connections=%zu what=\"%s\" hint=\"raise the limit of open files\"",
                    edge->conns_n, what);
        actor_status(edge->actor, "no descriptors for further connections; raise the limit of open files");
    }
    edge_sweep_start(edge);
}

static void admit(struct edge *edge, int fd, const struct sockaddr *address)
{
    struct peer *peer = peer_take(&edge->peers, address);
    bool is_sealed = edge->cert.is_on && address->sa_family != AF_UNIX; /* a local socket shows who asks by itself */

    if (!peer) {
        (void)close(fd); /* no memory to know it by */
    } else if (is_sealed && !edge->cert.server.ctx) {
        (void)close(fd); /* the status of this actor says why */
        peer_release(&edge->peers, peer);
    } else if (descriptors_few(DESCRIPTORS_RESERVE)) {
        low_tell(edge, "new connections are turned away");
        turn_away(edge, fd, peer);
    } else if (!is_welcome(edge, peer)) {
        turn_away(edge, fd, peer);
    } else {
        edge->tally.accepted_n++;
        socket_tune(fd);
        conn_adopt(edge, fd, peer, address, is_sealed);
    }
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
    struct edge_listen *self = poll->data;
    struct edge *edge = self->edge;

    (void)events;
    for (unsigned i = 0; status == 0 && i < LIMIT_ACCEPTS_PER_WAKE && self->is_open; i++) {
        struct sockaddr_storage address = { 0 };
        socklen_t len = sizeof(address);
        int fd = accept4(self->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            admit(edge, fd, (const struct sockaddr *)&address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            low_tell(edge, "accepting pauses");
            edge->is_accept_paused = true;
            (void)uv_poll_stop(poll);
            return;
        } else if (errno == EINVAL) {
            (void)uv_poll_stop(poll); /* it listens no more: this edge is about to start again on other sockets */
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: all are in; anything else concerns that one connection */
        }
    }
}

void accept_resume(struct edge *edge)
{
    if (edge->is_low_told && !descriptors_few(2 * DESCRIPTORS_RESERVE)) {
        edge->is_low_told = false;
        actor_status(edge->actor, "");
    }
    if (!edge->is_accept_paused) {
        return;
    }
    edge->is_accept_paused = false;
    for (size_t i = 0; i < edge->listens_n; i++) {
        if (edge->listens[i].is_open) {
            (void)uv_poll_start(&edge->listens[i].poll, UV_READABLE, on_accept); /* it worked before */
        }
    }
}

/* --- the sockets ------------------------------------------------------------------------ */

static int listen_add(struct edge *edge, int fd)
{
    struct edge_listen *self = &edge->listens[edge->listens_n];
    int flags = fcntl(fd, F_GETFL);
    int r;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return FAULT(-errno);
    }
    r = uv_poll_init(actor_loop(edge->actor), &self->poll, fd);
    if (r) {
        return FAULT(r);
    }
    self->poll.data = self;
    self->edge = edge;
    self->fd = fd;
    self->is_open = true;
    edge->listens_n++;
    return 0;
}

static int listens_take(struct edge *edge)
{
    int fds[SOCKETS_MAX];
    size_t n = 0;
    int r = sockets_take(edge->asked_fd, fds, &n);

    for (size_t i = 0; i < n; i++) {
        r = r ? r : listen_add(edge, fds[i]);
        if (r) {
            (void)close(fds[i]); /* nobody was let in by it */
        }
    }
    return r;
}

static void on_asked_closed(uv_handle_t *handle)
{
    struct edge *edge = handle->data;

    (void)close(edge->asked_fd); /* it has said what it had to say */
}

static void asked_close(struct edge *edge)
{
    if (edge->is_asking) {
        edge->is_asking = false;
        uv_close((uv_handle_t *)&edge->asked, on_asked_closed);
    }
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
    struct edge *edge = poll->data;
    int r = status < 0 ? FAULT(status) : listens_take(edge);

    (void)events;
    if (r == SOCKETS_E_NOT_YET) {
        return;
    }
    asked_close(edge);
    if (r) {
        (void)actor_fault(edge->actor, r < 0 ? r : FAULT(-EPIPE)); /* the next life asks again */
    } else {
        edge->on_sockets(edge);
    }
}

static int channel_of(const char *text)
{
    char *end = NULL;
    long fd = text ? strtol(text, &end, 10) : -1;

    return text && end != text && !*end && fd > 2 && fd <= INT32_MAX ? (int)fd : -1;
}

int accept_ask(struct edge *edge, void (*on_there)(struct edge *edge))
{
    int channel = channel_of(getenv(SOCKETS_ENV)); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    int r;

    edge->on_sockets = on_there;
    if (channel < 0) {
        log_warning("edge_no_socket", "hint=\"%s is not set\"", SOCKETS_ENV);
        on_there(edge);
        return 0;
    }
    r = sockets_ask(channel, &edge->asked_fd);
    if (r) {
        return r;
    }
    r = uv_poll_init(actor_loop(edge->actor), &edge->asked, edge->asked_fd);
    if (r) {
        (void)close(edge->asked_fd);
        return FAULT(r);
    }
    edge->asked.data = edge;
    edge->is_asking = true;
    r = uv_poll_start(&edge->asked, UV_READABLE, on_answer);
    return r ? FAULT(r) : 0;
}

int accept_open(struct edge *edge)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < edge->listens_n; i++) {
        r = uv_poll_start(&edge->listens[i].poll, UV_READABLE, on_accept);
    }
    return r ? FAULT(r) : 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct edge_listen *self = handle->data;

    (void)close(self->fd); /* the supervising process holds it as well, unless it is to go */
}

void accept_close(struct edge *edge)
{
    asked_close(edge);
    for (size_t i = 0; i < edge->listens_n; i++) {
        if (edge->listens[i].is_open) {
            edge->listens[i].is_open = false;
            uv_close((uv_handle_t *)&edge->listens[i].poll, on_poll_closed);
        }
    }
}
