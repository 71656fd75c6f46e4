#include "actors/agent/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/provider_request.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/agent_id.h"
#include "schema/base/agent_workspace.h"

#define BUILTIN_ID "builtin"
#define BUILTIN_MODEL "echo"
#define KEY_MAX 4096
#define URL_MAX 2048
#define FIRST_BYTE_DEFAULT_MS 120000U
#define STALL_DEFAULT_MS 60000U

/* --- one provider ------------------------------------------------------------------------ */

static void text_set(char *out, size_t size, struct span value)
{
    (void)snprintf(out, size, "%.*s", SPAN_FMT(value));
}

static void key_set(struct secret_arena *arena, struct provider_setup *setup, struct span key)
{
    if (key.len > KEY_MAX) {
        provider_problem_set(setup, "apiKey", "is longer than any key");
        return;
    }
    for (size_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.ptr[i] < 0x20 || key.ptr[i] == 0x7f) {
            provider_problem_set(setup, "apiKey", "holds a control character");
            return;
        }
    }
    setup->api_key = key.len ? secret_arena_add(arena, key).ptr : NULL;
    if (key.len && !setup->api_key) {
        provider_problem_set(setup, "apiKey", "cannot be held: out of memory");
    }
}

/* Config lays the secrets into what we read; a reference that is still there has no value. */
static bool is_missing(struct provider_setup *setup, const char *path, struct span value)
{
    if (value_kind_of(value) == VALUE_MAP) {
        provider_problem_set(setup, path, "refers to a secret that is not available now");
        return true;
    }
    return false;
}

static void key_read(struct secret_arena *arena, struct provider_setup *setup, struct span value)
{
    if (!is_missing(setup, "apiKey", value)) {
        key_set(arena, setup, value_str(value, SPAN_LIT("")));
    }
}

/* Keys are ids of providers, which may have dots. */
static struct span credential_of(struct span credentials, struct span id)
{
    struct value_iter it = value_iter(credentials);
    struct span key;
    struct span item;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (span_is(key, id)) {
            return item;
        }
    }
    return (struct span){ 0 };
}

/* What the agent keeps for itself counts alone: where that has no value no other key is taken. */
static void credential_read(struct secret_arena *arena, struct provider_setup *setup, struct span credential)
{
    struct span problem = value_str(value_get(credential, "problem"), SPAN_LIT(""));

    if (!problem.len) {
        key_set(arena, setup, value_str(credential, SPAN_LIT("")));
    } else if (!setup->problem[0]) {
        (void)snprintf(setup->problem, sizeof(setup->problem),
                       "models.providers.%s: the agent's own credential %.*s is not available now", setup->id,
                       (int)(problem.len < 300 ? problem.len : 300), problem.ptr);
    }
}

