#include "edge/listener/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "edge/listener/canvas_watch.h"
#include "edge/listener/capability.h"
#include "edge/listener/edge.h"
#include "edge/listener/http.h"
#include "edge/listener/http1.h"
#include "edge/listener/ws.h"

#define MESSAGE_MAX 4096U /* of what it says, which is thrown away */
#define PENDING_MAX 4096U /* who has not read so much need not be told again */

static const struct conn_ops live_ops;

/* The state of conn_ops. */
struct live {
    struct ws_reader reader;
    char owner_id[EDGE_ID_MAX]; /* the connection whose capability let it in; empty: auth did */
    bool is_closed;             /* our close frame is out */
};

static struct live *live_of(struct conn *conn)
{
    return conn->ops == &live_ops ? conn->state : NULL;
}

static void end(struct conn *conn, unsigned code, struct span reason)
{
    struct live *self = conn->state;
    uint8_t payload[WS_CONTROL_MAX];
    size_t len = ws_close_payload(payload, code, reason);

    if (!self->is_closed) {
        self->is_closed = true;
        ws_frame_send(conn, WS_CLOSE, (struct span){ (const char *)payload, len });
        conn_deadline(conn, TIME_CLOSE_MS);
    }
}

/* --- the watch ------------------------------------------------------------------------------ */

static void on_change(void *arg)
{
    struct edge *edge = arg;

    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct live *self = live_of(conn);

        if (self && !self->is_closed && conn->phase == CONN_OPEN && !conn->is_killed &&
            conn_pending(conn) < PENDING_MAX) {
            ws_frame_send(conn, WS_TEXT, SPAN_LIT("reload"));
        }
    }
}

static void watch_begin(struct edge *edge)
{
    struct canvas_watch_ask ask = {
        .root = edge->canvas.root, .is_made = edge->canvas.is_root_default, .on_change = on_change, .arg = edge
    };

    edge->watch = canvas_watch_start(actor_loop(edge->actor), &ask);
    if (!edge->watch) {
        log_warning("canvas_watch_failed",
                    "root=\"%s\" fix=\"raise fs.inotify.max_user_instances, or set canvasHost.liveReload to false\"",
                    edge->canvas.root);
    }
}

static void watch_end(struct edge *edge)
{
    if (edge->watch) {
        canvas_watch_stop(TAKE(edge->watch));
    }
}

void live_configure(struct edge *edge)
{
    watch_end(edge);
    if (edge->canvas.is_on && edge->canvas.is_live) {
        if (edge->lives_n > 0) {
            watch_begin(edge);
        }
        return;
    }
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        if (live_of(conn)) {
            end(conn, WS_CODE_POLICY, SPAN_LIT("live reload is off"));
        }
    }
}

void live_close(struct edge *edge)
{
    watch_end(edge);
}

/* --- the connection ------------------------------------------------------------------------- */

bool live_leave(struct conn *conn)
{
    if (!live_of(conn)) {
        return false;
    }
    end(conn, WS_CODE_RESTART, SPAN_LIT("service restart"));
    return true;
}

void live_revoke(struct edge *edge, const char *owner_id)
{
    for (struct conn *conn = edge->conns; edge->lives_n > 0 && conn; conn = conn->next) {
        struct live *self = live_of(conn);

        if (self && strcmp(self->owner_id, owner_id) == 0) {
            end(conn, WS_CODE_POLICY, SPAN_LIT("no longer allowed"));
        }
    }
}

static size_t on_input(struct conn *conn, uint8_t *data, size_t len)
{
    struct live *self = conn->state;
    size_t used = 0;

    while (used < len && conn->phase == CONN_OPEN && !conn->is_killed) {
        struct ws_event event;
        size_t taken = 0;
        int r = ws_reader_next(&self->reader, data + used, len - used, &taken, &conn->in_need, &event);

        used += taken;
        if (r == WS_E_EVENT && event.opcode == WS_CLOSE) {
            end(conn, event.code, (struct span){ NULL, 0 }); /* RFC 6455 §5.5.1: echo the code */
            conn_finish(conn);
        } else if (r == WS_E_EVENT && event.opcode == WS_PING && !self->is_closed) {
            ws_frame_send(conn, WS_PONG, event.data);
        } else if (r == WS_E_REFUSED) {
            end(conn, event.code, span_from(event.why));
            conn_finish(conn); /* what follows cannot be read as frames */
            return len;
        } else if (r != WS_E_EVENT) {
            if (r != WS_E_MORE) {
                conn_kill(conn);
            }
            break;
        }
        ws_reader_release(&self->reader);
    }
    return used;
}

static void on_drained(struct conn *conn)
{
    (void)conn;
}

/* A page that is open uses the capability that it came by. */
static void owner_touch(struct edge *edge, const struct live *self)
{
    for (struct conn *conn = edge->conns; self->owner_id[0] && conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);

        if (ws && ws->capability && strcmp(ws->conn_id, self->owner_id) == 0 &&
            capability_is_valid(ws->capability, edge)) {
            capability_touch(ws->capability, edge);
            return;
        }
    }
}

static void on_deadline(struct conn *conn)
{
    struct live *self = conn->state;

    if (self->is_closed) {
        conn_finish(conn);
        return;
    }
    owner_touch(conn->edge, self);
    ws_frame_send(conn, WS_PING, (struct span){ NULL, 0 });
    conn_deadline(conn, TIME_PING_MS);
}

static size_t held(const struct conn *conn)
{
    const struct live *self = conn->state;

    return self->reader.message.len;
}

static void on_overfull(struct conn *conn)
{
    end(conn, WS_CODE_LATER, SPAN_LIT("too much unfinished input"));
    conn_finish(conn);
}

static void on_close(struct conn *conn)
{
    struct live *self = conn->state;

    ws_reader_deinit(&self->reader);
    conn->state = NULL;
    free(self);
    if (--conn->edge->lives_n == 0) {
        watch_end(conn->edge);
    }
}

static const struct conn_ops live_ops = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .held = held,
    .on_overfull = on_overfull,
    .on_close = on_close,
};

void live_upgrade(struct conn *conn, const struct request *request, struct conn *owner)
{
    struct edge *edge = conn->edge;
    char accept[WS_ACCEPT_MAX];
    struct live *self;

    if (!ws_upgrade_check(conn, request, accept)) {
        return;
    }
    if (edge->lives_n >= LIMIT_LIVE_SOCKETS) {
        http_refuse(http1_stream(conn), 503, "Too many canvas pages are open.");
        return;
    }
    self = mem_new(sizeof(*self));
    self->reader.message_max = MESSAGE_MAX;
    (void)snprintf(self->owner_id, sizeof(self->owner_id), "%s", owner ? ws_of(owner)->conn_id : ""); /* fits */
    http1_detach(conn);
    conn->ops = &live_ops;
    conn->state = self;
    if (edge->lives_n++ == 0) {
        watch_begin(edge);
    }
    conn_deadline(conn, TIME_PING_MS);
    ws_accept_send(conn, accept);
}
