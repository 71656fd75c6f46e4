/*
 * edge: the outside protocol. Owns the sockets, the connections, their sequence numbers and
 * subscriptions; nothing else writes to a client.
 *
 * Accepts    edge_follow, config_update, metrics_read; topics: every event of the schema, auth_generation,
 *            auth_revoked, auth_edge_settings_changed
 * Asks       auth (auth_connect, auth_http, auth_edge_settings), health (health_snapshot, presence_join and
 *            _leave), router (agent_run, router_agents, router_resolve), the supervisor (bus.operate), and the
 *            owner of each method a client calls
 * Publishes  payload_large, edge_watching
 * On restart clients come again; the listening sockets stay open meanwhile, because the
 * supervising process holds them and they are only lent here (bus/sockets.h).
 */
#include "edge/listener/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/listener/accept.h"
#include "edge/listener/edge.h"
#include "edge/listener/event.h"
#include "edge/listener/exchange.h"
#include "edge/listener/handshake.h"
#include "edge/listener/hello.h"
#include "edge/listener/http1.h"
#include "edge/listener/http2.h"
#include "edge/listener/live.h"
#include "edge/listener/media.h"
#include "edge/listener/node_link.h"
#include "edge/listener/presence.h"
#include "edge/listener/rpc.h"
#include "edge/listener/subscription.h"
#include "edge/listener/tapping.h"
#include "schema/base/gateway_config.h"
#include "schema_gen.h"

#define PACK_MAX 67108864U

/* --- small services ---------------------------------------------------------------------- */

uint64_t edge_now(const struct edge *edge)
{
    return uv_now(actor_loop(edge->actor));
}

uint64_t edge_head_ms(const struct edge *edge)
{
    return edge->handshake_ms < TIME_HEAD_MS ? edge->handshake_ms : TIME_HEAD_MS;
}

struct span edge_date(struct edge *edge)
{
    int64_t now = clock_wall_ms();

    if (now / 1000 != edge->date_s) {
        edge->date_s = now / 1000;
        edge->date = response_date(now, edge->date_text);
    }
    return edge->date;
}

void edge_uuid(char id[EDGE_ID_MAX])
{
    uint8_t b[16];

    /* With 16 bytes and the pool filled at boot it neither blocks nor fails. */
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        abort();
    }
    b[6] = (uint8_t)((b[6] & 0x0fU) | 0x40U);
    b[8] = (uint8_t)((b[8] & 0x3fU) | 0x80U);
    (void)snprintf(id, EDGE_ID_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                   b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]); /* fits */
}

static uint64_t env_number(const char *name, uint64_t fallback, uint64_t max)
{
    const char *text = getenv(name);
    char *end = NULL;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;

    return text && end != text && !*end && value > 0 && value <= max ? value : fallback;
}

/* --- configuration ----------------------------------------------------------------------- */

/* What could end the header was refused before it came here. */
static void transport_security_apply(struct edge *edge, struct span gateway)
{
    struct span value =
        value_str(value_path(gateway, "http.securityHeaders.strictTransportSecurity"), (struct span){ "", 0 });

    while (value.len && value.ptr[0] == ' ') {
        value.ptr++;
        value.len--;
    }
    while (value.len && value.ptr[value.len - 1] == ' ') {
        value.len--;
    }
    if (!gateway_config_is_header(value)) {
        value.len = 0;
    }
    (void)snprintf(edge->transport_security, sizeof(edge->transport_security), "%.*s", SPAN_FMT(value)); /* it fits */
}

/* What "~" means in the config. */
static const char *home_dir(void)
{
    const char *home = getenv("OPENCLAW_HOME"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    home = home && home[0] ? home : getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): as above */
    return home ? home : "";
}

static const char *state_dir(void)
{
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    return state ? state : ".";
}

