/*
 * deliver: what an answer means, and to whom it goes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/scheduler/scheduler_state.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "schema_gen.h"

#define DELIVER_MS 30000U
#define REPEAT_MS 86400000 /* the same words are not sent again so soon */
#define OK_TEXT SPAN_LIT("HEARTBEAT_OK")

/* --- where to ----------------------------------------------------------------------------------- */

static bool is_channel(struct span address, const char *type, const char *account)
{
    char wanted[ACTOR_ADDRESS_MAX];

    (void)snprintf(wanted, sizeof(wanted), "channel/%s%s%s", type, *account ? "/" : "", account);
    return span_is_text(address, wanted) ||
           (!*account && span_starts(address, wanted) && address.ptr[strlen(wanted)] == '/');
}

/* The address of an account that is there; NULL when none is. */
static const char *channel_find(const struct scheduler *self, const char *type, const char *account)
{
    for (size_t i = 0; i < self->channels_n; i++) {
        if (is_channel(span_from(self->channels[i]), type, account)) {
            return self->channels[i];
        }
    }
    return NULL;
}

/* The web chat is no place to send to: who looks at it sees what the session says. */
static bool is_deliverable(const char *type)
{
    return *type && strcmp(type, "webchat") != 0;
}

/* "user:…" is a person; what begins otherwise says what else it is, or nothing. */
static bool is_direct(const struct beat_settings *set)
{
    struct span to = span_from(set->to);

    return span_starts(to, "user:") || (!to.len && strcmp(set->target, "last") == 0);
}

/*
 * Sets channel and account of the beat and returns the address; NULL with the reason when
 * nothing goes anywhere. `last` is the channel on which the session's person wrote last.
 */
static const char *target_resolve(struct scheduler *self, struct beat *beat, struct span last, const char **ret_why)
{
    const struct beat_settings *set = beat->set;
    bool is_last = set && strcmp(set->target, "last") == 0;
    const char *address;

    beat->channel[0] = beat->account[0] = '\0';
    *ret_why = "target-none";
    if (!set || strcmp(set->target, "none") == 0 || (!is_last && !is_deliverable(set->target))) {
        return NULL;
    }
    if (is_last) {
        (void)snprintf(beat->channel, sizeof(beat->channel), "%.*s", SPAN_FMT(last));
    } else {
        (void)snprintf(beat->channel, sizeof(beat->channel), "%s", set->target);
    }
    (void)snprintf(beat->account, sizeof(beat->account), "%s", set->account);
    *ret_why = "no-target";
    if (!is_deliverable(beat->channel)) {
        return NULL;
    }
    if (set->is_direct_blocked && is_direct(set)) {
        *ret_why = "dm-blocked";
        return NULL;
    }
    address = channel_find(self, beat->channel, beat->account);
    if (!address && *beat->account && channel_find(self, beat->channel, "")) {
        *ret_why = "unknown-account";
    }
    return address;
}

bool deliver_is_hidden(const struct scheduler *self, const struct beat *beat)
{
    struct visibility seen;

    if (!beat->set || !is_deliverable(beat->set->target) || strcmp(beat->set->target, "none") == 0 ||
        strcmp(beat->set->target, "last") == 0) {
        return false;
    }
    seen = settings_visibility(&self->settings, span_from(beat->set->target), span_from(beat->set->account));
    return !seen.shows_ok && !seen.shows_alerts && !seen.has_indicator;
}

void deliver_channel_life(struct scheduler *self, struct span address, enum actor_life life)
{
    for (size_t i = 0; i < self->channels_n; i++) {
        if (span_is_text(address, self->channels[i])) {
            memmove(self->channels[i], self->channels[--self->channels_n], ACTOR_ADDRESS_MAX);
            break;
        }
    }
    if (life == ACTOR_LIFE_READY && self->channels_n < SCHEDULER_CHANNELS_MAX && address.len < ACTOR_ADDRESS_MAX) {
        (void)snprintf(self->channels[self->channels_n++], ACTOR_ADDRESS_MAX, "%.*s", SPAN_FMT(address));
    }
}

