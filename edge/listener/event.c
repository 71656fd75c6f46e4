#include "edge/listener/event.h"

#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/listener/budget.h"
#include "edge/listener/frame.h"
#include "edge/listener/hello.h"
#include "edge/listener/live.h"
#include "edge/listener/subscription.h"
#include "edge/listener/watching.h"
#include "edge/listener/ws.h"
#include "schema_gen.h"

#define TAIL_MAX 128U

/* One event on its way to everyone: the text is made once, the rest per connection. */
struct fanout {
    const struct schema_msg *topic;
    const struct schema_event *event;
    struct span texts[2];        /* of the frame, without sequence number and closing brace; for each protocol */
    struct span version;         /* ,"stateVersion":{…} or empty */
    struct span key;             /* session it belongs to, or empty */
    struct span targets;         /* packed list of the connections it is for; empty: whom it concerns */
    struct outq_text *shared[2]; /* the same for those who are behind; made when the first one is */
    uint64_t newest_key;         /* a later event of the same key makes this one pointless; 0: none does */
    bool is_droppable;
    bool is_tool; /* a tool frame of an agent: only for those who said they can show it */
};

/* --- who --------------------------------------------------------------------------------- */

static bool is_target(const struct fanout *self, const struct ws *ws)
{
    struct value_iter iter = value_iter(self->targets);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        if (span_is_text(value_str(item, (struct span){ NULL, 0 }), ws->conn_id)) {
            return true;
        }
    }
    return false;
}

/* A node that shows a chat sees what happens in that session, and only there. */
static bool is_followed(const struct fanout *self, const struct ws *ws)
{
    return ws->scopes.is_node && (self->topic == EVENT_CHAT || self->topic == EVENT_AGENT) && !self->is_tool &&
           subscription_has(ws, self->key);
}

static bool is_addressed(const struct fanout *self, const struct ws *ws)
{
    if (is_followed(self, ws)) {
        return true;
    }
    if (!scope_sees(&ws->scopes, self->event)) {
        return false;
    }
    if (self->is_tool && !ws->sees_tools) {
        return false;
    }
    if (self->targets.len > 0 || self->event->delivery == SCHEMA_DELIVERY_TARGETED) {
        return is_target(self, ws);
    }
    if (self->event->delivery != SCHEMA_DELIVERY_SUBSCRIBERS) {
        return true;
    }
    return ws->sees_sessions || (self->topic == EVENT_SESSION_MESSAGE && subscription_has(ws, self->key));
}

/* False when the client is too slow for this event, which then may have ended it. */
static bool is_affordable(const struct fanout *self, struct conn *conn)
{
    size_t pending = conn_pending(conn);
    bool is_tight = budget_used(conn->edge) > LIMIT_QUEUED_ALL / 2;

    if (self->is_droppable) {
        bool is_fine = pending <= (is_tight ? LIMIT_DROP_FROM_TIGHT : LIMIT_DROP_FROM);

        if (!is_fine) {
            large_note(conn->edge, LARGE_DROPPED, pending);
        }
        return is_fine;
    }
    if (pending <= LIMIT_BUFFERED) {
        return true;
    }
    ws_close_slow(conn, self->topic->name);
    return false;
}

/* --- sending ----------------------------------------------------------------------------- */

