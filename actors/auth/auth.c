/*
 * auth: decides who may connect, as whom, and with which scopes.
 *
 * Accepts    auth_connect, auth_http
 * Answers    auth_decision
 * Publishes  auth_generation, when decisions made so far are void
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
#include <sys/random.h>
#include <sys/stat.h>

#include "actors/auth/connect.h"
#include "actors/auth/device.h"
#include "actors/auth/limiter.h"
#include "actors/auth/pairing.h"
#include "actors/auth/refusal.h"
#include "actors/auth/scopes.h"
#include "actors/auth/secret.h"
#include "actors/auth/settings.h"
#include "actors/auth/store.h"
#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema_gen.h"

#define NOTHING ((struct span){ 0 })
#define STARTUP_RETRY_MS 500
#define SETTINGS_RETRY_MS 250
#define BROWSER_ATTEMPTS 10
#define BROWSER_WINDOW_MS 60000
#define BROWSER_LOCKOUT_MS 300000

struct auth {
    struct actor *actor;
    struct store *store;
    struct secret_key key;
    struct settings settings;
    uint64_t generation; /* 0: settings have never been read */
    uv_timer_t retry;
    bool has_timer;
    struct pack scratch;
    struct limiter limiter;         /* programs, by address */
    struct limiter browser_limiter; /* pages of this machine, by origin: always on */
};

/* One connection attempt while it is judged. */
struct attempt {
    const struct connect_peer *peer;
    const struct connect_request *request;
    enum connect_role role;
    bool is_local;
    bool is_shared_ok;         /* showed the gateway's secret, or none is needed */
    enum refusal shared;       /* what was wrong with it otherwise */
    const char *method;        /* of auth_decision */
    uint32_t wait_ms;          /* REFUSAL_RATE */
    struct refusal_facts facts;
    char request_id[37];
    struct store_device device;
    char device_id[DEVICE_ID_LEN];
};

/* --- limits on guessing ------------------------------------------------------------------ */

struct guard {
    struct limiter *limiter; /* NULL: exempt */
    char buf[LIMITER_KEY_MAX];
    struct span name;
};

static void guard_init(struct guard *guard, struct auth *self, const struct connect_peer *peer, const char *scope)
{
    bool is_on_socket = peer->is_loopback && !peer->has_proxy_header;

    *guard = (struct guard){ 0 };
    if (is_on_socket && peer->origin.len) {
        guard->limiter = &self->browser_limiter;
        guard->name = limiter_name("browser-origin", peer->origin, guard->buf);
    } else if (!is_on_socket || !self->settings.is_loopback_exempt) {
        guard->limiter = &self->limiter;
        guard->name = limiter_name(scope, peer->remote, guard->buf);
    }
}

static uint32_t guard_wait_ms(struct guard *guard)
{
    return guard->limiter ? limiter_wait_ms(guard->limiter, guard->name, clock_mono_ms()) : 0;
}

static void guard_note(struct guard *guard, bool is_right)
{
    if (!guard->limiter) {
        return;
    }
    if (is_right) {
        limiter_succeeded(guard->limiter, guard->name, clock_mono_ms());
    } else {
        limiter_failed(guard->limiter, guard->name, clock_mono_ms());
    }
}

/* --- shared secrets -------------------------------------------------------------------------- */

/* Judges one secret. An empty one was not offered, which is no guess and is not counted. */
static enum refusal secret_judge(struct auth *self, const struct connect_peer *peer, struct span token,
                                 struct span password, uint32_t *ret_wait_ms)
{
    const struct settings *settings = &self->settings;
    bool is_token = settings->mode == SETTINGS_TOKEN;
    struct span given = is_token ? token : password;
    struct span expected = span_from(is_token ? settings->token : settings->password);
    struct guard guard;

    if (settings->mode == SETTINGS_NONE) {
        return REFUSAL_NONE;
    }
    if (!expected.len) {
        return is_token ? REFUSAL_TOKEN_UNCONFIGURED : REFUSAL_PASSWORD_UNCONFIGURED;
    }
    if (!given.len) {
        return is_token ? REFUSAL_TOKEN_MISSING : REFUSAL_PASSWORD_MISSING;
    }
    guard_init(&guard, self, peer, "shared-secret");
    *ret_wait_ms = guard_wait_ms(&guard);
    if (*ret_wait_ms) {
        return REFUSAL_RATE;
    }
    bool is_right = secret_match(&self->key, given, expected);
    guard_note(&guard, is_right);
    if (is_right) {
        return REFUSAL_NONE;
    }
    return is_token ? REFUSAL_TOKEN : REFUSAL_PASSWORD;
}

