#include "edge/cli/secrets_project.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_known.h"
#include "edge/cli/secrets_profiles.h"
#include "edge/cli/secrets_stores.h"
#include "schema/base/config_env.h"
#include "schema/base/secret_target.h"
#include "schema/base/provider_id.h"

#define NOTHING ((struct span){ 0 })

_Static_assert(sizeof(((struct secrets_project *)0)->providers[0]) == PROVIDER_ID_LEN, "a provider's name");

void secrets_project_init(struct secrets_project *self, const struct cli_paths *paths, const struct secrets_plan *plan,
                          const struct config_document *document)
{
    *self = (struct secrets_project){ .paths = paths, .plan = plan, .document = document };
    pack_init(&self->source, 0);
    pack_init(&self->resolved, 0);
    pack_init(&self->warnings, 0);
    pack_array_begin(&self->warnings);
}

void secrets_project_deinit(struct secrets_project *self)
{
    secrets_text_wipe(&self->config);
    secrets_edit_wipe(&self->source);
    secrets_edit_wipe(&self->resolved);
    secrets_files_deinit(&self->files);
    secrets_values_deinit(&self->gone);
    pack_deinit(&self->warnings);
    free(self->providers);
}

void secrets_project_warn(struct secrets_project *self, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pack_text(&self->warnings, text);
    self->warnings_n++;
}

static int refuse(struct config_error *error, const struct secrets_place *place, const char *why)
{
    char path[SECRETS_PLACE_LEN];

    (void)snprintf(error->text, sizeof(error->text), "%.400s: %s", secrets_place_text(place, path), why);
    return SECRETS_PROJECT_E_REFUSED;
}

/* --- providers in the config ---------------------------------------------------------------------- */

static int upserts_make(struct secrets_project *self)
{
    struct value_iter it = value_iter(self->plan->upserts);
    struct json5_step steps[] = { { .key = SPAN_LIT("secrets") }, { .key = SPAN_LIT("providers") }, { .index = 0 } };
    struct span entry;
    int r = 0;

    while (!r && value_next(&it, &steps[2].key, &entry)) {
        struct span now = secret_provider_entry(pack_span(&self->document->source), steps[2].key);

        if (!secrets_edit_is_same(now, entry)) {
            r = secrets_edit_set(&self->config, steps, 3, entry);
        }
    }
    return r;
}

/* A name that is deleted and made anew stays where it is, with its new meaning. */
static int deletes_make(struct secrets_project *self)
{
    struct value_iter it = value_iter(self->plan->deletes);
    struct json5_step steps[] = { { .key = SPAN_LIT("secrets") }, { .key = SPAN_LIT("providers") }, { .index = 0 } };
    struct span key;
    struct span name;
    int r = 0;

    while (!r && value_next(&it, &key, &name)) {
        steps[2].key = value_str(name, NOTHING);
        r = value_find(self->plan->upserts, steps[2].key).len > 0 ? 0 : secrets_edit_remove(&self->config, steps, 3);
    }
    struct json5_item item;
    struct span text = { self->config.data, self->config.len };
    if (!r && self->plan->deletes.len && json5_find(text, steps, 2, &item) == 2 && text.ptr[item.value_at] == '{') {
        struct json5_walk walk = json5_walk(text, item.value_at);
        r = json5_next(&walk, &item) ? 0 : secrets_edit_remove(&self->config, steps, 2);
    }
    return r;
}

static int providers_make(struct secrets_project *self, struct config_error *error)
{
    int r = deletes_make(self);

    r = r ? r : upserts_make(self);
    if (r > 0) {
        (void)snprintf(error->text, sizeof(error->text), "secrets.providers: is no object in the config");
        return SECRETS_PROJECT_E_REFUSED;
    }
    return r;
}

/* --- credentials in the config -------------------------------------------------------------------------- */

static int value_note(struct secrets_project *self, struct span value)
{
    return secrets_values_add(&self->gone, value_str(value, NOTHING));
}

static int ref_set(struct text_buf *text, const struct secrets_place *place, const struct secret_ref *ref,
                   struct span now)
{
    CLEANUP(pack_deinit) struct pack value;

    pack_init(&value, 0);
    secrets_place_ref_pack(ref, &value);
    if (pack_error(&value)) {
        return pack_error(&value);
    }
    return secrets_edit_is_same(now, pack_span(&value))
               ? 0
               : secrets_edit_set(text, place->steps, place->n, pack_span(&value));
}

static void provider_note(struct secrets_project *self, struct span provider)
{
    char name[PROVIDER_ID_LEN];

    (void)provider_id_normalize(provider, name);
    for (size_t i = 0; i < self->providers_n; i++) {
        if (!strcmp(self->providers[i], name)) {
            return;
        }
    }
    (void)snprintf(self->providers[self->providers_n++], PROVIDER_ID_LEN, "%s", name);
}

