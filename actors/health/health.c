/*
 * health: who is connected, how everyone is, and one snapshot of it for all surfaces.
 *
 * Accepts    presence_join presence_leave, topics sessions.changed channel_changed
 *            router_agents_changed scheduler_changed
 * Answers    health status system-presence channels.status system-event
 *            health_snapshot clients_read approvers_read
 * Publishes  health presence clients_changed
 * Facts come by event: lives of actors, changes that others announce. What an event only
 * hints at is asked, in rounds, when somebody wants to know. On restart the presence list
 * is empty; the edges join their live connections again when they see us ready.
 */
#include "actors/health/health.h"

#include <stdlib.h>
#include <sys/random.h>

#include "actors/health/internal.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "schema_gen.h"

#define MINUTE_MS 60000   /* the protocol's period of health events while someone listens */
#define SETTLE_MS 2000    /* at a start; then we are ready however the others are */
#define TELL_LEAST_MS 200 /* between two presence events */
#define TELL_MOST_MS 60000
#define TELL_BYTES_PER_MS 32768 /* to all clients together: the list grows with them, and so do its receivers */
#define PROBE_DEFAULT_MS 10000U
#define PROBE_MAX_MS 30000U
#define LIFE_VERSIONS 1000000 /* versions of one life; the next begins behind them */

_Static_assert((int)FACTS_LIFE_ABSENT == (int)ACTOR_LIFE_ABSENT && (int)FACTS_LIFE_READY == (int)ACTOR_LIFE_READY &&
                   (int)FACTS_LIFE_STOPPED == (int)ACTOR_LIFE_STOPPED &&
                   (int)FACTS_LIFE_UNRESPONSIVE == (int)ACTOR_LIFE_UNRESPONSIVE,
               "health: lives in facts.h and actor.h differ");

/* --- presence ---------------------------------------------------------------------------- */

static int presence_publish(struct health *self, struct actor *actor)
{
    struct pack pack;
    int r;

    self->told_at = uv_now(actor_loop(actor));
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_raw(&pack, "presence", presence_list(&self->presence, clock_wall_ms()));
    pack_key(&pack, "_stateVersion");
    pack_map_begin(&pack);
    pack_kv_u64(&pack, "presence", self->presence.version);
    pack_kv_u64(&pack, "health", self->version);
    pack_map_end(&pack);
    pack_map_end(&pack);
    self->told_bytes = pack_span(&pack).len;
    r = pack_error(&pack);
    r = r ? r : actor_publish_span(actor, EVENT_PRESENCE, pack_span(&pack), NULL);
    pack_deinit(&pack);
    return r;
}

static void on_tell(uv_timer_t *timer)
{
    struct actor *actor = actor_current();
    int r = presence_publish(timer->data, actor);

    if (r) {
        actor_fault(actor, r);
    }
}

static uint64_t tell_pause_ms(const struct health *self)
{
    uint64_t pause_ms = self->told_bytes * self->presence.connections_n / TELL_BYTES_PER_MS;

    return pause_ms < TELL_LEAST_MS ? TELL_LEAST_MS : pause_ms > TELL_MOST_MS ? TELL_MOST_MS : pause_ms;
}

/* At once when it was quiet, else together with what follows: a rush of handshakes must
 * not become a rush of lists to everyone, and ten thousand clients not a flood of them. */
int health_presence_tell(struct health *self, struct actor *actor)
{
    uint64_t now = uv_now(actor_loop(actor)), pause_ms = tell_pause_ms(self);

    if (!self->presence.connections_n || uv_is_active((uv_handle_t *)&self->tell)) {
        return 0;
    }
    if (now - self->told_at >= pause_ms) {
        return presence_publish(self, actor);
    }
    return uv_timer_start(&self->tell, on_tell, self->told_at + pause_ms - now, 0);
}

