#include "actors/auth/proof.h"

#include <string.h>
#include <strings.h>

#include "actors/auth/proxy.h"

bool proof_is_owner(const struct judge *self, const struct connect_peer *peer)
{
    return peer->has_uid && (peer->uid == self->owner_uid || peer->uid == 0) && !peer->origin.len &&
           !peer->has_proxy_header;
}

/* --- the gateway's secret ------------------------------------------------------------- */

/* An empty secret was not offered, which is no guess and is not counted. */
static enum refusal secret_judge(struct judge *self, const struct proof_ask *ask, bool is_token, uint32_t *ret_wait_ms)
{
    struct span expected = span_from(is_token ? self->settings.token : self->settings.password);
    struct span given = is_token ? ask->token : ask->password;
    struct guard guard;

    if (!expected.len) {
        return is_token ? REFUSAL_TOKEN_UNCONFIGURED : REFUSAL_PASSWORD_UNCONFIGURED;
    }
    if (!given.len) {
        return is_token ? REFUSAL_TOKEN_MISSING : REFUSAL_PASSWORD_MISSING;
    }
    guard_init(&guard, &self->guards, ask->peer, ask->device_id, "shared-secret", ask->now_ms);
    *ret_wait_ms = guard_wait_ms(&guard);
    if (*ret_wait_ms) {
        return REFUSAL_RATE;
    }
    bool is_right = secret_match(&self->key, given, expected);
    if (is_right || !ask->is_device_token || !is_token) {
        guard_note(&guard, is_right);
    }
    if (is_right) {
        return REFUSAL_NONE;
    }
    return is_token ? REFUSAL_TOKEN : REFUSAL_PASSWORD;
}

static void secret_proof(struct judge *self, const struct proof_ask *ask, bool is_token, struct proof *proof)
{
    proof->refusal = secret_judge(self, ask, is_token, &proof->wait_ms);
    proof->kind = PAIRING_PROOF_SECRET;
    proof->method = is_token ? "token" : "password";
}

/* --- what a proxy says ------------------------------------------------------------------ */

static void trusted_proxy_proof(struct judge *self, const struct proof_ask *ask, struct proof *proof)
{
    struct proxy_verdict verdict;

    proxy_judge(&self->settings.proxy, &self->settings.proxies, ask->peer->remote, ask->peer->headers, &verdict);
    proof->kind = PAIRING_PROOF_IDENTITY;
    proof->method = "trusted-proxy";
    proof->refusal = verdict.refusal;
    memcpy(proof->user, verdict.user, sizeof(proof->user));
    memcpy(proof->header, verdict.header, sizeof(proof->header));
    /* Programs of this machine do not come through the proxy. A token stays out of it: the mode excludes one. */
    if (verdict.refusal != REFUSAL_NONE && connect_is_local(ask->peer) && self->settings.password[0] &&
        ask->password.len) {
        secret_proof(self, ask, false, proof);
    }
}

static bool is_missing(enum refusal refusal)
{
    return refusal == REFUSAL_TOKEN_MISSING || refusal == REFUSAL_PASSWORD_MISSING;
}

/* Only where no secret was offered: one that is wrong stays wrong. */
static void tailscale_proof(const struct judge *self, const struct proof_ask *ask, struct proof *proof)
{
    struct proxy_tailscale claim;

    if (!self->settings.is_tailscale_fine || !ask->is_page || !is_missing(proof->refusal) ||
        !proxy_header(ask->peer->headers, "tailscale-user-login").len) {
        return;
    }
    enum refusal refusal = proxy_tailscale_claim(ask->peer->is_loopback, ask->peer->headers, &claim);
    if (refusal == REFUSAL_NONE && (!ask->whois || !ask->whois->is_known)) {
        refusal = REFUSAL_TAILSCALE_WHOIS;
    }
    if (refusal == REFUSAL_NONE && strcasecmp(ask->whois->login, claim.login) != 0) {
        refusal = REFUSAL_TAILSCALE_USER;
    }
    proof->refusal = refusal;
    if (refusal == REFUSAL_NONE) {
        proof->kind = PAIRING_PROOF_IDENTITY;
        proof->method = "tailscale";
        memcpy(proof->user, claim.login, sizeof(proof->user));
    }
}

/* --- the whole --------------------------------------------------------------------------- */

static void mode_proof(struct judge *self, const struct proof_ask *ask, struct proof *proof)
{
    switch (self->settings.mode) {
    case SETTINGS_NONE:
        proof->kind = PAIRING_PROOF_NONE_NEEDED;
        proof->method = "none";
        return;
    case SETTINGS_TRUSTED_PROXY:
        trusted_proxy_proof(self, ask, proof);
        return;
    case SETTINGS_TOKEN:
    case SETTINGS_PASSWORD:
        secret_proof(self, ask, self->settings.mode == SETTINGS_TOKEN, proof);
        tailscale_proof(self, ask, proof);
        return;
    }
}

void proof_judge(struct judge *self, const struct proof_ask *ask, struct proof *ret_proof)
{
    *ret_proof = (struct proof){ .refusal = REFUSAL_NONE, .kind = PAIRING_PROOF_OWNER, .method = "owner" };
    if (!proof_is_owner(self, ask->peer)) {
        mode_proof(self, ask, ret_proof);
    }
    if (ret_proof->refusal != REFUSAL_NONE) {
        ret_proof->kind = PAIRING_PROOF_NOTHING;
    }
}
