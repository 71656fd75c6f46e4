/* What the bus promises of topics: who hears what, in which order, and what of those that are missing. */
#include <unistd.h>

#include "bus/base/clock.h"
#include "tests/integration/bus/driver.h"

static void topic_check(struct driver *self)
{
    if (self->count == 500 && self->step == 1) {
        well();
    }
}

#define EVENTS_ROUNDS 299 /* steps */
#define EVENTS_TOO_FAST 300
#define EVENTS_FRESH 301
#define EVENTS_STOP 302 /* the publisher is told to stop while they wait for credit */
#define EVENT_BYTES 60000U

static void on_event_of_stopping(struct actor *driver, const struct msg_ping *event);

int topics_on_event(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct driver *self = state;
    const struct msg_ping *in = msg;

    if (span_is_text(actor_ctx_from(ctx), "echo/spawned")) {
        self->count += in->has_text || self->step == EVENTS_FRESH;
        if (self->step == EVENTS_STOP) {
            on_event_of_stopping(actor_ctx_actor(ctx), in);
        }
        return 0;
    }
    if (self->step == EVENTS_ROUNDS) {
        self->count++;
        return 0;
    }
    if (!in->has_text) { /* of the first announcement */
        return 0;
    }
    if (self->step == EVENTS_TOO_FAST) {
        check(in->n >= self->last, "events in order, across topics too");
        self->last = in->n + 1;
        self->count++;
        return 0;
    }
    check(in->n == self->count, "events in order, across topics too");
    self->count++;
    topic_check(self);
    return 0;
}

static void on_announced(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)actor;
    (void)cookie;
    check(!answer->failure, "announced");
    self->step = 1;
    topic_check(self);
}

void topics_on_gap(void *state, struct actor *actor, const struct actor_gap *gap)
{
    struct driver *self = state;

    (void)actor;
    check(span_is_text(gap->from, self->step == EVENTS_STOP ? "echo/spawned" : "echo"), "who it missed events of");
    check(gap->topic == &rig_event ? !gap->dropped : !gap->lost, "which of them it might miss");
    self->lost += gap->lost;
    self->dropped += gap->dropped;
}

/* The answer comes behind all events and gaps, so it is time to count. */
static void on_too_fast(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)actor;
    check(out && self->count + self->lost + self->dropped == out->n, "every event came or is known to be missing");
    check(self->dropped > 0, "droppable ones were left out at once");
    (void)cookie;
    check((self->lost > 0) == (out->n > 500), "others only beyond the bound");
    well();
}

static void announce(struct actor *driver)
{
    static char text[EVENT_BYTES];
    struct driver *self = driver_of(driver);
    bool is_large = self->expected != 500;
    struct msg_ping in = { .n = self->expected, .has_text = true, .text = { text, is_large ? sizeof(text) : 1 } };
    struct actor_call call = {
        .to = "echo", .msg = &rig_announce, .in = &in, .on_answer = is_large ? on_too_fast : on_announced
    };

    memset(text, 'x', sizeof(text));
    self->step = is_large ? EVENTS_TOO_FAST : 0;
    check(actor_call(driver, &call, NULL) == 0, "actor_call");
}

static void on_first_announced(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(!answer->failure, "announced");
    announce(actor);
}

/* After two that make it a publisher who knows its subscribers: before that all events wait. */
static void announce_so_many(struct actor *driver, uint64_t n)
{
    driver_of(driver)->expected = n;
    ask(driver, "echo", &rig_announce, 2, 0, on_first_announced);
}

static void a_topic_reaches_every_subscriber(struct actor *driver)
{
    announce_so_many(driver, 500);
}

/* 15 MB in one go: more than the 8 MiB of credit, less than may wait besides. */
static void a_burst_beyond_the_credit_loses_droppable_events_alone(struct actor *driver)
{
    announce_so_many(driver, 250);
}

static void a_subscriber_hears_of_what_it_missed(struct actor *driver)
{
    announce_so_many(driver, 1000);
}

#define ROUNDS 100U