static void shared_judge(struct auth *self, struct attempt *attempt)
{
    const struct connect_request *request = attempt->request;

    attempt->shared = secret_judge(self, attempt->peer, request->token, request->password, &attempt->wait_ms);
    attempt->is_shared_ok = attempt->shared == REFUSAL_NONE;
    attempt->method = settings_mode_name(self->settings.mode);
}

/* --- without a device ---------------------------------------------------------------------------- */

static enum refusal no_device_judge(struct auth *self, const struct attempt *attempt)
{
    const struct connect_request *request = attempt->request;
    bool is_offered = request->token.len || request->password.len || request->device_token.len ||
                      request->bootstrap_token.len;

    if (connect_is_ui(request)) {
        return REFUSAL_UI_DEVICE;
    }
    if (attempt->is_shared_ok && attempt->role == CONNECT_ROLE_OPERATOR && self->settings.mode != SETTINGS_NONE) {
        return REFUSAL_NONE;
    }
    return attempt->is_shared_ok || !is_offered ? REFUSAL_DEVICE_REQUIRED : attempt->shared;
}

/*
 * Without a device only the gateway's own helper programs on this machine keep what they
 * ask for; everybody else is in, but may do nothing.
 */
static void no_device_scopes_pack(const struct attempt *attempt, struct pack *out)
{
    bool is_kept = attempt->is_local && connect_is_backend(attempt->request) && !attempt->peer->origin.len;

    if (is_kept) {
        scopes_pack_asked(attempt->request->scopes, out);
    } else {
        scopes_pack(0, out);
    }
}

/* --- with a device ---------------------------------------------------------------------------------- */

static struct store_identity identity_of(const struct attempt *attempt, char key[DEVICE_KEY_LEN],
                                         char platform[DEVICE_META_MAX], char family[DEVICE_META_MAX])
{
    const struct connect_request *request = attempt->request;
    unsigned char raw[32] = { 0 };

    (void)device_key_decode(request->device.public_key, raw); /* it was, when the signature was checked */
    device_key_encode(raw, key);
    device_meta_normalize(request->platform, platform);
    device_meta_normalize(request->device_family, family);
    return (struct store_identity){
        .device_id = attempt->device_id,
        .public_key = key,
        .role = connect_role_name(attempt->role),
        .platform = platform,
        .device_family = family,
        .client_id = request->client_id,
        .client_mode = request->client_mode,
        .display_name = request->display_name,
        .remote = attempt->peer->remote,
    };
}

/* The second way in: the token that this device was given when it was paired. */
static enum refusal device_token_judge(struct auth *self, struct attempt *attempt)
{
    const struct connect_request *request = attempt->request;
    struct span given = request->device_token.len ? request->device_token : request->token;
    struct guard guard;

    if (request->bootstrap_token.len && !given.len) {
        return REFUSAL_BOOTSTRAP;
    }
    if (!given.len || attempt->shared == REFUSAL_RATE) {
        return attempt->shared;
    }
    guard_init(&guard, self, attempt->peer, "device-token");
    attempt->wait_ms = guard_wait_ms(&guard);
    if (attempt->wait_ms) {
        return REFUSAL_RATE;
    }
    bool is_right = attempt->device.has_role && secret_match(&self->key, given, span_from(attempt->device.token));
    if (is_right || request->device_token.len) {
        guard_note(&guard, is_right); /* a wrong shared token was counted as such already */
    }
    if (is_right) {
        attempt->method = "device-token";
        return REFUSAL_NONE;
    }
    return request->device_token.len ? REFUSAL_DEVICE_TOKEN : attempt->shared;
}

