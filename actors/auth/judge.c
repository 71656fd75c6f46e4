#include "actors/auth/judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "actors/auth/device.h"
#include "actors/auth/pairing.h"
#include "actors/auth/scopes.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define BROWSER_ATTEMPTS 10
#define BROWSER_WINDOW_MS 60000
#define BROWSER_LOCKOUT_MS 300000

/* --- life ------------------------------------------------------------------------------ */

int judge_init(struct judge *self, const char *db_path)
{
    struct limiter_rules browser = { BROWSER_ATTEMPTS, BROWSER_WINDOW_MS, BROWSER_LOCKOUT_MS };
    uint64_t seeds[2];

    settings_init(&self->settings);
    if (getrandom(seeds, sizeof(seeds), 0) != (ssize_t)sizeof(seeds)) {
        return FAULT(-EIO);
    }
    limiter_init(&self->limiter, self->settings.rules, seeds[0]);
    limiter_init(&self->browser_limiter, browser, seeds[1]);
    int fault = secret_key_init(&self->key);
    return fault ? fault : store_open(db_path, &self->store);
}

void judge_deinit(struct judge *self)
{
    store_close(&self->store);
    settings_deinit(&self->settings);
    mem_wipe(&self->key, sizeof(self->key));
}

void judge_rules_update(struct judge *self)
{
    limiter_rules_set(&self->limiter, self->settings.rules);
}

/* --- limits on guessing -------------------------------------------------------------------- */

struct guard {
    struct limiter *limiter; /* NULL: exempt */
    uint64_t now_ms;
    char buf[LIMITER_KEY_MAX];
    struct span name;
};

static void guard_init(struct guard *guard, struct judge *self, const struct connect_peer *peer, const char *scope,
                       uint64_t now_ms)
{
    bool is_on_socket = peer->is_loopback && !peer->has_proxy_header;

    guard->limiter = NULL;
    guard->now_ms = now_ms;
    if (is_on_socket && peer->origin.len) {
        guard->limiter = &self->browser_limiter;
        guard->name = limiter_name(scope, peer->origin, guard->buf);
    } else if (!is_on_socket || !self->settings.is_loopback_exempt) {
        guard->limiter = &self->limiter;
        guard->name = limiter_name(scope, peer->remote, guard->buf);
    }
}

static uint32_t guard_wait_ms(struct guard *guard)
{
    return guard->limiter ? limiter_wait_ms(guard->limiter, guard->name, guard->now_ms) : 0;
}

static void guard_note(struct guard *guard, bool is_right)
{
    if (!guard->limiter) {
        return;
    }
    if (is_right) {
        limiter_succeeded(guard->limiter, guard->name, guard->now_ms);
    } else {
        limiter_failed(guard->limiter, guard->name, guard->now_ms);
    }
}

/* --- shared secrets ---------------------------------------------------------------------------- */