static void on_minute(uv_timer_t *timer)
{
    struct health *self = timer->data;
    struct actor *actor = actor_current();
    int r;

    self->wants_sessions = true;
    self->wants_channels = true;
    r = health_pack(self, actor, true);
    r = r ? r : health_ask(self, actor, 0);
    if (r) {
        actor_fault(actor, r);
    }
}

/* After every change of the connections: those who need to know, and the timer that only
 * runs while there is someone to tell. */
static int clients_follow(struct health *self, struct actor *actor, uint64_t version_before, uint32_t readers_before)
{
    bool is_active = uv_is_active((uv_handle_t *)&self->minute) != 0;
    int r = 0;

    if (self->presence.connections_n && !is_active) {
        r = uv_timer_start(&self->minute, on_minute, MINUTE_MS, MINUTE_MS);
    } else if (!self->presence.connections_n && is_active) {
        uv_timer_stop(&self->minute);
        uv_timer_stop(&self->tell);
    }
    if (!r && (readers_before == 0) != (self->presence.readers_n == 0)) {
        r = actor_publish(actor, MSG_CLIENTS_CHANGED,
                          &(struct msg_clients_changed){ self->presence.connections_n, self->presence.readers_n },
                          NULL);
    }
    if (!r && self->presence.version != version_before) {
        r = health_presence_tell(self, actor);
    }
    return r;
}

static int on_join(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    const struct msg_presence_join *in = msg;
    uint64_t version = self->presence.version;
    uint32_t readers_n = self->presence.readers_n;
    int r = presence_join(&self->presence, actor_ctx_from(ctx),
                          &(struct presence_who){
                              .conn_id = in->conn_id,
                              .client_id = in->client_id,
                              .display_name = in->display_name,
                              .version = in->version,
                              .platform = in->platform,
                              .device_family = in->device_family,
                              .model_identifier = in->model_identifier,
                              .mode = in->mode,
                              .role = in->role,
                              .scopes = in->scopes,
                              .device_id = in->device_id,
                              .instance_id = in->instance_id,
                              .ip = in->ip,
                              .is_local = in->is_local,
                          },
                          clock_wall_ms());

    if (r > 0) {
        return r == PRESENCE_E_FULL ? FAIL_UNAVAILABLE : FAIL_INVALID_REQUEST;
    }
    return r ? r : clients_follow(self, actor_ctx_actor(ctx), version, readers_n);
}

static int on_leave(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    const struct msg_presence_leave *in = msg;
    uint64_t version = self->presence.version;
    uint32_t readers_n = self->presence.readers_n;
    int r = presence_leave(&self->presence, in->conn_id, clock_wall_ms());

    if (r > 0) {
        return 0; /* it joined before we were restarted, and the edge knows it is gone */
    }
    return r ? r : clients_follow(self, actor_ctx_actor(ctx), version, readers_n);
}

static int on_clients_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct health *self = arg;

    (void)msg;
    return actor_reply(ctx, MSG_CLIENTS_COUNT,
                       &(struct msg_clients_count){ self->presence.connections_n, self->presence.readers_n });
}

static int on_approvers_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct health *self = arg;
    const struct msg_approvers_read *in = msg;

    return actor_reply(ctx, MSG_APPROVERS_COUNT,
                       &(struct msg_approvers_count){ presence_approvers(&self->presence, in->except_conn_id) });
}

static int on_system_presence(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;

    (void)msg;
    return actor_reply_span(ctx, presence_list(&self->presence, clock_wall_ms()));
}

/* --- the snapshot -------------------------------------------------------------------------- */

static void defaults_pack(const struct facts *facts, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "defaultAgentId", facts->default_agent);
    pack_kv_text(out, "mainKey", facts->main_key);
    pack_kv_text(out, "mainSessionKey", facts->main_session_key);
    pack_kv_text(out, "scope", facts->is_global ? "global" : "per-sender");
    pack_map_end(out);
}

