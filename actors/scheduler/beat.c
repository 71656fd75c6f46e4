/*
 * beat: the heartbeats of one agent: due or woken, begun, asked for, over.
 *
 * A heartbeat is stored as begun, with the due time of the next one, before its agent is
 * asked, and as over once what it said has been dealt with. What a restart finds begun is
 * asked for again by the same id, so that an agent which has done it already only says
 * how it ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/scheduler/scheduler_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

#define COALESCE_MS 250 /* wakes that come together are one */
#define RETRY_LEAST_MS 1000
#define ATTEMPTS_MAX 3U /* that a crash may end */
#define WINDOW_BYTES 4096U

struct beat *beat_find(struct scheduler *self, struct span agent_id)
{
    struct beat *beat = self->beats;

    while (beat && !span_is_text(agent_id, beat->agent_id)) {
        beat = beat->next;
    }
    return beat;
}

void beat_free(struct beat **beat_p)
{
    struct beat *beat = *beat_p;

    *beat_p = NULL;
    if (beat) {
        lasting_free(&beat->kept);
        zone_deinit(&beat->zone);
        pack_deinit(&beat->tasks_done);
        text_buf_deinit(&beat->text);
        free(beat);
    }
}

static enum actor_life life_of(const struct scheduler *self, const char *agent_id)
{
    for (size_t i = 0; i < self->lives_n; i++) {
        if (strcmp(self->lives[i].id, agent_id) == 0) {
            return self->lives[i].life;
        }
    }
    return ACTOR_LIFE_ABSENT;
}

static bool has_rhythm(const struct scheduler *self, const struct beat *beat)
{
    return !self->is_off && beat->set && beat->set->is_on;
}

/* --- the end ------------------------------------------------------------------------------------ */

static void beat_unlink(struct scheduler *self, struct beat *beat)
{
    struct beat **at = &self->beats;

    while (*at != beat) {
        at = &(*at)->next;
    }
    *at = beat->next;
    beat_free(&beat);
}

int beat_over(struct scheduler *self, struct beat *beat)
{
    int r;

    beat->phase = BEAT_IDLE;
    beat->kept.run = (struct beat_run){ .id = "" };
    beat->text.len = 0;
    if (!beat->set) { /* it was taken out of the config meanwhile */
        r = lasting_drop(self, beat->agent_id);
        beat_unlink(self, beat);
    } else {
        r = lasting_save(self, beat); /* not stored: a restart asks again, and is told how it ended */
    }
    return r < 0 ? r : 0;
}

static int beat_fail(struct scheduler *self, struct beat *beat, struct span why)
{
    struct beat_event event = {
        .status = "failed", .reason = why, .started_ms = beat->kept.run.started_ms, .indicator = "error"
    };
    int r;

    log_warning("heartbeat_failed", "agent=%s problem=\"%.*s\"", beat->agent_id, SPAN_FMT(why));
    r = tell_event(self, beat, &event);
    return r ? r : beat_over(self, beat);
}

/* --- asking the agent -------------------------------------------------------------------------------- */

static int busy_tell(struct scheduler *self, const struct beat *beat)
{
    return tell_event(self, beat,
                      &(struct beat_event){ .status = "skipped",
                                            .reason = SPAN_LIT("requests-in-flight"),
                                            .started_ms = beat->kept.run.started_ms });
}

