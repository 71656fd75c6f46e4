#include "edge/cli/secrets_profiles.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_known.h"
#include "schema/base/provider_id.h"

#define NOTHING ((struct span){ 0 })

/* A store that is being changed: its text in the form of this program, and what that says. */
struct store {
    struct text_buf text;
    struct pack doc;
    bool is_changed;
};

static void store_deinit(struct store *self)
{
    secrets_text_wipe(&self->text);
    secrets_edit_wipe(&self->doc);
}

/* 0, a JSON_E_* outcome, or a fault. */
static int store_read(struct store *self, struct span text)
{
    *self = (struct store){ .is_changed = false };
    pack_init(&self->doc, 0);
    int r = secrets_edit_read(text, &self->doc);
    return r ? r : secrets_edit_write(pack_span(&self->doc), &self->text);
}

static int set(struct store *self, const struct json5_step *steps, size_t steps_n, struct span value)
{
    self->is_changed = true;
    return secrets_edit_set(&self->text, steps, steps_n, value);
}

static int removed(struct store *self, const struct json5_step *steps, size_t steps_n)
{
    self->is_changed = true;
    return secrets_edit_remove(&self->text, steps, steps_n);
}

static int text_set(struct store *self, const struct json5_step *steps, size_t steps_n, struct span text)
{
    CLEANUP(pack_deinit) struct pack value;

    pack_init(&value, 0);
    pack_str(&value, text);
    return pack_error(&value) ? pack_error(&value) : set(self, steps, steps_n, pack_span(&value));
}

static struct span text_at(struct span map, const char *key)
{
    return secrets_known_trimmed(value_str(value_get(map, key), NOTHING));
}

bool secrets_profiles_is_oauth(struct span config, struct span id)
{
    return span_is_text(text_at(value_find(value_path(config, "auth.profiles"), id), "mode"), "oauth");
}

/* --- a reference ------------------------------------------------------------------------------------- */

static int refuse(struct config_error *error, const struct secrets_file *file, const struct secrets_target *target,
                  const char *why)
{
    char place[SECRETS_PLACE_LEN];

    (void)snprintf(error->text, sizeof(error->text), "%.300s: %.200s: %.200s", file->path,
                   secrets_place_text(&target->place, place), why);
    return SECRETS_PROFILES_E_REFUSED;
}

/* A store as it must at least be. */
static int frame_make(struct store *self)
{
    struct span version = value_get(pack_span(&self->doc), "version");
    struct span profiles = value_get(pack_span(&self->doc), "profiles");
    struct json5_step step = { .key = SPAN_LIT("version") };
    CLEANUP(pack_deinit) struct pack value;
    int r = 0;

    pack_init(&value, 0);
    if (value_kind_of(version) != VALUE_INT && value_kind_of(version) != VALUE_FLOAT) {
        pack_i64(&value, 1);
        r = set(self, &step, 1, pack_span(&value));
    }
    if (!r && value_kind_of(profiles) != VALUE_MAP) {
        step.key = SPAN_LIT("profiles");
        pack_reset(&value);
        pack_map_begin(&value);
        pack_map_end(&value);
        r = set(self, &step, 1, pack_span(&value));
    }
    return r;
}

/* The profile itself: of the type that the place belongs to, and of some provider. */
static int profile_make(struct store *self, const struct secrets_file *file, const struct secrets_target *target,
                        struct config_error *error)
{
    const struct secrets_place *place = &target->place;
    struct span profile = value_find(value_get(pack_span(&self->doc), "profiles"), place->steps[1].key);
    struct span type = text_at(profile, "type");
    struct json5_step steps[] = { place->steps[0], place->steps[1], { .key = SPAN_LIT("type") } };
    bool is_there = value_kind_of(profile) == VALUE_MAP;
    int r = 0;

    if (is_there && type.len && !span_is_text(type, place->row->profile)) {
        return refuse(error, file, target, "the profile is of another type");
    }
    if (!is_there && !target->profile_provider.len) {
        return refuse(error, file, target, "there is no such profile; authProfileProvider would say what to make");
    }
    if (!type.len) {
        r = text_set(self, steps, 3, span_from(place->row->profile));
    }
    steps[2].key = SPAN_LIT("provider");
    if (!r && !text_at(profile, "provider").len && target->profile_provider.len) {
        r = text_set(self, steps, 3, target->profile_provider);
    }
    return r;
}

