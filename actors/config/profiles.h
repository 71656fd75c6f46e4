/*
 * profiles: what agents keep for themselves about their model providers: auth-profiles.json, and in auth-state.json
 * in which order they are tried. Which of them counts for an agent and a provider is decided here; the
 * first that may counts, and no other is tried in its place.
 */
#ifndef ACTORS_CONFIG_PROFILES_H
#define ACTORS_CONFIG_PROFILES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/agent_id.h"
#include "schema/base/secret_ref.h"
#include "schema/config_table.h"

#define PROFILES_AGENTS_MAX 512U

struct profile_store {
    char agent[AGENT_ID_MAX + 1];
    char *dir;            /* where its files are; owned */
    struct pack profiles; /* auth-profiles.json; empty: there is none */
    struct pack state;    /* auth-state.json; likewise */
    bool is_unusable;     /* one of them is there and is no JSON object */
    bool is_base_alone;   /* no agent of the config: others fall back on its profiles */
};

struct profiles {
    struct profile_store *items; /* each agent once; that of "main" is the first */
    size_t n;
};

/* Reads the files of every agent of `doc` (a whole config), and of "main". Blocks for small local files. */
void profiles_load(struct profiles *self, struct span doc, const char *state_dir);
/* Wipes. */
void profiles_deinit(struct profiles *self);
/* A store that cannot be used says what it said in `old` (may be NULL). */
void profiles_keep(struct profiles *self, const struct profiles *old);

struct profile_choice {
    struct span id;                      /* "openai:default" */
    const struct config_credential *row; /* profiles.*.key or profiles.*.token */
    bool has_ref;
    bool is_over_plain;    /* a value stands beside the reference, which counts before it */
    struct secret_ref ref; /* borrows, as the value does */
    struct span value;     /* packed text, without a reference */
    const char *problem;   /* why it must not be used, although it counts; NULL: it may */
    const char *late;      /* the same of one that counted until its time was over, when nothing takes its place */
    int64_t expires_ms;    /* from when on it may not be used any more; 0: always */
};

/*
 * The profile of `agent` that counts for this provider (an entry of models.providers), at that time. False: none,
 * and what the config says of the provider counts.
 */
bool profiles_choose(const struct profiles *self, const struct profile_store *agent, struct span doc,
                     struct span provider, int64_t now_ms, struct profile_choice *ret_choice);

#endif
