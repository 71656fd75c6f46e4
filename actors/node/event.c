/*
 * event: what nodes report.
 */
#include "actors/node/node_state.h"
#include "bus/base/clock.h"
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

/* --- all of them ---------------------------------------------------------------------------------- */

struct sort {
    const char *event;
    int (*on)(struct node *self, struct actor_ctx *ctx, const struct msg_node_event *in);
};

int on_node_event(void *arg, struct actor_ctx *ctx, const void *msg)
{
    static const struct sort sorts[] = {
        { "node.presence.alive", on_alive },
    };
    const struct msg_node_event *in = msg;

    for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
        if (span_is_text(in->event, sorts[i].event)) {
            return sorts[i].on(arg, ctx, in);
        }
    }
    return handled_reply(arg, ctx, in->event, false, "unknown_event");
}