static int on_snapshot(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    struct pack defaults;
    int r = health_freshen(self, actor_ctx_actor(ctx));

    (void)msg;
    if (r) {
        return r;
    }
    pack_init(&defaults, 4096);
    defaults_pack(&self->facts, &defaults);
    r = pack_error(&defaults);
    r = r ? r
          : actor_reply(ctx, MSG_HEALTH_SNAPSHOT_VALUE,
                        &(struct msg_health_snapshot_value){
                            .presence = presence_list(&self->presence, clock_wall_ms()),
                            .health = body_span(&self->health),
                            .state_version = { self->presence.version, self->version },
                            .uptime_ms = sysinfo_uptime_ms(),
                            .session_defaults = pack_span(&defaults),
                            .ok = self->verdict.is_ok,
                            .why = span_from(self->verdict.why),
                        });
    pack_deinit(&defaults);
    return r;
}

/* What is packed is good enough: nothing changed, or it was asked just now. */
static bool may_answer(const struct health *self, struct actor *actor)
{
    uint64_t age_ms = uv_now(actor_loop(actor)) - self->asked_at;

    if (!self->asked_at) {
        return false;
    }
    if (self->open_n && age_ms >= HEALTH_PATIENCE_MS) {
        return true; /* somebody does not answer: what others know is not held back for him */
    }
    return age_ms < HEALTH_ROUND_LEAST_MS || (!health_is_stale(self) && age_ms < HEALTH_ROUND_MOST_MS);
}

static int wait_for_round(struct health *self, struct actor_ctx *ctx, enum health_want want, uint32_t probe_ms)
{
    int r = health_wait(self, ctx, want, probe_ms + HEALTH_PATIENCE_MS);

    self->wants_sessions = true;
    self->wants_channels = true;
    return r ? r : health_ask(self, actor_ctx_actor(ctx), probe_ms);
}

static int on_health(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    const struct msg_health *in = msg;
    int r;

    if (in->probe) {
        return wait_for_round(self, ctx, HEALTH_WANT_HEALTH, PROBE_DEFAULT_MS);
    }
    if (!may_answer(self, actor_ctx_actor(ctx))) {
        return wait_for_round(self, ctx, HEALTH_WANT_HEALTH, 0);
    }
    r = health_freshen(self, actor_ctx_actor(ctx));
    return r ? r : actor_reply_body(ctx, &self->health);
}

static bool is_admin(const struct type_client *client)
{
    struct value_iter it = value_iter(client->scopes);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is_text(value_str(item, (struct span){ 0 }), "operator.admin")) {
            return true;
        }
    }
    return false;
}

static int on_status(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    const struct msg_status *in = msg;
    bool is_full = in->has_client && is_admin(&in->client);
    int r;

    if (!may_answer(self, actor_ctx_actor(ctx))) {
        return wait_for_round(self, ctx, is_full ? HEALTH_WANT_STATUS_ADMIN : HEALTH_WANT_STATUS, 0);
    }
    r = health_freshen(self, actor_ctx_actor(ctx));
    return r ? r : actor_reply_body(ctx, &self->status[is_full]);
}

static int on_channels_status(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;
    const struct msg_channels_status *in = msg;
    uint64_t probe_ms = in->has_timeout_ms ? in->timeout_ms : PROBE_DEFAULT_MS;

    probe_ms = !in->probe ? 0 : probe_ms < 1 ? 1 : probe_ms > PROBE_MAX_MS ? PROBE_MAX_MS : probe_ms;
    return wait_for_round(self, ctx, HEALTH_WANT_CHANNELS, (uint32_t)probe_ms);
}

/* --- what others announce --------------------------------------------------------------------- */

/* Bodies of sessions.changed are large and not needed: that it came is the news. */
static int on_sessions_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;

    (void)ctx;
    (void)msg;
    self->wants_sessions = true; /* asked when somebody wants to know */
    return 0;
}

