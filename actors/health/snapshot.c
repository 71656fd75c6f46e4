/*
 * snapshot: the packed answers, kept until they are out of date.
 */
#include <unistd.h>

#include "actors/health/internal.h"
#include "bus/base/clock.h"
#include "schema_gen.h"

#define FRESH_MS 1000 /* of the numbers in it: time, memory, load */
#define LOAD_LEAST_MS 100

/* Load over the time since the last reading; a shorter one would say little. */
static struct report_load load_read(struct health *self, uv_loop_t *loop, struct sysinfo_use *ret_use)
{
    struct sysinfo_use now = sysinfo_use();
    uint64_t idle_ns = uv_metrics_idle_time(loop);
    uint64_t passed_ns = now.mono_ns - self->use.mono_ns;
    uint64_t slept_ns = idle_ns - self->idle_ns;
    struct report_load load = { .interval_ms = passed_ns / 1000000, .late_ms = self->late_ms };

    if (passed_ns) {
        load.cpu_ratio = (double)(now.cpu_ns - self->use.cpu_ns) / (double)passed_ns;
        load.utilization = slept_ns < passed_ns ? 1.0 - (double)slept_ns / (double)passed_ns : 0.0;
    }
    if (load.interval_ms >= LOAD_LEAST_MS) {
        self->use = now;
        self->idle_ns = idle_ns;
        self->late_ms = 0;
    }
    *ret_use = now;
    return load;
}

struct report_input health_input(struct health *self)
{
    struct sysinfo_use use;
    struct report_load load = load_read(self, self->soon.loop, &use);

    return (struct report_input){
        .facts = &self->facts,
        .verdict = &self->verdict,
        .load = load,
        .now_ms = use.wall_ms,
        .duration_ms = self->took_ms,
        .uptime_ms = sysinfo_uptime_ms(),
        .rss_bytes = use.rss_bytes,
        .pid = (uint32_t)getpid(),
        .connections_n = self->presence.connections_n,
        .readers_n = self->presence.readers_n,
    };
}

static int body_replace(struct body *body, struct pack *pack)
{
    struct body packed;
    int r = pack_error(pack);

    r = r ? r : body_init(&packed, pack_span(pack));
    if (!r) {
        body_deinit(body);
        *body = packed;
    }
    pack_reset(pack);
    return r;
}

/* The payload again, with what the frame of the event needs; the edge takes it out. */
static int publish(struct health *self, struct actor *actor, const struct report_input *in, struct pack *pack)
{
    int r;

    report_health_open(in, pack);
    pack_key(pack, "_stateVersion");
    pack_map_begin(pack);
    pack_kv_u64(pack, "presence", self->presence.version);
    pack_kv_u64(pack, "health", self->version);
    pack_map_end(pack);
    pack_map_end(pack);
    r = pack_error(pack);
    r = r ? r : actor_publish_span(actor, EVENT_HEALTH, pack_span(pack), NULL);
    pack_reset(pack);
    return r;
}

/* Whoever waits for a gateway that is ready may rely on our saying so. */
static void settle(struct health *self, struct actor *actor)
{
    if (self->verdict.is_ok && !self->is_settled && facts_has_beats(&self->facts)) {
        self->is_settled = true;
        actor_ready(actor);
    }
}

void health_settle(struct health *self, struct actor *actor)
{
    if (!self->is_settled) {
        facts_judge(&self->facts, &self->verdict);
        settle(self, actor);
    }
}

/* Of other processes the directory has the same word; this one's own is not in it. */
static void process_note(struct health *self, struct actor *actor)
{
    const char *why = actor_process_end(actor);

    if (why[0] || self->has_process_note) {
        self->has_process_note = true;
        (void)facts_life_set(&self->facts, span_from(actor_node(actor)), FACTS_LIFE_READY, span_from(why),
                             clock_wall_ms());
    }
}

int health_pack(struct health *self, struct actor *actor, bool is_due)
{
    struct report_input in;
    struct pack pack;
    uint64_t digest;
    int r;

    process_note(self, actor);
    facts_judge(&self->facts, &self->verdict);
    settle(self, actor);
    digest = report_digest(&self->facts, &self->verdict);
    is_due = is_due || digest != self->digest;
    self->digest = digest;
    self->version += is_due;
    in = health_input(self);
    pack_init(&pack, 0);
    report_health(&in, &pack);
    r = body_replace(&self->health, &pack);
    for (int i = 0; !r && i < 2; i++) {
        report_status(&in, i == 1, &pack);
        r = body_replace(&self->status[i], &pack);
    }
    if (!r && is_due && self->presence.connections_n) {
        r = publish(self, actor, &in, &pack);
    }
    pack_deinit(&pack);
    self->packed_at = uv_now(actor_loop(actor));
    return r;
}

int health_freshen(struct health *self, struct actor *actor)
{
    return self->packed_at && uv_now(actor_loop(actor)) - self->packed_at < FRESH_MS ? 0
                                                                                     : health_pack(self, actor, false);
}