static void config_apply(struct edge *edge, struct span gateway)
{
    struct span auth = value_get(gateway, "auth");
    struct span mode = value_str(value_get(auth, "mode"), (struct span){ NULL, 0 });

    if (mode.len == 0) {
        bool has_password = value_kind_of(value_get(auth, "password")) == VALUE_STR;

        mode = has_password ? SPAN_LIT("password") : SPAN_LIT("token");
    }
    (void)snprintf(edge->auth_mode, sizeof(edge->auth_mode), "%.*s", SPAN_FMT(mode)); /* longer ones are unknown */
    if (endpoints_read(&edge->endpoints, gateway)) {
        (void)actor_fault(edge->actor, FAULT(-ENOMEM)); /* the loop ends after this turn */
    }
    edge->handshake_ms =
        env_number("OPENCLAW_HANDSHAKE_TIMEOUT_MS",
                   (uint64_t)value_i64(value_get(gateway, "handshakeTimeoutMs"), TIME_HANDSHAKE_MS), 600000);
}

/* Clients are let in once the first words of config and auth are there, for better or worse. */
static void serve(struct edge *edge)
{
    bool is_known = edge->has_sockets && edge->is_configured && edge->is_auth_asked;

    if (edge->is_accepting || edge->is_stopping || !is_known) {
        return;
    }
    int r = accept_open(edge);
    edge->is_accepting = true;
    if (r) {
        (void)actor_fault(edge->actor, r);
    } else {
        actor_ready(edge->actor);
    }
}

static void on_sockets(struct edge *edge)
{
    edge->has_sockets = true;
    serve(edge);
}

static int on_config_update(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct edge *edge = state;
    const struct msg_config_update *in = msg;
    struct config_error error = { "" };
    int r;

    config_apply(edge, value_get(in->config, "gateway"));
    site_configure(&edge->site, in->config, edge->home);
    canvas_configure(&edge->canvas, in->config, edge->home, edge->state_dir);
    live_configure(edge);
    transport_security_apply(edge, value_get(in->config, "gateway"));
    hooks_entry_read(value_get(in->config, "hooks"), &edge->hooks);
    r = cert_apply(edge, value_get(in->config, "gateway"), &error);
    edge->is_configured = true;
    serve(edge);
    return r ? actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", error.text) : config_follow_applied(ctx, msg);
}

/* --- what auth wants to see --------------------------------------------------------------- */

static int headers_note(struct edge *edge, struct span names)
{
    edge->header_names.len = 0;
    return text_buf_add(&edge->header_names, names);
}

static void on_auth_settings(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct edge *edge = state;
    const struct msg_auth_edge_settings_value *value = reply->msg;

    (void)cookie;
    if (reply->failure) {
        return; /* it is asked again when it is ready */
    }
    if (headers_note(edge, value->headers)) {
        (void)actor_fault(actor, -ENOMEM);
        return;
    }
    edge->is_auth_asked = true;
    serve(edge);
}

static int auth_settings_ask(struct edge *edge)
{
    struct msg_auth_edge_settings in = { 0 };
    struct actor_call call = { .to = "auth", .msg = MSG_AUTH_EDGE_SETTINGS, .in = &in, .on_answer = on_auth_settings };

    return actor_call(edge->actor, &call, NULL);
}

static int on_auth_settings_changed(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_edge_settings_changed *in = msg;

    (void)ctx;
    return headers_note(state, in->headers);
}

/* --- other actors ------------------------------------------------------------------------ */

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct edge *edge = state;
    char name[ACTOR_ADDRESS_MAX];
    bool was_ready;

    (void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(address)); /* an address always fits */
    was_ready = ready_life(&edge->ready, name) == ACTOR_LIFE_READY;
    ready_note(&edge->ready, address, life);
    if (life != ACTOR_LIFE_READY || was_ready) {
        return;
    }
    if (span_is(address, SPAN_LIT("health"))) {
        presence_repeat(edge);
        handshake_resume(edge);
    } else if (span_is(address, SPAN_LIT("node"))) {
        node_link_repeat(edge);
    } else if ((span_is(address, SPAN_LIT("config")) && config_follow_life(&edge->follow, life)) ||
               (span_is(address, SPAN_LIT("auth")) && auth_settings_ask(edge))) {
        (void)actor_fault(actor, -EIO); /* the bus itself is broken */
    }
}