/* An empty secret was not offered, which is no guess and is not counted. */
static enum refusal secret_judge(struct judge *self, const struct connect_peer *peer, struct span given,
                                 uint64_t now_ms, uint32_t *ret_wait_ms)
{
    const struct settings *settings = &self->settings;
    bool is_token = settings->mode == SETTINGS_TOKEN;
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
    guard_init(&guard, self, peer, "shared-secret", now_ms);
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

enum refusal judge_bearer(struct judge *self, const struct connect_peer *peer, struct span bearer,
                          struct judge_time now, uint32_t *ret_wait_ms)
{
    struct connect_request nobody = { 0 };

    *ret_wait_ms = 0;
    if (self->settings.mode == SETTINGS_NONE) {
        /* Nothing but locality protects this mode, so pages of other sites must not borrow it. */
        enum refusal refusal = connect_origin_check(&nobody, peer, pack_span(&self->settings.origins));
        return refusal == REFUSAL_NONE && !connect_is_local(peer) ? REFUSAL_ORIGIN : refusal;
    }
    return secret_judge(self, peer, bearer, now.mono_ms, ret_wait_ms);
}

/* --- without a device ----------------------------------------------------------------------------- */

static enum refusal no_device_judge(const struct judge *self, const struct judge_ask *ask, enum connect_role role,
                                    enum refusal shared)
{
    const struct connect_request *request = ask->request;
    bool is_offered =
        request->token.len || request->password.len || request->device_token.len || request->bootstrap_token.len;
    bool is_shared_ok = shared == REFUSAL_NONE;

    if (connect_is_ui(request)) {
        return REFUSAL_UI_DEVICE;
    }
    if (is_shared_ok && role == CONNECT_ROLE_OPERATOR && self->settings.mode != SETTINGS_NONE) {
        return REFUSAL_NONE;
    }
    return is_shared_ok || !is_offered ? REFUSAL_DEVICE_REQUIRED : shared;
}

/* --- with a device ------------------------------------------------------------------------------------ */

/* The second way in: the token that this device was given when it was paired. */
static enum refusal device_token_judge(struct judge *self, const struct judge_ask *ask, enum refusal shared,
                                       struct judge_verdict *verdict)
{
    const struct connect_request *request = ask->request;
    bool is_explicit = request->device_token.len > 0;
    struct span given = is_explicit ? request->device_token : request->token;
    struct guard guard;

    if (request->bootstrap_token.len && !given.len) {
        return REFUSAL_BOOTSTRAP;
    }
    if (!given.len || shared == REFUSAL_RATE) {
        return shared;
    }
    guard_init(&guard, self, ask->peer, "device-token", ask->now.mono_ms);
    verdict->wait_ms = guard_wait_ms(&guard);
    if (verdict->wait_ms) {
        return REFUSAL_RATE;
    }
    bool is_right = verdict->device.has_role && secret_match(&self->key, given, span_from(verdict->device.token));
    if (is_right || is_explicit) {
        guard_note(&guard, is_right); /* a wrong shared token was counted as such already */
    }
    if (is_right) {
        verdict->method = "device-token";
        return REFUSAL_NONE;
    }
    return is_explicit ? REFUSAL_DEVICE_TOKEN : shared;
}

/* Texts of an identity that are made here. */
struct identity_texts {
    char key[DEVICE_KEY_LEN];
    char platform[DEVICE_META_MAX];
    char family[DEVICE_META_MAX];
};

static struct store_identity identity_of(const struct judge_ask *ask, const struct judge_verdict *verdict,
                                         struct identity_texts *texts)
{
    const struct connect_request *request = ask->request;
    unsigned char raw[32] = { 0 };

    (void)device_key_decode(request->device.public_key, raw); /* it was, when the signature was checked */
    device_key_encode(raw, texts->key);
    device_meta_normalize(request->platform, texts->platform);
    device_meta_normalize(request->device_family, texts->family);
    return (struct store_identity){
        .device_id = verdict->device_id,
        .public_key = texts->key,
        .role = connect_role_name(verdict->role),
        .platform = texts->platform,
        .device_family = texts->family,
        .client_id = request->client_id,
        .client_mode = request->client_mode,
        .display_name = request->display_name,
        .remote = ask->peer->remote,
    };
}

static struct pairing_facts pairing_facts_of(const struct judge *self, const struct judge_ask *ask,
                                             const struct judge_verdict *verdict, const struct store_identity *identity)
{
    const struct store_device *device = &verdict->device;
    bool is_operator = verdict->role == CONNECT_ROLE_OPERATOR;
    bool is_by_token = !strcmp(verdict->method, "device-token");

    return (struct pairing_facts){
        .proof = is_by_token                            ? PAIRING_PROOF_DEVICE_TOKEN
                 : self->settings.mode == SETTINGS_NONE ? PAIRING_PROOF_NONE_NEEDED
                                                        : PAIRING_PROOF_SECRET,
        .is_local = verdict->is_local,
        .has_origin = ask->peer->origin.len > 0,
        .is_ui = connect_is_ui(ask->request),
        .is_paired = device->is_paired,
        .has_role = device->has_role,
        .is_meta_same =
            !strcmp(device->platform, identity->platform) && !strcmp(device->device_family, identity->device_family),
        .approved = device->scopes,
        .asked = is_operator ? scopes_expand(scopes_from_list(ask->request->scopes)) : 0,
    };
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

static int pair(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict)
{
    struct identity_texts texts;
    struct store_identity identity = identity_of(ask, verdict, &texts);
    struct pairing_facts facts = pairing_facts_of(self, ask, verdict, &identity);
    struct pairing_verdict pairing = pairing_decide(&facts);

    if (pairing.reason == REFUSAL_NONE) {
        return 0;
    }
    if (pairing.is_silent) {
        verdict->is_newly_approved = true;
        return store_device_approve(self->store, &identity, facts.asked | facts.approved, ask->now.wall_ms,
                                    &verdict->device);
    }
    verdict->refusal = pairing.reason;
    verdict->facts.request_id = verdict->request_id;
    verdict->facts.is_known = verdict->device.is_paired;
    verdict->facts.approved_roles = verdict->device.roles;
    verdict->facts.approved_scopes = verdict->device.scopes;
    return store_pending_put(self->store, &identity, facts.asked, pairing_reason(pairing.reason), ask->now.wall_ms,
                             verdict->request_id);
}

static int device_judge(struct judge *self, const struct judge_ask *ask, enum refusal shared,
                        struct judge_verdict *verdict)
{
    int r = device_verify(ask->request, ask->nonce, ask->now.wall_ms);

    if (r) {
        verdict->refusal = r > 0 ? (enum refusal)r : REFUSAL_NONE;
        return r > 0 ? 0 : r;
    }
    snprintf(verdict->device_id, sizeof(verdict->device_id), "%.*s", SPAN_FMT(ask->request->device.id));
    r = store_device_find(self->store, verdict->device_id, connect_role_name(verdict->role), &verdict->device);
    if (r) {
        return r;
    }
    if (shared != REFUSAL_NONE) {
        verdict->refusal = device_token_judge(self, ask, shared, verdict);
    }
    return verdict->refusal == REFUSAL_NONE ? pair(self, ask, verdict) : 0;
}

/* --- the whole ------------------------------------------------------------------------------------------- */

static enum refusal_audience audience_of(const struct connect_request *request)
{
    if (span_is_text(request->client_mode, "cli")) {
        return REFUSAL_FOR_CLI;
    }
    return connect_is_ui(request) || span_is_text(request->client_id, "openclaw-tui") ? REFUSAL_FOR_PAGE
                                                                                      : REFUSAL_FOR_OTHERS;
}

static void verdict_init(struct judge_verdict *verdict, const struct judge *self, const struct judge_ask *ask)
{
    const struct connect_request *request = ask->request;

    *verdict = (struct judge_verdict){
        .is_local = connect_is_local(ask->peer),
        .method = settings_mode_name(self->settings.mode),
        .facts = {
            .audience = audience_of(request),
            .protocol = (int)ask->protocol,
            .can_retry_with_device_token =
                request->device.is_present && request->token.len && !request->device_token.len,
            .device_id = request->device.id,
        },
    };
}

int judge_connect(struct judge *self, const struct judge_ask *ask, struct judge_verdict *ret_verdict)
{
    const struct connect_request *request = ask->request;
    struct judge_verdict *verdict = ret_verdict;
    struct span given = self->settings.mode == SETTINGS_PASSWORD ? request->password : request->token;

    verdict_init(verdict, self, ask);
    if (request->protocol_max < (int64_t)ask->protocol || request->protocol_min > (int64_t)ask->protocol) {
        verdict->refusal = REFUSAL_PROTOCOL;
        return 0;
    }
    verdict->refusal = connect_role_of(request, &verdict->role);
    verdict->facts.requested_role = connect_role_name(verdict->role);
    if (verdict->refusal == REFUSAL_NONE) {
        verdict->refusal = connect_origin_check(request, ask->peer, pack_span(&self->settings.origins));
    }
    if (verdict->refusal != REFUSAL_NONE) {
        return 0;
    }
    enum refusal shared = secret_judge(self, ask->peer, given, ask->now.mono_ms, &verdict->wait_ms);
    if (!request->device.is_present) {
        verdict->refusal = no_device_judge(self, ask, verdict->role, shared);
        return 0;
    }
    return device_judge(self, ask, shared, verdict);
}

/*
 * Without a device only the gateway's own helper programs on this machine keep what they
 * ask for; everybody else is in, but may do nothing.
 */
void judge_scopes_pack(const struct judge_ask *ask, const struct judge_verdict *verdict, struct pack *out)
{
    if (verdict->device_id[0]) {
        scopes_pack(scopes_expand(verdict->device.scopes), out);
    } else if (verdict->is_local && connect_is_backend(ask->request) && !ask->peer->origin.len) {
        scopes_pack_asked(ask->request->scopes, out);
    } else {
        scopes_pack(0, out);
    }
}
