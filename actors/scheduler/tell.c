/*
 * tell: the events of heartbeats, and what clients ask and order.
 */
#include <stdlib.h>

#include "actors/scheduler/scheduler_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema_gen.h"

#define NOTE_MS 10000U
#define PREVIEW_BYTES 200U
#define REASON_BYTES 512U

/* --- events -------------------------------------------------------------------------------------- */

static void kv_some(struct pack *out, const char *key, struct span text, size_t most)
{
    if (text.len) {
        pack_kv_str(out, key, utf8_cut(text, most));
    }
}

int tell_event(struct scheduler *self, const struct beat *beat, const struct beat_event *event)
{
    struct pack *out = &self->pack;
    int64_t now_ms = clock_wall_ms();
    int r;

    pack_reset(out);
    pack_map_begin(out);
    pack_kv_i64(out, "ts", now_ms);
    pack_kv_text(out, "status", event->status);
    kv_some(out, "reason", event->reason, REASON_BYTES);
    kv_some(out, "to", event->to, REASON_BYTES);
    kv_some(out, "preview", event->preview, PREVIEW_BYTES);
    pack_kv_i64(out, "durationMs", now_ms > event->started_ms ? now_ms - event->started_ms : 0);
    if (event->has_media_flag) {
        pack_kv_bool(out, "hasMedia", false);
    }
    kv_some(out, "channel", event->channel, REASON_BYTES);
    kv_some(out, "accountId", event->account, REASON_BYTES);
    if (event->has_silent) {
        pack_kv_bool(out, "silent", event->is_silent);
    }
    if (event->indicator) {
        pack_kv_text(out, "indicatorType", event->indicator);
    }
    pack_kv_text(out, "agentId", beat->agent_id);
    pack_map_end(out);
    r = pack_error(out);
    r = r ? r : records_last_put(self, pack_span(out));
    return r < 0 ? r : actor_publish_span(self->actor, EVENT_HEARTBEAT, pack_span(out), NULL);
}

int tell_changed(struct scheduler *self)
{
    return actor_publish(self->actor, MSG_SCHEDULER_CHANGED, &(struct msg_scheduler_changed){ 0 }, NULL);
}

int on_last_heartbeat(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct span last = records_last(arg);

    (void)msg;
    return actor_reply_span(ctx, last.len ? last : SPAN_LIT("\xc0"));
}

/* --- on and off -------------------------------------------------------------------------------------- */

int on_set_heartbeats(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct scheduler *self = arg;
    const struct msg_set_heartbeats *in = msg;
    int r;

    if (!in->has_enabled) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid set-heartbeats params: enabled (boolean) required");
    }
    r = in->enabled == !self->is_off ? 0 : records_switch(self, !in->enabled);
    if (r) {
        return r < 0 ? r : actor_fail(ctx, FAIL_STORAGE, "nothing was changed: the disk is full or failing");
    }
    r = tell_changed(self);
    r = r ? r : beats_review(self);
    if (r) {
        return r;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", true);
    pack_kv_bool(&self->pack, "enabled", in->enabled);
    pack_map_end(&self->pack);
    r = pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- for health ------------------------------------------------------------------------------------------ */

static void beat_pack(const struct scheduler *self, const struct beat_settings *set, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_bool(out, "enabled", set->is_on && !self->is_off);
    pack_kv_text(out, "every", set->is_on ? set->every : "disabled");
    pack_key(out, "everyMs");
    if (set->is_on) {
        pack_i64(out, set->every_ms);
    } else {
        pack_nil(out);
    }
    pack_kv_text(out, "prompt", set->prompt);
    pack_kv_text(out, "target", set->target);
    if (set->model[0]) {
        pack_kv_text(out, "model", set->model);
    }
    pack_kv_u64(out, "ackMaxChars", set->ack_max_chars);
    pack_map_end(out);
}

int on_scheduler_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct scheduler *self = arg;
    int r;

    (void)msg;
    if (!self->has_settings) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the config has not been read yet");
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    for (size_t i = 0; i < self->settings.agents_n; i++) {
        pack_key(&self->pack, self->settings.agents[i].agent_id);
        beat_pack(self, &self->settings.agents[i], &self->pack);
    }
    pack_map_end(&self->pack);
    r = pack_error(&self->pack);
    return r ? r
             : actor_reply(ctx, MSG_SCHEDULER_VALUE,
                           &(struct msg_scheduler_value){ .is_on = !self->is_off, .agents = pack_span(&self->pack) });
}

