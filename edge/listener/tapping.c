#include "edge/listener/tapping.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/tap_inlet.h"
#include "bus/tap_shown.h"
#include "bus/value.h"
#include "bus/wire.h"
#include "edge/listener/budget.h"
#include "edge/listener/frame.h"
#include "schema_gen.h"

#define SUPERVISOR "supervisor"
#define LINES_BYTES 32768U /* of one event, about */
#define WHO_MAX 256

/* One connection's view of the bus. */
struct tapping {
    struct conn *conn;
    struct tap_inlet *inlet;
    struct text_buf text; /* an event under construction, empty when there is none */
    uint64_t lost;        /* as the client was last told */
    bool is_attached;     /* the answer that says so has been written */
    bool is_attaching;
};

/* A request that the supervisor has the word on. */
struct tap_ask {
    struct call call;
    const struct schema_msg *msg;
    uint64_t asked_ns;
    uint16_t id_len;
    char id[]; /* raw JSON */
};

static void refuse(struct conn *conn, struct span id, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void refuse(struct conn *conn, struct span id, int code, const char *fmt, ...)
{
    char text[FAILURE_MESSAGE_MAX];
    struct failure failure = { .code = code, .retryable = code == FAIL_UNAVAILABLE };
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* a longer one is cut */
    va_end(args);
    failure.message = span_from(text);
    failure.retry_after_ms = failure.retryable ? 1000 : 0;
    conn->edge->tally.rpc_refused_n++;
    ws_refuse(conn, id, &failure);
}

/* `payload` is JSON. */
static void answer(struct conn *conn, struct span id, struct span payload)
{
    size_t at;
    struct text_buf *out = ws_begin(conn, &at);
    int r;

    if (!out) {
        return;
    }
    r = frame_answer_open(id, out);
    r = r ? r : text_buf_add(out, payload);
    r = r ? r : text_buf_add(out, SPAN_LIT("}"));
    if (r) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    ws_end(conn, out, at);
    budget_check_of(conn);
}

static void subscribed_answer(struct conn *conn, struct span id, bool is_subscribed, uint64_t lost)
{
    char text[80];
    int len = snprintf(text, sizeof(text), "{\"subscribed\":%s,\"dropped\":%llu}", is_subscribed ? "true" : "false",
                       (unsigned long long)lost); /* fits */

    answer(conn, id, (struct span){ text, (size_t)len });
}

/* --- lines ------------------------------------------------------------------------------ */

/* The connection, and the tap with it, may be at its end behind this. */
static void lines_send(struct tapping *self)
{
    CLEANUP(text_buf_deinit) struct text_buf text = self->text;
    struct conn *conn = self->conn;
    char tail[64];
    int len;

    self->text = (struct text_buf){ 0 };
    self->lost = tap_inlet_lost(self->inlet);
    len = snprintf(tail, sizeof(tail), "],\"dropped\":%llu}}", (unsigned long long)self->lost); /* fits */
    if (text_buf_add(&text, (struct span){ tail, (size_t)len })) {
        conn_kill(conn);
        return;
    }
    ws_frame_send(conn, WS_TEXT, (struct span){ text.data, text.len });
    budget_check_of(conn);
}

static int lines_begin(struct tapping *self)
{
    int r = text_buf_add(&self->text, SPAN_LIT("{\"type\":\"event\",\"event\":\""));

    r = r ? r : text_buf_add(&self->text, (struct span){ EVENT_BUS_TAP_LINES->name, EVENT_BUS_TAP_LINES->name_len });
    return r ? r : text_buf_add(&self->text, SPAN_LIT("\",\"payload\":{\"lines\":["));
}

/* What waits for this client, of whatever sort, comes first. */
static bool has_room(void *arg)
{
    struct tapping *self = arg;
    bool is_tight = budget_used(self->conn->edge) > LIMIT_QUEUED_ALL / 2;

    return self->is_attached && ws_client_of(self->conn) &&
           conn_waiting(self->conn) <= (is_tight ? LIMIT_TAP_WAITING_TIGHT : LIMIT_TAP_WAITING);
}

static void on_record(void *arg, const struct tap_record *record)
{
    struct tapping *self = arg;
    struct pack *pack = &self->conn->edge->pack;
    size_t before = self->text.len;
    int r = before ? text_buf_add(&self->text, SPAN_LIT(",")) : lines_begin(self);

    pack_reset(pack);
    pack_map_begin(pack);
    tap_shown_pack(record, pack);
    tap_shown_pack_rest(record, pack);
    pack_map_end(pack);
    r = r ? r : pack_error(pack);
    r = r ? r : json_from_value(pack_span(pack), &self->text);
    if (r) {
        self->text.len = before; /* without memory for it, or without a form in JSON */
        tap_inlet_lose(self->inlet);
        return;
    }
    if (self->text.len >= LINES_BYTES) {
        lines_send(self);
    }
}

static void on_rest(void *arg)
{
    struct tapping *self = arg;

    if (!self->is_attached || !ws_client_of(self->conn)) {
        return;
    }
    if (!self->text.len && tap_inlet_lost(self->inlet) != self->lost && lines_begin(self)) {
        conn_kill(self->conn);
        return;
    }
    if (self->text.len) {
        lines_send(self);
    }
}

/* --- asking the supervisor --------------------------------------------------------------- */

/* Who it is, for the log. */
static void who_write(struct conn *conn, char out[WHO_MAX])
{
    const struct ws *ws = ws_of(conn);

    (void)snprintf(out, WHO_MAX, "conn=%s principal=%s device=%.16s ip=%s", ws->conn_id, ws->principal,
                   ws->device_id[0] ? ws->device_id : "-", ws->remote_ip[0] ? ws->remote_ip : "-"); /* fits */
}

/* An answer may be more than the connection may have waiting, which then ends, and the tap with it. */
static void attached(struct tapping *self, struct span id, const struct failure *failure)
{
    struct conn *conn = self->conn;

    self->is_attaching = false;
    self->is_attached = !failure;
    if (failure) {
        tapping_end(conn, ws_of(conn));
        ws_refuse(conn, id, failure);
        return;
    }
    subscribed_answer(conn, id, true, 0); /* nothing is shown before it: all of that comes by the loop */
}

static void actors_answer(struct conn *conn, struct span id, const struct actor_answer *reply)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (reply->failure) {
        ws_refuse(conn, id, reply->failure);
    } else if (json_from_value(reply->body, &text)) {
        refuse(conn, id, FAIL_UNAVAILABLE, "the gateway is short of memory");
    } else {
        answer(conn, id, (struct span){ text.data, text.len });
    }
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct tap_ask *ask = cookie;
    struct conn *conn = ask->call.conn;
    struct span id = { ask->id, ask->id_len };

    (void)state;
    (void)actor;
    call_unlink(&ask->call);
    if (conn) {
        tally_rpc(&conn->edge->tally, ask->msg, reply->failure != NULL, clock_mono_ns() - ask->asked_ns);
        ws_of(conn)->requests_n--;
    }
    if (conn && ws_client_of(conn)) {
        if (ask->msg == MSG_BUS_ACTORS_LIST) {
            actors_answer(conn, id, reply);
        } else if (ws_of(conn)->tapping) {
            attached(ws_of(conn)->tapping, id, reply->failure);
        }
    }
    free(ask);
}

