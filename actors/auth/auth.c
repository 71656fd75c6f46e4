/*
 * auth: decides who may connect, as whom, and with which scopes.
 *
 * Accepts    auth_connect, auth_http, auth_edge_settings
 * Answers    auth_decision, auth_edge_settings_value
 * Publishes  auth_generation, when decisions made so far are void;
 *            auth_edge_settings_changed
 * Reads      gateway.* from config, at the start and whenever it changes
 * On restart devices and the generation are in the database; what is known about
 * addresses that guessed secrets is forgotten.
 */
#include "actors/auth/auth.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/auth/judge.h"
#include "actors/auth/scopes.h"
#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/pack.h"
#include "schema_gen.h"

#define STARTUP_RETRY_MS 500
#define SETTINGS_RETRY_MS 250
#define DETAILS_MAX 65536
#define BURST_MS 10000

struct auth {
    struct actor *actor;
    uint64_t generation; /* 0: settings have never been read */
    struct pack scratch;
    uv_timer_t retry;
    bool has_timer;
    uint64_t refused_ms;   /* when a refusal was last logged; 0: never */
    uint32_t refused_held; /* refusals since then */
    struct judge judge;    /* last, because it is large and mostly untouched */
};

static struct judge_time now(void)
{
    return (struct judge_time){ .wall_ms = clock_wall_ms(), .mono_ms = clock_mono_ms() };
}

/* --- saying no --------------------------------------------------------------------------- */

/* What strangers can cause at will is logged once per burst, with a number. */
static void refusal_note(struct auth *self, struct span remote, const char *why)
{
    uint64_t now_ms = clock_mono_ms();

    if (self->refused_ms && now_ms - self->refused_ms < BURST_MS) {
        self->refused_held++;
        return;
    }
    log_warning("auth_refused", "remote=%.*s why=\"%s\" before=%u", SPAN_FMT(remote), why, self->refused_held);
    self->refused_ms = now_ms;
    self->refused_held = 0;
}

static int starting_fail(struct actor_ctx *ctx)
{
    CLEANUP(pack_deinit) struct pack details;

    pack_init(&details, DETAILS_MAX);
    pack_map_begin(&details);
    pack_kv_text(&details, "reason", "startup-sidecars");
    pack_kv_i64(&details, "_closeCode", 1013);
    pack_kv_text(&details, "_closeReason", "gateway starting");
    pack_kv_i64(&details, "_httpStatus", 503);
    pack_map_end(&details);
    return actor_fail_with(ctx, &(struct failure){
                                    .code = FAIL_UNAVAILABLE,
                                    .message = SPAN_LIT("gateway starting; retry shortly"),
                                    .retryable = true,
                                    .retry_after_ms = STARTUP_RETRY_MS,
                                    .details = pack_span(&details),
                                });
}

static int connect_refuse(struct auth *self, struct actor_ctx *ctx, const struct judge_ask *ask,
                          struct judge_verdict *verdict)
{
    CLEANUP(pack_deinit) struct pack details;
    char text[REFUSAL_TEXT_MAX];

    pack_init(&details, DETAILS_MAX);
    pack_reset(&self->scratch);
    scopes_pack_asked(ask->request->scopes, &self->scratch);
    verdict->facts.requested_scopes = pack_span(&self->scratch);
    refusal_pack(verdict->refusal, &verdict->facts, &details);
    refusal_text(verdict->refusal, &verdict->facts, text);
    refusal_note(self, ask->peer->remote, text);
    return actor_fail_with(ctx, &(struct failure){
                                    .code = refusal_code(verdict->refusal),
                                    .message = span_from(text),
                                    .retry_after_ms = verdict->refusal == REFUSAL_RATE ? verdict->wait_ms : 0,
                                    .details = pack_span(&details),
                                });
}

static int http_refuse(struct actor_ctx *ctx, enum refusal refusal, uint32_t wait_ms)
{
    bool is_rate = refusal == REFUSAL_RATE;
    bool is_origin = refusal == REFUSAL_ORIGIN || refusal == REFUSAL_ORIGIN_MISSING;
    CLEANUP(pack_deinit) struct pack details;

    pack_init(&details, DETAILS_MAX);
    pack_map_begin(&details);
    pack_kv_i64(&details, "_httpStatus", is_rate ? 429 : is_origin ? 403 : 401);
    pack_map_end(&details);
    return actor_fail_with(ctx, &(struct failure){
                                    .code = FAIL_INVALID_REQUEST,
                                    .message = is_rate     ? SPAN_LIT("Too many failed authentication attempts. Please "
                                                                          "try again later.")
                                               : is_origin ? SPAN_LIT("Forbidden")
                                                           : SPAN_LIT("Unauthorized"),
                                    .retry_after_ms = is_rate ? wait_ms : 0,
                                    .details = pack_span(&details),
                                });
}