static size_t digits_write(char *at, uint64_t number)
{
    char text[20];
    size_t n = 0;

    do {
        text[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (size_t i = 0; i < n; i++) {
        at[i] = text[n - 1 - i];
    }
    return n;
}

/* The frame's end: sequence number, state version, closing brace. */
static size_t tail_write(const struct fanout *self, uint64_t seq, char tail[TAIL_MAX])
{
    static const struct span key = { ",\"seq\":", 7 };
    size_t len = 0;

    if (seq) {
        memcpy(tail, key.ptr, key.len);
        len = key.len + digits_write(tail + key.len, seq);
    }
    memcpy(tail + len, self->version.ptr, self->version.len);
    len += self->version.len;
    tail[len++] = '}';
    return len;
}

/* Copied behind what little waits: cheapest for a client that keeps up. */
static void deliver_copy(struct conn *conn, struct span text, struct span tail)
{
    size_t len = text.len + tail.len;
    size_t head = ws_head_len(len);
    struct text_buf *out = conn_out(conn);
    size_t before;

    if (!out) {
        return;
    }
    before = out->len;
    if (text_buf_reserve(out, head + len)) {
        conn_kill(conn);
        return;
    }
    ws_head_write((uint8_t *)out->data + before, WS_TEXT, len);
    memcpy(out->data + before + head, text.ptr, text.len);
    memcpy(out->data + before + head + text.len, tail.ptr, tail.len);
    out->len += head + len;
    conn_commit(conn, before);
}

static void deliver_shared(struct fanout *self, struct conn *conn, unsigned which, struct span tail)
{
    uint8_t head[WS_HEAD_MAX];
    struct outq_text **shared = &self->shared[which];
    size_t len = self->texts[which].len + tail.len;

    if (!*shared) {
        *shared = outq_text_new(self->texts[which], &conn->edge->shared_bytes);
    }
    if (!*shared) {
        conn_kill(conn);
        return;
    }
    ws_head_write(head, WS_TEXT, len);
    conn_share(conn, (struct span){ (const char *)head, ws_head_len(len) }, *shared, tail, self->newest_key);
}

static bool is_shared(const struct fanout *self, const struct conn *conn, size_t len)
{
    if (len > LIMIT_SHARE_BYTES) {
        return true;
    }
    return conn_pending(conn) > LIMIT_SHARE_BEHIND && (self->newest_key || len > LIMIT_SHARE_MIN);
}

static void deliver(struct fanout *self, struct conn *conn, struct ws *ws)
{
    char text[TAIL_MAX];
    bool is_counted =
        (self->event->flags & SCHEMA_EVENT_SEQ) != 0 && !self->is_tool && !self->targets.len && !is_followed(self, ws);
    uint64_t seq = is_counted ? ++ws->seq : 0; /* counted also when dropped: the gap shows */
    struct span tail = { text, tail_write(self, seq, text) };
    unsigned which = ws->protocol == HELLO_PROTOCOL_MAX ? 1 : 0;

    if (!is_affordable(self, conn)) {
        return;
    }
    if (is_shared(self, conn, self->texts[which].len)) {
        deliver_shared(self, conn, which, tail);
    } else {
        deliver_copy(conn, self->texts[which], tail);
    }
}

static void fanout_run(struct fanout *self, struct edge *edge)
{
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);

        if (ws && is_addressed(self, ws)) {
            deliver(self, conn, ws);
        }
    }
    outq_text_drop(&self->shared[0]);
    outq_text_drop(&self->shared[1]);
    budget_check(edge);
}

/* --- from the bus ------------------------------------------------------------------------ */

/* Payloads that say all anew: for a client that is behind, the newest is enough. */
static uint64_t newest_key_of(const struct schema_msg *topic, struct span body)
{
    struct span none = { NULL, 0 };
    struct span run = value_str(value_get(body, "runId"), none);
    uint64_t hash = 14695981039346656037ULL ^ topic->id; /* FNV-1a */

    if (topic == EVENT_PRESENCE || topic == EVENT_HEALTH || topic == EVENT_TICK) {
        return topic->id;
    }
    if (topic != EVENT_CHAT || !schema_is_droppable(topic, body)) {
        return 0;
    }
    for (size_t i = 0; i < run.len; i++) {
        hash = (hash ^ (uint8_t)run.ptr[i]) * 1099511628211ULL;
    }
    return hash ? hash : 1;
}

/* The payload may bring the newest versions along; else those last heard of count. */
static struct span version_of(struct edge *edge, const struct schema_event *event, struct span body,
                              char text[TAIL_MAX])
{
    struct span carried = value_get(body, "_stateVersion");
    int len;

    edge->presence_version = (uint64_t)value_i64(value_get(carried, "presence"), (int64_t)edge->presence_version);
    edge->health_version = (uint64_t)value_i64(value_get(carried, "health"), (int64_t)edge->health_version);
    if (!(event->flags & SCHEMA_EVENT_STATE_VERSION)) {
        return (struct span){ text, 0 };
    }
    len = snprintf(text, TAIL_MAX, ",\"stateVersion\":{\"presence\":%llu,\"health\":%llu}",
                   (unsigned long long)edge->presence_version, (unsigned long long)edge->health_version);
    return (struct span){ text, (size_t)len };
}

/* The same text for both protocols, unless the payload has more to say to those of the newer. */
static int texts_write(struct fanout *self, struct edge *edge, struct span body)
{
    struct span name = { self->topic->name, self->topic->name_len };
    struct span more = edge->clients_new_n ? value_get(body, "_protocol4") : (struct span){ NULL, 0 };
    struct text_buf *out = &edge->scratch;
    size_t len;
    int r;

    out->len = 0;
    r = frame_event_open(name, body, (struct span){ NULL, 0 }, out);
    len = out->len;
    if (!r && more.len) {
        r = frame_event_open(name, body, more, out);
    }
    if (r) {
        return r;
    }
    self->texts[0] = (struct span){ out->data, len };
    self->texts[1] = more.len ? (struct span){ out->data + len, out->len - len } : self->texts[0];
    return 0;
}

/* Whoever comes later is told the newest versions; nothing else of it is kept. */
static void event_pass(struct edge *edge, const struct schema_msg *topic, struct span body)
{
    const struct schema_event *event = schema_event_of(topic);
    char version[TAIL_MAX];

    if (event->flags & SCHEMA_EVENT_STATE_VERSION) {
        (void)version_of(edge, event, body, version);
    } else if ((topic == EVENT_AGENT || topic == EVENT_CHAT) && schema_is_droppable(topic, body)) {
        watching_remind(edge);
    }
}