static void url_read(struct provider_setup *setup, struct span url)
{
    while (url.len && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    if (!span_starts(url, "http://") && !span_starts(url, "https://")) {
        provider_problem_set(setup, "baseUrl", "must begin with http:// or https://");
    } else if (url.len > URL_MAX) {
        provider_problem_set(setup, "baseUrl", "is too long");
    }
    setup->base_url = mem_text(url.ptr ? url.ptr : "", url.len);
}

static void provider_read(struct secret_arena *arena, struct provider_setup *setup, struct span id, struct span value,
                          struct span credential)
{
    struct span api = value_str(value_get(value, "api"), SPAN_LIT("openai-completions"));
    int64_t timeout_s = value_i64(value_get(value, "timeoutSeconds"), 0);

    text_set(setup->id, sizeof(setup->id), id);
    setup->api = PROVIDER_API_OPENAI_COMPLETIONS;
    setup->is_key_bare = !value_bool(value_get(value, "authHeader"), true);
    setup->first_byte_ms = FIRST_BYTE_DEFAULT_MS;
    setup->stall_ms = STALL_DEFAULT_MS;
    if (timeout_s > 0) {
        setup->first_byte_ms = timeout_s > 86400 ? 86400000U : (uint32_t)timeout_s * 1000U;
        setup->stall_ms = setup->first_byte_ms;
    }
    if (!span_is_text(api, "openai-completions")) {
        char text[160];

        (void)snprintf(text, sizeof(text), "is \"%.*s\"; this release speaks openai-completions only",
                       api.len > 64 ? 64 : (int)api.len, api.ptr);
        provider_problem_set(setup, "api", text);
    }
    url_read(setup, value_str(value_get(value, "baseUrl"), SPAN_LIT("")));
    if (credential.len) {
        credential_read(arena, setup, credential);
    } else {
        key_read(arena, setup, value_get(value, "apiKey"));
    }
    setup->secret = setup->api_key;
    provider_request_read(arena, value, setup);
}

static void provider_deinit(struct provider_setup *setup)
{
    free(setup->base_url);
}

static int providers_read(struct settings *self, struct span providers, struct span credentials)
{
    struct value_iter it = value_iter(providers);
    size_t providers_max = 1 + value_count(providers);
    struct span id;
    struct span value;

    if (value_kind_of(providers) != VALUE_MAP) {
        providers_max = 1;
    }
    if (providers_max > SETTINGS_PROVIDERS_MAX) {
        providers_max = SETTINGS_PROVIDERS_MAX;
    }
    self->providers = calloc(providers_max, sizeof(*self->providers));
    if (!self->providers) {
        return FAULT(-ENOMEM);
    }
    text_set(self->providers[0].id, PROVIDER_ID_MAX, SPAN_LIT(BUILTIN_ID));
    self->providers[0].api = PROVIDER_API_ECHO;
    self->providers_n = 1;
    while (self->providers_n < providers_max && value_next(&it, &id, &value)) {
        if (id.len && id.len < PROVIDER_ID_MAX && !span_is_text(id, BUILTIN_ID)) {
            provider_read(&self->secrets, &self->providers[self->providers_n++], id, value,
                          credential_of(credentials, id));
        }
    }
    return 0;
}

/* --- the agent ----------------------------------------------------------------------------- */

static struct span entry_find(struct span agents, const char *agent_id)
{
    struct value_iter it = value_iter(value_get(agents, "list"));
    struct span key;
    struct span entry;

    while (value_next(&it, &key, &entry)) {
        char id[AGENT_ID_MAX + 1];

        if (agent_id_normalize(value_str(value_get(entry, "id"), SPAN_LIT("")), id) && strcmp(id, agent_id) == 0) {
            return entry;
        }
    }
    return (struct span){ 0 };
}

/* A model is a reference or {primary: reference, …}. */
static struct span model_ref(struct span value)
{
    return value_str(value_get(value, "primary"), value_str(value, SPAN_LIT("")));
}

static void model_read(struct settings *self, struct span entry, struct span defaults)
{
    struct span ref = model_ref(value_get(entry, "model"));
    const char *slash;

    if (!ref.len) {
        ref = model_ref(value_get(defaults, "model"));
    }
    if (!ref.len) {
        ref = SPAN_LIT(BUILTIN_ID "/" BUILTIN_MODEL);
    }
    slash = memchr(ref.ptr, '/', ref.len);
    if (slash) {
        text_set(self->provider, sizeof(self->provider), (struct span){ ref.ptr, (size_t)(slash - ref.ptr) });
        text_set(self->model, sizeof(self->model), (struct span){ slash + 1, ref.len - (size_t)(slash + 1 - ref.ptr) });
    } else {
        self->provider[0] = 0; /* settings_resolve says so to whoever asks */
        text_set(self->model, sizeof(self->model), ref);
    }
}

static void embed_read(struct settings *self, struct span entry, struct span defaults)
{
    struct span own = value_get(entry, "memorySearch");
    struct span common = value_get(defaults, "memorySearch");
    int64_t dimensions =
        value_i64(value_get(own, "outputDimensionality"), value_i64(value_get(common, "outputDimensionality"), 0));

    text_set(self->embed_provider, sizeof(self->embed_provider),
             value_str(value_get(own, "provider"), value_str(value_get(common, "provider"), SPAN_LIT(""))));
    text_set(self->embed_model, sizeof(self->embed_model),
             value_str(value_get(own, "model"), value_str(value_get(common, "model"), SPAN_LIT(""))));
    self->embed_dimensions = dimensions > 0 && dimensions <= UINT16_MAX ? (uint32_t)dimensions : 0;
}

static int64_t either_i64(struct span entry, struct span defaults, const char *key, int64_t fallback)
{
    int64_t value = value_i64(value_get(entry, key), value_i64(value_get(defaults, key), fallback));

    return value > 0 ? value : fallback;
}

/* The first entry marked as the default one, else the first; no entries mean one agent. */
static bool is_default(struct span agents, const char *agent_id)
{
    struct value_iter it = value_iter(value_get(agents, "list"));
    char chosen[AGENT_ID_MAX + 1] = "";
    struct span key;
    struct span entry;
    bool is_marked = false;

    while (!is_marked && value_next(&it, &key, &entry)) {
        char id[AGENT_ID_MAX + 1];

        is_marked = value_bool(value_get(entry, "default"), false);
        if (agent_id_normalize(value_str(value_get(entry, "id"), SPAN_LIT("")), id) && (is_marked || !chosen[0])) {
            text_set(chosen, sizeof(chosen), span_from(id));
        }
    }
    return !chosen[0] || strcmp(chosen, agent_id) == 0;
}

static char *workspace_make(const char *agent_id, struct span agents)
{
    struct span own = value_str(value_get(entry_find(agents, agent_id), "workspace"), SPAN_LIT(""));
    struct span shared = value_str(value_path(agents, "defaults.workspace"), SPAN_LIT(""));

    return agent_workspace(own, shared, agent_id, is_default(agents, agent_id));
}

static void agent_read(struct settings *self, const char *agent_id, struct span agents)
{
    struct span defaults = value_get(agents, "defaults");
    struct span entry = entry_find(agents, agent_id);
    struct span prompt = value_str(value_get(entry, "systemPromptOverride"),
                                   value_str(value_get(defaults, "systemPromptOverride"), SPAN_LIT("")));
    int64_t timeout_s = value_i64(value_get(defaults, "timeoutSeconds"), 0);
    int64_t concurrent = value_i64(value_get(defaults, "maxConcurrent"), 0);

    model_read(self, entry, defaults);
    embed_read(self, entry, defaults);
    self->system_prompt = prompt.len ? mem_text(prompt.ptr, prompt.len) : NULL;
    self->workspace = workspace_make(agent_id, agents);
    self->total_ms = timeout_s > 0 && timeout_s < (int64_t)SETTINGS_TIMEOUT_DEFAULT_MS / 1000
                         ? (uint32_t)timeout_s * 1000U
                         : SETTINGS_TIMEOUT_DEFAULT_MS;
    self->concurrent_max = concurrent > 0 && concurrent < 4096 ? (uint32_t)concurrent : SETTINGS_CONCURRENT_DEFAULT;
    self->context_tokens = (uint64_t)either_i64(entry, defaults, "contextTokens", SETTINGS_CONTEXT_DEFAULT);
}

int settings_read(struct settings *self, const char *agent_id, struct span providers, struct span agents,
                  struct span credentials)
{
    struct settings fresh = { 0 };
    int rc = providers_read(&fresh, providers, credentials);

    if (rc) {
        return rc;
    }
    agent_read(&fresh, agent_id, agents);
    settings_deinit(self);
    *self = fresh;
    return 0;
}

void settings_deinit(struct settings *self)
{
    for (size_t i = 0; i < self->providers_n; i++) {
        provider_deinit(&self->providers[i]);
    }
    free(self->providers);
    secret_arena_deinit(&self->secrets);
    free(self->system_prompt);
    free(self->workspace);
    *self = (struct settings){ 0 };
}

/* --- references ------------------------------------------------------------------------------ */

static int setup_find(const struct settings *self, struct span id, struct span model,
                      const struct provider_setup **ret_setup, char *ret_model, char *problem)
{
    if (!id.len || !model.len || model.len >= PROVIDER_MODEL_MAX) {
        (void)snprintf(problem, PROVIDER_TEXT_MAX, "a model is named provider/model, not \"%.*s\"",
                       model.len > 128 ? 128 : (int)model.len, model.ptr);
        return SETTINGS_E_UNKNOWN;
    }
    for (size_t i = 0; i < self->providers_n; i++) {
        if (span_is_text(id, self->providers[i].id)) {
            if (self->providers[i].api == PROVIDER_API_ECHO && !span_is_text(model, BUILTIN_MODEL)) {
                break;
            }
            *ret_setup = &self->providers[i];
            text_set(ret_model, PROVIDER_MODEL_MAX, model);
            return 0;
        }
    }
    (void)snprintf(problem, PROVIDER_TEXT_MAX,
                   "no provider \"%.*s\" with a model \"%.*s\" is configured (models.providers)",
                   id.len > 100 ? 100 : (int)id.len, id.ptr, model.len > 128 ? 128 : (int)model.len, model.ptr);
    return SETTINGS_E_UNKNOWN;
}

int settings_resolve(const struct settings *self, struct span ref, const struct provider_setup **ret_setup,
                     char ret_model[PROVIDER_MODEL_MAX], char *problem)
{
    const char *slash = ref.len ? memchr(ref.ptr, '/', ref.len) : NULL;

    if (!ref.len) {
        return setup_find(self, span_from(self->provider), span_from(self->model), ret_setup, ret_model, problem);
    }
    if (!slash) {
        return setup_find(self, span_from(self->provider), ref, ret_setup, ret_model, problem);
    }
    return setup_find(self, (struct span){ ref.ptr, (size_t)(slash - ref.ptr) },
                      (struct span){ slash + 1, ref.len - (size_t)(slash + 1 - ref.ptr) }, ret_setup, ret_model,
                      problem);
}

int settings_resolve_embed(const struct settings *self, struct span ref, const struct provider_setup **ret_setup,
                           char ret_model[PROVIDER_MODEL_MAX], char *problem)
{
    struct span provider = span_from(self->embed_provider[0] ? self->embed_provider : self->provider);

    if (ref.len && memchr(ref.ptr, '/', ref.len)) {
        return settings_resolve(self, ref, ret_setup, ret_model, problem);
    }
    if (!ref.len && !self->embed_model[0]) {
        (void)snprintf(problem, PROVIDER_TEXT_MAX,
                       "this agent has no model for embeddings: name one in agents.defaults.memorySearch (provider, "
                       "model) or in x-openclaw-model");
        return SETTINGS_E_UNKNOWN;
    }
    return setup_find(self, provider, ref.len ? ref : span_from(self->embed_model), ret_setup, ret_model, problem);
}
