#include "actors/auth/judge.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/auth/device.h"
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

/* --- other proofs of a device ------------------------------------------------------------------------ */

/* The second way in: the token that this device was given when it was paired. */
static enum refusal device_token_judge(struct judge *self, const struct judge_ask *ask, enum refusal shared,
                                       struct judge_verdict *verdict, enum devices_match match)
{
    bool is_explicit = ask->request->device_token.len > 0;
    struct guard guard;

    if (shared == REFUSAL_RATE || (!is_explicit && match == DEVICES_MATCH_NONE)) {
        return shared;
    }
    guard_init(&guard, &self->guards, ask->peer, devices_roles_usable(&verdict->record) ? verdict->device_id : NULL,
               "device-token", ask->now.mono_ms);
    verdict->wait_ms = guard_wait_ms(&guard);
    if (verdict->wait_ms) {
        return REFUSAL_RATE;
    }
    guard_note(&guard, match != DEVICES_MATCH_NONE);
    if (match == DEVICES_MATCH_NONE) {
        return REFUSAL_DEVICE_TOKEN;
    }
    verdict->method = "device-token";
    verdict->proof = PAIRING_PROOF_DEVICE_TOKEN;
    return REFUSAL_NONE;
}

/* The third: a setup code, which from now on is this device's. */
static int bootstrap_judge(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict,
                           struct bootstrap *bootstrap)
{
    const struct connect_request *request = ask->request;
    struct bootstrap_places places = { self->bootstrap_file, self->bootstrap_db };
    struct guard guard;
    bool is_found = false;

    guard_init(&guard, &self->guards, ask->peer, NULL, "bootstrap-token", ask->now.mono_ms);
    verdict->wait_ms = guard_wait_ms(&guard);
    if (verdict->wait_ms) {
        verdict->refusal = REFUSAL_RATE;
        return 0;
    }
    int r = bootstrap_find(self->store, &places, request->bootstrap_token, ask->now.wall_ms, &is_found, bootstrap);
    if (r) {
        return r;
    }
    uint32_t asked = scopes_from_list(request->scopes);
    bool is_mine = !bootstrap->device_id[0] || strcmp(bootstrap->device_id, verdict->device_id) == 0;
    bool is_fine =
        is_found && is_mine && (bootstrap->roles & (1U << verdict->role)) && scopes_cover(bootstrap->scopes, asked);
    guard_note(&guard, is_found && is_mine);
    verdict->refusal = is_fine ? REFUSAL_NONE : REFUSAL_BOOTSTRAP;
    if (!is_fine) {
        return 0;
    }
    verdict->method = "bootstrap-token";
    verdict->proof = PAIRING_PROOF_BOOTSTRAP;
    return bootstrap->device_id[0] ? 0 : bootstrap_bind(self->store, bootstrap, verdict->device_id);
}

/* --- pairing ------------------------------------------------------------------------------------------ */

static void text_copy(char *out, size_t out_len, struct span text)
{
    size_t len = text.len < out_len ? text.len : out_len - 1;

    while (len && len < text.len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) {
        len--; /* not inside a character */
    }
    if (len) {
        memcpy(out, text.ptr, len);
    }
    out[len] = '\0';
}

static void identity_fill(const struct judge_ask *ask, const struct judge_verdict *verdict,
                          struct device_identity *identity)
{
    const struct connect_request *request = ask->request;
    unsigned char raw[32] = { 0 };

    *identity = (struct device_identity){ .role = verdict->role };
    (void)device_key_decode(request->device.public_key, raw); /* it was, when the signature was checked */
    device_key_encode(raw, identity->public_key);
    memcpy(identity->id, verdict->device_id, sizeof(identity->id));
    text_copy(identity->display_name, sizeof(identity->display_name), request->display_name);
    text_copy(identity->platform, sizeof(identity->platform), request->platform);
    text_copy(identity->device_family, sizeof(identity->device_family), request->device_family);
    text_copy(identity->client_id, sizeof(identity->client_id), request->client_id);
    text_copy(identity->client_mode, sizeof(identity->client_mode), request->client_mode);
    if (!verdict->is_local) {
        text_copy(identity->remote_ip, sizeof(identity->remote_ip), ask->peer->client);
    }
}