static struct pairing_verdict pairing_judge(const struct auth *self, const struct attempt *attempt,
                                            const struct store_identity *identity, uint32_t asked)
{
    const struct store_device *device = &attempt->device;
    bool is_by_token = !attempt->is_shared_ok;
    struct pairing_facts facts = {
        .proof = is_by_token                            ? PAIRING_PROOF_DEVICE_TOKEN
                 : self->settings.mode == SETTINGS_NONE ? PAIRING_PROOF_NONE_NEEDED
                                                        : PAIRING_PROOF_SECRET,
        .is_local = attempt->is_local,
        .has_origin = attempt->peer->origin.len > 0,
        .is_ui = connect_is_ui(attempt->request),
        .is_paired = device->is_paired,
        .has_role = device->has_role,
        .is_meta_same = !strcmp(device->platform, identity->platform) &&
                        !strcmp(device->device_family, identity->device_family),
        .approved = device->scopes,
        .asked = asked,
    };
    return pairing_decide(&facts);
}

static const char *pairing_reason(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_ROLE_UPGRADE:
        return "role-upgrade";
    case REFUSAL_SCOPE_UPGRADE:
        return "scope-upgrade";
    case REFUSAL_METADATA_UPGRADE:
        return "metadata-upgrade";
    default:
        return "not-paired";
    }
}

/* 0 with the refusal set (or none), or an outcome of the store, or a fault. */
static int pair(struct auth *self, struct attempt *attempt, enum refusal *ret_refusal)
{
    char key[DEVICE_KEY_LEN];
    char platform[DEVICE_META_MAX];
    char family[DEVICE_META_MAX];
    struct store_identity identity = identity_of(attempt, key, platform, family);
    bool is_operator = attempt->role == CONNECT_ROLE_OPERATOR;
    uint32_t asked = is_operator ? scopes_expand(scopes_from_list(attempt->request->scopes)) : 0;
    struct pairing_verdict verdict = pairing_judge(self, attempt, &identity, asked);

    *ret_refusal = REFUSAL_NONE;
    if (verdict.reason == REFUSAL_NONE) {
        return 0;
    }
    if (verdict.is_silent) {
        return store_device_approve(self->store, &identity, asked | attempt->device.scopes, clock_wall_ms(),
                                    &attempt->device);
    }
    *ret_refusal = verdict.reason;
    attempt->facts.request_id = attempt->request_id;
    attempt->facts.is_known = attempt->device.is_paired;
    attempt->facts.approved_roles = attempt->device.roles;
    attempt->facts.approved_scopes = attempt->device.scopes;
    return store_pending_put(self->store, &identity, asked, pairing_reason(verdict.reason), clock_wall_ms(),
                             attempt->request_id);
}

static int device_judge(struct auth *self, struct attempt *attempt, struct span nonce, enum refusal *ret_refusal)
{
    const struct connect_request *request = attempt->request;
    int r = device_verify(request, nonce, clock_wall_ms());

    if (r) {
        *ret_refusal = r > 0 ? (enum refusal)r : REFUSAL_NONE;
        return r > 0 ? 0 : r;
    }
    snprintf(attempt->device_id, sizeof(attempt->device_id), "%.*s", SPAN_FMT(request->device.id));
    r = store_device_find(self->store, attempt->device_id, connect_role_name(attempt->role), &attempt->device);
    if (r) {
        return r;
    }
    if (!attempt->is_shared_ok) {
        *ret_refusal = device_token_judge(self, attempt);
        if (*ret_refusal != REFUSAL_NONE) {
            return 0;
        }
    }
    return pair(self, attempt, ret_refusal);
}

/* --- the whole judgement -------------------------------------------------------------------------------- */

static int judge(struct auth *self, struct attempt *attempt, const struct msg_auth_connect *in,
                 enum refusal *ret_refusal)
{
    const struct connect_request *request = attempt->request;

    attempt->facts.protocol = (int)in->protocol;
    if (request->protocol_max < (int64_t)in->protocol || request->protocol_min > (int64_t)in->protocol) {
        *ret_refusal = REFUSAL_PROTOCOL;
        return 0;
    }
    *ret_refusal = connect_role_of(request, &attempt->role);
    if (*ret_refusal == REFUSAL_NONE) {
        struct span allowed = pack_span(&self->settings.origins);
        *ret_refusal = connect_origin_check(request, attempt->peer, allowed);
    }
    if (*ret_refusal != REFUSAL_NONE) {
        return 0;
    }
    shared_judge(self, attempt);
    if (!request->device.is_present) {
        *ret_refusal = no_device_judge(self, attempt);
        return 0;
    }
    return device_judge(self, attempt, in->nonce, ret_refusal);
}

