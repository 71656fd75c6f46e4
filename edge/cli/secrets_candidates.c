#include "edge/cli/secrets_candidates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })
#define PROFILES "auth-profiles.json"

enum { OWNED_PROFILE, OWNED_PROVIDER, OWNED_REF_PROVIDER, OWNED_REF_ID };

struct listing {
    struct secrets_candidates *list;
    struct span doc;
    struct span defaults; /* the config */
};

void secrets_candidates_deinit(struct secrets_candidates *self)
{
    for (size_t i = 0; i < self->n; i++) {
        for (size_t j = 0; j < ARRAY_LEN(self->items[i]->owned); j++) {
            free(self->items[i]->owned[j]);
        }
        free(self->items[i]);
    }
    self->n = 0;
}

bool secrets_candidate_is_profile(const struct secrets_candidate *self)
{
    return !strcmp(self->place.row->file, PROFILES);
}

static struct secrets_candidate *add(struct secrets_candidates *self, const struct secrets_place *place)
{
    struct secrets_candidate *item;

    if (self->n == SECRETS_CANDIDATES_MAX) {
        return NULL;
    }
    item = mem_new(sizeof(*item));
    item->place = *place;
    (void)secrets_place_text(place, item->path);
    self->items[self->n++] = item;
    return item;
}

/* A profile holds the credential of its type alone. */
static bool is_of_type(const struct listing *self, const struct secrets_place *place)
{
    struct secrets_place type = *place;

    type.steps[type.n - 1].key = SPAN_LIT("type");
    return !place->row->profile ||
           span_is_text(value_str(secrets_place_value(&type, self->doc), NOTHING), place->row->profile);
}

static struct span profile_provider(const struct listing *self, const struct secrets_place *place)
{
    struct secrets_place provider = *place;

    provider.steps[provider.n - 1].key = SPAN_LIT("provider");
    return value_str(secrets_place_value(&provider, self->doc), NOTHING);
}

static void on_place(void *arg, const struct secrets_place *place)
{
    struct listing *self = arg;
    struct secrets_place ref_place = secrets_place_of_ref(place);
    struct span value = secrets_place_value(place, self->doc);
    struct span ref = secrets_place_value(&ref_place, self->doc);

    if (!place->row->is_configured || !is_of_type(self, place)) {
        return;
    }
    struct secrets_candidate *item = add(self->list, place);
    if (!item) {
        return;
    }
    item->is_absent = value_kind_of(value) <= VALUE_NIL && value_kind_of(ref) <= VALUE_NIL;
    item->has_now =
        secret_ref_read(ref, self->defaults, &item->now) || secret_ref_read(value, self->defaults, &item->now);
    item->provider = secrets_candidate_is_profile(item) ? profile_provider(self, place) : secrets_place_provider(place);
}

static int by_path(const void *a, const void *b)
{
    const struct secrets_candidate *one = *(struct secrets_candidate *const *)a;
    const struct secrets_candidate *other = *(struct secrets_candidate *const *)b;
    int order = (int)secrets_candidate_is_profile(one) - (int)secrets_candidate_is_profile(other);

    return order ? order : strcmp(one->path, other->path);
}

void secrets_candidates_list(struct secrets_candidates *self, struct span doc, struct span profiles)
{
    struct listing listing = { .list = self, .doc = doc, .defaults = doc };

    self->n = 0;
    secrets_places_walk(doc, "openclaw.json", on_place, &listing);
    listing.doc = profiles;
    secrets_places_walk(profiles, PROFILES, on_place, &listing);
    qsort(self->items, self->n, sizeof(*self->items), by_path);
}

struct secrets_candidate *secrets_candidates_add(struct secrets_candidates *self, const char *profile, const char *type,
                                                 const char *provider)
{
    char *name = mem_text(profile, strlen(profile));
    struct span segments[] = { SPAN_LIT("profiles"), span_from(name),
                               strcmp(type, "token") ? SPAN_LIT("key") : SPAN_LIT("token") };
    struct secrets_place place;
    struct secrets_candidate *item = NULL;
    const char *id = strcmp(type, "token") ? "auth-profiles.api_key.key" : "auth-profiles.token.token";

    if (!secrets_place_find(span_from(id), segments, ARRAY_LEN(segments), &place)) {
        item = add(self, &place);
    }
    if (!item) {
        free(name);
        return NULL;
    }
    item->owned[OWNED_PROFILE] = name;
    item->owned[OWNED_PROVIDER] = mem_text(provider, strlen(provider));
    item->provider = span_from(item->owned[OWNED_PROVIDER]);
    return item;
}

void secrets_candidate_choose(struct secrets_candidate *self, enum secret_source source, const char *provider,
                              const char *id)
{
    free(self->owned[OWNED_REF_PROVIDER]);
    free(self->owned[OWNED_REF_ID]);
    self->owned[OWNED_REF_PROVIDER] = mem_text(provider, strlen(provider));
    self->owned[OWNED_REF_ID] = mem_text(id, strlen(id));
    self->chosen = (struct secret_ref){ .source = source,
                                        .provider = span_from(self->owned[OWNED_REF_PROVIDER]),
                                        .id = span_from(self->owned[OWNED_REF_ID]) };
    self->is_chosen = true;
}

/* --- as a target ---------------------------------------------------------------------------------------- */

static void segments_pack(const struct secrets_place *place, struct pack *out)
{
    char number[24];

    pack_key(out, "pathSegments");
    pack_array_begin(out);
    for (size_t i = 0; i < place->n; i++) {
        if (place->steps[i].key.ptr) {
            pack_str(out, place->steps[i].key);
        } else {
            (void)snprintf(number, sizeof(number), "%zu", place->steps[i].index);
            pack_text(out, number);
        }
    }
    pack_array_end(out);
}

static void some_pack(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

void secrets_candidate_pack(const struct secrets_candidate *self, const char *agent, struct pack *out)
{
    bool is_profile = secrets_candidate_is_profile(self);

    pack_map_begin(out);
    pack_kv_text(out, "type", self->place.row->type);
    pack_kv_text(out, "path", self->path);
    segments_pack(&self->place, out);
    pack_key(out, "ref");
    secrets_place_ref_pack(&self->chosen, out);
    some_pack(out, "agentId", is_profile ? span_from(agent) : NOTHING);
    some_pack(out, "providerId", secrets_place_provider(&self->place));
    some_pack(out, "accountId", secrets_place_account(&self->place));
    some_pack(out, "authProfileProvider", is_profile ? self->provider : NOTHING);
    pack_map_end(out);
}