static void on_waits(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    int r = busy_tell(state, cookie);

    (void)schema;
    (void)msg;
    (void)body;
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* The agent died, is overloaded or not there yet: it is asked again. */
static int ask_later(struct scheduler *self, struct beat *beat, const struct failure *failure)
{
    uint32_t wait_ms = failure->retry_after_ms > RETRY_LEAST_MS ? failure->retry_after_ms : RETRY_LEAST_MS;

    if (beat->kept.run.attempts_n >= ATTEMPTS_MAX) {
        return beat_fail(self, beat, failure->message);
    }
    beat->phase = BEAT_WAITING;
    beat->retry_ms = clock_wall_ms() + wait_ms;
    return 0;
}

static void on_done(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct scheduler *self = state;
    struct beat *beat = cookie;
    const struct failure *failure = answer->failure;
    int r;

    if (!failure) {
        r = deliver_answer(self, beat, answer); /* `beat` may be gone from here on */
    } else if (failure->code == FAIL_UNAVAILABLE && beat->set) {
        r = ask_later(self, beat, failure);
    } else {
        r = beat_fail(self, beat, failure->message);
    }
    r = r ? r : beats_pump(self);
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static void time_show(const struct scheduler *self, char *out, size_t size)
{
    int64_t now_s = clock_wall_ms() / 1000;
    time_t local = (time_t)(now_s + zone_offset_s(&self->user_zone, now_s));
    struct tm broken;
    char text[64] = "";

    if (gmtime_r(&local, &broken)) {
        (void)strftime(text, sizeof(text), "%A, %Y-%m-%d %H:%M", &broken);
    }
    (void)snprintf(out, size, "%s (%s)", text, self->user_zone.is_host ? "local time" : self->user_zone.name);
}

static int agent_ask(struct scheduler *self, struct beat *beat)
{
    const struct beat_settings *set = beat->set;
    char time[160];
    struct msg_agent_heartbeat in = {
        .run_id = span_from(beat->kept.run.id),
        .agent_id = span_from(beat->agent_id),
        .session_key = span_from(beat->kept.run.session),
        .prompt = span_from(set->prompt),
        .time = { time, 0 },
        .model = span_from(set->model),
        .timeout_ms = set->timeout_ms,
        .ack_max_chars = set->ack_max_chars,
        .is_urgent = beat->kept.run.is_wake,
        .is_isolated = set->is_isolated,
        .has_guide = set->has_guide,
        .shows_ok = settings_visibility(&self->settings, SPAN_LIT("webchat"), (struct span){ 0 }).shows_ok,
        .tasks = pack_span(&beat->kept.tasks),
    };
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_HEARTBEAT,
                               .in = &in,
                               .deadline_ms = UINT32_MAX, /* it ends with the agent, and the turn has a limit */
                               .on_answer = on_done,
                               .on_chunk = on_waits,
                               .window_bytes = WINDOW_BYTES,
                               .cookie = beat };

    time_show(self, time, sizeof(time));
    in.time.len = strlen(time);
    beat->phase = BEAT_ASKING;
    return actor_call(self->actor, &call, NULL);
}

static int ask(struct scheduler *self, struct beat *beat)
{
    enum actor_life life = life_of(self, beat->agent_id);
    int r;

    if (beat->kept.run.attempts_n >= ATTEMPTS_MAX) {
        return beat_fail(self, beat, SPAN_LIT("the gateway or the agent ended three times while it ran"));
    }
    if (life == ACTOR_LIFE_GAVE_UP || life == ACTOR_LIFE_STOPPED) {
        return beat_fail(self, beat, SPAN_LIT("the agent has ended and is not started again"));
    }
    if (life != ACTOR_LIFE_READY || !self->is_router_ready) {
        beat->phase = BEAT_WAITING;
        beat->retry_ms = 0;
        return 0;
    }
    beat->kept.run.attempts_n++;
    r = lasting_save(self, beat);
    if (r > 0) {
        return beat_fail(self, beat, SPAN_LIT("it could not be stored that it begins: the disk is full or failing"));
    }
    return r ? r : agent_ask(self, beat);
}

/* --- the beginning -------------------------------------------------------------------------------------- */

static void uuid_make(char out[SCHEDULER_UUID_MAX])
{
    uint64_t random[2];

    if (getentropy(random, sizeof(random)) != 0) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
    (void)snprintf(out, SCHEDULER_UUID_MAX, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(random[0] >> 32),
                   (unsigned)(random[0] >> 16) & 0xffff, (unsigned)random[0] & 0xfff,
                   ((unsigned)(random[1] >> 48) & 0x3fff) | 0x8000,
                   (unsigned long long)(random[1] & 0xffffffffffffULL));
}

static void wake_take(struct lasting *kept, char *session, size_t size)
{
    (void)snprintf(session, size, "%s", kept->wakes[0]);
    free(kept->wakes[0]);
    memmove(kept->wakes, kept->wakes + 1, --kept->wakes_n * sizeof(kept->wakes[0]));
}

/* Why it does not run although it was woken or is due; NULL when it does. */
static const char *reason_not(const struct scheduler *self, const struct beat *beat, int64_t now_ms)
{
    if (self->is_off) {
        return "disabled";
    }
    if (!hours_hold(&beat->plan.hours, beat->plan.zone, now_ms)) {
        return "quiet-hours";
    }
    return deliver_is_hidden(self, beat) ? "alerts-disabled" : NULL;
}

/* Only who was woken is told; that it is night is no news to anybody else. */
static int beat_refuse(struct scheduler *self, struct beat *beat, bool is_wake, const char *why, int64_t now_ms)
{
    struct beat_event event = { .status = "skipped", .reason = span_from(why), .started_ms = now_ms };
    int r = is_wake || strcmp(why, "alerts-disabled") == 0 ? tell_event(self, beat, &event) : 0;

    if (!is_wake) {
        beat->kept.due_ms = plan_next_ms(&beat->plan, now_ms, now_ms);
    }
    return r ? r : beat_over(self, beat);
}

static int beat_begin(struct scheduler *self, struct beat *beat, bool is_wake, int64_t now_ms)
{
    char session[SCHEDULER_SESSION_MAX] = "";
    const char *why = reason_not(self, beat, now_ms);

    if (is_wake) {
        wake_take(&beat->kept, session, sizeof(session));
    }
    if (why) {
        return beat_refuse(self, beat, is_wake, why, now_ms);
    }
    beat->kept.run = (struct beat_run){ .is_wake = is_wake, .started_ms = now_ms };
    uuid_make(beat->kept.run.id);
    (void)snprintf(beat->kept.run.session, sizeof(beat->kept.run.session), "%s",
                   session[0] ? session : beat->set->session);
    plan_start_note(&beat->kept.starts, now_ms);
    if (!session[0]) { /* the turn of another session is none of the rhythm */
        beat->kept.due_ms = plan_next_ms(&beat->plan, now_ms, now_ms);
    }
    return ask(self, beat);
}

/* --- what is due ------------------------------------------------------------------------------------------ */

static int64_t earlier(int64_t a, int64_t b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

/* When something must happen by the clock; 0: nothing does. */
static int64_t beat_due_ms(const struct scheduler *self, const struct beat *beat, int64_t now_ms)
{
    int64_t due_ms = 0;
    int64_t allowed_ms;

    if (beat->phase == BEAT_WAITING) {
        return beat->retry_ms;
    }
    if (beat->phase != BEAT_IDLE || !beat->set) {
        return 0;
    }
    if (has_rhythm(self, beat)) {
        due_ms = beat->kept.due_ms;
    }
    if (beat->kept.wakes_n) {
        due_ms = earlier(due_ms, beat->wake_ms ? beat->wake_ms : now_ms);
    }
    allowed_ms = plan_allowed_ms(&beat->kept.starts, now_ms);
    return due_ms && allowed_ms > now_ms && allowed_ms > due_ms ? allowed_ms : due_ms;
}

static int beat_step(struct scheduler *self, struct beat *beat, int64_t now_ms)
{
    /* One that was woken runs with what is due anyway, unless that is the turn of another session. */
    bool is_wake = beat->kept.wakes_n && (beat->wake_ms <= now_ms || !beat->kept.wakes[0][0]);

    if (beat->phase == BEAT_WAITING) {
        return ask(self, beat);
    }
    return beat_begin(self, beat, is_wake, now_ms);
}

int beats_pump(struct scheduler *self)
{
    int64_t now_ms = clock_wall_ms();
    int64_t next_ms = 0;
    struct beat *next;
    int r = 0;

    for (struct beat *beat = self->beats; beat && !r; beat = next) {
        int64_t due_ms = beat_due_ms(self, beat, now_ms);

        next = beat->next;
        if (due_ms && due_ms <= now_ms) {
            r = beat_step(self, beat, now_ms); /* `beat` may be gone from here on */
        }
    }
    for (struct beat *beat = self->beats; beat; beat = beat->next) {
        next_ms = earlier(next_ms, beat_due_ms(self, beat, now_ms));
    }
    return r ? r : alarm_set(&self->alarm, next_ms);
}

int beats_review(struct scheduler *self)
{
    int64_t now_ms = clock_wall_ms();
    int r = 0;

    for (struct beat *beat = self->beats; beat && r >= 0; beat = beat->next) {
        int64_t due_ms = plan_review_ms(&beat->plan, beat->kept.due_ms, now_ms);

        if (beat->wake_ms > now_ms + COALESCE_MS) {
            beat->wake_ms = now_ms + COALESCE_MS;
        }
        if (beat->phase == BEAT_WAITING && beat->retry_ms > now_ms + RETRY_LEAST_MS) {
            beat->retry_ms = now_ms + RETRY_LEAST_MS;
        }
        if (due_ms != beat->kept.due_ms) {
            beat->kept.due_ms = due_ms;
            r = lasting_save(self, beat); /* a disk that takes no writes: the time holds in this life */
        }
    }
    return r < 0 ? r : beats_pump(self);
}

int beat_wake(struct scheduler *self, struct beat *beat, struct span session)
{
    struct lasting *kept = &beat->kept;
    bool is_known = false;
    int r = 0;

    for (size_t i = 0; i < kept->wakes_n; i++) {
        is_known = is_known || span_is_text(session, kept->wakes[i]);
    }
    if (!is_known && kept->wakes_n < SCHEDULER_WAKES_MAX) {
        kept->wakes[kept->wakes_n++] = mem_text(session.ptr, session.len);
        r = lasting_save(self, beat);
        if (r) {
            free(kept->wakes[--kept->wakes_n]);
        }
    }
    if (!r && (!beat->wake_ms || beat->wake_ms <= clock_wall_ms())) {
        beat->wake_ms = clock_wall_ms() + COALESCE_MS;
    }
    return r;
}

/* --- agents come and go --------------------------------------------------------------------------------------- */

static struct agent_life *life_slot(struct scheduler *self, struct span agent_id)
{
    for (size_t i = 0; i < self->lives_n; i++) {
        if (span_is_text(agent_id, self->lives[i].id)) {
            return &self->lives[i];
        }
    }
    if (self->lives_n == SETTINGS_AGENTS_MAX || agent_id.len > AGENT_ID_MAX) {
        return NULL;
    }
    (void)snprintf(self->lives[self->lives_n].id, AGENT_ID_MAX + 1, "%.*s", SPAN_FMT(agent_id));
    return &self->lives[self->lives_n++];
}

int beats_agent_life(struct scheduler *self, struct span agent_id, enum actor_life life)
{
    struct agent_life *slot = life_slot(self, agent_id);
    struct beat *beat = beat_find(self, agent_id);

    if (!slot) {
        return 0;
    }
    if (life == ACTOR_LIFE_ABSENT) {
        *slot = self->lives[--self->lives_n];
    } else {
        slot->life = life;
    }
    if (!beat || beat->phase != BEAT_WAITING ||
        (life != ACTOR_LIFE_READY && life != ACTOR_LIFE_GAVE_UP && life != ACTOR_LIFE_STOPPED)) {
        return 0;
    }
    beat->retry_ms = clock_wall_ms();
    return beats_pump(self);
}

int beats_router_life(struct scheduler *self, enum actor_life life)
{
    self->is_router_ready = life == ACTOR_LIFE_READY;
    if (!self->is_router_ready) {
        return 0;
    }
    for (struct beat *beat = self->beats; beat; beat = beat->next) {
        if (beat->phase == BEAT_WAITING) {
            beat->retry_ms = clock_wall_ms();
        }
    }
    return beats_pump(self);
}

void beats_park(struct scheduler *self)
{
    for (struct beat *beat = self->beats; beat; beat = beat->next) {
        if (beat->phase == BEAT_ASKING && beat->kept.run.attempts_n) {
            beat->kept.run.attempts_n--;
            (void)lasting_save(self, beat); /* then it counts as an attempt */
        }
    }
}
