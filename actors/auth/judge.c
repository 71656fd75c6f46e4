#include "actors/auth/judge.h"

#include <string.h>
#include <unistd.h>

#include "actors/auth/admission.h"
#include "actors/auth/proof.h"
#include "actors/auth/scopes.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

/* --- life ------------------------------------------------------------------------------ */

int judge_init(struct judge *self, const char *db_path)
{
    settings_init(&self->settings);
    self->owner_uid = geteuid();
    int fault = guards_init(&self->guards, self->settings.rules);
    fault = fault ? fault : secret_key_init(&self->key);
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
    guards_rules_set(&self->guards, self->settings.rules, self->settings.is_loopback_exempt);
}

static struct connect_origins origins_of(const struct judge *self)
{
    return (struct connect_origins){
        .allowed = pack_span(&self->settings.origins),
        .is_host_header_fine = self->settings.is_host_header_origin_fine,
    };
}

/* --- HTTP ------------------------------------------------------------------------------ */

/* Whoever comes with an identity may declare less than everything. */
static uint32_t declared_scopes(const struct connect_peer *peer, uint32_t scopes)
{
    struct span header = value_get(peer->headers, "x-openclaw-scopes");

    return value_kind_of(header) == VALUE_STR
               ? scopes_covered(scopes_from_header(value_str(header, (struct span){ 0 })), scopes)
               : scopes;
}

/* No secret protects what is answered, so pages of other sites must not borrow it. */
static enum refusal page_judge(const struct judge *self, const struct connect_peer *peer)
{
    struct connect_request nobody = { 0 };
    struct connect_origins origins = origins_of(self);

    return connect_origin_check(&nobody, peer, &origins);
}

void judge_bearer(struct judge *self, const struct connect_peer *peer, struct span bearer, struct judge_time now,
                  struct judge_bearer_verdict *ret_verdict)
{
    struct proof_ask ask = { .peer = peer, .token = bearer, .password = bearer, .now_ms = now.mono_ms };
    struct proof proof;

    proof_judge(self, &ask, &proof);
    *ret_verdict = (struct judge_bearer_verdict){
        .refusal = proof.refusal,
        .wait_ms = proof.wait_ms,
        .method = proof.method,
        .scopes = SCOPES_ALL,
        .is_local = connect_is_local(peer) || proof.kind == PAIRING_PROOF_OWNER,
    };
    memcpy(ret_verdict->user, proof.user, sizeof(ret_verdict->user));
    bool is_without_secret = proof.kind == PAIRING_PROOF_NONE_NEEDED || proof.kind == PAIRING_PROOF_IDENTITY;
    if (is_without_secret) {
        ret_verdict->scopes = declared_scopes(peer, SCOPES_ALL);
        ret_verdict->refusal = page_judge(self, peer);
    }
    if (proof.kind == PAIRING_PROOF_NONE_NEEDED && !ret_verdict->is_local && ret_verdict->refusal == REFUSAL_NONE) {
        ret_verdict->refusal = REFUSAL_ORIGIN;
    }
}

/*
 * The right token is let in also from an address that offered wrong ones: a reverse proxy lends its address to every
 * stranger, who could otherwise keep all hooks out.
 */
void judge_hook(struct judge *self, const struct connect_peer *peer, struct span token, struct judge_time now,
                struct judge_bearer_verdict *ret_verdict)
{
    bool is_right = secret_match(&self->key, token, span_from(self->settings.hook_token));
    struct guard guard;

    *ret_verdict = (struct judge_bearer_verdict){ .method = "hook-token", .is_local = connect_is_local(peer) };
    guard_hook_init(&guard, &self->guards, peer, now.mono_ms);
    if (!is_right) {
        ret_verdict->wait_ms = guard_wait_ms(&guard);
        ret_verdict->refusal = ret_verdict->wait_ms ? REFUSAL_RATE : REFUSAL_TOKEN;
    }
    if (is_right || !ret_verdict->wait_ms) {
        guard_note(&guard, is_right);
    }
}

/* --- without a device ----------------------------------------------------------------------------- */

static enum refusal page_without_device(const struct judge *self, const struct judge_ask *ask,
                                        const struct judge_verdict *verdict)
{
    bool is_secret = verdict->proof == PAIRING_PROOF_SECRET;
    bool is_vouched = verdict->proof == PAIRING_PROOF_IDENTITY && self->settings.mode == SETTINGS_TRUSTED_PROXY;
    bool is_excused = is_secret && (self->settings.is_device_auth_off ||
                                    (self->settings.is_insecure_ui_fine && connect_is_local(ask->peer)));

    return verdict->role == CONNECT_ROLE_OPERATOR && (is_vouched || is_excused) ? REFUSAL_NONE : REFUSAL_UI_DEVICE;
}

