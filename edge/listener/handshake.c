#include "edge/listener/handshake.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "edge/listener/budget.h"
#include "edge/listener/hello.h"
#include "edge/listener/http.h"
#include "edge/listener/node_link.h"
#include "edge/listener/presence.h"
#include "edge/listener/shown.h"
#include "edge/listener/surface.h"
#include "edge/listener/traceparent.h"
#include "edge/listener/watching.h"
#include "schema_gen.h"

#define CALL_MS 10000U
#define ORIGIN_MAX 512U

struct handshake {
    struct call call;
    struct edge *edge;
    char nonce[EDGE_ID_MAX];
    char *origin; /* NULL when absent */
    char *host;
    char *origin_here; /* where the client finds this gateway; NULL: it did not say */
    bool is_proxied;
    bool was_held;
    struct pack headers;      /* packed map: what auth wants to see of the upgrade request */
    struct pack params;       /* of connect */
    struct trace_id trace;    /* that the client brought along; zero: none */
    struct text_buf id;       /* raw JSON of the request's id */
    struct text_buf decision; /* of auth, packed */
};

static char *header_copy(const struct request *request, const char *name)
{
    struct span value = request_header(request, name);

    return value.len > 0 ? mem_text(value.ptr, value.len < ORIGIN_MAX ? value.len : ORIGIN_MAX) : NULL;
}

struct handshake *handshake_new(struct conn *conn, const struct request *request)
{
    struct handshake *self = mem_new(sizeof(*self));
    char here[CANVAS_ORIGIN_MAX];

    self->call.conn = conn;
    self->edge = conn->edge;
    self->origin = header_copy(request, "origin");
    self->host = header_copy(request, "host");
    self->is_proxied = http_is_proxied(request);
    if (!conn->has_peer_uid && canvas_origin_read(request, conn->tls != NULL, here)) {
        self->origin_here = mem_text(here, strlen(here));
    }
    pack_init_secret(&self->headers, REQUEST_HEAD_MAX * 2);
    shown_headers((struct span){ conn->edge->header_names.data, conn->edge->header_names.len }, request,
                  &self->headers);
    pack_init_secret(&self->params, LIMIT_PREAUTH_PAYLOAD * 2); /* what the client shows for itself */
    self->trace = traceparent_of(request);
    self->decision.is_secret = true;
    edge_uuid(self->nonce);
    return self;
}

const char *handshake_nonce(const struct handshake *self)
{
    return self->nonce;
}

static void handshake_destroy(struct handshake *self)
{
    call_unlink(&self->call);
    free(self->origin);
    free(self->host);
    free(self->origin_here);
    pack_deinit(&self->headers);
    pack_deinit(&self->params);
    text_buf_deinit(&self->id);
    text_buf_deinit(&self->decision);
    free(self);
}

void handshake_drop(struct conn *conn, struct ws *ws)
{
    struct handshake *self = ws->handshake;

    ws->handshake = NULL;
    if (!self) {
        return;
    }
    call_unlink(&self->call);
    self->call.conn = NULL;
    if (self->call.id) {
        /* The answer to the cancelled call frees it. */
        call_link(&self->call, &conn->edge->orphan_handshakes);
        actor_call_cancel(conn->edge->actor, self->call.id);
    } else {
        handshake_destroy(self);
    }
}

void handshake_free_orphans(struct edge *edge)
{
    struct call *call;

    while ((call = call_pop(&edge->orphan_handshakes)) != NULL) {
        handshake_destroy(CONTAINER_OF(call, struct handshake, call));
    }
}

/* --- refusals ------------------------------------------------------------------------- */

/* Answers the connect request and closes; `reason` is cut to what a close frame holds. */
static void refuse(struct conn *conn, const struct failure *failure, unsigned code, struct span reason)
{
    struct ws *ws = ws_of(conn);
    struct span id = { ws->handshake->id.data, ws->handshake->id.len };

    conn->edge->tally.connects_refused_n++;
    ws_refuse(conn, id, failure);
    ws_close(conn, code, reason);
}

/* The reference has this code, and no words for it. */
static void refuse_no_json(struct conn *conn, int r)
{
    ws_close(conn, WS_CODE_NORMAL,
             r == JSON_E_DEPTH ? SPAN_LIT("invalid request frame: nested too deep")
                               : SPAN_LIT("invalid request frame: not JSON"));
}

static void refuse_text(struct conn *conn, const char *text)
{
    struct failure failure = { .code = FAIL_INVALID_REQUEST, .message = span_from(text) };

    refuse(conn, &failure, WS_CODE_POLICY, failure.message);
}