/* What was never said before may be said now; what was said must stay. */
static bool is_meta_kept(const char *before, const char *now)
{
    char a[DEVICE_META_MAX];
    char b[DEVICE_META_MAX];

    device_meta_normalize(span_from(before), a);
    device_meta_normalize(span_from(now), b);
    return !a[0] || strcmp(a, b) == 0;
}

static struct pairing_facts facts_of(const struct judge *self, const struct judge_ask *ask,
                                     const struct judge_verdict *verdict, const struct device_identity *identity)
{
    const struct device_record *record = &verdict->record;
    const struct device_token *token = &record->tokens[verdict->role];
    bool is_operator = verdict->role == CONNECT_ROLE_OPERATOR;
    bool is_spoofable = ask->peer->is_loopback && ask->peer->has_proxy_header;

    return (struct pairing_facts){
        .proof = verdict->proof,
        .is_local = verdict->is_local,
        .has_origin = ask->peer->origin.len > 0,
        .is_ui = connect_is_ui(ask->request),
        .is_node = !is_operator,
        .is_node_net = !is_spoofable && proxy_nets_hold(&self->settings.node_nets, ask->peer->client),
        .is_paired = verdict->is_paired,
        .has_role = token->is_usable,
        .is_meta_same = is_meta_kept(record->identity.platform, identity->platform) &&
                        is_meta_kept(record->identity.device_family, identity->device_family),
        .approved = token->scopes,
        .asked = is_operator ? scopes_expand(scopes_from_list(ask->request->scopes)) : 0,
    };
}

/* With a setup code the device is approved for all that it was issued for, else for what it asks. */
static int approve(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict,
                   const struct device_identity *identity, const struct bootstrap *bootstrap)
{
    struct scope_list scopes = { 0 };
    uint32_t roles = 1U << verdict->role;

    if (verdict->proof == PAIRING_PROOF_BOOTSTRAP) {
        roles = bootstrap->roles;
        scope_list_add_mask(&scopes, bootstrap->scopes);
    } else if (verdict->role == CONNECT_ROLE_OPERATOR) {
        scope_list_add(&scopes, ask->request->scopes);
    }
    int r = devices_approve(self->store, identity, roles, &scopes, ask->now.wall_ms, &verdict->record);
    r = r ? r : requests_drop_device(self->store, identity->id);
    r = r ? r : secret_uuid_generate(verdict->request.id);
    verdict->is_paired = !r;
    verdict->is_newly_approved = !r;
    return r;
}

static int request_keep(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict,
                        const struct device_identity *identity, enum refusal reason)
{
    verdict->refusal = reason;
    verdict->request = (struct pair_request){
        .identity = *identity,
        .roles = 1U << verdict->role,
        .is_repair = verdict->is_paired,
    };
    if (verdict->role == CONNECT_ROLE_OPERATOR) {
        scope_list_add(&verdict->request.scopes, ask->request->scopes);
    }
    verdict->facts.request_id = verdict->request.id;
    verdict->facts.is_known = verdict->is_paired;
    devices_roles_format(devices_roles_usable(&verdict->record), verdict->approved_roles);
    verdict->facts.approved_roles = verdict->approved_roles;
    verdict->facts.approved_scopes = scope_list_mask(&verdict->record.scopes);
    return requests_put(self->store, &verdict->request, ask->now.wall_ms, &verdict->is_newly_asked);
}

static int token_tell(struct judge *self, struct judge_verdict *verdict, enum connect_role role)
{
    const struct device_token *token = &verdict->record.tokens[role];
    struct judge_token *told = &verdict->tokens[role];
    int r = devices_token_tell(self->store, &verdict->record, role, told->text);

    told->is_there = !r;
    told->scopes = token->scopes;
    told->issued_at_ms = token->rotated_ms ? token->rotated_ms : token->created_ms;
    return r;
}