static enum refusal_audience audience_of(const struct connect_request *request)
{
    if (span_is_text(request->client_mode, "cli")) {
        return REFUSAL_FOR_CLI;
    }
    return connect_is_ui(request) || span_is_text(request->client_id, "openclaw-tui") ? REFUSAL_FOR_PAGE
                                                                                       : REFUSAL_FOR_OTHERS;
}

static int refuse(struct auth *self, struct actor_ctx *ctx, struct attempt *attempt, enum refusal refusal)
{
    const struct connect_request *request = attempt->request;
    char text[REFUSAL_TEXT_MAX];

    attempt->facts.audience = audience_of(request);
    attempt->facts.can_retry_with_device_token =
        request->device.is_present && request->token.len && !request->device_token.len;
    attempt->facts.device_id = request->device.id;
    attempt->facts.requested_role = connect_role_name(attempt->role);
    pack_reset(&self->scratch);
    scopes_pack_asked(request->scopes, &self->scratch);
    struct pack details;
    pack_init(&details, 65536);
    attempt->facts.requested_scopes = pack_span(&self->scratch);
    refusal_pack(refusal, &attempt->facts, &details);
    refusal_text(refusal, &attempt->facts, text);
    int r = actor_fail_with(ctx, &(struct failure){
                                     .code = refusal_code(refusal),
                                     .message = span_from(text),
                                     .retry_after_ms = refusal == REFUSAL_RATE ? attempt->wait_ms : 0,
                                     .details = pack_span(&details),
                                 });
    pack_deinit(&details);
    return r;
}

static int admit(struct auth *self, struct actor_ctx *ctx, const struct attempt *attempt)
{
    bool has_device = attempt->request->device.is_present;
    char principal[ACTOR_PRINCIPAL_MAX];
    struct msg_auth_decision out = {
        .role = span_from(connect_role_name(attempt->role)),
        .generation = self->generation,
        .method = span_from(attempt->method),
        .is_local = attempt->is_local,
    };

    pack_reset(&self->scratch);
    if (has_device) {
        snprintf(principal, sizeof(principal), "device/%.32s", attempt->device_id);
        scopes_pack(scopes_expand(attempt->device.scopes), &self->scratch);
        out.has_device_id = out.has_device_token = out.has_issued_at_ms = true;
        out.device_id = span_from(attempt->device_id);
        out.device_token = span_from(attempt->device.token);
        out.issued_at_ms = attempt->device.issued_at_ms;
    } else {
        snprintf(principal, sizeof(principal), "shared/%.*s", SPAN_FMT(attempt->peer->remote));
        no_device_scopes_pack(attempt, &self->scratch);
    }
    out.principal = span_from(principal);
    out.scopes = pack_span(&self->scratch);
    return actor_reply(ctx, MSG_AUTH_DECISION, &out);
}

/* --- handlers --------------------------------------------------------------------------------------------- */

static int starting_fail(struct actor_ctx *ctx)
{
    struct pack details;

    pack_init(&details, 1024);
    pack_map_begin(&details);
    pack_kv_text(&details, "reason", "startup-sidecars");
    pack_kv_i64(&details, "_closeCode", 1013);
    pack_kv_text(&details, "_closeReason", "gateway starting");
    pack_kv_i64(&details, "_httpStatus", 503);
    pack_map_end(&details);
    int r = actor_fail_with(ctx, &(struct failure){
                                     .code = FAIL_UNAVAILABLE,
                                     .message = SPAN_LIT("gateway starting; retry shortly"),
                                     .retryable = true,
                                     .retry_after_ms = STARTUP_RETRY_MS,
                                     .details = pack_span(&details),
                                 });
    pack_deinit(&details);
    return r;
}

static int storage_fail(struct actor_ctx *ctx, int r)
{
    return r < 0 ? r : actor_fail(ctx, FAIL_STORAGE, "the device could not be stored: disk full or failing");
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
    struct attempt attempt = { .peer = &peer, .request = &request, .is_local = connect_is_local(&peer) };
    enum refusal refusal = REFUSAL_NONE;

    if (!self->generation) {
        return starting_fail(ctx);
    }
    if (connect_parse(in->params, &request)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid connect params");
    }
    int r = judge(self, &attempt, in, &refusal);
    if (r) {
        return storage_fail(ctx, r);
    }
    return refusal == REFUSAL_NONE ? admit(self, ctx, &attempt) : refuse(self, ctx, &attempt, refusal);
}

