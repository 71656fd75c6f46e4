#include "edge/listener/ws.h"

#include <libwebsockets.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/base/clock.h"
#include "edge/listener/capability.h"
#include "edge/listener/frame.h"
#include "edge/listener/handshake.h"
#include "edge/listener/hello.h"
#include "edge/listener/http.h"
#include "edge/listener/http1.h"
#include "edge/listener/live.h"
#include "edge/listener/node_link.h"
#include "edge/listener/presence.h"
#include "edge/listener/rpc.h"
#include "edge/listener/subscription.h"
#include "edge/listener/tapping.h"
#include "edge/listener/watching.h"

#define HEAD_GUESS 4U /* of most frames: 126 to 65535 bytes */
#define KEY_LEN 24U   /* 16 bytes in base64 */

static const struct conn_ops ws_ops;

struct ws *ws_of(struct conn *conn)
{
    return conn->ops == &ws_ops ? conn->state : NULL;
}

struct ws *ws_client_of(struct conn *conn)
{
    struct ws *ws = ws_of(conn);

    return ws && ws->phase == WS_OPEN && !conn->is_killed ? ws : NULL;
}

struct ws *ws_leaving_of(struct conn *conn)
{
    struct ws *ws = ws_of(conn);

    return ws && ws->phase == WS_LEAVING && !conn->is_killed ? ws : NULL;
}

/* --- writing -------------------------------------------------------------------------- */

struct text_buf *ws_begin(struct conn *conn, size_t *ret_at)
{
    struct text_buf *out = conn_out(conn);

    if (!out) {
        return NULL;
    }
    *ret_at = out->len;
    if (text_buf_reserve(out, 512)) {
        conn_kill(conn);
        return NULL;
    }
    out->len += HEAD_GUESS;
    return out;
}

void ws_undo(struct text_buf *out, size_t at)
{
    out->len = at;
}

/* Puts the head before what was appended, which moves when the guess was wrong. */
static void frame_end(struct conn *conn, struct text_buf *out, size_t at, enum ws_opcode opcode)
{
    size_t len = out->len - at - HEAD_GUESS;
    size_t head = ws_head_len(len);

    if (head > HEAD_GUESS && text_buf_reserve(out, head - HEAD_GUESS)) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    if (head != HEAD_GUESS) {
        memmove(out->data + at + head, out->data + at + HEAD_GUESS, len);
    }
    out->len = at + head + len;
    ws_head_write((uint8_t *)out->data + at, opcode, len);
    conn_commit(conn, at);
}

void ws_end(struct conn *conn, struct text_buf *out, size_t at)
{
    frame_end(conn, out, at, WS_TEXT);
}

void ws_frame_send(struct conn *conn, enum ws_opcode opcode, struct span payload)
{
    size_t at;
    struct text_buf *out = ws_begin(conn, &at);

    if (!out) {
        return;
    }
    if (text_buf_add(out, payload)) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    frame_end(conn, out, at, opcode);
}

void ws_refuse(struct conn *conn, struct span id, const struct failure *failure)
{
    size_t at;
    struct text_buf *out = ws_begin(conn, &at);

    if (!out) {
        return;
    }
    if (frame_refusal(id, failure, ws_of(conn)->protocol, out)) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    ws_end(conn, out, at);
}

/* Counts and presence end when the conversation does, not when the socket does. */
static void client_leave(struct conn *conn, struct ws *ws)
{
    if (ws->phase == WS_LEAVING) {
        return; /* it left when that began */
    }
    tapping_end(conn, ws);
    if (ws->is_counted_preauth) {
        ws->is_counted_preauth = false;
        conn->peer->preauth_n--;
    }
    if (ws->phase == WS_OPEN) {
        conn->edge->clients_n--;
        conn->edge->clients_new_n -= ws->protocol == HELLO_PROTOCOL_MAX;
        watching_changed(conn->edge);
    }
    if (ws->join.len > 0) {
        presence_leave(conn);
    }
    node_link_leave(conn);
    if (ws->capability) {
        live_revoke(conn->edge, ws->conn_id);
    }
}

void ws_close(struct conn *conn, unsigned code, struct span reason)
{
    struct ws *ws = conn->state;
    uint8_t payload[WS_CONTROL_MAX];
    size_t len = ws_close_payload(payload, code, reason);

    if (ws->phase == WS_CLOSED) {
        return;
    }
    client_leave(conn, ws);
    ws_frame_send(conn, WS_CLOSE, (struct span){ (const char *)payload, len });
    ws->phase = WS_CLOSED;
    conn_release(conn, CONN_HOLD_OUT | CONN_HOLD_AHEAD);
    conn_deadline(conn, TIME_CLOSE_MS);
}