static int others_watch(struct edge *edge)
{
    static const char *const needed[] = { "auth", "config", "router", "health", "log" };
    int r = actor_watch(edge->actor, "agent/*", on_life);

    r = r ? r : actor_watch(edge->actor, "node", on_life);

    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        ready_need(&edge->ready, needed[i]);
    }
    for (size_t i = 0; !r && i < ARRAY_LEN(needed); i++) {
        r = actor_watch(edge->actor, needed[i], on_life);
    }
    return r;
}

/* --- handles ----------------------------------------------------------------------------- */

static void stop_check(struct edge *edge)
{
    if (edge->is_stopping && edge->conns_n == 0) {
        actor_stop(edge->actor);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct edge *edge = timer->data;

    conn_sweep(edge, edge_now(edge));
    large_tell(edge);
    accept_resume(edge);
    stop_check(edge);
    if (edge->conns_n == 0) {
        (void)uv_timer_stop(timer); /* an idle edge sleeps */
    }
}

void edge_sweep_start(struct edge *edge)
{
    if (!uv_is_active((uv_handle_t *)&edge->sweep)) {
        (void)uv_timer_start(&edge->sweep, on_sweep, TIME_SWEEP_MS, TIME_SWEEP_MS); /* fails only without a callback */
    }
}

static void on_tick(uv_timer_t *timer)
{
    event_tick(timer->data);
}

/* Then nobody is let in, but the probes say why. */
static void on_patience(uv_timer_t *timer)
{
    struct edge *edge = timer->data;

    edge->is_configured = true;
    edge->is_auth_asked = true;
    serve(edge);
}

static void on_last_word_timer(uv_timer_t *timer)
{
    struct edge *edge = timer->data;

    actor_stop(edge->actor);
}

/* Who answers on another machine does not end with us: nobody but us tells the client that it will have no answer. */
static void on_stop_timer(uv_timer_t *timer)
{
    struct edge *edge = timer->data;

    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        http1_give_up(conn);
        http2_give_up(conn);
    }
    (void)uv_timer_start(timer, on_last_word_timer, TIME_LAST_WORD_MS, 0);
}

static void handles_init(struct edge *edge)
{
    uv_timer_t *timers[] = { &edge->reap, &edge->sweep, &edge->tick, &edge->stop, &edge->patience };

    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        (void)uv_timer_init(actor_loop(edge->actor), timers[i]); /* cannot fail */
        timers[i]->data = edge;
    }
    (void)uv_idle_init(actor_loop(edge->actor), &edge->flush); /* cannot fail either */
    edge->flush.data = edge;
    (void)uv_timer_start(&edge->tick, on_tick, TIME_TICK_MS, TIME_TICK_MS); /* nor this: it has a callback */
    (void)uv_timer_start(&edge->patience, on_patience, TIME_PATIENCE_MS, 0);
    config_follow_open(&edge->follow, edge->actor);
    edge->has_handles = true;
}

static void handles_close(struct edge *edge)
{
    uv_timer_t *timers[] = { &edge->reap, &edge->sweep, &edge->tick, &edge->stop, &edge->patience };

    if (!edge->has_handles) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(timers); i++) {
        uv_close((uv_handle_t *)timers[i], NULL);
    }
    uv_close((uv_handle_t *)&edge->flush, NULL);
    live_close(edge);
    config_follow_close(&edge->follow);
}

/* --- topics ------------------------------------------------------------------------------ */

static const struct actor_route edge_topics[] = {
    { MSG_AUTH_EDGE_SETTINGS_CHANGED, on_auth_settings_changed, 0 },
};

/* --- life cycle -------------------------------------------------------------------------- */

