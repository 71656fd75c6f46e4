#include "actors/auth/admission.h"

#include <stdio.h>
#include <string.h>

#include "actors/auth/device.h"
#include "actors/auth/scopes.h"

/* --- other proofs of a device ------------------------------------------------------------------------ */

/* Why a token of a device opens nothing: who reads it must know whether to ask for another, or to be paired. */
static enum refusal mismatch_of(const struct judge_verdict *verdict)
{
    const struct device_token *token = &verdict->record.tokens[verdict->role];

    if (!verdict->is_paired) {
        return REFUSAL_DEVICE_TOKEN_UNPAIRED;
    }
    return !token->is_usable && token->revoked_ms ? REFUSAL_DEVICE_TOKEN_REVOKED : REFUSAL_DEVICE_TOKEN;
}

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
        return mismatch_of(verdict);
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
        .was_revoked = !token->is_usable && token->revoked_ms,
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
    r = r ? r : bootstrap_redeem(self->store, bootstrap, ask->now.wall_ms);
    return r ? r
             : setups_complete(self->store, bootstrap, &verdict->record.identity, ask->now.wall_ms,
                               &verdict->is_setup_done, &verdict->setup);
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

int admission_judge(struct judge *self, const struct judge_ask *ask, enum refusal shared, enum devices_match match,
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

int admission_look(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict)
{
    int r = device_verify(ask->request, ask->nonce, ask->now.wall_ms);

    if (r) {
        verdict->refusal = r > 0 ? (enum refusal)r : REFUSAL_NONE;
        return r > 0 ? 0 : r;
    }
    snprintf(verdict->device_id, sizeof(verdict->device_id), "%.*s", SPAN_FMT(ask->request->device.id));
    return devices_find(self->store, verdict->device_id, &verdict->is_paired, &verdict->record);
}