void ws_leave(struct conn *conn, unsigned code, struct span reason)
{
    struct ws *ws = conn->state;

    if (ws->phase == WS_LEAVING) {
        return; /* the first reason stands, and so does its time */
    }
    if (ws->phase != WS_OPEN || !rpc_has_change(ws)) {
        ws_close(conn, code, reason);
        return;
    }
    client_leave(conn, ws);
    ws->phase = WS_LEAVING;
    ws->leave_code = code;
    (void)snprintf(ws->leave_reason, sizeof(ws->leave_reason), "%.*s", SPAN_FMT(reason));
    conn_deadline(conn, TIME_LEAVE_MS);
}

static void leave_end(struct conn *conn, const struct ws *ws)
{
    ws_close(conn, ws->leave_code, span_from(ws->leave_reason));
}

void ws_leave_check(struct conn *conn)
{
    struct ws *ws = ws_leaving_of(conn);

    if (ws && !rpc_has_change(ws)) {
        leave_end(conn, ws);
    }
}

void ws_close_slow(struct conn *conn, const char *what)
{
    log_info("edge_slow_consumer", "conn=%s pending=%zu next=%s", ws_of(conn)->conn_id, conn_pending(conn), what);
    large_note(conn->edge, LARGE_CLOSED, conn_pending(conn));
    if (ws_of(conn)->phase != WS_CLOSED) {
        conn_cut(conn); /* what it did not read before, it will not miss; the reason it shall see */
    }
    ws_close(conn, WS_CODE_POLICY, SPAN_LIT("slow consumer"));
    conn_finish(conn);
}

/* --- reading -------------------------------------------------------------------------- */

static void close_take(struct conn *conn, const struct ws_event *event)
{
    struct ws *ws = conn->state;

    if (ws->phase != WS_CLOSED) {
        ws_close(conn, event->code, (struct span){ NULL, 0 }); /* RFC 6455 §5.5.1: echo the code */
    }
    conn_finish(conn);
}

static void event_take(struct conn *conn, const struct ws_event *event)
{
    struct ws *ws = conn->state;

    switch (event->opcode) {
    case WS_CLOSE:
        close_take(conn, event);
        return;
    case WS_PING:
        if (ws->phase != WS_CLOSED) {
            ws_frame_send(conn, WS_PONG, event->data);
        }
        return;
    case WS_TEXT:
    case WS_BINARY: /* clients may send their JSON in either */
        if (ws->phase == WS_CHALLENGED) {
            handshake_take(conn, event->data);
        } else if (ws->phase == WS_OPEN) {
            rpc_take(conn, event->data);
        }
        return;
    case WS_PONG:
    case WS_CONTINUATION:
        return;
    }
}

/* What came is no frame, or no message that we take. */
static void refusal_take(struct conn *conn, const struct ws_event *event)
{
    bool is_large = event->code == WS_CODE_TOO_BIG;
    bool is_early = ws_of(conn)->phase == WS_CHALLENGED;

    if (is_large) {
        large_note(conn->edge, is_early ? LARGE_PREAUTH : LARGE_FRAME, 0);
    }
    ws_close(conn, event->code, is_large && is_early ? SPAN_LIT("preauth payload too large") : span_from(event->why));
    conn_finish(conn); /* what follows cannot be read as frames */
}

static size_t on_input(struct conn *conn, uint8_t *data, size_t len)
{
    struct ws *ws = conn->state;
    size_t used = 0;

    while (used < len && conn->phase == CONN_OPEN && !conn->is_killed && ws->phase != WS_GREETING) {
        struct ws_event event;
        size_t taken = 0;
        int r = ws_reader_next(&ws->reader, data + used, len - used, &taken, &conn->in_need, &event);

        used += taken;
        if (r == WS_E_EVENT) {
            event_take(conn, &event);
            ws_reader_release(&ws->reader);
            continue;
        }
        if (r == WS_E_REFUSED) {
            refusal_take(conn, &event);
            return len;
        }
        if (r != WS_E_MORE) {
            conn_kill(conn);
        }
        break;
    }
    return used;
}

static void on_drained(struct conn *conn)
{
    (void)conn;
}

static void on_deadline(struct conn *conn)
{
    struct ws *ws = conn->state;

    switch (ws->phase) {
    case WS_OPEN:
        ws_frame_send(conn, WS_PING, (struct span){ NULL, 0 });
        conn_deadline(conn, TIME_PING_MS);
        return;
    case WS_LEAVING:
        leave_end(conn, ws);
        return;
    case WS_CLOSED:
        conn_finish(conn);
        return;
    case WS_CHALLENGED:
    case WS_GREETING:
        if (!handshake_give_up(conn, ws)) {
            ws_close(conn, WS_CODE_NORMAL, SPAN_LIT("handshake timeout"));
        }
        return;
    }
}