/* --- wake -------------------------------------------------------------------------------------------------- */

/* Who waits until the agent has the note, and what happens then. */
struct waker {
    struct actor_token token;
    bool is_now;
    bool is_targeted;
    bool is_actor; /* asked by scheduler_wake */
};

static int all_wake(struct scheduler *self)
{
    int r = 0;

    for (struct beat *beat = self->beats; beat && !r; beat = beat->next) {
        r = beat->set && beat->set->is_on ? beat_wake(self, beat, SPAN_LIT("")) : 0;
    }
    return r;
}

static int one_wake(struct scheduler *self, const struct msg_agent_noted *noted)
{
    struct beat *beat = beat_find(self, noted->agent_id);

    return beat && beat->set ? beat_wake(self, beat, noted->session_key) : 0;
}

static int waker_answer(struct scheduler *self, const struct waker *waker, const struct actor_answer *answer)
{
    int r = 0;

    if (answer->failure) {
        return actor_token_fail(self->actor, waker->token, answer->failure);
    }
    if (waker->is_targeted) {
        r = one_wake(self, answer->msg);
    } else if (waker->is_now) {
        r = all_wake(self);
    }
    if (r > 0) {
        return actor_token_fail_text(
            self->actor, waker->token, FAIL_STORAGE,
            "the agent is told with its next turn, and is not woken: the disk is full or failing");
    }
    r = r ? r : beats_pump(self);
    if (r) {
        return r;
    }
    if (waker->is_actor) {
        return actor_token_reply(
            self->actor, waker->token, MSG_SCHEDULER_WOKEN,
            &(struct msg_scheduler_woken){ .session_key = ((const struct msg_agent_noted *)answer->msg)->session_key });
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", true);
    pack_map_end(&self->pack);
    return actor_token_reply_span(self->actor, waker->token, pack_span(&self->pack));
}

/* One that gave up is answered into the void; the agent is woken all the same. */
static void on_noted(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct waker *waker = cookie;
    int r = waker_answer(state, waker, answer);

    free(waker);
    if (r < 0) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* Tells the agent, then wakes whom `waker` says. Takes the waker. */
static int note_send(struct scheduler *self, struct actor_ctx *ctx, const struct msg_agent_note *note,
                     struct waker *waker)
{
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_NOTE,
                               .in = note,
                               .deadline_ms = NOTE_MS,
                               .cause = ctx,
                               .on_answer = on_noted,
                               .cookie = waker };
    int r = actor_call(self->actor, &call, NULL);

    if (r) {
        free(waker);
        return r;
    }
    waker->token = actor_defer(ctx, NULL);
    return 0;
}

static int not_loaded(struct actor_ctx *ctx)
{
    return actor_fail_with(ctx, &(struct failure){ .code = FAIL_UNAVAILABLE,
                                                   .message = SPAN_LIT("the config has not been read yet"),
                                                   .retryable = true,
                                                   .retry_after_ms = 100 });
}

int on_wake(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct scheduler *self = arg;
    const struct msg_wake *in = msg;
    struct waker *waker;
    struct msg_agent_note note = { .has_session_key = in->has_session_key,
                                   .session_key = in->session_key,
                                   .has_agent_id = in->has_agent_id,
                                   .agent_id = in->agent_id,
                                   .text = span_trim(in->text),
                                   .is_trusted = true };

    if (!note.text.len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "text required");
    }
    if (!self->has_settings) {
        return not_loaded(ctx);
    }
    waker = mem_new(sizeof(*waker));
    waker->is_now = span_is_text(in->mode, "now");
    waker->is_targeted = in->has_session_key || (in->has_agent_id && waker->is_now);
    return note_send(self, ctx, &note, waker);
}

int on_scheduler_wake(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct scheduler *self = arg;
    const struct msg_scheduler_wake *in = msg;
    struct waker *waker;
    struct msg_agent_note note = { .has_id = true,
                                   .id = in->id,
                                   .has_agent_id = in->has_agent_id,
                                   .agent_id = in->agent_id,
                                   .text = in->text,
                                   .is_trusted = in->is_trusted };

    if (!self->has_settings) {
        return not_loaded(ctx);
    }
    waker = mem_new(sizeof(*waker));
    waker->is_now = in->is_now;
    waker->is_targeted = in->is_now && in->has_agent_id;
    waker->is_actor = true;
    return note_send(self, ctx, &note, waker);
}
