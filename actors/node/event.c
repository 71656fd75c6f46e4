/*
 * event: what nodes report.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define ALIVE_LEAST_MS 60000 /* between two notes of the same node being alive */

/* The payload as a value: payloadJSON wins; empty when it is no JSON. Valid until self->scratch changes. */
static struct span payload_of(struct node *self, const struct msg_node_event *in)
{
    struct json_opts opts = { .depth_max = 0 };

    if (!in->has_payload_json) {
        return in->payload;
    }
    pack_reset(&self->scratch);
    return json_to_pack(in->payload_json, &opts, &self->scratch, NULL) ? (struct span){ 0 } : pack_span(&self->scratch);
}

static int handled_reply(struct node *self, struct actor_ctx *ctx, struct span event, bool is_handled,
                         const char *reason)
{
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", true);
    pack_kv_str(&self->pack, "event", event);
    pack_kv_bool(&self->pack, "handled", is_handled);
    pack_kv_text(&self->pack, "reason", reason);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- node.presence.alive ------------------------------------------------------------------------ */

static const char *trigger_of(struct span payload)
{
    static const char *const known[] = { "background",           "silent_push", "bg_app_refresh",
                                         "significant_location", "manual",      "connect" };
    struct span said = map_text(payload, "trigger");

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_is_text(said, known[i])) {
            return known[i];
        }
    }
    return known[0];
}

/* Only a device can be noted: what a program calls itself proves nothing. */
static int on_alive(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in)
{
    struct span payload = payload_of(self, in);
    const struct session *session = session_of_conn(self, in->client.conn_id);
    const struct shelf_item *seen;
    int64_t now_ms = clock_wall_ms();
    int r;

    if (value_kind_of(payload) != VALUE_MAP) {
        return handled_reply(self, ctx, in->event, false, "invalid_payload");
    }
    if (!in->client.has_device_id || !in->client.device_id.len) {
        return handled_reply(self, ctx, in->event, false, "missing_device_identity");
    }
    seen = session ? shelf_find(self->shelf, KIND_SEEN, session->who.node_id) : NULL;
    if (!seen) {
        return handled_reply(self, ctx, in->event, false, "unpaired");
    }
    if (now_ms - seen->at_ms < ALIVE_LEAST_MS &&
        !span_is(map_text(seen->body, "lastSeenReason"), SPAN_LIT("connect"))) {
        return handled_reply(self, ctx, in->event, true, "throttled");
    }
    r = seen_note(self, session, trigger_of(payload), now_ms);
    return r < 0 ? r : handled_reply(self, ctx, in->event, r == 0, r ? "persist_failed" : "persisted");
}

/* --- for an agent -------------------------------------------------------------------------------- */

#define MESSAGE_MAX 20000U /* bytes that a node may say to an agent at once */
#define OUTPUT_SHOWN 180U  /* of what a command printed */
#define TEXT_SHOWN 120U    /* of what a notification says */

/* What becomes of it is the agent's business; the node is told only that it was handed on. */
static void on_handed(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    if (answer->failure) {
        log_warning("node_event_refused", "why=\"%.*s\"", SPAN_FMT(answer->failure->message));
    }
}

/* Whoever speaks through a node is not an operator: the run gets no right that the node has not. */
static int run_start(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in, struct span message,
                     struct span session_key)
{
    char key[IDS_UUID_MAX];
    struct msg_agent agent = {
        .message = message,
        .has_session_key = session_key.len > 0,
        .session_key = session_key,
        .has_deliver = true,
        .deliver = false,
        .has_input_provenance = true,
        .input_provenance = { .kind = SPAN_LIT("external_user"),
                              .has_source_channel = true,
                              .source_channel = SPAN_LIT("node"),
                              .has_source_tool = true,
                              .source_tool = in->event },
        .has_client = true,
        .client = in->client,
    };
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT,
                               .in = &agent,
                               .deadline_ms = UINT32_MAX, /* the run has a limit of its own */
                               .principal = in->client.principal,
                               .on_answer = on_handed };
    int r;

    ids_uuid(key);
    agent.idempotency_key = span_from(key);
    r = actor_call(self->actor, &call, NULL);
    return r ? r : handled_reply(self, ctx, in->event, true, "handed_to_agent");
}

