/*
 * webchat: the channel of our own clients (control page, apps, terminal).
 *
 * Accepts    topics session.message clients_changed
 * Answers    channel_status channel_deliver
 * Publishes  chat (one final event per delivery), channel_changed
 * Its transport is the edge: up while one is ready. A delivery waits in the outbox until
 * a client that may read is connected, is published once, and counts as sent then; who
 * comes later finds it in the history. What runs say goes out from their agents, and is
 * only counted here.
 */
#include "actors/channel/base.h"
#include "actors/channel/channel.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema_gen.h"

#define EDGES_MAX 64
#define CHANNEL_NAME "webchat"

struct webchat {
    struct channel base;                      /* first, see base.h */
    char edges[EDGES_MAX][ACTOR_ADDRESS_MAX]; /* ready ones */
    size_t edges_n;
    uint32_t readers_n; /* clients that would see an event */
};

/* --- transport ----------------------------------------------------------------------------- */

static void on_clients(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct webchat *self = arg;
    const struct msg_clients_count *count = answer->msg;
    int r;

    (void)cookie;
    if (answer->failure || !count) {
        return; /* asked again when health is ready; until then nobody listens, as far as we know */
    }
    self->readers_n = count->readers;
    r = channel_pump(&self->base);
    if (r) {
        actor_fault(actor, r);
    }
}

static void on_health_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    int r;

    (void)arg;
    (void)address;
    if (life != ACTOR_LIFE_READY) {
        return; /* its last word stands: connections do not end with it */
    }
    r = actor_call(actor,
                   &(struct actor_call){
                       .to = "health",
                       .msg = MSG_CLIENTS_READ,
                       .in = &(struct msg_clients_read){ 0 },
                       .on_answer = on_clients,
                   },
                   NULL);
    if (r) {
        actor_fault(actor, r);
    }
}

static bool edge_forget(struct webchat *self, struct span address)
{
    for (size_t i = 0; i < self->edges_n; i++) {
        if (span_is_text(address, self->edges[i])) {
            memmove(self->edges[i], self->edges[--self->edges_n], sizeof(self->edges[i]));
            return true;
        }
    }
    return false;
}

static void on_edge_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct webchat *self = arg;
    size_t edges_before = self->edges_n;
    int r = 0;

    (void)edge_forget(self, address); /* it is added again when it is ready */
    if (life == ACTOR_LIFE_READY && self->edges_n < EDGES_MAX && address.len < ACTOR_ADDRESS_MAX) {
        memcpy(self->edges[self->edges_n], address.ptr, address.len);
        self->edges[self->edges_n++][address.len] = '\0';
    }
    if (self->edges_n && !edges_before) {
        r = channel_event(&self->base, ACCOUNT_CONNECTED, "");
        r = r ? r : channel_pump(&self->base);
    } else if (!self->edges_n && edges_before) {
        r = channel_event(&self->base, ACCOUNT_LOST, "no edge is ready");
    }
    if (r) {
        actor_fault(actor, r);
    }
}

static int transport_start(struct channel *base)
{
    int r = actor_watch(base->actor, "edge/*", on_edge_life);

    return r ? r : actor_watch(base->actor, "health", on_health_life);
}

static bool transport_may_send(const struct channel *base)
{
    const struct webchat *self = (const struct webchat *)(const void *)base;

    return self->edges_n && self->readers_n;
}

static void message_pack(const struct outbox_item *item, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "role", "assistant");
    pack_key(out, "content");
    pack_array_begin(out);
    pack_map_begin(out);
    pack_kv_text(out, "type", "text");
    pack_kv_str(out, "text", item->text);
    pack_map_end(out);
    pack_array_end(out);
    if (item->media.len) {
        pack_kv_raw(out, "media", item->media);
    }
    pack_kv_i64(out, "timestamp", item->created_at);
    pack_map_end(out);
}

static int transport_send(struct channel *base, const struct outbox_item *item)
{
    struct pack message;
    int r;

    pack_init(&message, 0);
    message_pack(item, &message);
    r = pack_error(&message);
    r = r ? r
          : actor_publish(base->actor, EVENT_CHAT,
                          &(struct event_chat){
                              .run_id = item->run_id.len ? item->run_id : item->key,
                              .session_key = item->session_key,
                              .seq = 0,
                              .state = SPAN_LIT("final"),
                              .has_message = true,
                              .message = pack_span(&message),
                              .has_scope_key = true,
                              .scope_key = item->session_key,
                          },
                          NULL);
    pack_deinit(&message);
    return r ? r : channel_result(base, item->id, OUTBOX_SENT, "");
}

static const struct channel_transport transport = {
    .type = CHANNEL_NAME,
    .label = "WebChat",
    .start = transport_start,
    .may_send = transport_may_send,
    .send = transport_send,
};

/* --- topics ------------------------------------------------------------------------------------ */

/* A message of one of our clients was committed, or an answer was shown to them. */
static int on_session_message(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct webchat *self = arg;
    const struct event_session_message *in = msg;
    struct span role = value_str(value_get(in->message, "role"), (struct span){ 0 });
    struct span channel = value_str(value_get(actor_ctx_body(ctx), "lastChannel"), (struct span){ 0 });

    if (!span_is_text(channel, CHANNEL_NAME)) {
        return 0;
    }
    if (span_is_text(role, "user")) {
        return channel_event(&self->base, ACCOUNT_ADMITTED, "");
    }
    if (span_is_text(role, "assistant") && self->readers_n) {
        return channel_event(&self->base, ACCOUNT_ACKED, "");
    }
    return 0;
}

static int on_clients_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct webchat *self = arg;
    const struct msg_clients_changed *in = msg;

    (void)ctx;
    self->readers_n = in->readers;
    return channel_pump(&self->base);
}

/* --- life cycle ---------------------------------------------------------------------------------- */

static int webchat_init(void *state, struct actor *actor, const char *arg)
{
    struct webchat *self = state;

    return channel_init(&self->base, actor, &transport, arg);
}

static void webchat_deinit(void *state, struct actor *actor)
{
    struct webchat *self = state;

    (void)actor;
    channel_deinit(&self->base);
}

static const struct actor_route webchat_routes[] = {
    { MSG_CHANNEL_STATUS, channel_on_status, 0 },
    { MSG_CHANNEL_DELIVER, channel_on_deliver, 0 },
};

static const struct actor_route webchat_topics[] = {
    { EVENT_SESSION_MESSAGE, on_session_message, 0 },
    { MSG_CLIENTS_CHANGED, on_clients_changed, 0 },
};

const struct actor_def webchat_actor = {
    .name = "webchat",
    .state_size = sizeof(struct webchat),
    .routes = webchat_routes,
    .routes_n = ARRAY_LEN(webchat_routes),
    .topics = webchat_topics,
    .topics_n = ARRAY_LEN(webchat_topics),
    .init = webchat_init,
    .deinit = webchat_deinit,
};
