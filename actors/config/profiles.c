#include "actors/config/profiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/json_file.h"
#include "schema/base/provider_id.h"
#include "schema/base/secret_path.h"
#include "schema/base/secret_target.h"

#define NOTHING ((struct span){ 0 })
#define BASE_AGENT "main"

static struct span text_at(struct span map, const char *key)
{
    return span_trim(value_str(value_get(map, key), NOTHING));
}

/* Keys with dots, so no path. */
static struct span member(struct span map, struct span wanted)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (span_is(key, wanted)) {
            return item;
        }
    }
    return NOTHING;
}

/* --- files ------------------------------------------------------------------------------------------ */

static void object_read(struct profile_store *store, const char *name, struct pack *out)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", store->dir, name) >= (int)sizeof(path)) {
        return;
    }
    int r = json_file_read(path, out);
    if (!r && value_kind_of(pack_span(out)) != VALUE_MAP) {
        json_file_done(out);
        r = JSON_FILE_E_UNUSABLE;
    }
    store->is_unusable |= r != 0 && r != JSON_FILE_E_ABSENT;
}

static void store_add(struct profiles *self, const char *agent, struct span said_dir, const char *state_dir,
                      bool is_base)
{
    char dir[PATH_MAX];

    for (size_t i = 0; i < self->n; i++) {
        if (!strcmp(self->items[i].agent, agent)) {
            self->items[i].is_base_alone &= is_base;
            return;
        }
    }
    if (self->n == PROFILES_AGENTS_MAX ||
        (said_dir.len ? !secret_path_expand(said_dir, secret_path_home(), dir)
                      : snprintf(dir, sizeof(dir), "%s/agents/%s/agent", state_dir, agent) >= (int)sizeof(dir))) {
        return;
    }
    struct profile_store *store = &self->items[self->n++];
    (void)snprintf(store->agent, sizeof(store->agent), "%s", agent);
    store->dir = mem_text(dir, strlen(dir));
    store->is_base_alone = is_base;
    object_read(store, "auth-profiles.json", &store->profiles);
    object_read(store, "auth-state.json", &store->state);
}

static struct span agent_dir(struct span doc, const char *agent)
{
    struct value_iter it = value_iter(value_path(doc, "agents.list"));
    char id[AGENT_ID_MAX + 1];
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (agent_id_normalize(value_str(value_get(item, "id"), NOTHING), id) && !strcmp(id, agent)) {
            return text_at(item, "agentDir");
        }
    }
    return NOTHING;
}

void profiles_load(struct profiles *self, struct span doc, const char *state_dir)
{
    struct span list = value_path(doc, "agents.list");
    struct value_iter it = value_iter(list);
    char id[AGENT_ID_MAX + 1];
    struct span key;
    struct span item;

    *self = (struct profiles){ .items = mem_new((value_count(list) + 1) * sizeof(*self->items)) };
    store_add(self, BASE_AGENT, agent_dir(doc, BASE_AGENT), state_dir, value_count(list) > 0);
    while (value_next(&it, &key, &item)) {
        if (agent_id_normalize(value_str(value_get(item, "id"), NOTHING), id)) {
            store_add(self, id, text_at(item, "agentDir"), state_dir, false);
        }
    }
}

void profiles_deinit(struct profiles *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->items[i].dir);
        json_file_done(&self->items[i].profiles);
        json_file_done(&self->items[i].state);
    }
    free(self->items);
    *self = (struct profiles){ 0 };
}

static void object_keep(struct pack *now, const struct pack *before)
{
    if (!now->len && before->len) {
        pack_init_secret(now, 0);
        pack_raw(now, pack_span(before));
    }
}

void profiles_keep(struct profiles *self, const struct profiles *old)
{
    for (size_t i = 0; i < self->n; i++) {
        for (size_t k = 0; self->items[i].is_unusable && old && k < old->n; k++) {
            if (!strcmp(self->items[i].dir, old->items[k].dir)) {
                object_keep(&self->items[i].profiles, &old->items[k].profiles);
                object_keep(&self->items[i].state, &old->items[k].state);
            }
        }
    }
}

