/*
 * settings: what the configuration says about one agent: its model, its limits and the
 * providers it may ask. Read from `models.providers` and `agents`.
 */
#ifndef ACTORS_AGENT_SETTINGS_H
#define ACTORS_AGENT_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "actors/agent/provider.h"
#include "bus/base/span.h"
#include "schema/base/secret_memory.h"

#define SETTINGS_PROVIDERS_MAX 64
#define SETTINGS_CONCURRENT_DEFAULT 256U
#define SETTINGS_TIMEOUT_DEFAULT_MS 172800000U
#define SETTINGS_CONTEXT_DEFAULT 128000U

struct settings {
    struct secret_arena secrets;      /* keys and headers of the providers */
    struct provider_setup *providers; /* the built-in one is the first */
    size_t providers_n;
    char provider[PROVIDER_ID_MAX]; /* of the default model */
    char model[PROVIDER_MODEL_MAX];
    char embed_provider[PROVIDER_ID_MAX]; /* of memorySearch; "": that of the default model */
    char embed_model[PROVIDER_MODEL_MAX]; /* "": none */
    uint32_t embed_dimensions;            /* 0: the model's own */
    char *system_prompt;                  /* NULL: none */
    char *workspace;                      /* folder of the agent's files, which need not be there */
    uint32_t total_ms;
    uint32_t concurrent_max;
    uint64_t context_tokens;
};

/*
 * Reads the subtrees (packed; nil or empty when absent) for the agent `agent_id`; `credentials` are its own, and count
 * before those of the providers. A
 * provider that cannot be used is kept with its problem, so that whoever asks for it
 * learns why. `self` is zeroed or was read before. 0 or a fault.
 */
int settings_read(struct settings *self, const char *agent_id, struct span providers, struct span agents,
                  struct span credentials);
void settings_deinit(struct settings *self);

enum {
    SETTINGS_E_UNKNOWN = 1, /* no such provider, or no model named; see problem */
};
/*
 * Finds provider and model of a reference `provider/model`; a bare model is one of the
 * default provider, and an empty one means the default. `problem` (PROVIDER_TEXT_MAX bytes) is set on
 * SETTINGS_E_UNKNOWN.
 */
int settings_resolve(const struct settings *self, struct span ref, const struct provider_setup **ret_setup,
                     char ret_model[PROVIDER_MODEL_MAX], char *problem);

/* The same for embeddings: a bare model is one of the provider of memorySearch, an empty one
 * what memorySearch names. */
int settings_resolve_embed(const struct settings *self, struct span ref, const struct provider_setup **ret_setup,
                           char ret_model[PROVIDER_MODEL_MAX], char *problem);

#endif