static int on_agents_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;

    (void)ctx;
    (void)msg;
    self->wants_roster = true;
    health_ask_soon(self);
    return 0;
}

static int on_channel_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;

    (void)ctx;
    (void)msg;
    self->wants_channels = true;
    health_ask_soon(self);
    return 0;
}

static int on_scheduler_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = arg;

    (void)msg;
    self->wants_beats = true;
    if (!self->is_settled) {
        return health_ask(self, actor_ctx_actor(ctx), 0); /* we are not ready before we know */
    }
    health_ask_soon(self);
    return 0;
}

static void channel_life(struct health *self, struct span address, enum actor_life life)
{
    if (life == ACTOR_LIFE_ABSENT || life == ACTOR_LIFE_STOPPED) {
        facts_channel_drop(&self->facts, address);
        return;
    }
    (void)facts_channel(&self->facts, address); /* too many: it still counts as an actor */
    self->wants_channels = true;
}

/* Whoever came through an edge that is gone is gone too. */
static int edge_life(struct health *self, struct actor *actor, struct span address, enum actor_life life)
{
    uint64_t version = self->presence.version;
    uint32_t readers_n = self->presence.readers_n;

    if (life == ACTOR_LIFE_READY || life == ACTOR_LIFE_STARTING || life == ACTOR_LIFE_UNRESPONSIVE ||
        !presence_leave_edge(&self->presence, address, clock_wall_ms())) {
        return 0;
    }
    return clients_follow(self, actor, version, readers_n);
}

static void on_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct health *self = arg;
    int r = 0;

    if (!facts_life_set(&self->facts, address, (enum facts_life)life, actor_life_status(actor), clock_wall_ms())) {
        return;
    }
    if (span_starts(address, "edge/")) {
        r = edge_life(self, actor, address, life);
    } else if (span_starts(address, "channel/")) {
        channel_life(self, address, life);
    } else if (span_starts(address, "agent/")) {
        self->wants_sessions = true;
    } else if (span_is_text(address, "router") && life == ACTOR_LIFE_READY) {
        self->wants_roster = true;
    } else if (span_is_text(address, "scheduler") && life == ACTOR_LIFE_READY) {
        self->wants_beats = true;
    }
    health_settle(self, actor);
    self->packed_at = 0; /* whoever asks next gets the news, also before the round */
    if (!r && !self->facts.has_roster && facts_is_ready(&self->facts, "router")) {
        r = health_ask(self, actor, 0); /* the gateway is not ready before we know */
    } else {
        health_ask_soon(self);
    }
    if (r) {
        actor_fault(actor, r);
    }
}

/* --- life cycle -------------------------------------------------------------------------------- */

static int presence_start(struct health *self, uint64_t first_version)
{
    struct pack entry;
    uint64_t seed;
    int r;

    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        return FAULT(-errno);
    }
    pack_init(&entry, 4096);
    sysinfo_pack_self(&entry);
    r = pack_error(&entry);
    self->has_presence = true;
    r = r ? r : presence_init(&self->presence, seed, first_version, pack_span(&entry));
    pack_deinit(&entry);
    return r;
}

static int timers_start(struct health *self, uv_loop_t *loop)
{
    int r = uv_timer_init(loop, &self->minute);

    r = r ? r : uv_timer_init(loop, &self->soon);
    r = r ? r : uv_timer_init(loop, &self->tell);
    r = r ? r : uv_timer_init(loop, &self->patience);
    r = r ? r : uv_timer_init(loop, &self->settle);
    self->minute.data = self->soon.data = self->tell.data = self->patience.data = self->settle.data = self;
    self->has_timers = !r; /* uv_timer_init cannot fail half-way: it only initialises memory */
    return r ? FAULT(r) : 0;
}

static void on_settle(uv_timer_t *timer)
{
    struct health *self = timer->data;

    self->is_settled = true;
    actor_ready(actor_current());
}

