/*
 * secrets_candidates: the credentials that `openclaw secrets configure` offers: those of the
 * config, those of one agent's profiles, and on request those that could be there as well.
 */
#ifndef EDGE_CLI_SECRETS_CANDIDATES_H
#define EDGE_CLI_SECRETS_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/pack.h"
#include "edge/cli/secrets_place.h"

#define SECRETS_CANDIDATES_MAX 2048U

struct secrets_candidate {
    struct secrets_place place; /* keys borrowed from the documents, or from `owned` */
    char path[SECRETS_PLACE_LEN];
    bool is_absent;        /* the document has neither value nor reference there */
    struct span provider;  /* whose credential it is, as far as known; borrowed likewise */
    struct secret_ref now; /* with has_now: the reference that is there */
    bool has_now;
    struct secret_ref chosen; /* with is_chosen: the reference that it shall be */
    bool is_chosen;
    char *owned[4]; /* texts of its own; NULL: none */
};

struct secrets_candidates {
    struct secrets_candidate *items[SECRETS_CANDIDATES_MAX]; /* in order of their paths, profiles last */
    size_t n;
};
void secrets_candidates_deinit(struct secrets_candidates *self);

/* `doc` and `profiles` (an auth-profiles.json, or empty) must stay as long as the list. */
void secrets_candidates_list(struct secrets_candidates *self, struct span doc, struct span profiles);

/* The profile that does not exist yet. NULL when there is no room. */
struct secrets_candidate *secrets_candidates_add(struct secrets_candidates *self, const char *profile, const char *type,
                                                 const char *provider);

bool secrets_candidate_is_profile(const struct secrets_candidate *self);
/* Copies the texts, so that they last as long as the candidate. */
void secrets_candidate_choose(struct secrets_candidate *self, enum secret_source source, const char *provider,
                              const char *id);

/* Appends the target of a plan. `agent` counts for profiles. */
void secrets_candidate_pack(const struct secrets_candidate *self, const char *agent, struct pack *out);

#endif