/* False after a refusal. `edge->pack` holds the body. */
static bool ask(struct conn *conn, struct span id, struct trace_id trace, const struct schema_msg *msg)
{
    struct tap_ask *self = malloc(sizeof(*self) + id.len);
    struct actor_call call = { .to = SUPERVISOR,
                               .msg = &wire_operate,
                               .body = pack_span(&conn->edge->pack),
                               .trace = trace,
                               .principal = span_from(ws_of(conn)->principal),
                               .on_answer = on_answer,
                               .cookie = self };

    if (!self) {
        refuse(conn, id, FAIL_UNAVAILABLE, "the gateway is short of memory");
        return false;
    }
    *self = (struct tap_ask){
        .call = { .conn = conn }, .msg = msg, .asked_ns = clock_mono_ns(), .id_len = (uint16_t)id.len
    };
    memcpy(self->id, id.ptr, id.len);
    if (actor_call(conn->edge->actor, &call, &self->call.id)) {
        free(self);
        refuse(conn, id, FAIL_UNAVAILABLE, "the supervisor cannot be asked");
        return false;
    }
    call_link(&self->call, &ws_of(conn)->tap_asks);
    ws_of(conn)->requests_n++;
    return true;
}

/* --- the methods ------------------------------------------------------------------------- */

static struct tapping *tapping_new(struct conn *conn, struct span id, const struct msg_bus_tap_subscribe *in)
{
    struct tapping *self = mem_new(sizeof(*self));
    struct tap_inlet_opts opts = { .actor = conn->edge->actor,
                                   .filter = in->has_filter ? in->filter : SPAN_LIT(""),
                                   .with_bodies = in->has_bodies && in->bodies,
                                   .with_times = in->has_times && in->times,
                                   .with_sessions = in->has_sessions && in->sessions,
                                   .arg = self,
                                   .has_room = has_room,
                                   .on_record = on_record,
                                   .on_rest = on_rest };
    struct tap_filter_error error;
    int r;

