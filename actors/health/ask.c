/*
 * ask: what health asks of router, agents and channels, and when.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/health/internal.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

#define ASK_MS 1000U /* who does not answer in this time is reported so */
#define SOON_MS 25
#define RECENT_MAX 10

bool health_is_stale(const struct health *self)
{
    return self->wants_roster || self->wants_sessions || self->wants_channels || self->wants_beats;
}

static void waiter_answer(struct health *self, struct actor *actor, const struct health_waiter *waiter,
                          struct pack *channels)
{
    struct span body = body_span(&self->health);

    if (waiter->want == HEALTH_WANT_STATUS || waiter->want == HEALTH_WANT_STATUS_ADMIN) {
        body = body_span(&self->status[waiter->want == HEALTH_WANT_STATUS_ADMIN]);
    } else if (waiter->want == HEALTH_WANT_CHANNELS) {
        if (!channels->len) {
            struct report_input in = health_input(self);

            report_channels(&in, channels);
        }
        body = pack_span(channels);
    }
    (void)actor_token_reply_span(actor, waiter->token, body); /* void when the asker gave up */
}

static void on_patience(uv_timer_t *timer);

/* Those whose patience ends at `now` or before; the timer is set for the rest. */
static void answer_waiters(struct health *self, struct actor *actor, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    size_t left_n = 0;
    struct pack channels;

    pack_init(&channels, 0);
    for (size_t i = 0; i < self->waiters_n; i++) {
        if (self->waiters[i].due > now) {
            next = self->waiters[i].due < next ? self->waiters[i].due : next;
            self->waiters[left_n++] = self->waiters[i];
        } else {
            waiter_answer(self, actor, &self->waiters[i], &channels);
        }
    }
    self->waiters_n = left_n;
    pack_deinit(&channels);
    uv_timer_stop(&self->patience);
    if (left_n) {
        uv_timer_start(&self->patience, on_patience, next - now, 0);
    }
}

/* Somebody does not answer: whoever waited long enough gets what is known. */
static void on_patience(uv_timer_t *timer)
{
    struct health *self = timer->data;
    struct actor *actor = actor_current();
    int r = health_pack(self, actor, false);

    if (r) {
        actor_fault(actor, r);
        return;
    }
    answer_waiters(self, actor, uv_now(actor_loop(actor)));
}

static void round_finish(struct health *self, struct actor *actor)
{
    uint32_t probe_ms = self->probe_next_ms;
    int r;

    self->took_ms = uv_now(actor_loop(actor)) - self->asked_at;
    self->probe_next_ms = 0;
    r = probe_ms ? health_ask(self, actor, probe_ms) : health_pack(self, actor, false);
    if (!r && probe_ms) {
        return; /* everyone waits on: somebody asked for a probe while this round was on */
    }
    if (!r && self->is_again) {
        self->is_again = false;
        health_ask_soon(self);
    }
    if (r) {
        actor_fault(actor, r);
        return;
    }
    answer_waiters(self, actor, UINT64_MAX);
}

static void part_finish(struct health *self, struct actor *actor)
{
    if (--self->open_n == 0) {
        round_finish(self, actor);
    }
}

static void answer_keep(struct facts_answer *to, const struct actor_answer *answer)
{
    if (answer->failure) {
        facts_answer_fail(to, answer->failure->message);
    } else {
        facts_answer_set(to, answer->body, clock_wall_ms());
    }
}

static void question_destroy(struct health *self, struct health_question *asked)
{
    struct health_question **at = &self->questions;

    while (*at != asked) {
        at = &(*at)->next;
    }
    *at = asked->next;
    free(asked);
}

void health_questions_destroy(struct health *self)
{
    while (self->questions) {
        question_destroy(self, self->questions);
    }
}

/* --- agents and channels -------------------------------------------------------------------- */

/* The row of whoever was asked: rows move while a question is open, addresses do not. */
static struct facts_agent *agent_of(struct health *self, const char *address)
{
    for (size_t i = 0; i < self->facts.agents_n; i++) {
        if (strcmp(self->facts.agents[i].id, address + sizeof("agent/") - 1) == 0) {
            return &self->facts.agents[i];
        }
    }
    return NULL;
}

static void on_agent_sessions(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct health_question *asked = cookie;
    struct facts_agent *agent = agent_of(arg, asked->to);

    if (agent) {
        answer_keep(&agent->sessions, answer);
    }
    question_destroy(arg, asked);
    part_finish(arg, actor);
}

static void on_agent_state(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct health_question *asked = cookie;
    struct facts_agent *agent = agent_of(arg, asked->to);

    if (agent) {
        answer_keep(&agent->state, answer);
    }
    question_destroy(arg, asked);
    part_finish(arg, actor);
}

static void on_channel_state(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct health *self = arg;
    struct health_question *asked = cookie;

    for (size_t i = 0; i < self->facts.channels_n; i++) {
        if (strcmp(self->facts.channels[i].address, asked->to) == 0) {
            answer_keep(&self->facts.channels[i].state, answer);
        }
    }
    question_destroy(self, asked);
    part_finish(self, actor);
}

static void on_beats(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct health *self = arg;

    answer_keep(&self->facts.beats, answer);
    question_destroy(self, cookie);
    part_finish(self, actor);
}

static int question(struct health *self, struct actor *actor, const char *to, const struct schema_msg *msg,
                    const void *in, uint32_t deadline_ms, actor_on_answer on_answer)
{
    struct health_question *asked = mem_new(sizeof(*asked));

    snprintf(asked->to, sizeof(asked->to), "%s", to);
    asked->next = self->questions;
    self->questions = asked;
    self->open_n++;
    return actor_call(actor,
                      &(struct actor_call){
                          .to = asked->to,
                          .msg = msg,
                          .in = in,
                          .deadline_ms = deadline_ms,
                          .on_answer = on_answer,
                          .cookie = asked,
                      },
                      NULL);
}