/* Nobody is there to decide yet: the client shall come again in a moment. */
static void refuse_for_now(struct conn *conn)
{
    struct pack *pack = &conn->edge->pack;
    enum actor_life life = ready_life(&conn->edge->ready, "auth");
    bool is_down = life == ACTOR_LIFE_BACKOFF || life == ACTOR_LIFE_GAVE_UP;
    struct failure failure = { .code = FAIL_UNAVAILABLE,
                               .message = is_down ? SPAN_LIT("auth is down; the log of the gateway says why")
                                                  : SPAN_LIT("gateway starting; retry shortly"),
                               .retryable = true,
                               .retry_after_ms = 500 };

    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "reason", "startup-sidecars");
    pack_map_end(pack);
    failure.details = pack_span(pack);
    refuse(conn, &failure, WS_CODE_LATER, is_down ? SPAN_LIT("auth is down") : SPAN_LIT("gateway starting"));
}

static void refuse_as_auth(struct conn *conn, const struct failure *failure)
{
    struct span reason = value_str(value_get(failure->details, "_closeReason"), failure->message);
    int64_t code = value_i64(value_get(failure->details, "_closeCode"), 0);

    if (code < 1000 || code > 4999) {
        refuse_for_now(conn); /* a failure of the bus, not a decision */
    } else {
        refuse(conn, failure, (unsigned)code, reason);
    }
}

/* --- hello ---------------------------------------------------------------------------- */

static int client_pack(struct ws *ws, struct edge *edge, const struct msg_connect *params,
                       const struct msg_auth_decision *decision)
{
    const struct type_connect_client *from = &params->client;
    struct type_client client = { .conn_id = span_from(ws->conn_id),
                                  .role = decision->role,
                                  .scopes = decision->scopes,
                                  .principal = decision->principal,
                                  .is_local = decision->is_local,
                                  .has_client_id = true,
                                  .client_id = from->id,
                                  .has_mode = true,
                                  .mode = from->mode,
                                  .has_version = true,
                                  .version = from->version,
                                  .has_platform = true,
                                  .platform = from->platform,
                                  .has_display_name = from->has_display_name,
                                  .display_name = from->display_name,
                                  .has_caps = params->has_caps,
                                  .caps = params->caps,
                                  .has_device_id = decision->has_device_id,
                                  .device_id = decision->device_id,
                                  .has_auth_method = true,
                                  .auth_method = decision->method,
                                  .has_remote_ip = decision->has_remote_ip,
                                  .remote_ip = decision->remote_ip };
    struct codec_error error;
    struct value_head head;
    struct span pairs;
    int r;

    pack_reset(&edge->pack);
    pack_map_begin(&edge->pack);
    pack_key(&edge->pack, "_client");
    r = codec_encode(TYPE_CLIENT, &client, &edge->pack, &error);
    pack_map_end(&edge->pack);
    if (r || pack_error(&edge->pack)) {
        return r ? FAULT_FOLD(r) : pack_error(&edge->pack);
    }
    pairs = pack_span(&edge->pack);
    (void)value_read(&pairs, &head); /* leaves the pair alone, without the map around it */
    return text_buf_add(&ws->client, pairs);
}

static bool has_cap(struct span caps, const char *name)
{
    struct value_iter iter = value_iter(caps);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        if (span_is_text(value_str(item, (struct span){ NULL, 0 }), name)) {
            return true;
        }
    }
    return false;
}

static void open_up(struct conn *conn, struct ws *ws)
{
    struct handshake *self = ws->handshake;

    ws->phase = WS_OPEN;
    ws->reader.message_max = LIMIT_PAYLOAD;
    ws->is_counted_preauth = false;
    conn->peer->preauth_n--;
    conn->edge->tally.connects_n++;
    conn->edge->clients_n++;
    conn->edge->clients_new_n += ws->protocol == HELLO_PROTOCOL_MAX;
    watching_changed(conn->edge);
    ws->handshake = NULL;
    handshake_destroy(self);
    conn_deadline(conn, TIME_PING_MS);
}

/* While health starts, or starts again, the client waits a little rather than being sent away. */
static void hold(struct handshake *self, struct conn *conn)
{
    if (self->was_held || ready_life(&self->edge->ready, "health") == ACTOR_LIFE_READY) {
        refuse_for_now(conn);
        return;
    }
    self->was_held = true;
    call_link(&self->call, &self->edge->held_handshakes);
    conn_deadline(conn, TIME_PATIENCE_MS);
}