static int ref_put(struct store *self, const struct secrets_target *target, struct secrets_values *gone)
{
    struct secrets_place ref_place = secrets_place_of_ref(&target->place);
    struct span value = secrets_place_value(&target->place, pack_span(&self->doc));
    CLEANUP(pack_deinit) struct pack ref;
    int r = secrets_values_add(gone, value_str(value, NOTHING));

    pack_init(&ref, 0);
    secrets_place_ref_pack(&target->ref, &ref);
    r = r ? r : pack_error(&ref);
    if (!r && !secrets_edit_is_same(secrets_place_value(&ref_place, pack_span(&self->doc)), pack_span(&ref))) {
        r = set(self, ref_place.steps, ref_place.n, pack_span(&ref));
    }
    return r || !value.len ? r : removed(self, target->place.steps, target->place.n);
}

int secrets_profiles_set(struct secrets_file *file, const struct secrets_target *target, struct secrets_values *gone,
                         struct config_error *error)
{
    CLEANUP(store_deinit) struct store store;
    struct span text = file->is_there || file->is_changed ? secrets_file_text(file) : SPAN_LIT("{}");
    int r = store_read(&store, text);

    error->text[0] = '\0';
    if (r > 0) {
        return refuse(error, file, target, "the file is no JSON object");
    }
    r = r ? r : frame_make(&store);
    r = r ? r : profile_make(&store, file, target, error);
    r = r ? r : ref_put(&store, target, gone);
    if (r > 0) {
        return error->text[0] ? SECRETS_PROFILES_E_REFUSED : refuse(error, file, target, "the profile is no object");
    }
    if (!r && store.is_changed) {
        secrets_file_change(file, &store.text);
    }
    return r;
}

/* --- scrubbing --------------------------------------------------------------------------------------------- */

/* A key or token goes; so does what stands for a reference and is none. */
static int static_scrub(struct store *self, struct span id, struct span profile, bool is_token,
                        struct secrets_values *gone)
{
    struct json5_step steps[] = { { .key = SPAN_LIT("profiles") },
                                  { .key = id },
                                  { .key = is_token ? SPAN_LIT("token") : SPAN_LIT("key") } };
    struct span value = value_get(profile, is_token ? "token" : "key");
    struct span ref_value = value_get(profile, is_token ? "tokenRef" : "keyRef");
    struct secret_ref ref;
    int r = secrets_values_add(gone, value_str(value, NOTHING));

    if (!r && value.len) {
        r = removed(self, steps, 3);
    }
    if (!r && ref_value.len && !secret_ref_read(ref_value, NOTHING, &ref)) {
        steps[2].key = is_token ? SPAN_LIT("tokenRef") : SPAN_LIT("keyRef");
        r = removed(self, steps, 3);
    }
    return r;
}

int secrets_profiles_scrub(struct secrets_file *file, const char *provider, struct secrets_values *gone,
                           bool *ret_has_oauth)
{
    CLEANUP(store_deinit) struct store store;
    char name[PROVIDER_ID_LEN];
    struct span id;
    struct span profile;
    int r = store_read(&store, secrets_file_text(file));

    if (r) {
        return r > 0 ? 0 : r;
    }
    struct value_iter it = value_iter(value_get(pack_span(&store.doc), "profiles"));
    while (!r && it.is_map && value_next(&it, &id, &profile)) {
        struct span type = text_at(profile, "type");

        if (strcmp(provider_id_normalize(text_at(profile, "provider"), name), provider) != 0) {
            continue;
        }
        if (span_is_text(type, "api_key") || span_is_text(type, "token")) {
            r = static_scrub(&store, id, profile, span_is_text(type, "token"), gone);
        } else if (span_is_text(type, "oauth")) {
            *ret_has_oauth |= text_at(profile, "access").len || text_at(profile, "refresh").len;
        }
    }
    if (!r && store.is_changed) {
        secrets_file_change(file, &store.text);
    }
    return FAULT_FOLD(r);
}

int secrets_profiles_scrub_legacy(struct secrets_file *file)
{
    CLEANUP(store_deinit) struct store store;
    struct span id;
    struct span entry;
    int r = store_read(&store, secrets_file_text(file));

    if (r) {
        return r > 0 ? 0 : r;
    }
    struct value_iter it = value_iter(pack_span(&store.doc));
    while (!r && value_next(&it, &id, &entry)) {
        if (span_is_text(text_at(entry, "type"), "api_key") && text_at(entry, "key").len) {
            struct json5_step step = { .key = id };
            r = removed(&store, &step, 1);
        }
    }
    if (!r && store.is_changed) {
        secrets_file_change(file, &store.text);
    }
    return FAULT_FOLD(r);
}
