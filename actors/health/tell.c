/*
 * tell: what programs tell the gateway: events for the agent, and that they are there.
 */
#include <stdlib.h>

#include "actors/health/internal.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema_gen.h"

#define NOTE_MS 10000U

static int ok_pack(struct pack *out)
{
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_map_end(out);
    return pack_error(out);
}

/* --- notes for the agent ---------------------------------------------------------------------- */

/* The cookie is the token of whoever waits; one that gave up is answered into the void. */
static void on_noted(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct actor_token *token = cookie;
    struct pack pack;
    int r;

    (void)state;
    pack_init(&pack, 256);
    if (answer->failure) {
        r = actor_token_fail(actor, *token, answer->failure);
    } else {
        r = ok_pack(&pack);
        r = r ? r : actor_token_reply_span(actor, *token, pack_span(&pack));
    }
    pack_deinit(&pack);
    free(token);
    if (r) {
        actor_fault(actor, r);
    }
}

/* Into the main session; the call in hand is answered when the agent has it. */
static int note_send(struct actor_ctx *ctx, struct span text)
{
    struct actor *actor = actor_ctx_actor(ctx);
    struct actor_token *token = mem_new(sizeof(*token));
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_NOTE,
                               .in = &(struct msg_agent_note){ .text = text, .is_trusted = true },
                               .deadline_ms = NOTE_MS,
                               .cause = ctx,
                               .on_answer = on_noted,
                               .cookie = token };
    int r = actor_call(actor, &call, NULL);

    if (r) {
        free(token);
        return r;
    }
    *token = actor_defer(ctx, NULL);
    return 0;
}

/* --- presence that programs report ---------------------------------------------------------------- */

static struct presence_note note_of(const struct msg_system_event *in, struct span text)
{
    return (struct presence_note){
        .text = text,
        .device_id = in->device_id,
        .instance_id = in->instance_id,
        .host = in->host,
        .ip = in->ip,
        .version = in->version,
        .platform = in->platform,
        .device_family = in->device_family,
        .model_identifier = in->model_identifier,
        .mode = in->mode,
        .reason = in->reason,
        .has_last_input = in->has_last_input_seconds,
        .last_input_s = in->last_input_seconds,
        .roles = in->roles,
        .scopes = in->scopes,
        .tags = in->tags,
    };
}

/* A program that says again that it is there is no news for the agent. */
static bool is_news(struct span text, struct span reason, bool is_changed)
{
    return !span_starts(text, "Node:") ||
           (is_changed && !span_starts(reason, "periodic") && !span_is(reason, SPAN_LIT("heartbeat")));
}

int on_system_event(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    const struct msg_system_event *in = msg;
    struct span text = span_trim(in->text);
    struct presence_note note = note_of(in, text);
    bool is_changed = false;
    struct pack pack;
    int r;

    if (!text.len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "text required");
    }
    r = presence_note(&self->presence, &note, clock_wall_ms(), &is_changed);
    r = r ? r : health_presence_tell(self, actor_ctx_actor(ctx));
    if (r) {
        return r;
    }
    if (is_news(text, in->reason, is_changed)) {
        return note_send(ctx, text);
    }
    pack_init(&pack, 256);
    r = ok_pack(&pack);
    r = r ? r : actor_reply_span(ctx, pack_span(&pack));
    pack_deinit(&pack);
    return r;
}
