#include "actors/auth/pairing.h"

#include "actors/auth/scopes.h"

static enum refusal reason_of(const struct pairing_facts *facts)
{
    if (!facts->is_paired) {
        return REFUSAL_NOT_PAIRED;
    }
    if (!facts->is_meta_same) {
        return REFUSAL_METADATA_UPGRADE;
    }
    if (!facts->has_role) {
        return facts->was_revoked ? REFUSAL_ROLE_REVOKED : REFUSAL_ROLE_UPGRADE;
    }
    return scopes_cover(facts->approved, facts->asked) ? REFUSAL_NONE : REFUSAL_SCOPE_UPGRADE;
}

static bool is_silent(const struct pairing_facts *facts, enum refusal reason)
{
    bool is_secret = facts->proof == PAIRING_PROOF_SECRET || facts->proof == PAIRING_PROOF_NONE_NEEDED;
    bool is_page_fine = !facts->has_origin || (facts->is_ui && reason != REFUSAL_METADATA_UPGRADE);
    bool is_fresh_node = facts->is_node && reason == REFUSAL_NOT_PAIRED && !facts->asked && !facts->has_origin;

    if (facts->proof == PAIRING_PROOF_OWNER) {
        return true;
    }
    if (facts->is_local && is_secret && is_page_fine) {
        return true;
    }
    return is_fresh_node && (facts->proof == PAIRING_PROOF_BOOTSTRAP || facts->is_node_net);
}

struct pairing_verdict pairing_decide(const struct pairing_facts *facts)
{
    struct pairing_verdict verdict = { .reason = reason_of(facts) };

    verdict.is_silent = verdict.reason != REFUSAL_NONE && is_silent(facts, verdict.reason);
    return verdict;
}
