/*
 * How a host starts its actors: those after an awaited one begin when it is ready, and
 * side by side. "left" and "right" each become ready only once the other has begun, so a
 * host that started one after the other would need its time limit for it; what a process
 * gives back after its start must not be missed by anybody.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "bus/actor.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/host.h"
#include "bus/schema_table.h"
#include "bus/topology.h"

#define LOOK_MS 1U
#define FIRST_MS 50U /* how long the awaited one takes */

/* What the threads show each other; a test has no better place for it. */
static atomic_bool is_first_ready;
static atomic_bool has_begun_early;
static atomic_int begun_n;
static atomic_llong began_ms[2];

struct waiter {
    struct actor *actor;
    uv_timer_t timer;
};

static void waiter_close(void *state, struct actor *actor)
{
    struct waiter *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->timer, NULL);
}

static int waiter_open(struct waiter *self, struct actor *actor, uv_timer_cb on_timer, uint64_t every_ms)
{
    self->actor = actor;
    (void)uv_timer_init(actor_loop(actor), &self->timer); /* cannot fail */
    self->timer.data = self;
    return uv_timer_start(&self->timer, on_timer, every_ms, every_ms);
}

static void on_first_time(uv_timer_t *timer)
{
    struct waiter *self = timer->data;

    (void)uv_timer_stop(timer);
    atomic_store(&is_first_ready, true);
    actor_ready(self->actor);
}

static int first_init(void *state, struct actor *actor, const char *arg)
{
    (void)arg;
    return waiter_open(state, actor, on_first_time, FIRST_MS);
}

static void on_look(uv_timer_t *timer)
{
    struct waiter *self = timer->data;

    if (atomic_load(&begun_n) == 2) {
        (void)uv_timer_stop(timer);
        actor_ready(self->actor);
    }
}

static int side_init(void *state, struct actor *actor, const char *arg)
{
    (void)arg;
    if (!atomic_load(&is_first_ready)) {
        atomic_store(&has_begun_early, true);
    }
    atomic_store(&began_ms[atomic_fetch_add(&begun_n, 1)], (long long)clock_mono_ms());
    return waiter_open(state, actor, on_look, LOOK_MS);
}

static const struct actor_def first_actor = {
    .name = "first",
    .state_size = sizeof(struct waiter),
    .init = first_init,
    .deinit = waiter_close,
    .is_ready_late = true,
    .is_awaited = true,
};

static const struct actor_def side_actor = {
    .name = "side",
    .state_size = sizeof(struct waiter),
    .init = side_init,
    .deinit = waiter_close,
    .is_ready_late = true,
};

static const struct actor_def *const defs[] = { &first_actor, &side_actor, NULL };

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return strcmp(address, "first") == 0 ? "first" : "side";
}

static void on_ready(void *arg)
{
    *(bool *)arg = true;
    host_stop();
}

int main(void)
{
    CLEANUP(topology_deinit) struct topology topology = { 0 };
    static const struct schema_registry registry = { 0 };
    struct topology_error error;
    bool was_ready = false;
    int r = topology_parse(SPAN_LIT("{ hosts: { main: { actors: ['first', 'side/left', 'side/right'] } } }"), &topology,
                           &error);

    r = r ? r
          : host_run(&(struct host_opts){ .name = "main",
                                          .topology = &topology,
                                          .defs = defs,
                                          .registry = &registry,
                                          .def_of = def_of,
                                          .incarnation = 1,
                                          .on_ready = on_ready,
                                          .arg = &was_ready });
    long long apart_ms = atomic_load(&began_ms[1]) - atomic_load(&began_ms[0]);
    if (r || !was_ready || atomic_load(&has_begun_early) || apart_ms >= 400) {
        (void)fprintf(stderr, "FAILED: host_run %d, ready %d, begun early %d, %lld ms apart\n", r, was_ready,
                      atomic_load(&has_begun_early), apart_ms);
        return 1;
    }
    return 0;
}