static void round_off_ask(struct actor *driver);

static const struct actor_route round_route = { &rig_event, topics_on_event, 0 };

static void on_round(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    check(!answer->failure && self->count == self->last + 1, "the event came before the answer");
    self->last = self->count;
    if (++self->expected == ROUNDS) {
        well();
        return;
    }
    check(actor_unsubscribe(actor, &rig_event) == 0, "actor_unsubscribe");
    round_off_ask(actor);
}

static void on_round_off(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    check(!answer->failure, "announced");
    if (self->count != self->last) { /* the publisher still knows us */
        self->last = self->count;
        round_off_ask(actor);
        return;
    }
    check(actor_subscribe(actor, &round_route) == 0, "actor_subscribe");
    ask(actor, "echo", &rig_announce, 1, 0, on_round);
}

static void round_off_ask(struct actor *driver)
{
    ask(driver, "echo", &rig_announce, 1, 0, on_round_off);
}

/* The subscription goes by way of the nodes, the call to the publisher itself. */
static void a_call_never_overtakes_a_subscription(struct actor *driver)
{
    driver_of(driver)->step = EVENTS_ROUNDS;
    check(actor_unsubscribe(driver, &rig_event) == 0, "actor_unsubscribe");
    round_off_ask(driver);
}

#define FRESH 6U

static void fresh_ask(struct actor *driver);

static void on_fresh(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    if (answer->failure) { /* it does not run yet */
        again_soon(actor, fresh_ask);
    } else if (self->count == FRESH) {
        well();
    } else {
        rig_verdict(false, "the answer came behind %llu of %u events", (unsigned long long)self->count, FRESH);
    }
}

static void fresh_ask(struct actor *driver)
{
    ask(driver, "echo/spawned", &rig_announce, FRESH, 0, on_fresh);
}

#define STOP_EVENTS 250U /* 15 MB: more than the 8 MiB of credit, less than may wait besides */
#define STOP_LOOKS 1000U

static void stop_ask(struct actor *driver);

static void on_stopping(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    if (answer->failure) { /* it does not run yet */
        again_soon(actor, stop_ask);
    }
}

/* The first events of all, so that it knows its subscriber. */
static void stop_ask(struct actor *driver)
{
    ask(driver, "echo/spawned", &rig_announce, 2, 0, on_stopping);
}

static void stop_announce(struct actor *driver)
{
    static char text[EVENT_BYTES];
    struct msg_ping in = { .n = STOP_EVENTS, .has_text = true, .text = { text, sizeof(text) } };
    struct actor_call call = { .to = "echo/spawned", .msg = &rig_announce, .in = &in, .on_answer = on_ignored };

    memset(text, 'x', sizeof(text));
    check(actor_call(driver, &call, NULL) == 0, "actor_call");
}

static void stop_look(struct actor *driver)
{
    struct driver *self = driver_of(driver);
    bool is_long = self->expected > 500;

    if (self->count + self->lost + self->dropped == STOP_EVENTS) {
        check(self->dropped > 0, "droppable ones were left out at once");
        check((self->lost > 0) == is_long, "others only if the stop cannot wait for them");
        well();
    } else if (++self->last == STOP_LOOKS) {
        rig_verdict(false, "%llu came, %llu and %llu are known to be missing, of %u", (unsigned long long)self->count,
                    (unsigned long long)self->lost, (unsigned long long)self->dropped, STOP_EVENTS);
    } else {
        again_soon(driver, stop_look);
    }
}

static void on_event_of_stopping(struct actor *driver, const struct msg_ping *event)
{
    uint64_t end_ns = clock_mono_ns() + driver_of(driver)->expected * 1000000;

    if (!event->has_text && event->n == 1) {
        stop_announce(driver);
    } else if (event->has_text && event->n == 0) { /* it is told to stop, and finds us busy */
        check(actor_despawn(driver, "echo/spawned") == 0, "actor_despawn");
        while (clock_mono_ns() < end_ns) { /* the point of the scenario */
            (void)usleep(1000);
        }
        stop_look(driver);
    }
}