/* --- which one counts ----------------------------------------------------------------------------------- */

struct choosing {
    const struct profile_store *own;
    const struct profile_store *base;
    struct span doc;
    char provider[PROVIDER_ID_LEN]; /* normalized */
    int64_t now_ms;
    bool is_ordered; /* the first that may counts; else tokens go before keys */
    struct profile_choice *best;
    bool has_best;
    struct profile_choice late; /* the first that may not be used any more */
};

static bool is_of(const struct choosing *self, struct span provider)
{
    char name[PROVIDER_ID_LEN];

    return provider.len && !strcmp(provider_id_normalize(provider, name), self->provider);
}

/* The agent's own goes before that of the same name which it would inherit. */
static struct span profile_find(const struct choosing *self, struct span id)
{
    struct span own = member(value_get(pack_span(&self->own->profiles), "profiles"), id);

    return own.len ? own : member(value_get(pack_span(&self->base->profiles), "profiles"), id);
}

static struct span said_find(const struct choosing *self, struct span id)
{
    return member(value_path(self->doc, "auth.profiles"), id);
}

/* What the config says about it must fit; a token may stand in for an OAuth login. */
static bool is_as_said(const struct choosing *self, struct span id, struct span type)
{
    struct span said = said_find(self, id);
    struct span mode = text_at(said, "mode");

    return !said.len || (is_of(self, text_at(said, "provider")) &&
                         (span_is(mode, type) || (span_is_text(mode, "oauth") && span_is_text(type, "token"))));
}

/* What may not be used any more is remembered: whoever misses it should hear of it. */
static void late_note(struct choosing *self, struct span id, const char *why)
{
    if (!self->late.late) {
        self->late = (struct profile_choice){ .id = id,
                                              .row = secret_target_of_id(SPAN_LIT("auth-profiles.token.token")),
                                              .late = why };
    }
}

static bool is_in_time(struct choosing *self, struct span id, struct span profile)
{
    struct span expires = value_get(profile, "expires");

    if (!expires.len || value_i64(expires, 0) > self->now_ms) {
        return true;
    }
    late_note(self, id, "it has expired: log in anew, and put the new token there");
    return false;
}

/* OAuth logins are refreshed by nobody here. */
static bool is_usable(struct choosing *self, struct span id, struct span type)
{
    if (span_is_text(type, "oauth")) {
        late_note(self, id, "it is an OAuth login, which is not refreshed here: keep a token or a key in its place");
    }
    return span_is_text(type, "token") || span_is_text(type, "api_key");
}

/* The credential itself: a reference beside it counts before it. */
static bool credential_read(const struct choosing *self, struct span profile, bool is_token,
                            struct profile_choice *choice)
{
    struct span value = value_get(profile, is_token ? "token" : "key");
    struct span ref = value_get(profile, is_token ? "tokenRef" : "keyRef");

    choice->has_ref = ref.len && secret_ref_read(ref, self->doc, &choice->ref);
    choice->is_over_plain = choice->has_ref && span_trim(value_str(value, NOTHING)).len;
    choice->has_ref = choice->has_ref || (value.len && secret_ref_read(value, self->doc, &choice->ref));
    choice->value = value;
    return choice->has_ref || span_trim(value_str(value, NOTHING)).len;
}