static int ask_agents(struct health *self, struct actor *actor)
{
    struct msg_agent_sessions rows = { .has_limit = true, .limit = RECENT_MAX };
    struct msg_agent_status state = { 0 };
    int r = 0;

    for (size_t i = 0; !r && i < self->facts.agents_n; i++) {
        char to[FACTS_ADDRESS_MAX];

        snprintf(to, sizeof(to), "agent/%s", self->facts.agents[i].id);
        r = question(self, actor, to, MSG_AGENT_SESSIONS, &rows, ASK_MS, on_agent_sessions);
        r = r ? r : question(self, actor, to, MSG_AGENT_STATUS, &state, ASK_MS, on_agent_state);
    }
    return r;
}

static int ask_channels(struct health *self, struct actor *actor, uint32_t probe_ms)
{
    struct msg_channel_status in = {
        .has_probe = probe_ms > 0,
        .probe = probe_ms > 0,
        .has_timeout_ms = probe_ms > 0,
        .timeout_ms = probe_ms,
    };
    int r = 0;

    for (size_t i = 0; !r && i < self->facts.channels_n; i++) {
        r = question(self, actor, self->facts.channels[i].address, MSG_CHANNEL_STATUS, &in, ASK_MS + probe_ms,
                     on_channel_state);
    }
    return r;
}

static int ask_beats(struct health *self, struct actor *actor)
{
    self->wants_beats = false; /* it says when there is something new */
    return question(self, actor, "scheduler", MSG_SCHEDULER_READ, &(struct msg_scheduler_read){ 0 }, ASK_MS, on_beats);
}

/* --- the round -------------------------------------------------------------------------------- */

static void on_roster(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct health *self = arg;
    int r = 0;

    (void)cookie;
    if (!answer->failure) {
        r = facts_agents_set(&self->facts, answer->body);
        self->wants_sessions = true;
    } else {
        self->wants_roster = true; /* asked again with the next round; the old list stays */
    }
    if (!r && self->wants_sessions) {
        self->wants_sessions = false;
        r = ask_agents(self, actor);
    }
    if (r) {
        actor_fault(actor, r);
        return;
    }
    part_finish(self, actor);
}

static int ask_roster(struct health *self, struct actor *actor)
{
    int r;

    self->wants_roster = false;
    r = actor_call(actor,
                   &(struct actor_call){
                       .to = "router",
                       .msg = MSG_ROUTER_AGENTS,
                       .in = &(struct msg_router_agents){ 0 },
                       .deadline_ms = ASK_MS,
                       .on_answer = on_roster,
                   },
                   NULL);
    self->open_n += !r;
    return r;
}

int health_ask(struct health *self, struct actor *actor, uint32_t probe_ms)
{
    int r = 0;

    if (self->open_n) {
        self->is_again = self->is_again || health_is_stale(self);
        self->probe_next_ms = probe_ms > self->probe_next_ms ? probe_ms : self->probe_next_ms;
        return 0;
    }
    self->asked_at = uv_now(actor_loop(actor));
    uv_timer_stop(&self->soon);
    self->soon_due = 0;
    if (self->wants_roster && facts_is_ready(&self->facts, "router")) {
        r = ask_roster(self, actor); /* the agents follow */
    } else if (self->wants_sessions) {
        self->wants_sessions = false;
        r = ask_agents(self, actor); /* of the last known list */
    }
    if (!r && self->wants_beats && facts_is_ready(&self->facts, "scheduler")) {
        r = ask_beats(self, actor);
    }
    if (!r && (self->wants_channels || probe_ms)) {
        self->wants_channels = false;
        r = ask_channels(self, actor, probe_ms);
    }
    if (!r && !self->open_n) {
        round_finish(self, actor);
    }
    return r;
}

static void on_soon(uv_timer_t *timer)
{
    struct health *self = timer->data;
    struct actor *actor = actor_current();
    uint64_t now = uv_now(actor_loop(actor));
    int r;

    if (now > self->soon_due && (double)(now - self->soon_due) > self->late_ms) {
        self->late_ms = (double)(now - self->soon_due);
    }
    self->soon_due = 0;
    r = health_ask(self, actor, 0);
    if (r) {
        actor_fault(actor, r);
    }
}

void health_ask_soon(struct health *self)
{
    uint64_t now = uv_now(self->soon.loop);
    uint64_t least = self->asked_at ? self->asked_at + HEALTH_ROUND_LEAST_MS : 0;

    if (self->soon_due) {
        return;
    }
    self->soon_due = now + SOON_MS > least ? now + SOON_MS : least;
    uv_timer_start(&self->soon, on_soon, self->soon_due - now, 0);
}

int health_wait(struct health *self, struct actor_ctx *ctx, enum health_want want, uint32_t most_ms)
{
    uint64_t now;

    if (self->waiters_n == self->waiters_cap) {
        size_t cap = self->waiters_cap ? self->waiters_cap * 2 : 16;
        struct health_waiter *grown = realloc(self->waiters, cap * sizeof(*grown));

        if (!grown) {
            return FAULT(-ENOMEM);
        }
        self->waiters = grown;
        self->waiters_cap = cap;
    }
    now = uv_now(self->patience.loop);
    self->waiters[self->waiters_n++] = (struct health_waiter){ actor_defer(ctx, NULL), now + most_ms, want };
    if (!uv_is_active((uv_handle_t *)&self->patience) || uv_timer_get_due_in(&self->patience) > most_ms) {
        uv_timer_start(&self->patience, on_patience, most_ms, 0);
    }
    return 0;
}