    self->conn = conn;
    r = tap_inlet_open(&opts, &self->inlet, &error);
    if (r == 0) {
        return self;
    }
    free(self);
    if (r == TAP_INLET_E_FILTER) {
        refuse(conn, id, FAIL_INVALID_REQUEST, "\"filter\", column %u: %s", error.column, error.text);
    } else {
        refuse(conn, id, FAIL_UNAVAILABLE, "nothing of the bus can be shown here now");
    }
    return NULL;
}

static void subscribe(struct conn *conn, struct span id, struct trace_id trace, struct span body)
{
    struct pack *pack = &conn->edge->pack;
    struct msg_bus_tap_subscribe in;
    struct ws *ws = ws_of(conn);
    char who[WHO_MAX];

    if (ws->tapping) {
        refuse(conn, id, FAIL_INVALID_REQUEST, "this connection has a tap; end it first");
    } else if (conn->edge->tappings_n >= LIMIT_TAPS) {
        refuse(conn, id, FAIL_UNAVAILABLE, "%u clients watch the bus; one of them must end first", LIMIT_TAPS);
    } else if (codec_decode(MSG_BUS_TAP_SUBSCRIBE->type, body, &in, NULL)) {
        refuse(conn, id, FAIL_INTERNAL, "the params cannot be read"); /* they were checked */
    } else if ((ws->tapping = tapping_new(conn, id, &in)) != NULL) {
        conn->edge->tappings_n++;
        ws->tapping->is_attaching = true;
        who_write(conn, who);
        pack_reset(pack);
        tap_inlet_request(ws->tapping->inlet, true, who, pack);
        if (!ask(conn, id, trace, MSG_BUS_TAP_SUBSCRIBE)) {
            tapping_end(conn, ws);
        }
    }
}

static void unsubscribe(struct conn *conn, struct span id)
{
    struct ws *ws = ws_of(conn);
    uint64_t lost = 0;

    if (ws->tapping && ws->tapping->is_attaching) {
        refuse(conn, id, FAIL_UNAVAILABLE, "the tap is still being attached");
        return;
    }
    if (ws->tapping) {
        tap_inlet_rest(ws->tapping->inlet); /* it, and all behind it, may end by this */
        lost = ws->tapping ? tap_inlet_lost(ws->tapping->inlet) : 0;
    }
    tapping_end(conn, ws);
    subscribed_answer(conn, id, false, lost);
    tally_rpc(&conn->edge->tally, MSG_BUS_TAP_UNSUBSCRIBE, false, 0);
}

static void actors_list(struct conn *conn, struct span id, struct trace_id trace)
{
    struct pack *pack = &conn->edge->pack;
    char who[WHO_MAX];

    who_write(conn, who);
    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "op", "actors");
    pack_kv_text(pack, "who", who);
    pack_map_end(pack);
    (void)ask(conn, id, trace, MSG_BUS_ACTORS_LIST); /* refused when not */
}

bool tapping_take(struct conn *conn, struct span id, struct trace_id trace, const struct schema_msg *msg,
                  struct span body)
{
    if (msg == MSG_BUS_TAP_SUBSCRIBE) {
        subscribe(conn, id, trace, body);
    } else if (msg == MSG_BUS_TAP_UNSUBSCRIBE) {
        unsubscribe(conn, id);
    } else if (msg == MSG_BUS_ACTORS_LIST) {
        actors_list(conn, id, trace);
    } else {
        return false;
    }
    return true;
}

/* --- the end ----------------------------------------------------------------------------- */

static void on_detached(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    (void)state;
    (void)actor;
    (void)cookie;
    (void)reply; /* a supervisor that is gone watches for nobody */
}

void tapping_end(struct conn *conn, struct ws *ws)
{
    struct tapping *self = TAKE(ws->tapping);
    struct edge *edge = conn->edge;

    if (!self) {
        return;
    }
    pack_reset(&edge->pack);
    tap_inlet_request(self->inlet, false, "", &edge->pack);
    (void)actor_call(
        edge->actor,
        &(struct actor_call){
            .to = SUPERVISOR, .msg = &wire_operate, .body = pack_span(&edge->pack), .on_answer = on_detached },
        NULL); /* when it cannot be sent, this actor is about to end, and all it watches with it */
    tap_inlet_close(&self->inlet);
    text_buf_deinit(&self->text);
    free(self);
    edge->tappings_n--;
}

void tapping_drop(struct conn *conn, struct ws *ws)
{
    call_orphan_all(&ws->tap_asks, &conn->edge->orphan_taps);
}

void tapping_free_orphans(struct edge *edge)
{
    struct call *call;

    while ((call = call_pop(&edge->orphan_taps)) != NULL) {
        free(CONTAINER_OF(call, struct tap_ask, call));
    }
}