static size_t held(const struct conn *conn)
{
    const struct ws *ws = conn->state;

    return ws->reader.message.len;
}

static void on_overfull(struct conn *conn)
{
    struct ws *ws = conn->state;

    log_info("edge_input_overfull", "conn=%s bytes=%zu", ws->conn_id, conn->in_cost);
    ws_close(conn, WS_CODE_LATER, SPAN_LIT("too much unfinished input"));
    ws_reader_deinit(&ws->reader);
    conn_finish(conn); /* what follows cannot be read as frames */
}

static void ws_destroy(struct ws *ws)
{
    ws_reader_deinit(&ws->reader);
    text_buf_deinit(&ws->client);
    text_buf_deinit(&ws->join);
    text_buf_deinit(&ws->node);
    capability_free(ws->capability);
    for (uint32_t i = 0; i < ws->keys_n; i++) {
        free(ws->keys[i]);
    }
    free(ws->keys);
    free(ws);
}

static void on_close(struct conn *conn)
{
    struct ws *ws = conn->state;

    if (ws->phase != WS_CLOSED) {
        client_leave(conn, ws);
    }
    handshake_drop(conn, ws);
    rpc_drop(conn, ws);
    subscription_drop(conn, ws);
    tapping_drop(conn, ws);
    conn->state = NULL;
    ws_destroy(ws);
}

static const struct conn_ops ws_ops = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .held = held,
    .on_overfull = on_overfull,
    .on_close = on_close,
};

/* --- the upgrade ---------------------------------------------------------------------- */

/* RFC 6455 §4.2.2: the digest of the key and a fixed text, in base64. */
static bool accept_of(struct span key, char accept[WS_ACCEPT_MAX])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[KEY_LEN + sizeof(guid) - 1];
    unsigned char digest[20];

    if (key.len != KEY_LEN) {
        return false;
    }
    memcpy(text, key.ptr, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
    lws_SHA1(text, sizeof(text), digest);
    return lws_b64_encode_string((const char *)digest, sizeof(digest), accept, WS_ACCEPT_MAX) > 0;
}

static void challenge_send(struct conn *conn, const char *nonce)
{
    char text[160];
    int len =
        snprintf(text, sizeof(text),
                 "{\"type\":\"event\",\"event\":\"connect.challenge\",\"payload\":{\"nonce\":\"%s\",\"ts\":%lld}}",
                 nonce, (long long)clock_wall_ms());

    ws_frame_send(conn, WS_TEXT, (struct span){ text, (size_t)len });
}

bool ws_accept_send(struct conn *conn, const char *accept)
{
    char head[160];
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\n\r\n",
                       accept);

    if (!conn_send(conn, (struct span){ head, (size_t)len })) {
        return false;
    }
    outq_frames_begin(&conn->out);
    return true;
}

static void upgrade_accept(struct conn *conn, const struct request *request, const char *accept)
{
    struct ws *ws = mem_new(sizeof(*ws));

    ws->handshake = handshake_new(conn, request);
    ws->reader.message_max = LIMIT_PREAUTH_PAYLOAD;
    edge_uuid(ws->conn_id);
    ws->is_counted_preauth = true;
    conn->peer->preauth_n++;
    http1_detach(conn);
    conn->ops = &ws_ops;
    conn->state = ws;
    conn_deadline(conn, conn->edge->handshake_ms);
    if (ws_accept_send(conn, accept)) {
        challenge_send(conn, handshake_nonce(ws->handshake));
    }
}

bool ws_upgrade_check(struct conn *conn, const struct request *request, char accept[WS_ACCEPT_MAX])
{
    if (request->method != REQUEST_GET || request->body != REQUEST_BODY_NONE || request->is_http10) {
        http_refuse(http1_stream(conn), 400, "Bad Request");
    } else if (!span_is(request_header(request, "sec-websocket-version"), SPAN_LIT("13"))) {
        http_refuse(http1_stream(conn), 426, "This server speaks version 13 of the WebSocket protocol.");
    } else if (!accept_of(request_header(request, "sec-websocket-key"), accept)) {
        http_refuse(http1_stream(conn), 400, "Missing or invalid Sec-WebSocket-Key header");
    } else if (conn->edge->is_stopping) {
        http_refuse(http1_stream(conn), 503, "The gateway is going down.");
    } else {
        return true;
    }
    return false;
}

void ws_upgrade(struct conn *conn, const struct request *request)
{
    char accept[WS_ACCEPT_MAX];

    if (!ws_upgrade_check(conn, request, accept)) {
        return;
    }
    if (conn->peer->preauth_n >= conn->edge->preauth_max) {
        http_refuse(http1_stream(conn), 503, "Too many unauthenticated sockets");
    } else {
        upgrade_accept(conn, request, accept);
    }
}