/* The session that the node names, else the one of the node. */
static struct span session_of(struct span payload, const struct msg_node_event *in, char buf[576])
{
    struct span named = map_text(payload, "sessionKey");

    if (named.len) {
        return named;
    }
    (void)snprintf(buf, 576, "node-%.*s", SPAN_FMT(caller_node_id(&in->client))); /* fits */
    return span_from(buf);
}

static int on_voice(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in)
{
    struct span payload = payload_of(self, in);
    struct span text = map_text(payload, "text");

    if (!text.len || text.len > MESSAGE_MAX) {
        return handled_reply(self, ctx, in->event, false, text.len ? "too_long" : "invalid_payload");
    }
    return run_start(self, ctx, in, text, map_text(payload, "sessionKey"));
}

static int on_agent_request(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in)
{
    struct span payload = payload_of(self, in);
    struct span text = map_text(payload, "message");
    char key[576];

    if (!text.len || text.len > MESSAGE_MAX) {
        return handled_reply(self, ctx, in->event, false, text.len ? "too_long" : "invalid_payload");
    }
    return run_start(self, ctx, in, text, session_of(payload, in, key));
}

/* --- notes for an agent: what it shall know with its next turn --------------------------------------- */

static int note_send(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in, struct span key,
                     const char *text)
{
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_NOTE,
                               .in = &(struct msg_agent_note){ .has_session_key = true,
                                                               .session_key = key,
                                                               .text = span_from(text),
                                                               .is_trusted = false },
                               .cause = ctx,
                               .on_answer = on_handed };
    int r = actor_call(self->actor, &call, NULL);

    return r ? r : handled_reply(self, ctx, in->event, true, "noted");
}

/* Text of others on one line, at most `most` bytes of it. */
static void line_of(struct span text, size_t most, char *out)
{
    struct span cut = utf8_cut(text, most);

    (void)snprintf(out, most + 8, "%.*s%s", SPAN_FMT(cut), cut.len < text.len ? "…" : "");
    for (char *at = out; *at; at++) {
        *at = *at == '\n' || *at == '\r' || *at == '\t' ? ' ' : *at;
    }
}

/* Bytes of an id that are worth showing. */
static int part_of(struct span id)
{
    return (int)(id.len < 64 ? id.len : 64);
}

/* A notification that came up on the node, or went away. */
static int on_notification(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in)
{
    struct span payload = payload_of(self, in);
    struct span change = map_text(payload, "change");
    struct span id = map_text(payload, "key");
    char title[TEXT_SHOWN + 8];
    char body[TEXT_SHOWN + 8];
    char text[768];
    char key[576];

    if (!id.len || (!span_is(change, SPAN_LIT("posted")) && !span_is(change, SPAN_LIT("removed")))) {
        return handled_reply(self, ctx, in->event, false, "invalid_payload");
    }
    line_of(map_text(payload, "title"), TEXT_SHOWN, title);
    line_of(map_text(payload, "text"), TEXT_SHOWN, body);
    (void)snprintf(text, sizeof(text), "Notification %.*s (node=%.*s key=%.*s)%s%s%s%s", SPAN_FMT(change),
                   part_of(caller_node_id(&in->client)), caller_node_id(&in->client).ptr, part_of(id), id.ptr,
                   title[0] ? ": " : "", title, body[0] ? " - " : "", body);
    return note_send(self, ctx, in, session_of(payload, in, key), text);
}