static void on_health(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct handshake *self = cookie;
    struct conn *conn = self->call.conn;
    struct ws *ws = conn ? ws_of(conn) : NULL;
    struct msg_auth_decision decision;
    struct codec_error error;

    (void)state;
    (void)actor;
    self->call.id = 0;
    if (!ws) {
        handshake_destroy(self);
        return;
    }
    if (ws->phase != WS_GREETING) {
        return; /* closed meanwhile; it goes with the connection */
    }
    if (reply->failure) {
        hold(self, conn);
        return;
    }
    if (codec_decode(MSG_AUTH_DECISION->type, (struct span){ self->decision.data, self->decision.len }, &decision,
                     &error)) {
        conn_kill(conn); /* it was decoded once before */
        return;
    }
    if (decision.generation < self->edge->generation) {
        ws_close(conn, WS_CODE_AUTH_CHANGED, SPAN_LIT("gateway auth changed"));
        return;
    }
    hello_send(conn, (struct span){ self->id.data, self->id.len }, &decision, reply->msg);
    open_up(conn, ws);
    conn_pump(conn);
}

static int health_ask(struct handshake *self)
{
    struct msg_health_snapshot in = { 0 };
    struct actor_call call = { .to = "health",
                               .msg = MSG_HEALTH_SNAPSHOT,
                               .in = &in,
                               .deadline_ms = CALL_MS,
                               .trace = self->trace,
                               .on_answer = on_health,
                               .cookie = self };

    return actor_call(self->edge->actor, &call, &self->call.id);
}

void handshake_resume(struct edge *edge)
{
    struct call *call;

    while ((call = call_pop(&edge->held_handshakes)) != NULL) {
        struct handshake *self = CONTAINER_OF(call, struct handshake, call);

        conn_deadline(self->call.conn, edge->handshake_ms);
        if (health_ask(self)) {
            conn_kill(self->call.conn);
        }
    }
}

bool handshake_give_up(struct conn *conn, struct ws *ws)
{
    if (!ws->handshake || !ws->handshake->call.at) {
        return false;
    }
    call_unlink(&ws->handshake->call);
    refuse_for_now(conn);
    return true;
}

/* auth agreed: notes what it decided, tells health, and asks for the snapshot. */
static int welcome(struct handshake *self, struct ws *ws, const struct msg_auth_decision *decision, struct span body)
{
    struct msg_connect params;
    struct codec_error error;
    int r = codec_decode(MSG_CONNECT->type, pack_span(&self->params), &params, &error);

    if (r) {
        return FAULT_FOLD(r);
    }
    ws->scopes = scope_set_of(decision->role, decision->scopes);
    ws->generation = decision->generation;
    ws->is_page = self->origin != NULL;
    (void)snprintf(ws->role, sizeof(ws->role), "%.*s", SPAN_FMT(decision->role)); /* max 32 */
    if (decision->has_remote_ip) {
        (void)snprintf(ws->remote_ip, sizeof(ws->remote_ip), "%.*s", SPAN_FMT(decision->remote_ip)); /* max 64 */
    } else {
        memcpy(ws->remote_ip, self->call.conn->remote, sizeof(self->call.conn->remote));
    }
    if (decision->has_device_id) {
        (void)snprintf(ws->device_id, sizeof(ws->device_id), "%.*s", SPAN_FMT(decision->device_id)); /* max 64 */
    }
    surface_allow(ws, self->origin_here, params.has_caps ? params.caps : (struct span){ NULL, 0 });
    ws->sees_tools = params.has_caps && has_cap(params.caps, "tool-events");
    (void)snprintf(ws->principal, sizeof(ws->principal), "%.*s", SPAN_FMT(decision->principal)); /* max 63 */
    budget_input_know(self->call.conn);
    r = conn_charge(self->call.conn, decision->principal);
    r = r ? r : text_buf_add(&self->decision, body);
    r = r ? r : client_pack(ws, self->edge, &params, decision);
    r = r ? r : presence_join(self->call.conn, &params, decision);
    r = r ? r : node_link_join(self->call.conn, &params, decision);
    return r ? r : health_ask(self);
}

static void on_auth(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct handshake *self = cookie;
    struct conn *conn = self->call.conn;
    struct ws *ws = conn ? ws_of(conn) : NULL;

    (void)state;
    (void)actor;
    self->call.id = 0;
    if (!ws) {
        handshake_destroy(self);
    } else if (ws->phase != WS_GREETING) {
        return; /* closed meanwhile; it goes with the connection */
    } else if (reply->failure) {
        refuse_as_auth(conn, reply->failure);
    } else if (welcome(self, ws, reply->msg, reply->body)) {
        conn_kill(conn);
    }
}