static int edge_init(void *state, struct actor *actor, const char *arg)
{
    struct edge *edge = state;
    int r;

    (void)arg;
    edge->actor = actor;
    edge->started_ms = edge_now(edge);
    edge->handshake_ms = env_number("OPENCLAW_HANDSHAKE_TIMEOUT_MS", TIME_HANDSHAKE_MS, 600000);
    edge->body_ms = env_number("OPENCLAW_HTTP_BODY_TIMEOUT_MS", TIME_BODY_MS, 600000);
    edge->capability_ms = env_number("OPENCLAW_CANVAS_CAPABILITY_TTL_MS", TIME_CAPABILITY_MS, 86400000);
    edge->preauth_max =
        (uint32_t)env_number("OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP", LIMIT_PREAUTH_PER_PEER, LIMIT_CONNECTIONS);
    pack_init(&edge->pack, PACK_MAX);
    handles_init(edge);
    cert_init(edge);
    edge->home = home_dir();
    edge->state_dir = state_dir();
    media_init(edge);
    site_configure(&edge->site, (struct span){ NULL, 0 }, edge->home);
    canvas_configure(&edge->canvas, (struct span){ NULL, 0 }, edge->home, edge->state_dir);
    r = endpoints_read(&edge->endpoints, (struct span){ NULL, 0 });
    r = r ? r : hello_features(&edge->features);
    r = r ? r : conn_context_open(edge);
    r = r ? r : event_subscribe(edge);
    r = r ? r : others_watch(edge);
    r = r ? r : accept_ask(edge, on_sockets);
    return r ? r : auth_settings_ask(edge);
}

static void edge_deinit(void *state, struct actor *actor)
{
    struct edge *edge = state;

    (void)actor;
    accept_close(edge);
    conn_context_close(edge);
    handles_close(edge);
    cert_close(edge);
    cert_deinit(edge);
    exchange_free_orphans(edge);
    handshake_free_orphans(edge);
    rpc_free_orphans(edge);
    subscription_free_orphans(edge);
    tapping_free_orphans(edge);
    peer_table_deinit(&edge->peers);
    write_rate_deinit(&edge->writes);
    tally_deinit(&edge->tally);
    while (edge->spares_n > 0) {
        text_buf_deinit(&edge->spares[--edge->spares_n]);
    }
    endpoints_deinit(&edge->endpoints);
    site_deinit(&edge->site);
    text_buf_deinit(&edge->features);
    text_buf_deinit(&edge->header_names);
    text_buf_deinit(&edge->scratch);
    memo_deinit(&edge->memo);
    pack_deinit(&edge->pack);
}

/* Says goodbye, refuses what is new, and lets what is under way end within the grace time. */
static void edge_on_stop(void *state, struct actor *actor)
{
    struct edge *edge = state;

    edge->is_stopping = true;
    accept_close(edge);
    if (actor_is_restarting(actor)) {
        event_shutdown(edge, "gateway restarting", TIME_RESTART_EXPECTED_MS);
    } else {
        event_shutdown(edge, "gateway stopping", 0);
    }
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        if (ws_of(conn)) {
            ws_leave(conn, WS_CODE_RESTART, SPAN_LIT("service restart"));
        } else if (!live_leave(conn) && !http2_leave(conn) && !http1_leave(conn)) {
            conn_finish(conn);
        }
    }
    if (edge->conns_n == 0) {
        actor_stop(edge->actor);
        return;
    }
    (void)uv_timer_start(&edge->sweep, on_sweep, 20, 20); /* the last connection shall not be waited for longer */
    (void)uv_timer_start(&edge->stop, on_stop_timer, TIME_STOP_MS, 0);
}

static const struct actor_route edge_routes[] = {
    { MSG_METRICS_READ, tally_on_read, 0 },
    { MSG_EDGE_FOLLOW, node_link_on_follow, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};

const struct actor_def edge_actor = {
    .name = "edge",
    .state_size = sizeof(struct edge),
    .routes = edge_routes,
    .routes_n = ARRAY_LEN(edge_routes),
    .topics = edge_topics,
    .topics_n = ARRAY_LEN(edge_topics),
    .init = edge_init,
    .deinit = edge_deinit,
    .on_gap = event_on_gap,
    .on_stop = edge_on_stop,
    .stop_ms = TIME_STOP_MS + TIME_LAST_WORD_MS + 1000,
    .is_ready_late = true,
};