static void consider(struct choosing *self, struct span id)
{
    struct span profile = profile_find(self, id);
    struct span type = text_at(profile, "type");
    bool is_token = span_is_text(type, "token");
    struct profile_choice choice = { .id = id };

    if (!is_of(self, text_at(profile, "provider")) || !is_as_said(self, id, type) || !is_usable(self, id, type) ||
        (is_token && !is_in_time(self, id, profile)) || !credential_read(self, profile, is_token, &choice)) {
        return;
    }
    choice.expires_ms = is_token ? value_i64(value_get(profile, "expires"), 0) : 0;
    choice.row =
        secret_target_of_id(is_token ? SPAN_LIT("auth-profiles.token.token") : SPAN_LIT("auth-profiles.api_key.key"));
    if (choice.has_ref && span_is_text(text_at(said_find(self, id), "mode"), "oauth")) {
        choice.problem = "auth.profiles says that it is of mode \"oauth\", which takes no references";
    }
    bool is_better = !self->has_best || (!self->is_ordered && is_token && !strstr(self->best->row->path, ".token"));
    if (is_better) {
        *self->best = choice;
        self->has_best = true;
    }
}

static void list_consider(struct choosing *self, struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        consider(self, span_trim(value_str(item, NOTHING)));
    }
}

/* An order that somebody set for this provider: the agent itself, before the config. */
static struct span order_find(const struct choosing *self)
{
    struct span orders[] = { value_get(pack_span(&self->own->state), "order"),
                             value_get(pack_span(&self->own->profiles), "order"),
                             value_get(pack_span(&self->base->state), "order"),
                             value_get(pack_span(&self->base->profiles), "order"),
                             value_path(self->doc, "auth.order") };

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct value_iter it = value_iter(orders[i]);
        struct span key;
        struct span item;

        while (it.is_map && value_next(&it, &key, &item)) {
            if (is_of(self, key) && value_kind_of(item) == VALUE_ARRAY) {
                return item;
            }
        }
    }
    return NOTHING;
}

static void stored_consider(struct choosing *self)
{
    const struct profile_store *stores[] = { self->own, self->base };

    for (size_t i = 0; i < (self->own == self->base ? 1U : 2U); i++) {
        struct value_iter it = value_iter(value_get(pack_span(&stores[i]->profiles), "profiles"));
        struct span key;
        struct span item;

        while (it.is_map && value_next(&it, &key, &item)) {
            consider(self, key);
        }
    }
}

/* Those that the config names for the provider, when the agent has one of them at all. */
static bool said_consider(struct choosing *self)
{
    struct value_iter it = value_iter(value_path(self->doc, "auth.profiles"));
    bool is_any_there = false;
    struct span key;
    struct span item;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (is_of(self, text_at(item, "provider"))) {
            is_any_there |= profile_find(self, key).len > 0;
            consider(self, key);
        }
    }
    return is_any_there;
}

/* What the config says of the provider counts before any profile: it is told to, or there is no key to be had. */
static bool is_config_alone(struct span entry)
{
    static const char *const markers[] = { "custom-local", "ollama-local", "lmstudio-local" };
    struct span key = value_get(entry, "apiKey");

    for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++) {
        if (span_is_text(span_trim(value_str(key, NOTHING)), markers[i])) {
            return true;
        }
    }
    return key.len && span_is_text(text_at(entry, "auth"), "api-key");
}

bool profiles_choose(const struct profiles *self, const struct profile_store *agent, struct span doc,
                     struct span provider, int64_t now_ms, struct profile_choice *ret_choice)
{
    struct choosing choosing = {
        .own = agent, .base = &self->items[0], .doc = doc, .now_ms = now_ms, .best = ret_choice
    };

    (void)provider_id_normalize(provider, choosing.provider);
    if (is_config_alone(member(value_path(doc, "models.providers"), provider))) {
        return false;
    }
    struct span order = order_find(&choosing);
    choosing.is_ordered = order.len > 0;
    if (order.len) {
        list_consider(&choosing, order);
    } else if (!said_consider(&choosing)) {
        stored_consider(&choosing);
    }
    bool has_key = value_get(member(value_path(doc, "models.providers"), provider), "apiKey").len > 0;
    if (!choosing.has_best && choosing.late.late && !has_key) {
        *ret_choice = choosing.late;
        return true;
    }
    return choosing.has_best;
}