/* What a command on the node did. One that ended well and said nothing is no news. */
static int on_exec(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in)
{
    struct span payload = payload_of(self, in);
    int64_t code = value_i64(value_get(payload, "exitCode"), -1);
    bool is_late = value_bool(value_get(payload, "timedOut"), false);
    bool is_end = span_is(in->event, SPAN_LIT("exec.finished"));
    struct span more = map_text(payload, is_end ? "output" : "command");
    char shown[OUTPUT_SHOWN + 8];
    char how[96] = "";
    char text[768];
    char key[576];

    if (value_kind_of(payload) != VALUE_MAP) {
        return handled_reply(self, ctx, in->event, false, "invalid_payload");
    }
    if (value_bool(value_get(payload, "suppressNotifyOnExit"), false) ||
        (is_end && !is_late && code == 0 && !more.len)) {
        return handled_reply(self, ctx, in->event, true, "no_news");
    }
    line_of(more, OUTPUT_SHOWN, shown);
    if (is_end) {
        (void)snprintf(how, sizeof(how), is_late ? ", timeout" : ", code %lld", (long long)code);
    }
    (void)snprintf(text, sizeof(text), "Exec %.*s (node=%.*s id=%.*s%s)%s%s", (int)(in->event.len - 5),
                   in->event.ptr + 5, part_of(caller_node_id(&in->client)), caller_node_id(&in->client).ptr,
                   part_of(map_text(payload, "runId")), map_text(payload, "runId").ptr, how, shown[0] ? ": " : "",
                   shown);
    return note_send(self, ctx, in, session_of(payload, in, key), text);
}

/* --- chats that a node shows --------------------------------------------------------------------------- */

/* Waits for the full key of a session. */
struct follow {
    struct actor_token token;
    bool is_following;
    char conn_id[65];
    char edge[ACTOR_ADDRESS_MAX];
};

/* The edge of the connection filters: it lets events of that session through to the node. */
static int follow_send(struct actor *actor, const struct follow *follow, const struct msg_router_resolved *found)
{
    static const struct span ok = { "\x81\xa2ok\xc3", 5 }; /* {ok: true} */
    struct msg_edge_follow out = { .conn_id = span_from(follow->conn_id),
                                   .session_key = found->session_key,
                                   .is_following = follow->is_following };
    int r = actor_cast(actor, follow->edge, MSG_EDGE_FOLLOW, &out, NULL);

    return r ? r : actor_token_reply_span(actor, follow->token, ok);
}

static void on_resolved(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct follow *follow = cookie;
    int r = answer->failure ? actor_token_fail(actor, follow->token, answer->failure)
                            : follow_send(actor, follow, answer->msg);

    (void)state;
    free(follow);
    if (r) {
        (void)actor_fault(actor, r);
    }
}

static int on_chat_follow(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in)
{
    struct span payload = payload_of(self, in);
    const struct session *session = session_of_conn(self, in->client.conn_id);
    struct span key = map_text(payload, "sessionKey");
    struct msg_router_resolve ask = { .has_session_key = true, .session_key = key };
    struct follow *follow;
    struct actor_call call = {
        .to = "router", .msg = MSG_ROUTER_RESOLVE, .in = &ask, .cause = ctx, .on_answer = on_resolved
    };
    int r;

    if (!key.len || key.len > 512 || !session) {
        return handled_reply(self, ctx, in->event, false, session ? "invalid_payload" : "unpaired");
    }
    follow = mem_new(sizeof(*follow));
    follow->is_following = span_is(in->event, SPAN_LIT("chat.subscribe"));
    memcpy(follow->conn_id, session->conn_id, sizeof(follow->conn_id));
    memcpy(follow->edge, session->edge, sizeof(follow->edge));
    call.cookie = follow;
    r = actor_call(self->actor, &call, NULL);
    if (r) {
        free(follow);
        return r;
    }
    follow->token = actor_defer(ctx, NULL);
    return 0;
}

/* --- all of them ---------------------------------------------------------------------------------- */

struct sort {
    const char *event;
    int (*on)(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in);
};

int on_node_event(void *arg, struct actor_ctx *ctx, const void *msg)
{
    static const struct sort sorts[] = {
        { "node.presence.alive", on_alive },
        { "voice.transcript", on_voice },
        { "agent.request", on_agent_request },
        { "exec.started", on_exec },
        { "exec.finished", on_exec },
        { "exec.denied", on_exec },
        { "notifications.changed", on_notification },
        { "chat.subscribe", on_chat_follow },
        { "chat.unsubscribe", on_chat_follow },
    };
    const struct msg_node_event *in = msg;

    for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
        if (span_is_text(in->event, sorts[i].event)) {
            return sorts[i].on(arg, ctx, in);
        }
    }
    return handled_reply(arg, ctx, in->event, false, "unknown_event");
}