static int event_send(struct edge *edge, const struct schema_msg *topic, struct span body)
{
    const struct schema_event *event = schema_event_of(topic);
    struct span none = { NULL, 0 };
    struct fanout fanout = { .topic = topic, .event = event };
    char version[TAIL_MAX];

    if (edge->clients_n == 0) {
        event_pass(edge, topic, body);
        return 0;
    }
    fanout.is_droppable = schema_is_droppable(topic, body);
    fanout.version = version_of(edge, event, body, version);
    fanout.key = value_str(value_get(body, "_scopeKey"), value_str(value_get(body, "sessionKey"), none));
    fanout.targets = value_get(body, "_connIds");
    fanout.is_tool = topic == EVENT_AGENT && span_is(value_str(value_get(body, "stream"), none), SPAN_LIT("tool"));
    if (texts_write(&fanout, edge, body)) {
        return FAIL_INTERNAL; /* counted; the next event may be a smaller one */
    }
    fanout.newest_key = newest_key_of(topic, body);
    fanout_run(&fanout, edge);
    return 0;
}

static int on_event(void *state, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return event_send(state, actor_ctx_msg(ctx), actor_ctx_body(ctx));
}

/* Credentials have changed: whoever was let in under an older generation must come again. */
static int on_generation(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_generation *in = msg;
    struct edge *edge = state;

    (void)ctx;
    edge->generation = in->generation;
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);

        if (ws && ws->generation < in->generation) {
            ws_leave(conn, WS_CODE_AUTH_CHANGED, SPAN_LIT("gateway auth changed"));
        }
    }
    live_revoke(edge, "");
    return 0;
}

static bool is_revoked(const struct msg_auth_revoked *in, const struct ws *ws)
{
    return (!in->has_device_id || span_is_text(in->device_id, ws->device_id)) &&
           (!in->has_role || span_is_text(in->role, ws->role)) &&
           (!in->has_principal || span_is_text(in->principal, ws->principal)) &&
           (!in->has_is_page || in->is_page == ws->is_page);
}

/* One credential is gone: what it let in goes too, behind what was said to it before. */
static int on_revoked(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_revoked *in = msg;
    struct edge *edge = state;

    (void)ctx;
    if (!in->has_device_id && !in->has_role && !in->has_principal && !in->has_is_page) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "auth_revoked names nobody");
    }
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_of(conn);

        if (ws && !conn->is_killed && ws->role[0] && is_revoked(in, ws)) {
            ws_leave(conn, in->code, in->reason);
        }
    }
    return 0;
}

/* What was lost on the way here would have had numbers: whoever would have seen it sees the gap. */
void event_on_gap(void *state, struct actor *actor, const struct actor_gap *gap)
{
    const struct schema_event *event = schema_event_of(gap->topic);
    struct edge *edge = state;

    (void)actor;
    if (!event || event->delivery != SCHEMA_DELIVERY_BROADCAST || !(event->flags & SCHEMA_EVENT_SEQ)) {
        return;
    }
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);

        if (ws && scope_sees(&ws->scopes, event)) {
            ws->seq += gap->lost + gap->dropped;
        }
    }
}

int event_subscribe(struct edge *edge)
{
    const struct actor_route generation = { MSG_AUTH_GENERATION, on_generation, 0 };
    const struct actor_route revoked = { MSG_AUTH_REVOKED, on_revoked, 0 };
    int r = actor_subscribe(edge->actor, &generation);

    r = r ? r : actor_subscribe(edge->actor, &revoked);

    for (size_t i = 0; !r && i < schema_registry.msgs_n; i++) {
        const struct schema_msg *msg = schema_registry.msgs[i];
        const struct schema_event *event = schema_event_of(msg);
        const struct actor_route route = { msg, on_event, ACTOR_RAW };

        if (event && event->delivery != SCHEMA_DELIVERY_CONNECTION && msg != EVENT_TICK && msg != EVENT_SHUTDOWN) {
            r = actor_subscribe(edge->actor, &route);
        }
    }
    return r;
}

/* --- the edge's own ---------------------------------------------------------------------- */

/* Errors here are those of memory alone; the next tick says the same again. */
void event_tick(struct edge *edge)
{
    struct pack *pack = &edge->pack;

    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_i64(pack, "ts", clock_wall_ms());
    pack_map_end(pack);
    (void)event_send(edge, EVENT_TICK, pack_span(pack));
    watching_repeat(edge);
}

void event_shutdown(struct edge *edge, const char *reason, uint32_t restart_expected_ms)
{
    struct pack *pack = &edge->pack;

    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "reason", reason);
    pack_key(pack, "restartExpectedMs");
    if (restart_expected_ms) {
        pack_u64(pack, restart_expected_ms);
    } else {
        pack_nil(pack);
    }
    pack_map_end(pack);
    (void)event_send(edge, EVENT_SHUTDOWN, pack_span(pack));
}