static void fresh_begin(struct actor *driver, uint64_t busy_ms)
{
    struct driver *self = driver_of(driver);

    self->expected = busy_ms;
    self->step = self->expected ? EVENTS_STOP : EVENTS_FRESH;
    check(actor_spawn(driver, "echo/spawned", "echo", "") == 0, "actor_spawn");
    (self->expected ? stop_ask : fresh_ask)(driver);
}

/* The directory knows the subscriber. Who publishes for the first time has still to ask it. */
static void an_answer_never_overtakes_the_first_events(struct actor *driver)
{
    fresh_begin(driver, 0);
}

/* Its wait for a subscriber's credit is half a second at most. */
static void a_stop_waits_for_what_is_still_to_be_said(struct actor *driver)
{
    fresh_begin(driver, 100);
}

static void a_stop_tells_what_it_cannot_wait_for(struct actor *driver)
{
    fresh_begin(driver, 3000);
}

#define NEWS_AT_READY 10U

static void on_heard_at_ready(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)actor;
    (void)cookie;
    if (out && out->n == NEWS_AT_READY) {
        well();
    } else {
        rig_verdict(false, "%llu of %u heard", out ? (unsigned long long)out->n : 0ULL, NEWS_AT_READY);
    }
}

static void on_subscriber_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;

    (void)address;
    if (life == ACTOR_LIFE_READY && self->step == 0) {
        self->step = 1;
        for (uint64_t i = 0; i < NEWS_AT_READY; i++) {
            check(actor_publish(actor, &rig_news, &(struct msg_ping){ .n = i }, NULL) == 0, "actor_publish");
        }
        ask(actor, "echo/spawned", &rig_heard, 0, 0, on_heard_at_ready);
    }
}

/* Its definition's topics are known to whoever hears that it is ready. */
static void who_is_ready_hears_its_topics(struct actor *driver)
{
    check(actor_publish(driver, &rig_news, &(struct msg_ping){ .n = 0 }, NULL) == 0, "the topic is not new");
    check(actor_watch(driver, "echo/spawned", on_subscriber_life) == 0, "actor_watch");
    check(actor_spawn(driver, "echo/spawned", "echo", "") == 0, "actor_spawn");
}

#define NEWS 3000U

static void news_ask(struct actor *actor);

static void on_missed_count(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (!out || self->count + out->n != NEWS) {
        again_soon(actor, news_ask); /* it is full, or not through yet */
        return;
    }
    check(out->n > 0, "more than fits was refused");
    well();
}

static void on_heard_count(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (!out) {
        again_soon(actor, news_ask);
        return;
    }
    ((struct driver *)state)->count = out->n;
    ask(actor, "echo", &rig_missed, 0, 0, on_missed_count);
}

static void news_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_heard, 0, 0, on_heard_count);
}

/* While echo computes, more news than its mailbox takes arrive. */
static void a_full_mailbox_knows_what_it_refused(struct actor *driver)
{
    ask(driver, "echo", &rig_slow, 300000, 0, on_ignored);
    for (uint64_t i = 0; i < NEWS; i++) {
        check(actor_publish(driver, &rig_news, &(struct msg_ping){ .n = i }, NULL) == 0, "actor_publish");
    }
    news_ask(driver);
}

const struct scenario scenarios_of_topics[] = {
    SCENARIO(a_topic_reaches_every_subscriber),
    SCENARIO(a_call_never_overtakes_a_subscription),
    SCENARIO(an_answer_never_overtakes_the_first_events),
    SCENARIO(a_stop_waits_for_what_is_still_to_be_said),
    SCENARIO(a_stop_tells_what_it_cannot_wait_for),
    SCENARIO(who_is_ready_hears_its_topics),
    SCENARIO(a_burst_beyond_the_credit_loses_droppable_events_alone),
    SCENARIO(a_subscriber_hears_of_what_it_missed),
    SCENARIO(a_full_mailbox_knows_what_it_refused),
    { NULL, NULL },
};