/* --- connect -------------------------------------------------------------------------- */

static int auth_ask(struct handshake *self, struct conn *conn)
{
    struct msg_auth_connect in = { .conn_id = span_from(ws_of(conn)->conn_id),
                                   .is_loopback = conn->peer->is_loopback,
                                   .has_origin = self->origin != NULL,
                                   .origin = span_from(self->origin),
                                   .has_host = self->host != NULL,
                                   .host = span_from(self->host),
                                   .has_has_proxy_header = true,
                                   .has_proxy_header = self->is_proxied,
                                   .protocol = ws_of(conn)->protocol,
                                   .nonce = span_from(self->nonce),
                                   .has_peer_uid = conn->has_peer_uid,
                                   .peer_uid = conn->peer_uid,
                                   .has_headers = true,
                                   .headers = pack_span(&self->headers),
                                   .params = pack_span(&self->params) };
    struct actor_call call = { .to = "auth",
                               .msg = MSG_AUTH_CONNECT,
                               .in = &in,
                               .deadline_ms = CALL_MS,
                               .trace = self->trace,
                               .on_answer = on_auth,
                               .cookie = self };

    in.remote = span_from(conn->remote);
    return actor_call(self->edge->actor, &call, &self->call.id);
}

/* Without one in common auth refuses, and names the one of ours that is nearest. */
static unsigned protocol_of(struct span params)
{
    int64_t min = value_i64(value_get(params, "minProtocol"), 0);
    int64_t max = value_i64(value_get(params, "maxProtocol"), 0);
    unsigned protocol = hello_protocol(min, max);

    if (protocol) {
        return protocol;
    }
    return max < HELLO_PROTOCOL_MIN ? HELLO_PROTOCOL_MIN : HELLO_PROTOCOL_MAX;
}

static void connect_take(struct conn *conn, struct ws *ws, struct span params)
{
    struct handshake *self = ws->handshake;
    struct json_opts opts = { .depth_max = LIMIT_JSON_DEPTH, .type = MSG_CONNECT->type };
    struct json_error error;
    char text[sizeof(error.message) + 32];
    int r = json_to_pack(params.len ? params : SPAN_LIT("{}"), &opts, &self->params, &error);

    if (r == JSON_E_SCHEMA) {
        (void)snprintf(text, sizeof(text), "invalid connect params: %s", error.message);
        refuse_text(conn, text);
    } else if (r > 0) {
        refuse_no_json(conn, r);
    } else if (r < 0) {
        conn_kill(conn);
    } else {
        ws->phase = WS_GREETING;
        ws->protocol = protocol_of(pack_span(&self->params));
        if (conn->edge->header_names.len == 0) {
            refuse_for_now(conn); /* auth has not yet said what it needs to see */
        } else if (pack_error(&self->headers) || auth_ask(self, conn)) {
            conn_kill(conn);
        }
    }
}

/* The request says better than the upgrade what it belongs to. */
static void trace_take(struct handshake *self, struct span frame)
{
    struct trace_id trace = traceparent_parse(value_str(value_get(frame, "traceparent"), (struct span){ NULL, 0 }));

    if (trace.hi || trace.lo) {
        self->trace = trace;
    }
}

void handshake_take(struct conn *conn, struct span text)
{
    struct ws *ws = ws_of(conn);
    struct edge *edge = conn->edge;
    struct json_member members[] = { { .key = "id" }, { .key = "method" }, { .key = "params" } };
    struct json_opts opts = { .depth_max = LIMIT_JSON_DEPTH, .type = TYPE_REQUEST_FRAME };
    int r = json_split(text, LIMIT_JSON_DEPTH, members, ARRAY_LEN(members), NULL);

    pack_reset(&edge->pack);
    r = r ? r : json_to_pack(text, &opts, &edge->pack, NULL);
    if (r == JSON_E_SCHEMA) {
        ws_close(conn, WS_CODE_POLICY, SPAN_LIT("invalid request frame"));
    } else if (r) {
        refuse_no_json(conn, r);
    } else if (text_buf_add(&ws->handshake->id, members[0].raw)) {
        conn_kill(conn);
    } else if (!span_is(members[1].raw, SPAN_LIT("\"connect\""))) {
        refuse_text(conn, "invalid handshake: first request must be connect");
    } else {
        trace_take(ws->handshake, pack_span(&edge->pack));
        connect_take(conn, ws, members[2].raw);
    }
}