static enum refusal no_device_judge(const struct judge *self, const struct judge_ask *ask,
                                    const struct judge_verdict *verdict, enum refusal shared)
{
    const struct connect_request *request = ask->request;
    bool is_offered =
        request->token.len || request->password.len || request->device_token.len || request->bootstrap_token.len;
    bool is_known = verdict->proof == PAIRING_PROOF_SECRET || verdict->proof == PAIRING_PROOF_OWNER;

    if (connect_is_ui(request) && verdict->proof != PAIRING_PROOF_OWNER) {
        return page_without_device(self, ask, verdict);
    }
    if (is_known && verdict->role == CONNECT_ROLE_OPERATOR) {
        return REFUSAL_NONE;
    }
    bool is_about_proxy = shared != REFUSAL_NONE && self->settings.mode == SETTINGS_TRUSTED_PROXY;
    return (shared == REFUSAL_NONE || !is_offered) && !is_about_proxy ? REFUSAL_DEVICE_REQUIRED : shared;
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
        .is_local = connect_is_local(ask->peer) || proof_is_owner(self, ask->peer),
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

/* What can be said before anything is shown. */
static void manners_judge(const struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict)
{
    const struct connect_request *request = ask->request;
    struct connect_origins origins = origins_of(self);

    if (request->protocol_max < (int64_t)ask->protocol || request->protocol_min > (int64_t)ask->protocol) {
        verdict->refusal = REFUSAL_PROTOCOL;
        return;
    }
    verdict->refusal = connect_role_of(request, &verdict->role);
    verdict->facts.requested_role = connect_role_name(verdict->role);
    if (verdict->refusal == REFUSAL_NONE) {
        verdict->refusal = connect_origin_check(request, ask->peer, &origins);
    }
}

bool judge_wants_whois(const struct judge *self, const struct judge_ask *ask, struct proxy_tailscale *ret_claim)
{
    const struct connect_request *request = ask->request;
    bool is_secret_mode = self->settings.mode == SETTINGS_TOKEN || self->settings.mode == SETTINGS_PASSWORD;
    bool is_silent = !(self->settings.mode == SETTINGS_TOKEN ? request->token : request->password).len;
    struct connect_origins origins = origins_of(self);

    return self->settings.is_tailscale_fine && is_secret_mode && is_silent && connect_is_ui(request) &&
           request->device.is_present && connect_origin_check(request, ask->peer, &origins) == REFUSAL_NONE &&
           proxy_tailscale_claim(ask->peer->is_loopback, ask->peer->headers, ret_claim) == REFUSAL_NONE;
}

static enum refusal shared_judge(struct judge *self, const struct judge_ask *ask, enum devices_match match,
                                 struct judge_verdict *verdict)
{
    const struct connect_request *request = ask->request;
    struct proof proof;
    struct proof_ask proof_ask = {
        .peer = ask->peer,
        .token = request->token,
        .password = request->password,
        .device_id = devices_roles_usable(&verdict->record) ? verdict->device_id : NULL,
        .is_device_token = match != DEVICES_MATCH_NONE,
        .is_page = connect_is_ui(request) && verdict->role == CONNECT_ROLE_OPERATOR,
        .whois = ask->whois,
        .now_ms = ask->now.mono_ms,
    };

    proof_judge(self, &proof_ask, &proof);
    verdict->wait_ms = proof.wait_ms;
    verdict->proof = proof.kind;
    verdict->method = proof.method;
    memcpy(verdict->user, proof.user, sizeof(verdict->user));
    memcpy(verdict->header, proof.header, sizeof(verdict->header));
    verdict->facts.header = verdict->header[0] ? verdict->header : NULL;
    return proof.refusal;
}

int judge_connect(struct judge *self, const struct judge_ask *ask, struct judge_verdict *ret_verdict)
{
    const struct connect_request *request = ask->request;
    struct judge_verdict *verdict = ret_verdict;
    enum devices_match match = DEVICES_MATCH_NONE;

    verdict_init(verdict, self, ask);
    manners_judge(self, ask, verdict);
    int r = verdict->refusal == REFUSAL_NONE && request->device.is_present ? admission_look(self, ask, verdict) : 0;
    if (r || verdict->refusal != REFUSAL_NONE) {
        return r;
    }
    if (request->device.is_present) {
        struct span given = request->device_token.len ? request->device_token : request->token;
        match = devices_token_match(&verdict->record.tokens[verdict->role], given);
    }
    enum refusal shared = shared_judge(self, ask, match, verdict);
    if (!request->device.is_present) {
        verdict->refusal = no_device_judge(self, ask, verdict, shared);
        return 0;
    }
    return admission_judge(self, ask, shared, match, verdict);
}

/*
 * With a device, what it is approved for. Without one, what is asked for by whom it could
 * not be kept from anyway: the owner, holders of the secret on this machine, pages that the
 * config excuses or a proxy vouches for. Everybody else is in, but may do nothing.
 */
void judge_scopes_pack(const struct judge_ask *ask, const struct judge_verdict *verdict, struct pack *out)
{
    bool is_page = connect_is_ui(ask->request);
    bool is_here = verdict->is_local && verdict->proof == PAIRING_PROOF_SECRET && !ask->peer->origin.len;
    struct scope_list asked = { 0 };

    if (verdict->is_paired) {
        scopes_pack(scopes_expand(verdict->record.tokens[verdict->role].scopes), out);
    } else if (verdict->proof == PAIRING_PROOF_IDENTITY) {
        scopes_pack(declared_scopes(ask->peer, scopes_from_list(ask->request->scopes)), out);
    } else if (verdict->proof == PAIRING_PROOF_OWNER || is_here || is_page) {
        scope_list_add(&asked, ask->request->scopes);
        scope_list_pack(&asked, out);
    } else {
        scopes_pack(0, out);
    }
}
