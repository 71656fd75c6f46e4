/*
 * scheduler: heartbeats and wake-ups: when an agent has a turn that nobody asked for.
 *
 * Answers    wake set-heartbeats last-heartbeat, scheduler_read scheduler_wake
 * Publishes  heartbeat scheduler_changed
 * Follows    agents.* and channels.* of the config
 * Asks       router (agent_note, agent_heartbeat), channel/<…> (channel_deliver)
 * Stores     <state>/db/scheduler.sqlite
 * One alarm of the wall clock stands for whatever is due next; without heartbeats there is
 * none. On restart what had begun is asked for again by its id, and a due time that was
 * missed by no more than its interval is made up for once. Cron jobs are to be further
 * sources of due times beside the beats.
 */
#include "actors/scheduler/scheduler.h"

#include <stdlib.h>

#include "actors/scheduler/scheduler_state.h"
#include "schema_gen.h"

#define BODY_MAX ((size_t)2 << 20)

static void on_alarm(void *arg, bool was_set)
{
    struct scheduler *self = arg;
    int r = was_set ? beats_review(self) : beats_pump(self);

    if (r) {
        (void)actor_fault(self->actor, r); /* the loop ends after this turn */
    }
}

static int scheduler_init(void *state, struct actor *actor, const char *arg)
{
    struct scheduler *self = state;
    int r;

    (void)arg;
    self->actor = actor;
    pack_init(&self->pack, BODY_MAX);
    pack_init(&self->record, BODY_MAX);
    zone_host(&self->user_zone);
    r = records_open(self);
    r = r ? r : alarm_open(&self->alarm, actor_loop(actor), on_alarm, self);
    return r ? r : setup_open(self);
}

static void scheduler_deinit(void *state, struct actor *actor)
{
    struct scheduler *self = state;

    (void)actor;
    alarm_close(&self->alarm);
    setup_close(self);
    while (self->beats) {
        struct beat *beat = self->beats;

        self->beats = beat->next;
        beat_free(&beat);
    }
    settings_deinit(&self->settings);
    zone_deinit(&self->user_zone);
    shelf_close(&self->shelf);
    pack_deinit(&self->pack);
    pack_deinit(&self->record);
}

static void scheduler_on_stop(void *state, struct actor *actor)
{
    beats_park(state);
    actor_stop(actor);
}

static const struct actor_route scheduler_routes[] = {
    { MSG_WAKE, on_wake, 0 },
    { MSG_SCHEDULER_WAKE, on_scheduler_wake, 0 },
    { MSG_SET_HEARTBEATS, on_set_heartbeats, 0 },
    { MSG_LAST_HEARTBEAT, on_last_heartbeat, 0 },
    { MSG_SCHEDULER_READ, on_scheduler_read, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(scheduler_routes) == SCHEDULER_ACCEPTS_N, "scheduler: routes, schema differ");

const struct actor_def scheduler_actor = {
    .name = "scheduler",
    .state_size = sizeof(struct scheduler),
    .routes = scheduler_routes,
    .routes_n = ARRAY_LEN(scheduler_routes),
    .init = scheduler_init,
    .deinit = scheduler_deinit,
    .on_stop = scheduler_on_stop,
};
