/*
 * setup: the configuration, and one beat for each configured agent.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/scheduler/scheduler_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema_gen.h"

/* --- time zones ------------------------------------------------------------------------------------ */

static void zone_open(struct span name, struct zone *zone)
{
    if (!name.len || span_is_text(name, "local") || zone_load(name, zone)) {
        zone_host(zone);
    }
}

static void user_zone_load(struct scheduler *self)
{
    struct span name = span_from(self->settings.user_zone);

    zone_deinit(&self->user_zone);
    zone_open(name, &self->user_zone);
    if (name.len && self->user_zone.is_host && !span_is_text(name, "local")) {
        log_warning("time_zone_unknown", "path=agents.defaults.userTimezone zone=\"%.*s\" instead=\"the host's\"",
                    SPAN_FMT(name));
    }
}

/* One that is not known counts as the user's. */
static void hours_zone_load(struct scheduler *self, struct beat *beat)
{
    struct span name = span_from(beat->set->zone);

    zone_deinit(&beat->zone);
    if (!beat->set->hours.is_set) {
        zone_host(&beat->zone);
        return;
    }
    if (name.len) {
        zone_open(name, &beat->zone);
    }
    if (!name.len || (beat->zone.is_host && !span_is_text(name, "local"))) {
        if (name.len) {
            log_warning("time_zone_unknown", "agent=%s zone=\"%.*s\" instead=\"the user's\"", beat->agent_id,
                        SPAN_FMT(name));
        }
        zone_open(span_from(self->settings.user_zone), &beat->zone);
    }
}

/* --- beats ---------------------------------------------------------------------------------------------- */

static void plan_fill(struct scheduler *self, struct beat *beat)
{
    const struct beat_settings *set = beat->set;

    hours_zone_load(self, beat);
    beat->plan = (struct plan){ .every_ms = set->every_ms,
                                .phase_ms = plan_phase_ms(self->seed, span_from(beat->agent_id), set->every_ms),
                                .hours = set->hours,
                                .zone = &beat->zone };
}

/* What the last life had begun goes on as soon as its agent is there. */
static struct beat *beat_new(struct scheduler *self, const char *agent_id)
{
    struct beat *beat = mem_new(sizeof(*beat));

    memcpy(beat->agent_id, agent_id, sizeof(beat->agent_id));
    pack_init(&beat->tasks_done, 65536);
    lasting_load(self, agent_id, &beat->kept);
    zone_host(&beat->zone);
    if (beat->kept.run.id[0]) {
        beat->phase = BEAT_WAITING;
        beat->retry_ms = clock_wall_ms();
    }
    return beat;
}

static void beat_take(struct scheduler *self, const char *agent_id, struct beat **ret_beat)
{
    struct beat **at = &self->beats;

    while (*at && strcmp((*at)->agent_id, agent_id) != 0) {
        at = &(*at)->next;
    }
    *ret_beat = *at;
    if (*at) {
        *at = (*at)->next;
    }
}

/* In the order of the config; those that are not in it stay only while a heartbeat of theirs is under way. */
static void beats_apply(struct scheduler *self)
{
    struct beat *first = NULL;
    struct beat **end = &first;

    for (size_t i = 0; i < self->settings.agents_n; i++) {
        struct beat_settings *set = &self->settings.agents[i];
        struct beat *beat;

        beat_take(self, set->agent_id, &beat);
        beat = beat ? beat : beat_new(self, set->agent_id);
        beat->set = set;
        plan_fill(self, beat);
        *end = beat;
        end = &beat->next;
    }
    *end = NULL;
    for (struct beat *beat = self->beats; beat;) {
        struct beat *next = beat->next;

        if (beat->phase == BEAT_IDLE || beat->phase == BEAT_WAITING) {
            beat_free(&beat);
        } else {
            beat->set = NULL;
            beat->next = NULL;
            *end = beat;
            end = &beat->next;
        }
        beat = next;
    }
    self->beats = first;
}

/* --- the config ---------------------------------------------------------------------------------------------- */

static void on_channel_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    (void)actor;
    deliver_channel_life(state, address, life);
}

static void on_agent_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    size_t head = sizeof("agent/") - 1;
    int r = beats_agent_life(state, (struct span){ address.ptr + head, address.len - head }, life);

    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static void on_router_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    int r = beats_router_life(state, life);

    (void)address;
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* Who is there matters once it is known who should be. */
static int watch_start(struct scheduler *self)
{
    int r;

    if (self->is_watching) {
        return 0;
    }
    self->is_watching = true;
    r = actor_watch(self->actor, "channel/*", on_channel_life);
    r = r ? r : actor_watch(self->actor, "router", on_router_life);
    return r ? r : actor_watch(self->actor, "agent/*", on_agent_life);
}

static int settings_take(struct scheduler *self, struct span config)
{
    int r;

    for (struct beat *beat = self->beats; beat; beat = beat->next) {
        beat->set = NULL; /* it points into what goes */
    }
    r = settings_read(&self->settings, value_get(config, "agents"), value_get(config, "channels"));
    if (r) {
        return r;
    }
    self->has_settings = true;
    actor_status(self->actor, "");
    user_zone_load(self);
    beats_apply(self);
    r = records_prune(self);
    r = r ? r : tell_changed(self);
    r = r ? r : watch_start(self);
    return r ? r : beats_review(self);
}

int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_update *in = msg;
    int r = settings_take(arg, in->config);

    return r ? r : config_follow_applied(ctx, msg);
}

static void on_config_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct scheduler *self = state;
    int r = config_follow_life(&self->follow, life);

    (void)address;
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

int setup_open(struct scheduler *self)
{
    actor_status(self->actor, "waiting for config");
    config_follow_open(&self->follow, self->actor);
    return actor_watch(self->actor, "config", on_config_life);
}

void setup_close(struct scheduler *self)
{
    config_follow_close(&self->follow);
}
