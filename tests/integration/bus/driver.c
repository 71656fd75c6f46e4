/*
 * The actor that asks: it plays one scenario, a sentence that the bus promises. The same
 * scenarios run with all actors in one process and with the servers in another.
 */
#include "tests/integration/bus/driver.h"

#include "bus/base/clock.h"

struct driver *driver_of(struct actor *actor)
{
    return actor_state(actor);
}

void check(bool is_well, const char *what)
{
    if (!is_well) {
        rig_verdict(false, "%s", what);
    }
}

void well(void)
{
    rig_verdict(true, "as promised");
}

/* One call with the usual shape. */
void ask(struct actor *actor, const char *to, const struct schema_msg *msg, uint64_t n, uint32_t deadline_ms,
         actor_on_answer on_answer)
{
    struct msg_ping in = { .n = n };
    struct actor_call call = { .to = to, .msg = msg, .in = &in, .deadline_ms = deadline_ms, .on_answer = on_answer };

    check(actor_call(actor, &call, &driver_of(actor)->call_id) == 0, "actor_call");
}

static void on_timer_cb(uv_timer_t *timer)
{
    struct actor *actor = timer->data;

    driver_of(actor)->on_timer(actor);
}

/* Asks again soon: for conditions that another actor reaches by itself. */
void again_soon(struct actor *actor, void (*fn)(struct actor *actor))
{
    struct driver *self = driver_of(actor);

    self->on_timer = fn;
    (void)uv_timer_start(&self->timer, on_timer_cb, 5, 0);
}

bool failed_with(const struct actor_answer *answer, int code)
{
    return answer->failure && answer->failure->code == code;
}

/* Compares what failed for the verdict's text. */
void expect_failure(const struct actor_answer *answer, int code)
{
    if (failed_with(answer, code)) {
        well();
    } else if (answer->failure) {
        rig_verdict(false, "failure %d (%.*s) instead of %d", answer->failure->code, SPAN_FMT(answer->failure->message),
                    code);
    } else {
        rig_verdict(false, "an answer instead of failure %d", code);
    }
}

void on_ignored(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    (void)answer;
}

/* --- the driver ---------------------------------------------------------------------------------- */

rig_scenario rig_scenario_find(const char *name)
{
    static const struct scenario *const tables[] = { scenarios_of_calls, scenarios_of_topics, scenarios_of_lives };

    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        for (const struct scenario *at = tables[i]; at->name; at++) {
            if (strcmp(at->name, name) == 0) {
                return at->play;
            }
        }
    }
    return NULL;
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;
    bool is_ready = life == ACTOR_LIFE_READY;

    if (span_is_text(address, "echo")) {
        self->is_echo_ready = is_ready;
        self->seen |= 1U << life;
        if (self->step == 100 && life == ACTOR_LIFE_GAVE_UP) {
            well();
        } else if (self->step == 200 && life == ACTOR_LIFE_BACKOFF) {
            self->step = 201;
        } else if (self->step == 201 && is_ready) {
            well();
        }
    } else if (span_is_text(address, "relay")) {
        self->is_relay_ready = is_ready;
    }
    if (self->is_echo_ready && self->is_relay_ready && !self->is_started) {
        self->is_started = true;
        self->started_ns = clock_mono_ns();
        self->scenario(actor);
    }
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    self->scenario = rig_scenario_find(arg);
    (void)uv_timer_init(actor_loop(actor), &self->timer);
    self->timer.data = actor;
    int r = actor_watch(actor, "echo", on_life);
    return r < 0 ? r : actor_watch(actor, "relay", on_life);
}

static void driver_deinit(void *state, struct actor *actor)
{
    struct driver *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->timer, NULL);
}

static const struct actor_route driver_routes[] = {
    { &rig_note, lives_on_note, 0 },
};

static const struct actor_route driver_topics[] = {
    { &rig_event, topics_on_event, 0 },
    { &rig_event_b, topics_on_event, 0 },
};

const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .routes = driver_routes,
    .routes_n = ARRAY_LEN(driver_routes),
    .topics = driver_topics,
    .topics_n = ARRAY_LEN(driver_topics),
    .on_gap = topics_on_gap,
    .init = driver_init,
    .deinit = driver_deinit,
};