static int bodies_start(struct health *self)
{
    int r = body_init(&self->health, (struct span){ 0 });

    r = r ? r : body_init(&self->status[0], (struct span){ 0 });
    r = r ? r : body_init(&self->status[1], (struct span){ 0 });
    self->has_bodies = !r;
    return r;
}

/* The number of a life holds that of its host above bit 16, which begins at 1 too. */
static uint64_t lives_before(const struct actor *actor)
{
    uint32_t life = actor_incarnation(actor);

    return life > 0xffff ? life - 0x10001U : life - 1;
}

static int health_init(void *state, struct actor *actor, const char *arg)
{
    struct health *self = state;
    uint64_t first_version = lives_before(actor) * LIFE_VERSIONS + 1;
    int r;

    (void)arg;
    facts_init(&self->facts);
    self->version = first_version;
    (void)uv_loop_configure(actor_loop(actor), UV_METRICS_IDLE_TIME); /* without it utilization reads 1 */
    r = timers_start(self, actor_loop(actor));
    r = r ? r : presence_start(self, first_version);
    r = r ? r : bodies_start(self);
    if (r) {
        return r;
    }
    self->use = sysinfo_use();
    self->wants_roster = true;
    r = actor_watch(actor, "*", on_life);
    r = r ? r : uv_timer_start(&self->settle, on_settle, SETTLE_MS, 0);
    return r ? r : health_pack(self, actor, false);
}

static void health_deinit(void *state, struct actor *actor)
{
    struct health *self = state;

    (void)actor;
    if (self->has_timers) {
        uv_close((uv_handle_t *)&self->minute, NULL);
        uv_close((uv_handle_t *)&self->soon, NULL);
        uv_close((uv_handle_t *)&self->tell, NULL);
        uv_close((uv_handle_t *)&self->patience, NULL);
        uv_close((uv_handle_t *)&self->settle, NULL);
    }
    if (self->has_bodies) {
        body_deinit(&self->health);
        body_deinit(&self->status[0]);
        body_deinit(&self->status[1]);
    }
    if (self->has_presence) {
        presence_deinit(&self->presence);
    }
    health_questions_destroy(self);
    metrics_deinit(&self->metrics);
    facts_deinit(&self->facts);
    free(self->waiters);
}

static const struct actor_route health_routes[] = {
    { MSG_HEALTH, on_health, 0 },
    { MSG_STATUS, on_status, 0 },
    { MSG_SYSTEM_PRESENCE, on_system_presence, 0 },
    { MSG_CHANNELS_STATUS, on_channels_status, 0 },
    { MSG_HEALTH_SNAPSHOT, on_snapshot, 0 },
    { MSG_CLIENTS_READ, on_clients_read, 0 },
    { MSG_APPROVERS_READ, on_approvers_read, 0 },
    { MSG_SYSTEM_EVENT, on_system_event, 0 },
    { MSG_METRICS_TEXT, metrics_on_text, 0 },
    { MSG_SYSTEM_INFO, on_system_info, 0 },
    { MSG_PRESENCE_JOIN, on_join, 0 },
    { MSG_PRESENCE_LEAVE, on_leave, 0 },
};

static const struct actor_route health_topics[] = {
    { EVENT_SESSIONS_CHANGED, on_sessions_changed, ACTOR_RAW },
    { MSG_ROUTER_AGENTS_CHANGED, on_agents_changed, ACTOR_RAW },
    { MSG_CHANNEL_CHANGED, on_channel_changed, ACTOR_RAW },
    { MSG_SCHEDULER_CHANGED, on_scheduler_changed, ACTOR_RAW },
};

const struct actor_def health_actor = {
    .name = "health",
    .state_size = sizeof(struct health),
    .routes = health_routes,
    .routes_n = ARRAY_LEN(health_routes),
    .topics = health_topics,
    .topics_n = ARRAY_LEN(health_topics),
    .init = health_init,
    .deinit = health_deinit,
    .is_ready_late = true,
};