/* --- the end of a heartbeat ------------------------------------------------------------------------ */

static int tasks_note(struct beat *beat)
{
    struct value_iter done = value_iter(pack_span(&beat->tasks_done));
    struct value_iter it = value_iter(pack_span(&beat->kept.tasks));
    struct pack fresh;
    struct span key;
    struct span name;
    struct span at;

    if (!value_count(pack_span(&beat->tasks_done))) {
        return 0;
    }
    pack_init(&fresh, 65536);
    pack_map_begin(&fresh);
    for (unsigned n = 0; n < 64 && value_next(&done, &key, &name); n++) {
        pack_key_span(&fresh, value_str(name, SPAN_LIT("")));
        pack_i64(&fresh, beat->kept.run.started_ms);
    }
    while (value_next(&it, &key, &at)) {
        struct value_iter again = value_iter(pack_span(&beat->tasks_done));
        struct span unused;
        bool is_done = false;

        while (!is_done && value_next(&again, &unused, &name)) {
            is_done = span_is(value_str(name, SPAN_LIT("")), key);
        }
        /* One that is not in the file any more is forgotten after a while. */
        if (!is_done && beat->kept.run.started_ms - value_i64(at, 0) < INT64_C(366) * 86400000) {
            pack_key_span(&fresh, key);
            pack_raw(&fresh, at);
        }
    }
    pack_map_end(&fresh);
    if (!pack_error(&fresh) && value_count(pack_span(&fresh)) <= 64) {
        pack_deinit(&beat->kept.tasks);
        beat->kept.tasks = fresh;
    } else {
        pack_deinit(&fresh); /* too many: they are due again */
    }
    return 0;
}

static int over(struct scheduler *self, struct beat *beat, const struct beat_event *event)
{
    int r = tell_event(self, beat, event);

    r = r ? r : tasks_note(beat);
    return r ? r : beat_over(self, beat);
}

static struct beat_event event_of(const struct beat *beat, const char *status)
{
    return (struct beat_event){ .status = status,
                                .started_ms = beat->kept.run.started_ms,
                                .channel = span_from(beat->channel),
                                .account = span_from(beat->account) };
}

/* --- sending ------------------------------------------------------------------------------------------ */