/* --- handlers ------------------------------------------------------------------------------- */

static int connect_admit(struct auth *self, struct actor_ctx *ctx, const struct judge_ask *ask,
                         const struct judge_verdict *verdict)
{
    bool has_device = verdict->device_id[0] != '\0';
    char principal[ACTOR_PRINCIPAL_MAX];

    if (verdict->is_newly_approved) {
        log_info("device_approved", "device=%.32s role=%s remote=%.*s", verdict->device_id,
                 connect_role_name(verdict->role), SPAN_FMT(ask->peer->remote));
    }
    if (has_device) {
        snprintf(principal, sizeof(principal), "device/%.32s", verdict->device_id);
    } else {
        snprintf(principal, sizeof(principal), "shared/%.*s", SPAN_FMT(ask->peer->remote));
    }
    pack_reset(&self->scratch);
    judge_scopes_pack(ask, verdict, &self->scratch);
    return actor_reply(ctx, MSG_AUTH_DECISION,
                       &(struct msg_auth_decision){
                           .principal = span_from(principal),
                           .role = span_from(connect_role_name(verdict->role)),
                           .scopes = pack_span(&self->scratch),
                           .generation = self->generation,
                           .method = span_from(verdict->method),
                           .is_local = verdict->is_local,
                           .has_device_id = has_device,
                           .device_id = span_from(verdict->device_id),
                           .has_device_token = has_device,
                           .device_token = span_from(verdict->device.token),
                           .has_issued_at_ms = has_device,
                           .issued_at_ms = verdict->device.issued_at_ms,
                       });
}

static int on_connect(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_auth_connect *in = msg;
    struct connect_request request;
    struct connect_peer peer = {
        .remote = in->remote,
        .origin = in->origin,
        .host = in->host,
        .is_loopback = in->is_loopback,
        .has_proxy_header = in->has_proxy_header,
    };
    struct judge_ask ask = {
        .peer = &peer,
        .request = &request,
        .protocol = in->protocol,
        .nonce = in->nonce,
        .now = now(),
    };
    struct judge_verdict verdict;

    if (!self->generation) {
        return starting_fail(ctx);
    }
    if (connect_parse(in->params, &request)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid connect params");
    }
    int r = judge_connect(&self->judge, &ask, &verdict);
    if (r) {
        return r < 0 ? r : actor_fail(ctx, FAIL_STORAGE, "the device cannot be stored: disk full or failing");
    }
    return verdict.refusal == REFUSAL_NONE ? connect_admit(self, ctx, &ask, &verdict)
                                           : connect_refuse(self, ctx, &ask, &verdict);
}

/* The gateway's secret as bearer makes an operator with every scope; that is what it is for. */
static int on_http(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_auth_http *in = msg;
    struct connect_peer peer = {
        .remote = in->remote,
        .origin = in->origin,
        .host = in->host,
        .is_loopback = in->is_loopback,
        .has_proxy_header = in->has_proxy_header,
    };
    char principal[ACTOR_PRINCIPAL_MAX];
    uint32_t wait_ms = 0;

    if (!self->generation) {
        return starting_fail(ctx);
    }
    enum refusal refusal = judge_bearer(&self->judge, &peer, in->bearer, now(), &wait_ms);
    if (refusal != REFUSAL_NONE) {
        refusal_note(self, in->remote, refusal == REFUSAL_RATE ? "http: too many attempts" : "http: unauthorized");
        return http_refuse(ctx, refusal, wait_ms);
    }
    snprintf(principal, sizeof(principal), "http/%.*s", SPAN_FMT(in->remote));
    pack_reset(&self->scratch);
    scopes_pack(SCOPES_ALL, &self->scratch);
    return actor_reply(ctx, MSG_AUTH_DECISION,
                       &(struct msg_auth_decision){
                           .principal = span_from(principal),
                           .role = SPAN_LIT("operator"),
                           .scopes = pack_span(&self->scratch),
                           .generation = self->generation,
                           .method = span_from(settings_mode_name(self->judge.settings.mode)),
                           .is_local = connect_is_local(&peer),
                       });
}

static int on_edge_settings(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;

    (void)msg;
    if (!self->generation) {
        return starting_fail(ctx);
    }
    return actor_reply(ctx, MSG_AUTH_EDGE_SETTINGS_VALUE,
                       &(struct msg_auth_edge_settings_value){ .headers = pack_span(&self->judge.settings.headers) });
}

/* --- settings --------------------------------------------------------------------------------- */

static void settings_request(struct auth *self);