/* The tokens that go with the connection; a setup code brings those of its other roles and is spent. */
static int tokens_tell(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict,
                       const struct bootstrap *bootstrap)
{
    int r = token_tell(self, verdict, verdict->role);

    if (verdict->proof != PAIRING_PROOF_BOOTSTRAP) {
        return r;
    }
    for (unsigned i = 0; !r && i < DEVICES_ROLES; i++) {
        if (i != (unsigned)verdict->role && (bootstrap->roles & (1U << i)) && verdict->record.tokens[i].is_usable) {
            r = token_tell(self, verdict, (enum connect_role)i);
        }
    }
    return r ? r : bootstrap_redeem(self->store, bootstrap, ask->now.wall_ms);
}

/* A page that a proxy vouches for comes and goes with the proxy's word: nothing is kept. */
static bool is_vouched_page(const struct judge_ask *ask, const struct judge_verdict *verdict)
{
    return verdict->proof == PAIRING_PROOF_IDENTITY && connect_is_ui(ask->request) &&
           verdict->role == CONNECT_ROLE_OPERATOR;
}

static int pair(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict,
                const struct bootstrap *bootstrap, enum devices_match match)
{
    struct device_identity identity;

    if (is_vouched_page(ask, verdict)) {
        verdict->is_paired = false;
        return 0;
    }
    identity_fill(ask, verdict, &identity);
    struct pairing_facts facts = facts_of(self, ask, verdict, &identity);
    struct pairing_verdict pairing = pairing_decide(&facts);
    if (pairing.reason != REFUSAL_NONE && !pairing.is_silent) {
        return request_keep(self, ask, verdict, &identity, pairing.reason);
    }
    int r = pairing.is_silent ? approve(self, ask, verdict, &identity, bootstrap) : 0;
    if (!r && match == DEVICES_MATCH_NEWEST && !pairing.is_silent) {
        r = devices_token_settle(self->store, &verdict->record, verdict->role);
    }
    return r ? r : tokens_tell(self, ask, verdict, bootstrap);
}

/* --- with a device ------------------------------------------------------------------------------------ */

static int device_judge(struct judge *self, const struct judge_ask *ask, enum refusal shared, enum devices_match match,
                        struct judge_verdict *verdict)
{
    struct bootstrap bootstrap = { 0 };
    const struct connect_request *request = ask->request;
    bool is_by_code = shared != REFUSAL_NONE && shared != REFUSAL_RATE && request->bootstrap_token.len &&
                      !request->device_token.len && !request->token.len;
    int r = store_begin(self->store);

    if (r) {
        return r;
    }
    if (is_by_code) {
        r = bootstrap_judge(self, ask, verdict, &bootstrap);
    } else if (shared != REFUSAL_NONE) {
        verdict->refusal = device_token_judge(self, ask, shared, verdict, match);
    }
    if (!r && verdict->refusal == REFUSAL_NONE) {
        r = pair(self, ask, verdict, &bootstrap, match);
    }
    return store_finish(self->store, r);
}

static int device_look(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict)
{
    int r = device_verify(ask->request, ask->nonce, ask->now.wall_ms);

    if (r) {
        verdict->refusal = r > 0 ? (enum refusal)r : REFUSAL_NONE;
        return r > 0 ? 0 : r;
    }
    snprintf(verdict->device_id, sizeof(verdict->device_id), "%.*s", SPAN_FMT(ask->request->device.id));
    return devices_find(self->store, verdict->device_id, &verdict->is_paired, &verdict->record);
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
    int r = verdict->refusal == REFUSAL_NONE && request->device.is_present ? device_look(self, ask, verdict) : 0;
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
    return device_judge(self, ask, shared, match, verdict);
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