static void on_delivered(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct scheduler *self = state;
    struct beat *beat = cookie;
    struct beat_event event = event_of(beat, answer->failure ? "failed" : "sent");
    int r;

    event.indicator = answer->failure ? "error" : beat->seen.has_indicator ? "alert" : NULL;
    if (answer->failure) {
        event.reason = answer->failure->message;
        log_warning("heartbeat_not_delivered", "agent=%s channel=%s problem=\"%.*s\"", beat->agent_id, beat->channel,
                    SPAN_FMT(answer->failure->message));
    } else {
        event.to = beat->set ? span_from(beat->set->to) : (struct span){ 0 };
        event.preview = (struct span){ beat->text.data, beat->text.len };
        event.has_media_flag = true;
        beat->kept.sent_ms = beat->kept.run.started_ms;
        beat->kept.sent.len = 0;
        (void)text_buf_add(&beat->kept.sent, event.preview); /* what is lost is repeated */
    }
    r = over(self, beat, &event);
    r = r ? r : beats_pump(self);
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* The acknowledgement, where people want to see it: what becomes of it is the channel's business. */
static void on_ok_delivered(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    (void)answer;
}

static int text_send(struct scheduler *self, struct beat *beat, const char *address, struct span session,
                     struct span text, actor_on_answer on_answer)
{
    char key[SCHEDULER_UUID_MAX + 16];
    struct msg_channel_deliver in = { .idempotency_key = { key, 0 },
                                      .session_key = session,
                                      .has_run_id = true,
                                      .run_id = span_from(beat->kept.run.id),
                                      .has_to = beat->set->to[0] != '\0',
                                      .to = span_from(beat->set->to),
                                      .text = text };

    (void)snprintf(key, sizeof(key), "heartbeat:%s", beat->kept.run.id);
    in.idempotency_key.len = strlen(key);
    return actor_call(self->actor,
                      &(struct actor_call){ .to = address,
                                            .msg = MSG_CHANNEL_DELIVER,
                                            .in = &in,
                                            .deadline_ms = DELIVER_MS,
                                            .on_answer = on_answer,
                                            .cookie = beat },
                      NULL);
}

/* --- answers -------------------------------------------------------------------------------------------- */

static int ok_deal(struct scheduler *self, struct beat *beat, const struct msg_agent_heartbeat_done *done,
                   const char *address)
{
    bool is_empty = span_is_text(done->outcome, "ok-empty");
    struct beat_event event = event_of(beat, is_empty ? "ok-empty" : "ok-token");
    bool is_sent = address && beat->seen.shows_ok;
    int r = is_sent ? text_send(self, beat, address, done->session_key, OK_TEXT, on_ok_delivered) : 0;

    event.reason = beat->kept.run.is_wake ? SPAN_LIT("wake") : SPAN_LIT("interval");
    event.has_silent = true;
    event.is_silent = !is_sent;
    event.indicator = beat->seen.has_indicator ? "ok" : NULL;
    return r ? r : over(self, beat, &event);
}

static bool is_repeat(const struct beat *beat, struct span text)
{
    return text.len && span_is(text, (struct span){ beat->kept.sent.data, beat->kept.sent.len }) &&
           beat->kept.run.started_ms - beat->kept.sent_ms < REPEAT_MS;
}

static int alert_hold(struct scheduler *self, struct beat *beat, const char *why, struct span text)
{
    struct beat_event event = event_of(beat, "skipped");

    event.reason = span_from(why);
    event.preview = text;
    event.has_media_flag = true;
    if (strcmp(why, "alerts-disabled") == 0 && beat->seen.has_indicator) {
        event.indicator = "alert";
    }
    return over(self, beat, &event);
}

static int alert_deal(struct scheduler *self, struct beat *beat, const struct msg_agent_heartbeat_done *done,
                      const char *address, const char *why)
{
    int r;

    if (!address || is_repeat(beat, done->text) || !beat->seen.shows_alerts) {
        return alert_hold(self, beat,
                          is_repeat(beat, done->text) ? "duplicate"
                          : address                   ? "alerts-disabled"
                                                      : why,
                          done->text);
    }
    beat->text.len = 0;
    r = text_buf_add(&beat->text, done->text);
    if (r) {
        return r;
    }
    beat->phase = BEAT_DELIVERING;
    return text_send(self, beat, address, done->session_key, done->text, on_delivered);
}

/* That there was nothing to ask a model is told to who woke it, and when the file says so. */
static int skip_deal(struct scheduler *self, struct beat *beat, struct span reason)
{
    struct beat_event event = { .status = "skipped", .reason = reason, .started_ms = beat->kept.run.started_ms };

    plan_start_forget(&beat->kept.starts);
    return beat->kept.run.is_wake || span_is_text(reason, "empty-heartbeat-file") ? over(self, beat, &event)
                                                                                  : beat_over(self, beat);
}

int deliver_answer(struct scheduler *self, struct beat *beat, const struct actor_answer *answer)
{
    const struct msg_agent_heartbeat_done *done = answer->msg;
    const char *why;
    const char *address = target_resolve(self, beat, done->channel, &why);

    beat->seen = settings_visibility(&self->settings, address ? span_from(beat->channel) : (struct span){ 0 },
                                     span_from(beat->account));
    if (!address) { /* nothing is sent, so the channel that it is not sent to does not matter */
        beat->seen = (struct visibility){ .shows_alerts = true, .has_indicator = true };
        beat->channel[0] = '\0';
    }
    pack_reset(&beat->tasks_done);
    pack_raw(&beat->tasks_done, done->tasks);
    if (span_is_text(done->outcome, "skipped")) {
        return skip_deal(self, beat, done->reason);
    }
    return span_is_text(done->outcome, "alert") ? alert_deal(self, beat, done, address, why)
                                                : ok_deal(self, beat, done, address);
}