static void on_retry(uv_timer_t *timer)
{
    settings_request(timer->data);
}

static int generation_update(struct auth *self)
{
    uint64_t generation = 0;
    bool is_first = !self->generation;
    struct span facts = settings_describe(&self->judge.settings, &self->scratch);
    int r = facts.len ? store_generation(self->judge.store, facts, &generation) : FAULT(-ENOMEM);

    if (r) {
        return r > 0 ? FAULT(-EIO) : r;
    }
    bool is_new = generation != self->generation;
    self->generation = generation;
    if (is_first) {
        actor_ready(self->actor);
    }
    r = actor_publish(self->actor, MSG_AUTH_EDGE_SETTINGS_CHANGED,
                      &(struct msg_auth_edge_settings_changed){ .headers = pack_span(&self->judge.settings.headers) },
                      NULL);
    if (r) {
        return r;
    }
    return is_new && !is_first ? actor_publish(self->actor, MSG_AUTH_GENERATION,
                                               &(struct msg_auth_generation){ .generation = generation }, NULL)
                               : 0;
}

static void on_settings(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct auth *self = arg;
    const struct msg_config_value *in = answer->msg;

    (void)cookie;
    if (answer->failure || !in) {
        uv_timer_start(&self->retry, on_retry, SETTINGS_RETRY_MS, 0);
        return;
    }
    if (settings_apply(&self->judge.settings, in->value)) {
        /* What was in force stays in force: config refuses such values before anybody sees them. */
        actor_status(actor, "gateway.auth cannot be understood");
        return;
    }
    actor_status(actor, "");
    judge_rules_update(&self->judge);
    int fault = generation_update(self);
    if (fault) {
        actor_fault(actor, fault);
    }
}

static void settings_request(struct auth *self)
{
    struct actor_call call = {
        .to = "config",
        .msg = MSG_CONFIG_READ,
        .in = &(struct msg_config_read){ .path = SPAN_LIT("gateway") },
        .on_answer = on_settings,
    };
    int fault = actor_call(self->actor, &call, NULL);

    if (fault) {
        actor_fault(self->actor, fault);
    }
}

/* Also after config has crashed: what changed meanwhile is not announced. */
static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    (void)actor;
    (void)address;
    if (life == ACTOR_LIFE_READY) {
        settings_request(arg);
    }
}

static int on_config_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)ctx;
    (void)msg;
    settings_request(arg);
    return 0;
}

/* --- life ---------------------------------------------------------------------------------------- */

static int db_path(char path[PATH_MAX])
{
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (!state || snprintf(path, PATH_MAX, "%s/db", state) >= PATH_MAX) {
        return FAULT(-EINVAL);
    }
    if (mkdir(path, 0700) && errno != EEXIST) {
        return FAULT(-errno);
    }
    return snprintf(path, PATH_MAX, "%s/db/auth.sqlite", state) < PATH_MAX ? 0 : FAULT(-ENAMETOOLONG);
}

static int auth_init(void *state, struct actor *actor, const char *arg)
{
    struct auth *self = state;
    char path[PATH_MAX];

    (void)arg;
    self->actor = actor;
    pack_init(&self->scratch, 1U << 20);
    uv_timer_init(actor_loop(actor), &self->retry);
    self->retry.data = self;
    self->has_timer = true;
    int fault = db_path(path);
    fault = fault ? fault : judge_init(&self->judge, path);
    return fault ? fault : actor_watch(actor, "config", on_config_life);
}

static void auth_deinit(void *state, struct actor *actor)
{
    struct auth *self = state;

    (void)actor;
    if (self->has_timer) {
        uv_close((uv_handle_t *)&self->retry, NULL);
    }
    judge_deinit(&self->judge);
    pack_deinit(&self->scratch);
}

static const struct actor_route auth_routes[] = {
    { MSG_AUTH_CONNECT, on_connect, 0 },
    { MSG_AUTH_HTTP, on_http, 0 },
    { MSG_AUTH_EDGE_SETTINGS, on_edge_settings, 0 },
};
_Static_assert(ARRAY_LEN(auth_routes) == AUTH_ACCEPTS_N, "auth: routes, schema differ");

static const struct actor_route auth_topics[] = {
    { MSG_CONFIG_CHANGED, on_config_changed, 0 },
};

const struct actor_def auth_actor = {
    .name = "auth",
    .state_size = sizeof(struct auth),
    .routes = auth_routes,
    .routes_n = ARRAY_LEN(auth_routes),
    .topics = auth_topics,
    .topics_n = ARRAY_LEN(auth_topics),
    .init = auth_init,
    .deinit = auth_deinit,
    .is_ready_late = true,
};
