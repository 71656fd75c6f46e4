/* What the bus promises of lives: deaths, returns, strategies, caps, spawning, watching, and letters to nobody. */
#include "bus/value.h"
#include "bus/wire.h"
#include "tests/integration/bus/driver.h"

static void on_forwarded_ended(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    expect_failure(answer, FAIL_UNAVAILABLE);
}

static void on_settled_then_break(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    (void)answer;
    ask(actor, "echo", &rig_break, 0, 0, on_ignored);
}

static void a_forwarded_call_ends_with_its_target(struct actor *driver)
{
    ask(driver, "relay", &rig_relay_hold, 0, 20000, on_forwarded_ended);
    ask(driver, "relay", &rig_relay, 1, 20000, on_settled_then_break); /* behind the first, so that one is held */
}

static void a_crash_ends_the_calls_it_held(struct actor *driver)
{
    ask(driver, "echo", &rig_hold, 0, 20000, on_forwarded_ended);
    ask(driver, "echo", &rig_break, 0, 20000, on_ignored);
}

static void comeback_ask(struct actor *actor);

static void on_comeback(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (answer->failure) {
        check(answer->failure->code == FAIL_UNAVAILABLE, "only UNAVAILABLE while it restarts");
        again_soon(actor, comeback_ask);
        return;
    }
    check(out->incarnation > self->first_incarnation, "a new life");
    well();
}

static void comeback_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_ping, 1, 0, on_comeback);
}

static void on_broken(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(failed_with(answer, FAIL_INTERNAL), "the asker hears that it broke");
    comeback_ask(actor);
}

static void on_first_life(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    check(out != NULL, "it answers at first");
    self->first_incarnation = out ? out->incarnation : 0;
    ask(actor, "echo", &rig_break, 1, 0, on_broken);
}

static void a_broken_actor_answers_and_comes_back(struct actor *driver)
{
    ask(driver, "echo", &rig_ping, 1, 0, on_first_life);
}

int lives_on_note(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;

    (void)state;
    check(span_is_text(actor_ctx_from(ctx), "echo/spawned") && in->n == 42, "what it said");
    well();
    return 0;
}

/* Its last words wait for the directory to say where they are to go. */
static void who_fails_at_its_start_is_still_heard(struct actor *driver)
{
    check(actor_spawn(driver, "echo/spawned", "echo", "unborn") == 0, "actor_spawn");
}

static void break_again(struct actor *actor);

static void on_break_again(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(answer->failure != NULL, "it breaks");
    again_soon(actor, break_again);
}

static void break_again(struct actor *actor)
{
    ask(actor, "echo", &rig_break, 1, 0, on_break_again);
}

static void a_crash_loop_gives_up_and_says_so(struct actor *driver)
{
    driver_of(driver)->step = 100; /* the verdict comes from the watch in on_life */
    break_again(driver);
}

/* --- strategies and caps ------------------------------------------------------------------------- */

static void rest_ask(struct actor *actor);

/* What is asked in each step, and how many lives after the first the answer must come from. */
static const struct {
    const char *to;
    const struct schema_msg *msg;
    uint32_t lives;
} rest_steps[] = {
    { "relay", &rig_ping, 0 }, { "echo", &rig_ping, 0 },  { "relay", &rig_break, 0 }, { "relay", &rig_ping, 1 },
    { "echo", &rig_ping, 0 },  { "echo", &rig_break, 0 }, { "relay", &rig_ping, 2 },  { "echo", &rig_ping, 1 },
};

static void on_rest(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;
    bool is_relay = strcmp(rest_steps[self->step].to, "relay") == 0;
    uint32_t *first = is_relay ? &self->first_incarnation : &self->first_of_echo;

    (void)cookie;
    if (rest_steps[self->step].msg == &rig_ping) {
        *first = *first ? *first : out ? out->incarnation : 0;
        if (!out || out->incarnation < *first + rest_steps[self->step].lives) {
            again_soon(actor, rest_ask);
            return;
        }
        check(out->incarnation == *first + rest_steps[self->step].lives, "started again as often as it must be");
    }
    if (++self->step == ARRAY_LEN(rest_steps)) {
        well();
        return;
    }
    rest_ask(actor);
}

