#include "edge/listener/subscription.h"

#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/listener/frame.h"
#include "schema_gen.h"

/* A key on its way to the router, which knows its full form. */
struct resolve {
    struct call call;
    const struct schema_msg *msg;
    uint64_t asked_ns;
    uint16_t id_len;
    char id[]; /* raw JSON */
};

static void answer(struct conn *conn, struct span id, bool is_subscribed, struct span key)
{
    size_t at;
    struct text_buf *out = ws_begin(conn, &at);
    int r;

    if (!out) {
        return;
    }
    r = frame_answer_open(id, out);
    r = r ? r : text_buf_add(out, is_subscribed ? SPAN_LIT("{\"subscribed\":true") : SPAN_LIT("{\"subscribed\":false"));
    if (!r && key.len > 0) {
        r = text_buf_add(out, SPAN_LIT(",\"key\":"));
        r = r ? r : json_from_text(key, out);
    }
    r = r ? r : text_buf_add(out, SPAN_LIT("}}"));
    if (r) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    ws_end(conn, out, at);
}

static size_t key_find(const struct ws *ws, struct span key)
{
    for (uint32_t i = 0; i < ws->keys_n; i++) {
        if (span_is_text(key, ws->keys[i])) {
            return i;
        }
    }
    return ws->keys_n;
}

bool subscription_has(const struct ws *ws, struct span key)
{
    return key_find(ws, key) < ws->keys_n;
}

/* False when the connection has as many as it may. */
static bool key_add(struct ws *ws, struct span key)
{
    if (subscription_has(ws, key)) {
        return true;
    }
    if (ws->keys_n == LIMIT_SUBSCRIPTIONS) {
        return false;
    }
    if (!ws->keys) {
        ws->keys = mem_new(LIMIT_SUBSCRIPTIONS * sizeof(*ws->keys));
    }
    ws->keys[ws->keys_n++] = mem_text(key.ptr, key.len);
    return true;
}

static void key_remove(struct ws *ws, struct span key)
{
    size_t at = key_find(ws, key);

    if (at < ws->keys_n) {
        free(ws->keys[at]);
        ws->keys[at] = ws->keys[--ws->keys_n];
    }
}

void subscription_follow(struct ws *ws, struct span key, bool is_following)
{
    if (is_following) {
        (void)key_add(ws, key); /* the others stay as they are */
    } else {
        key_remove(ws, key);
    }
}

static void resolved(struct resolve *self, struct conn *conn, const struct actor_answer *reply)
{
    bool is_ending = self->msg == MSG_SESSIONS_MESSAGES_UNSUBSCRIBE;
    const struct msg_router_resolved *found = reply->msg;
    struct span id = { self->id, self->id_len };
    struct ws *ws = ws_of(conn);
    struct failure full = { .code = FAIL_INVALID_REQUEST, .message = SPAN_LIT("too many subscriptions") };

    if (reply->failure) {
        ws_refuse(conn, id, reply->failure);
    } else if (is_ending) {
        key_remove(ws, found->session_key);
        answer(conn, id, false, found->session_key);
    } else if (key_add(ws, found->session_key)) {
        answer(conn, id, true, found->session_key);
    } else {
        ws_refuse(conn, id, &full);
    }
}

static void on_resolved(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct resolve *self = cookie;
    struct conn *conn = self->call.conn;

    (void)state;
    (void)actor;
    call_unlink(&self->call);
    if (conn && ws_client_of(conn)) {
        resolved(self, conn, reply);
    }
    if (conn) {
        tally_rpc(&conn->edge->tally, self->msg, reply->failure != NULL, clock_mono_ns() - self->asked_ns);
        ws_of(conn)->requests_n--;
    }
    free(self);
}

static void resolve(struct conn *conn, struct span id, struct trace_id trace, const struct schema_msg *msg,
                    struct span key)
{
    struct failure busy = { .code = FAIL_UNAVAILABLE,
                            .message = SPAN_LIT("the router cannot be asked"),
                            .retryable = true };
    struct msg_router_resolve in = { .has_session_key = true, .session_key = key };
    struct resolve *self = malloc(sizeof(*self) + id.len);
    struct actor_call call = { .to = "router",
                               .msg = MSG_ROUTER_RESOLVE,
                               .in = &in,
                               .trace = trace,
                               .principal = span_from(ws_of(conn)->principal),
                               .on_answer = on_resolved,
                               .cookie = self };

    if (!self) {
        conn->edge->tally.rpc_refused_n++;
        ws_refuse(conn, id, &busy);
        return;
    }
    *self = (struct resolve){
        .call = { .conn = conn }, .msg = msg, .asked_ns = clock_mono_ns(), .id_len = (uint16_t)id.len
    };
    memcpy(self->id, id.ptr, id.len);
    if (actor_call(conn->edge->actor, &call, &self->call.id)) {
        free(self);
        conn->edge->tally.rpc_refused_n++;
        ws_refuse(conn, id, &busy);
        return;
    }
    call_link(&self->call, &ws_of(conn)->subscriptions);
    ws_of(conn)->requests_n++;
}

void subscription_take(struct conn *conn, struct span id, struct trace_id trace, const struct schema_msg *msg,
                       struct span body)
{
    struct failure unknown = { .code = FAIL_UNKNOWN_METHOD, .message = { msg->name, msg->name_len } };
    struct ws *ws = ws_of(conn);
    struct span key = value_str(value_get(body, "key"), (struct span){ NULL, 0 });

    if (msg == MSG_SESSIONS_SUBSCRIBE || msg == MSG_SESSIONS_UNSUBSCRIBE) {
        ws->sees_sessions = msg == MSG_SESSIONS_SUBSCRIBE;
        answer(conn, id, ws->sees_sessions, (struct span){ NULL, 0 });
        tally_rpc(&conn->edge->tally, msg, false, 0);
    } else if (msg == MSG_SESSIONS_MESSAGES_SUBSCRIBE || msg == MSG_SESSIONS_MESSAGES_UNSUBSCRIBE) {
        resolve(conn, id, trace, msg, key);
    } else {
        conn->edge->tally.rpc_refused_n++;
        ws_refuse(conn, id, &unknown);
    }
}

void subscription_drop(struct conn *conn, struct ws *ws)
{
    call_orphan_all(&ws->subscriptions, &conn->edge->orphan_subscriptions);
}

void subscription_free_orphans(struct edge *edge)
{
    struct call *call;

    while ((call = call_pop(&edge->orphan_subscriptions)) != NULL) {
        free(CONTAINER_OF(call, struct resolve, call));
    }
}