static int config_target(struct secrets_project *self, const struct secrets_target *target, struct config_error *error)
{
    struct secrets_place ref_place = secrets_place_of_ref(&target->place);
    struct span doc = pack_span(&self->document->source);
    struct span value = secrets_place_value(&target->place, pack_span(&self->document->resolved));
    int r = value_note(self, value);

    if (target->place.row->is_shadowing) {
        provider_note(self, secrets_place_provider(&target->place));
    }
    r = r ? r : ref_set(&self->config, &ref_place, &target->ref, secrets_place_value(&ref_place, doc));
    if (!r && target->place.row->ref_path) {
        r = secrets_edit_remove(&self->config, target->place.steps, target->place.n);
    }
    return r > 0 ? refuse(error, &target->place, "the config has no object or list there that it could stand in") : r;
}

/* --- profiles ---------------------------------------------------------------------------------------------- */

static int store_open(struct secrets_project *self, const char *dir, bool is_made, struct secrets_file **ret_file,
                      struct config_error *error)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/auth-profiles.json", dir) >= (int)sizeof(path)) {
        (void)snprintf(error->text, sizeof(error->text), "the directory of an agent has too long a name");
        return SECRETS_PROJECT_E_REFUSED;
    }
    int r = secrets_files_get(&self->files, path, ret_file, error);
    if (!r && !(*ret_file)->is_there && !(*ret_file)->is_changed && !is_made) {
        *ret_file = NULL;
    }
    return r;
}

static int profile_target(struct secrets_project *self, const struct secrets_target *target, struct config_error *error)
{
    struct span config = pack_span(&self->document->resolved);
    struct secrets_file *file = NULL;
    char dir[PATH_MAX];

    if (!secrets_store_of(self->paths->state_dir, config, target->agent, dir)) {
        return refuse(error, &target->place, "agentId names no agent");
    }
    if (secrets_profiles_is_oauth(config, target->place.steps[1].key)) {
        return refuse(error, &target->place, "auth.profiles says that this profile is one of OAuth");
    }
    int r = store_open(self, dir, true, &file, error);
    return r ? r : secrets_profiles_set(file, target, &self->gone, error);
}

static int profiles_scrub(struct secrets_project *self, const char *dir, struct config_error *error)
{
    struct secrets_file *file = NULL;
    bool has_oauth = false;
    int r = store_open(self, dir, false, &file, error);

    for (size_t i = 0; !r && file && i < self->providers_n; i++) {
        has_oauth = false;
        r = secrets_profiles_scrub(file, self->providers[i], &self->gone, &has_oauth);
        if (!r && has_oauth) {
            secrets_project_warn(self,
                                 "%s: the provider \"%s\" has OAuth credentials there, which count before the "
                                 "reference and stay as they are.",
                                 file->path, self->providers[i]);
        }
    }
    return r;
}

/* --- files of the state directory ------------------------------------------------------------------------------ */

static int legacy_scrub(struct secrets_project *self, const char *dir, struct config_error *error)
{
    struct secrets_file *file = NULL;
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/auth.json", dir) >= (int)sizeof(path)) {
        return 0; /* so no such file can be there */
    }
    int r = secrets_files_get(&self->files, path, &file, error);
    return r || !file->is_there ? r : secrets_profiles_scrub_legacy(file);
}