static void rest_ask(struct actor *actor)
{
    ask(actor, rest_steps[driver_of(actor)->step].to, rest_steps[driver_of(actor)->step].msg, 0, 0, on_rest);
}

/* relay stands behind echo: it goes alone, but with echo. */
static void rest_for_one_takes_along_those_behind(struct actor *driver)
{
    rest_ask(driver);
}

static void next_process_ask(struct actor *actor);

static void on_next_process(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)cookie;
    if (out && out->incarnation >> 16 == 2) {
        well();
        return;
    }
    again_soon(actor, next_process_ask);
}

static void next_process_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_ping, 0, 0, on_next_process);
}

static void relay_hang(struct actor *driver);
static void after_break_ask(struct actor *driver);

/* relay may have stopped before it came to hang: then both live again in the same process, and it is tried again. */
static void on_after_break(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)cookie;
    if (out && out->incarnation >> 16 == 2) {
        well();
    } else if (out && (out->incarnation & UINT16_MAX) > driver_of(actor)->step) {
        relay_hang(actor);
    } else {
        again_soon(actor, after_break_ask);
    }
}

static void after_break_ask(struct actor *driver)
{
    ask(driver, "echo", &rig_ping, 0, 0, on_after_break);
}

static void on_before_hang(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    (void)answer;
    driver_of(actor)->step++;
    ask(actor, "echo", &rig_break, 0, 0, on_ignored);
    after_break_ask(actor);
}

static void relay_hang(struct actor *driver)
{
    ask(driver, "relay", &rig_ping, 0, 0, on_before_hang); /* answered: what follows it is there as well */
    ask(driver, "relay", &rig_slow, 30000000, 0, on_ignored);
}

/* relay stands behind echo and does not stop in time, so the process that both are in ends. */
static void rest_for_one_ends_a_process_with_a_hung_actor(struct actor *driver)
{
    relay_hang(driver);
}

static void a_host_beyond_its_memory_is_started_again(struct actor *driver)
{
    ask(driver, "echo", &rig_hoard, 320, 0, on_ignored);
    next_process_ask(driver);
}

/* --- what hangs ---------------------------------------------------------------------------------- */

static bool has_seen(struct actor *driver, enum actor_life life)
{
    return driver_of(driver)->seen & 1U << life;
}

static void check_silent(struct actor *driver, const struct actor_answer *answer)
{
    check(failed_with(answer, FAIL_UNAVAILABLE), "a call to what hangs fails");
    check(answer->failure && answer->failure->retryable && answer->failure->retry_after_ms, "it may be tried again");
    check(has_seen(driver, ACTOR_LIFE_UNRESPONSIVE), "it is named");
    check(!has_seen(driver, ACTOR_LIFE_BACKOFF), "it still hangs");
}

static void on_asked_while_silent(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check_silent(actor, answer);
    next_process_ask(actor);
}

static void on_hung(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check_silent(actor, answer);
    ask(actor, "echo", &rig_ping, 0, 600, on_asked_while_silent); /* its deadline would end it as a timeout */
}

/* In an endless loop. */
static void an_actor_that_hangs_is_named_and_its_process_started_again(struct actor *driver)
{
    ask(driver, "echo", &rig_slow, 600000000, 30000, on_hung);
}

/* In a wait without end. */
static void an_actor_that_hangs_asleep_is_found_too(struct actor *driver)
{
    ask(driver, "echo", &rig_doze, 600000000, 30000, on_hung);
}

static void a_process_that_hangs_stopped_by_a_signal_is_started_again(struct actor *driver)
{
    ask(driver, "echo", &rig_freeze, 0, 30000, on_hung);
}

static void same_life_ask(struct actor *actor);