static int http_refuse(struct actor_ctx *ctx, enum refusal refusal, uint32_t wait_ms)
{
    bool is_rate = refusal == REFUSAL_RATE;
    struct pack details;

    pack_init(&details, 1024);
    pack_map_begin(&details);
    pack_kv_i64(&details, "_httpStatus", is_rate ? 429 : 401);
    pack_map_end(&details);
    int r = actor_fail_with(ctx, &(struct failure){
                                     .code = FAIL_INVALID_REQUEST,
                                     .message = is_rate ? SPAN_LIT("Too many failed authentication attempts. Please "
                                                                   "try again later.")
                                                        : SPAN_LIT("Unauthorized"),
                                     .retry_after_ms = is_rate ? wait_ms : 0,
                                     .details = pack_span(&details),
                                 });
    pack_deinit(&details);
    return r;
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
    enum refusal refusal = secret_judge(self, &peer, in->bearer, in->bearer, &wait_ms);
    if (refusal != REFUSAL_NONE) {
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
                           .method = span_from(settings_mode_name(self->settings.mode)),
                           .is_local = connect_is_local(&peer),
                       });
}

/* --- settings ---------------------------------------------------------------------------------------------- */

static void settings_request(struct auth *self);

static void on_retry(uv_timer_t *timer)
{
    settings_request(timer->data);
}

static int generation_update(struct auth *self)
{
    uint64_t generation = 0;
    struct span facts = settings_describe(&self->settings, &self->scratch);
    int r = facts.len ? store_generation(self->store, facts, &generation) : FAULT(-ENOMEM);

    if (r) {
        return r > 0 ? FAULT(-EIO) : r;
    }
    bool is_first = !self->generation;
    bool is_new = generation != self->generation;
    self->generation = generation;
    if (is_first) {
        actor_ready(self->actor);
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
    if (settings_apply(&self->settings, in->value)) {
        /* What was in force stays in force: config refuses such values before anybody sees them. */
        actor_status(actor, "gateway.auth cannot be understood");
        return;
    }
    actor_status(actor, "");
    limiter_rules_set(&self->limiter, self->settings.rules);
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

static int on_config_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)ctx;
    (void)msg;
    settings_request(arg);
    return 0;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static int db_path(char path[PATH_MAX])
{
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (!state || snprintf(path, PATH_MAX, "%s/db", state) >= PATH_MAX - 16) {
        return FAULT(-EINVAL);
    }
    if (mkdir(path, 0700) && errno != EEXIST) {
        return FAULT(-errno);
    }
    strcat(path, "/auth.sqlite");
    return 0;
}

static int auth_init(void *state, struct actor *actor, const char *arg)
{
    struct auth *self = state;
    struct limiter_rules browser = { BROWSER_ATTEMPTS, BROWSER_WINDOW_MS, BROWSER_LOCKOUT_MS };
    uint64_t seeds[2];
    char path[PATH_MAX];

    (void)arg;
    self->actor = actor;
    pack_init(&self->scratch, 1U << 20);
    settings_init(&self->settings);
    uv_timer_init(actor_loop(actor), &self->retry);
    self->retry.data = self;
    self->has_timer = true;
    if (getrandom(seeds, sizeof(seeds), 0) != (ssize_t)sizeof(seeds)) {
        return FAULT(-EIO);
    }
    limiter_init(&self->limiter, self->settings.rules, seeds[0]);
    limiter_init(&self->browser_limiter, browser, seeds[1]);
    int fault = secret_key_init(&self->key);
    fault = fault ? fault : db_path(path);
    fault = fault ? fault : store_open(path, &self->store);
    if (!fault) {
        settings_request(self);
    }
    return fault;
}

static void auth_deinit(void *state, struct actor *actor)
{
    struct auth *self = state;

    (void)actor;
    if (self->has_timer) {
        uv_close((uv_handle_t *)&self->retry, NULL);
    }
    store_close(&self->store);
    settings_deinit(&self->settings);
    pack_deinit(&self->scratch);
    mem_wipe(&self->key, sizeof(self->key));
}

static const struct actor_route auth_routes[] = {
    { MSG_AUTH_CONNECT, on_connect, 0 },
    { MSG_AUTH_HTTP, on_http, 0 },
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