static int stores_scrub(struct secrets_project *self, struct config_error *error)
{
    CLEANUP(secrets_stores_deinit) struct secrets_stores stores;
    int r = 0;

    secrets_stores_list(&stores, self->paths->state_dir, pack_span(&self->resolved));
    for (size_t i = 0; !r && i < stores.n; i++) {
        if (self->plan->is_profiles_scrubbed && self->providers_n) {
            r = profiles_scrub(self, stores.dirs[i], error);
        }
        if (!r && self->plan->is_legacy_scrubbed && !stores.is_configured[i]) {
            r = legacy_scrub(self, stores.dirs[i], error);
        }
    }
    return r;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int targets_make(struct secrets_project *self, struct config_error *error)
{
    int r = 0;

    self->providers = mem_new((self->plan->targets_n + 1) * sizeof(*self->providers));
    for (size_t i = 0; !r && i < self->plan->targets_n; i++) {
        const struct secrets_target *target = &self->plan->targets[i];

        r = target->agent.len ? profile_target(self, target, error) : config_target(self, target, error);
    }
    return r;
}

/* The changed text as values, as the config will be read. */
static int config_read(struct secrets_project *self, struct config_error *error)
{
    int r = secrets_edit_read((struct span){ self->config.data, self->config.len }, &self->source);

    if (r) {
        return r > 0 ? FAULT_FOLD(r) : r;
    }
    self->is_config_changed = !secrets_edit_is_same(pack_span(&self->source), pack_span(&self->document->source));
    r = config_env_substitute(pack_span(&self->source), config_lookup_process(), &self->resolved, error);
    return r > 0 ? SECRETS_PROJECT_E_REFUSED : r;
}

int secrets_project_make(struct secrets_project *self, struct config_error *error)
{
    struct span source = pack_span(&self->document->source);
    int r = text_buf_reserve(&self->config, 2 * source.len + 1024); /* what grows leaves copies behind */

    r = r ? r : json_from_value(source, &self->config);
    r = r ? r : providers_make(self, error);
    r = r ? r : targets_make(self, error);
    r = r ? r : config_read(self, error);
    return r ? r : stores_scrub(self, error);
}

int secrets_project_moved(struct secrets_project *self, struct span value)
{
    return value_note(self, value);
}

/* --- .env
 * -------------------------------------------------------------------------------------------------------------- */

struct env_scrub {
    struct secrets_project *project;
    struct span doc;             /* whose references are looked at */
    struct secrets_values names; /* of variables that references lead to */
    const char *path;
    int fault;
};

static void on_place(void *arg, const struct secret_target *target)
{
    struct env_scrub *scrub = arg;
    struct secret_ref ref;

    if (!scrub->fault && secret_target_ref(target, scrub->doc, &ref) && ref.source == SECRET_SOURCE_ENV) {
        scrub->fault = secrets_values_add(&scrub->names, ref.id);
    }
}

static int store_names(struct env_scrub *self, const char *dir, struct config_error *error)
{
    CLEANUP(secrets_edit_wipe) struct pack doc;
    struct secrets_file *file = NULL;
    int r = store_open(self->project, dir, false, &file, error);

    pack_init(&doc, 0);
    if (!r && file && !secrets_edit_read(secrets_file_text(file), &doc)) {
        self->doc = pack_span(&doc);
        secret_target_each(self->doc, "auth-profiles.json", on_place, self);
    }
    return r ? r : self->fault;
}

/* The variables that the config and all profiles, as they shall be, take values from. */
static int names_collect(struct env_scrub *self, struct config_error *error)
{
    CLEANUP(secrets_stores_deinit) struct secrets_stores stores;
    int r;

    self->doc = pack_span(&self->project->source);
    secret_target_each(self->doc, "openclaw.json", on_place, self);
    r = self->fault;
    secrets_stores_list(&stores, self->project->paths->state_dir, pack_span(&self->project->resolved));
    for (size_t i = 0; !r && i < stores.n; i++) {
        r = store_names(self, stores.dirs[i], error);
    }
    return r;
}

static bool is_needed(const struct env_scrub *self, const char *name)
{
    char variable[300];

    (void)snprintf(variable, sizeof(variable), "${%.256s}", name);
    return secrets_values_has(&self->names, span_from(name)) ||
           memmem(self->project->config.data, self->project->config.len, variable, strlen(variable));
}

static bool is_gone(void *arg, const struct dotenv_item *item)
{
    struct env_scrub *scrub = arg;

    if (!secrets_known_is_variable(span_from(item->name)) ||
        !secrets_values_has(&scrub->project->gone, span_from(item->value))) {
        return false;
    }
    if (is_needed(scrub, item->name)) {
        secrets_project_warn(scrub->project,
                             "%s: %s stays, since a reference leads to that variable: move its value to where the "
                             "environment of the gateway comes from, then remove the line.",
                             scrub->path, item->name);
        return false;
    }
    return true;
}

static int env_scrub(struct env_scrub *self, const char *dir, struct config_error *error)
{
    struct secrets_file *file = NULL;
    struct text_buf text = { 0 };
    char path[PATH_MAX];
    size_t removed_n = 0;

    if (snprintf(path, sizeof(path), "%s/.env", dir) >= (int)sizeof(path)) {
        return 0; /* so no such file can be there */
    }
    int r = secrets_files_get(&self->project->files, path, &file, error);
    if (r || !file->is_there) {
        return r;
    }
    self->path = path;
    r = secrets_scrub_env(secrets_file_text(file), is_gone, self, &text, &removed_n);
    if (!r && removed_n) {
        secrets_file_change(file, &text);
    }
    secrets_text_wipe(&text);
    return r;
}

int secrets_project_env(struct secrets_project *self, struct config_error *error)
{
    struct env_scrub scrub = { .project = self };
    char config_dir[PATH_MAX];

    if (!self->plan->is_env_scrubbed || !self->gone.n) {
        return 0;
    }
    (void)snprintf(config_dir, sizeof(config_dir), "%s", self->paths->config_path);
    *strrchr(config_dir, '/') = '\0'; /* the path is absolute */
    int r = names_collect(&scrub, error);
    r = r ? r : env_scrub(&scrub, self->paths->state_dir, error);
    if (!r && strcmp(config_dir, self->paths->state_dir) != 0) {
        r = env_scrub(&scrub, config_dir, error);
    }
    secrets_values_deinit(&scrub.names);
    return r;
}
