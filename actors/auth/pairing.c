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
        return REFUSAL_ROLE_UPGRADE;
    }
    return scopes_cover(facts->approved, facts->asked) ? REFUSAL_NONE : REFUSAL_SCOPE_UPGRADE;
}

struct pairing_verdict pairing_decide(const struct pairing_facts *facts)
{
    struct pairing_verdict verdict = { .reason = reason_of(facts) };
    bool is_trusted = facts->is_local && facts->proof != PAIRING_PROOF_DEVICE_TOKEN;
    bool is_page_fine = !facts->has_origin || (facts->is_ui && verdict.reason != REFUSAL_METADATA_UPGRADE);

    verdict.is_silent = verdict.reason != REFUSAL_NONE && is_trusted && is_page_fine;
    return verdict;
}
