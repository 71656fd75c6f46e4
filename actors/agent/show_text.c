/*
 * show_text: the text of runs as events, for everyone who watches. Those who stream one get it by show.c, at once.
 */
#include "actors/agent/agent_state.h"
#include "bus/base/clock.h"
#include "schema_gen.h"

#define CHAT_DELTA_MS 150U /* least time between two chat deltas of one run */
/* Each agent event repeats the whole text, so its cost grows with the square of the text.
 * Past the first bytes events keep a distance that bounds one run to 4 MB/s of them. */
#define SHOWN_BYTES_PER_MS 4096U
/* Nobody reads along in hundreds of runs: events of text of all of them together keep to two in a millisecond, while
 * those who stream one get every piece of it at once. */
#define CROWD_FROM 16U
#define CROWD_EVENTS_PER_MS 2U
#define CROWD_STEPS 8U /* looks at what is held back, in the distance between two events of one run */

/* The least time between two such events of one run; 0 while there are few runs. */
static uint64_t crowd_ms(const struct agent *self)
{
    return self->book.active_n < CROWD_FROM ? 0 : self->book.active_n / CROWD_EVENTS_PER_MS;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void show_chat_delta(struct agent *self, struct run *run)
{
    run->chat_due_ms = uv_now(actor_loop(self->actor)) + max_of(CHAT_DELTA_MS, crowd_ms(self));
    pack_reset(&self->scratch);
    events_chat_delta(&self->scratch, run, clock_wall_ms());
    show_publish(self, run, EVENT_CHAT);
}

static void show_agent_text(struct agent *self, struct run *run)
{
    run->shown_due_ms = uv_now(actor_loop(self->actor)) + max_of(run->text.len / SHOWN_BYTES_PER_MS, crowd_ms(self));
    pack_reset(&self->scratch);
    events_run_text(&self->scratch, run, clock_wall_ms());
    show_publish(self, run, EVENT_AGENT);
}

/* When the text of this run that is held back may be shown, the sooner of both kinds of event; 0: none is. */
static uint64_t late_due_of(const struct run *run)
{
    uint64_t due_ms = run->shown < run->text.len ? run->shown_due_ms : 0;

    if (run->chat_shown < run->text.len && (!due_ms || run->chat_due_ms < due_ms)) {
        due_ms = run->chat_due_ms;
    }
    return due_ms;
}

/* Has the timer ring then, or a little later where there are many runs: it looks at all of them. */
static void late_note(struct agent *self, uint64_t due_ms)
{
    due_ms += crowd_ms(self) / CROWD_STEPS;
    if (!self->late_due_ms || due_ms < self->late_due_ms) {
        self->late_due_ms = due_ms;
        waits_arm(self);
    }
}

/* Who asked over HTTP streams the text by itself. Of other runs there is somebody who asked, perhaps just now. */
bool show_is_watched(struct agent *self, const struct run *run)
{
    return run->row.kind != STORE_RUN_COMPLETION ||
           watchers_any(&self->watchers, actor_subscribers(self->actor, EVENT_AGENT));
}

/* What may not be shown yet is shown when it is due. */
void show_text(struct agent *self, struct run *run)
{
    uint64_t now_ms = uv_now(actor_loop(self->actor));

    if ((run->shown == run->text.len && run->chat_shown == run->text.len) || !show_is_watched(self, run)) {
        return; /* these events bring all of the text so far, so whoever comes meanwhile misses nothing */
    }
    if (run->shown < run->text.len && (now_ms >= run->shown_due_ms || run->phase == RUN_ENDING)) {
        show_agent_text(self, run);
    }
    if (run->phase == RUN_ENDING) {
        return;
    }
    if (run->chat_shown < run->text.len && now_ms >= run->chat_due_ms) {
        show_chat_delta(self, run);
    }
    if (late_due_of(run)) {
        late_note(self, late_due_of(run));
    }
}

void show_late(struct agent *self)
{
    uint64_t now_ms = uv_now(actor_loop(self->actor));

    for (struct run *run = zhashx_first(self->book.runs); run; run = zhashx_next(self->book.runs)) {
        uint64_t due_ms = run->phase == RUN_ACTIVE ? late_due_of(run) : 0;

        if (due_ms && due_ms <= now_ms) {
            batch_touch_text(self, run);
        } else if (due_ms) {
            late_note(self, due_ms);
        }
    }
}
