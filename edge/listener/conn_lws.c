/*
 * conn_lws: what libwebsockets does for a connection: it takes the socket onto the loop,
 * tells of bytes and of its end; and its own beginning and end.
 */
#include <libwebsockets.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/listener/budget.h"
#include "edge/listener/conn_internal.h"
#include "edge/listener/edge.h"
#include "edge/listener/http1.h"
#include "edge/listener/tls.h"

#define DESCRIPTORS_MAX 65536U

/* The kernel's word about the process at the other end of a local socket. */
static void peer_uid_note(struct conn *self, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    struct sockaddr address = { 0 };
    socklen_t address_len = sizeof(address);

    if (!getsockname(fd, &address, &address_len) && address.sa_family == AF_UNIX &&
        !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
        self->peer_uid = cred.uid;
        self->has_peer_uid = true;
    }
}

void conn_adopt(struct edge *edge, int fd, struct peer *peer, const struct sockaddr *address, bool is_sealed)
{
    lws_adopt_desc_t desc = { 0 };
    struct conn *self = calloc(1, sizeof(*self));

    if (self && is_sealed) {
        self->tls = tls_new(&edge->cert.server);
    }
    if (!self || (is_sealed && !self->tls)) {
        free(self);
        (void)close(fd); /* nothing was promised to it */
        peer_release(&edge->peers, peer);
        return;
    }
    self->edge = edge;
    self->peer = peer;
    peer_text(address, self->remote);
    if (peer->is_loopback) {
        peer_uid_note(self, fd);
    }
    peer->connections_n++;
    self->next = edge->conns;
    if (edge->conns) {
        edge->conns->prev = self;
    }
    edge->conns = self;
    edge->conns_n++;
    edge_sweep_start(edge);
    http1_attach(self);
    desc.vh = edge->vhost;
    desc.type = LWS_ADOPT_SOCKET;
    desc.fd.sockfd = fd;
    desc.vh_prot_name = "edge";
    desc.opaque = self;
    edge->adopting = self;
    if (!lws_adopt_descriptor_vhost_via_info(&desc) && edge->adopting) {
        conn_destroy(self);
    }
    edge->adopting = NULL;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct actor *actor;
    struct conn *conn;
    int r;

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_RAW_ADOPT:
        conn = lws_get_opaque_user_data(wsi);
        conn->wsi = wsi;
        return 0;
    case LWS_CALLBACK_RAW_RX:
        conn = lws_get_opaque_user_data(wsi);
        actor = conn->edge->actor;
        actor_work_begin(actor);
        r = conn_on_rx(conn, in, len);
        actor_work_end(actor);
        return r;
    case LWS_CALLBACK_RAW_WRITEABLE:
        return conn_on_writable(lws_get_opaque_user_data(wsi));
    case LWS_CALLBACK_RAW_CLOSE:
        conn = lws_get_opaque_user_data(wsi);
        if (conn->edge->adopting == conn) {
            conn->edge->adopting = NULL;
        }
        lws_set_opaque_user_data(wsi, NULL);
        conn->wsi = NULL;
        conn_destroy(conn);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    { .name = "edge", .callback = on_lws, .tx_packet_size = LIMIT_WRITE + TLS_OVERHEAD },
    { .name = NULL },
};

static void on_lws_log(int level, const char *line)
{
    size_t len = strlen(line);

    while (len > 0 && line[len - 1] == '\n') {
        len--;
    }
    if (level == LLL_ERR) {
        log_warning("edge_lws", "text=\"%.*s\"", (int)len, line);
    } else {
        log_debug("edge_lws", "text=\"%.*s\"", (int)len, line);
    }
}

/* lws makes tables as long as the descriptor limit, which some systems set to a billion. */
static void descriptors_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur > DESCRIPTORS_MAX) {
        limit.rlim_cur = DESCRIPTORS_MAX;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* lowering the soft limit cannot fail */
    }
}

int conn_context_open(struct edge *edge)
{
    struct lws_context_creation_info info;
    void *loops[] = { actor_loop(edge->actor) };

    descriptors_limit();
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    memset(&info, 0, sizeof(info));
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    info.foreign_loops = loops;
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.pt_serv_buf_size = LIMIT_READ;
    info.vhost_name = "edge";
    info.user = edge;
    edge->lws = lws_create_context(&info);
    if (!edge->lws) {
        log_error("edge_lws_missing", "hint=\"is the package libwebsockets-evlib-uv installed?\"");
        return FAULT(-ENOSYS);
    }
    edge->pipe = lws_pipe_find(edge->lws, loops[0]);
    edge->vhost = lws_create_vhost(edge->lws, &info);
    return edge->vhost ? 0 : FAULT(-ENOMEM);
}

/*
 * On a loop of someone else lws closes in steps: the sockets in one turn of the loop, its
 * own timer and idle handle in the next, and its memory only when asked a second time. An
 * idle handle of ours counts the turns, asks, and goes.
 */
struct farewell {
    uv_idle_t idle;
    struct lws_context *lws;
    unsigned turns;
};

static void on_farewell_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_farewell(uv_idle_t *idle)
{
    struct farewell *self = idle->data;

    if (++self->turns == 4) {
        lws_context_destroy(self->lws);
        uv_close((uv_handle_t *)idle, on_farewell_closed);
    }
}

void conn_context_close(struct edge *edge)
{
    struct farewell *self;

    if (!edge->lws) {
        return;
    }
    lws_context_destroy(edge->lws);
    lws_pipe_forget(edge->pipe);
    self = calloc(1, sizeof(*self));
    if (self) {
        self->lws = edge->lws;
        self->idle.data = self;
        (void)uv_idle_init(actor_loop(edge->actor), &self->idle); /* neither can fail */
        (void)uv_idle_start(&self->idle, on_farewell);
    }
    edge->lws = NULL;
    edge->vhost = NULL;
}