static void on_same_life(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (!out) {
        check(failed_with(answer, FAIL_UNAVAILABLE), "only UNAVAILABLE meanwhile");
        again_soon(actor, same_life_ask);
        return;
    }
    check(out->incarnation == self->first_of_echo, "in the same life");
    well();
}

static void same_life_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_ping, 0, 30000, on_same_life);
}

static void on_slow_ended(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check_silent(actor, answer);
    same_life_ask(actor);
}

static void on_before_slow(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    self->first_of_echo = out ? out->incarnation : 0;
    ask(actor, "echo", &rig_doze, 2500000, 30000, on_slow_ended);
}

static void an_actor_that_goes_on_after_all_is_asked_again(struct actor *driver)
{
    ask(driver, "echo", &rig_ping, 0, 0, on_before_slow);
}

/* --- dead letters, spawning, watching ------------------------------------------------------------ */

static int on_dead_letter(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct span body = actor_ctx_body(ctx);

    (void)state;
    (void)msg;
    check(span_is_text(value_str(value_get(body, "to"), (struct span){ 0 }), "nobody"), "to whom");
    check(span_is_text(value_str(value_get(body, "name"), (struct span){ 0 }), "note"), "what");
    check(value_str(value_get(body, "reason"), (struct span){ 0 }).len > 0, "why");
    well();
    return 0;
}

static void dead_letter_cast(struct actor *actor)
{
    (void)actor_cast(actor, "nobody", &rig_note, &(struct msg_ping){ .n = 1 }, NULL);
    again_soon(actor, dead_letter_cast); /* the publisher learns of its subscriber by and by */
}

static void what_cannot_be_delivered_becomes_a_dead_letter(struct actor *driver)
{
    static const struct actor_route route = { &wire_dead_letters, on_dead_letter, ACTOR_RAW };

    check(actor_subscribe(driver, &route) == 0, "actor_subscribe");
    dead_letter_cast(driver);
}

static void spawned_ask(struct actor *actor);

static void on_spawned_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    if (self->step == 0 && !answer->failure) {
        self->step = 1;
        check(actor_despawn(actor, "echo/spawned") == 0, "actor_despawn");
    } else if (self->step == 1 && failed_with(answer, FAIL_UNAVAILABLE)) {
        well();
        return;
    }
    again_soon(actor, spawned_ask);
}

static void spawned_ask(struct actor *actor)
{
    ask(actor, "echo/spawned", &rig_ping, 1, 0, on_spawned_answer);
}

static void an_actor_is_spawned_and_despawned(struct actor *driver)
{
    check(actor_spawn(driver, "echo/spawned", "echo", "") == 0, "actor_spawn");
    spawned_ask(driver);
}

static void lives_are_watched(struct actor *driver)
{
    driver_of(driver)->step = 200; /* the verdict comes from on_life: ready, back-off, ready */
    ask(driver, "echo", &rig_break, 1, 0, on_ignored);
}

const struct scenario scenarios_of_lives[] = {
    SCENARIO(a_forwarded_call_ends_with_its_target),
    SCENARIO(a_broken_actor_answers_and_comes_back),
    SCENARIO(a_crash_ends_the_calls_it_held),
    SCENARIO(a_crash_loop_gives_up_and_says_so),
    SCENARIO(who_fails_at_its_start_is_still_heard),
    SCENARIO(what_cannot_be_delivered_becomes_a_dead_letter),
    SCENARIO(an_actor_is_spawned_and_despawned),
    SCENARIO(rest_for_one_takes_along_those_behind),
    SCENARIO(rest_for_one_ends_a_process_with_a_hung_actor),
    SCENARIO(a_host_beyond_its_memory_is_started_again),
    SCENARIO(an_actor_that_hangs_is_named_and_its_process_started_again),
    SCENARIO(an_actor_that_hangs_asleep_is_found_too),
    SCENARIO(an_actor_that_goes_on_after_all_is_asked_again),
    SCENARIO(a_process_that_hangs_stopped_by_a_signal_is_started_again),
    SCENARIO(lives_are_watched),
    { NULL, NULL },
};
