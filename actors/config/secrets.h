/*
 * secrets: the references of one config and what became of them. Pure: the caller brings
 * the environment and the outcomes.
 *
 * The document keeps its references; the values stand here, in locked memory, and are laid
 * into what the owner of a credential reads, and into nothing else.
 */
#ifndef ACTORS_CONFIG_SECRETS_H
#define ACTORS_CONFIG_SECRETS_H

#include "actors/config/profiles.h"
#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_env.h"
#include "schema/base/secret_memory.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_surface.h"

#define SECRETS_MAX 4096U

struct secret_entry {
    const struct config_credential *row;
    char *path;            /* "models.providers.openai.apiKey", "main.auth-profiles.openai:default.key" */
    struct secret_ref ref; /* borrows from the document */
    const char *agent;     /* whose profile this is; NULL: of the config */
    struct span provider;  /* of models.providers, for which the profile counts */
    bool is_plain;         /* of a profile: a value, or why there is none; nobody is asked */
    bool is_over_plain;    /* a value stands beside the reference */
    int64_t expires_ms;    /* of a profile: until when it may be used; 0: always */
    bool is_active;
    bool is_settled;                      /* an attempt has ended */
    bool is_stale;                        /* the last one failed, and the value is that of an earlier one */
    char reason[SECRET_SURFACE_TEXT_MAX]; /* why it is active, or is not */
    char problem[SECRET_PROBLEM_MAX];     /* why the last attempt failed; empty: it did not */
    struct span value;                    /* packed; empty: none */
};

struct secret_set {
    struct secret_entry *items;
    size_t n;
    size_t asked_n;           /* references in use */
    size_t inactive_n;        /* references that are not */
    struct span doc;          /* borrowed: the whole config */
    struct profiles profiles; /* from which references and values of agents come */
    struct secret_arena arena;
};

/* Wipes. */
void secret_set_deinit(struct secret_set *self);
/* The references of `doc`, which must stay as long as the set. 0, or -E2BIG when there are more than SECRETS_MAX. */
int secret_set_collect(struct secret_set *self, struct span doc, struct config_lookup lookup);
/*
 * The credentials that agents keep for the providers of the config, as far as they count. Takes the profiles; `old`
 * (may be NULL) has those of before. 0, or -E2BIG likewise.
 */
int secret_set_collect_profiles(struct secret_set *self, struct profiles *profiles, const struct secret_set *old,
                                int64_t now_ms);
/* NULL when no reference stands at that path. */
const struct secret_entry *secret_set_find(const struct secret_set *self, const char *path);

/* The active references, in order, as secret_resolve wants them: asked_n of them. */
void secret_set_refs(const struct secret_set *self, struct secret_ref *refs);

/*
 * Takes the outcomes of those references. When any failed, those that had a value in `old`
 * (may be NULL) under the same reference and the same provider keep it, all of them, so that
 * old and new are not mixed; those that had none take what was found. Returns how many
 * failed. `ret_broken` is the first that failed, has no value and is not as it was in `old`
 * without one, or NULL.
 */
size_t secret_set_take(struct secret_set *self, const struct secret_set *old, const struct secret_resolve *resolve,
                       const struct secret_entry **ret_broken);
/* What has been found so far, for those that have nothing yet. True when there was something. */
bool secret_set_fill(struct secret_set *self, const struct secret_resolve *resolve);
/* When the next profile may not be used any more, by the wall clock; 0: never. */
int64_t secret_set_expires(const struct secret_set *self);
/* How many active ones failed at the last attempt; the first of them in `ret_first` (may be NULL). */
size_t secret_set_failed(const struct secret_set *self, const struct secret_entry **ret_first);
/*
 * What is said of them to whoever asked for it: `prefix`, then place, provider and reason of as many as fit, and
 * how many more there are. Never a value.
 */
void secret_set_failed_text(const struct secret_set *self, const char *prefix, char *out, size_t size);
/* The same for programs: { failed: [{ path, source, provider, id, reason, state }], failedCount }, the first 64 of
 * them. */
void secret_set_failed_pack(const struct secret_set *self, struct pack *out);

/* Appends the paths whose values differ. */
void secret_set_diff_pack(const struct secret_set *before, const struct secret_set *after, struct pack *out);

/*
 * `value` is a part of `doc`, a document with the same references as that of the set. Puts into
 * `out` what an actor of this address may see of it: the secrets that are its own as values, other
 * ones as the marker, references that have no value as references. 1, 0 when that is just `value`, or a fault.
 */
int secret_set_show(const struct secret_set *self, struct span doc, struct span value, struct span address,
                    struct text_buf *out);
/* The same of what an agent keeps for itself: a map of provider to key, or to { problem } where it has none. False:
 * none. */
bool secret_set_credentials(const struct secret_set *self, struct span address, struct pack *out);
/* Is a secret of this actor's own in that part, of which nothing is known yet? */
bool secret_set_is_awaited(const struct secret_set *self, struct span doc, struct span value, struct span address);

#endif
