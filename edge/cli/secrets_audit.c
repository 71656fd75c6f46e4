#include "edge/cli/secrets_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_files.h"
#include "edge/cli/secrets_known.h"
#include "edge/cli/secrets_residue.h"
#include "edge/cli/secrets_stores.h"
#include "schema/base/config_document.h"
#include "schema/base/config_valid.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_target.h"
#include "schema/base/provider_id.h"

#define NOTHING ((struct span){ 0 })
#define STORE_PROFILES "auth-profiles.json"
#define STORE_MODELS "models.json"
#define STORE_LEGACY "auth.json"

/* A reference that stands somewhere. */
struct use {
    struct secret_ref ref;
    const struct config_credential *row; /* NULL: a text is expected */
    char *file;                          /* owned, as the two below */
    char *place;
    char *provider; /* NULL: none */
};

/* A provider of models that the config has a reference for. */
struct pointer {
    char provider[PROVIDER_ID_LEN];
    char *place;
};

/* A provider that some profile has credentials for. */
struct profile {
    char provider[PROVIDER_ID_LEN];
    bool has[3]; /* api_key, token, oauth */
};

struct audit {
    const struct cli_paths *paths;
    struct secrets_report *report;
    struct config_document document;
    struct pack *docs; /* stores, from which uses borrow */
    size_t docs_n;
    size_t docs_cap;
    struct use *uses;
    size_t uses_n;
    size_t uses_cap;
    struct pointer *pointers;
    size_t pointers_n;
    size_t pointers_cap;
    struct profile *profiles;
    size_t profiles_n;
    size_t profiles_cap;
    char **files;
    size_t files_n;
    size_t files_cap;
    const char *file; /* the one that is looked at */
};

/* One more element of a list that doubles; NULL never, as with all small things. */
static void *grown(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) {
        return items;
    }
    *cap = *cap ? 2 * *cap : 16;
    void *more = mem_new(*cap * size);
    if (n) {
        memcpy(more, items, n * size);
    }
    free(items);
    return more;
}

static char *copied(struct span text)
{
    return mem_text(text.ptr, text.len);
}

/* --- files ------------------------------------------------------------------------------------------- */

/* A finding of the file that is looked at, unless it says another. */
static void tell(struct audit *self, const struct secrets_finding *finding)
{
    struct secrets_finding own = *finding;

    own.file = own.file ? own.file : self->file;
    secrets_report_tell(self->report, &own);
}

static void unreadable_tell(struct audit *self, const char *why)
{
    char message[SECRETS_MESSAGE_MAX];

    (void)snprintf(message, sizeof(message), "Cannot be read, so nobody knows what is in it: %.600s.", why);
    tell(self, &(struct secrets_finding){
                   .code = SECRETS_REF_UNRESOLVED, .severity = "error", .place = "<root>", .message = message });
}

static void file_begin(struct audit *self, const char *path)
{
    self->files = grown(self->files, self->files_n, &self->files_cap, sizeof(*self->files));
    self->files[self->files_n++] = copied(span_from(path));
    self->file = self->files[self->files_n - 1];
}

/* Reads a file that need not be there. False: there is nothing to look at. */
static bool file_open(struct audit *self, const char *path, struct text_buf *text)
{
    struct config_error error = { "" };
    bool is_there = false;
    int r = secrets_file_read(path, SECRETS_FILE_BYTES_MAX, text, &is_there, &error);

    if (!is_there && !r) {
        return false;
    }
    file_begin(self, path);
    if (r) {
        unreadable_tell(self, r < 0 ? fault_text(r) : error.text);
    }
    return !r;
}

/* The same for a file that is a JSON object; the document lives as long as the audit. */
static struct span object_open(struct audit *self, const char *dir, const char *name)
{
    CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) || !file_open(self, path, &text)) {
        return NOTHING;
    }
    self->docs = grown(self->docs, self->docs_n, &self->docs_cap, sizeof(*self->docs));
    struct pack *doc = &self->docs[self->docs_n++];
    pack_init(doc, 0);
    if (secrets_edit_read((struct span){ text.data ? text.data : "", text.len }, doc)) {
        unreadable_tell(self, "it is no JSON object");
        return NOTHING;
    }
    return pack_span(doc);
}

/* --- the config ------------------------------------------------------------------------------------------- */

static void use_add(struct audit *self, const struct secret_ref *ref, const struct config_credential *row,
                    const char *place, struct span provider)
{
    self->uses = grown(self->uses, self->uses_n, &self->uses_cap, sizeof(*self->uses));
    self->uses[self->uses_n++] = (struct use){ .ref = *ref,
                                               .row = row,
                                               .file = copied(span_from(self->file)),
                                               .place = copied(span_from(place)),
                                               .provider = provider.len ? copied(provider) : NULL };
}

static void pointer_add(struct audit *self, struct span provider, const char *place)
{
    self->pointers = grown(self->pointers, self->pointers_n, &self->pointers_cap, sizeof(*self->pointers));
    struct pointer *pointer = &self->pointers[self->pointers_n++];
    (void)provider_id_normalize(provider, pointer->provider);
    pointer->place = copied(span_from(place));
}

static bool is_header_place(const char *path)
{
    size_t len = strlen(path);

    return len > 10 && !strcmp(path + len - 10, ".headers.*");
}

/* A value that a secret would be: not a header that says nothing secret, nor a text that a variable completes. */
static bool is_plain_secret(const struct secret_target *target)
{
    struct span text = secrets_known_trimmed(value_str(target->value, NOTHING));
    struct span name = target->steps[target->steps_n - 1].key;

    if (is_header_place(target->row->path) && !secrets_known_is_secret_header(name)) {
        return false;
    }
    if (text.len) {
        return !memmem(text.ptr, text.len, "${", 2);
    }
    return target->row->is_object_fine && value_kind_of(target->value) == VALUE_MAP && value_count(target->value);
}

static struct span provider_of(const struct secret_target *target)
{
    int at = target->row->provider_at;

    return at >= 0 && (size_t)at < target->steps_n ? target->steps[at].key : NOTHING;
}

static void on_config_place(void *arg, const struct secret_target *target)
{
    struct audit *self = arg;
    struct secret_ref ref;
    char message[SECRETS_MESSAGE_MAX];

    if (secret_target_ref(target, pack_span(&self->document.source), &ref)) {
        use_add(self, &ref, target->row, target->path, provider_of(target));
        if (target->row->is_shadowing) {
            pointer_add(self, provider_of(target), target->path);
        }
        return;
    }
    if (is_plain_secret(target)) {
        (void)snprintf(message, sizeof(message), "%.500s holds a secret in plain text.", target->path);
        tell(self, &(struct secrets_finding){ .code = SECRETS_PLAINTEXT_FOUND,
                                              .severity = "warn",
                                              .place = target->path,
                                              .message = message,
                                              .provider = provider_of(target) });
    }
}

/* --- auth-profiles.json ------------------------------------------------------------------------------------- */

static void profile_note(struct audit *self, struct span provider, size_t kind)
{
    char name[PROVIDER_ID_LEN];
    size_t i = 0;

    (void)provider_id_normalize(provider, name);
    while (i < self->profiles_n && strcmp(self->profiles[i].provider, name) != 0) {
        i++;
    }
    if (i == self->profiles_n) {
        self->profiles = grown(self->profiles, self->profiles_n, &self->profiles_cap, sizeof(*self->profiles));
        (void)snprintf(self->profiles[self->profiles_n++].provider, PROVIDER_ID_LEN, "%s", name);
    }
    self->profiles[i].has[kind] = true;
}

static void static_profile(struct audit *self, struct span id, struct span profile, size_t kind)
{
    static const char *const values[] = { "key", "token" };
    static const char *const refs[] = { "keyRef", "tokenRef" };
    struct span provider = value_str(value_get(profile, "provider"), NOTHING);
    struct span value = value_get(profile, values[kind]);
    struct span doc = pack_span(&self->document.source);
    struct secret_ref ref;
    char place[SECRETS_MESSAGE_MAX];

    (void)snprintf(place, sizeof(place), "profiles.%.*s.%s", (int)(id.len < 500 ? id.len : 500), id.ptr, values[kind]);
    bool is_ref = secret_ref_read(value_get(profile, refs[kind]), doc, &ref) || secret_ref_read(value, doc, &ref);
    if (is_ref) {
        use_add(self, &ref, NULL, place, provider);
        profile_note(self, provider, kind);
    }
    if (secrets_known_trimmed(value_str(value, NOTHING)).len && !secret_ref_read(value, doc, &ref)) {
        tell(self, &(struct secrets_finding){ .code = SECRETS_PLAINTEXT_FOUND,
                                              .severity = "warn",
                                              .place = place,
                                              .message = kind ? "The token of a profile is stored in plain text."
                                                              : "The API key of a profile is stored in plain text.",
                                              .provider = provider,
                                              .profile = id });
        profile_note(self, provider, kind);
    }
}

static void oauth_profile(struct audit *self, struct span id, struct span profile)
{
    struct span provider = value_str(value_get(profile, "provider"), NOTHING);
    char place[SECRETS_MESSAGE_MAX];

    if (!secrets_known_trimmed(value_str(value_get(profile, "access"), NOTHING)).len &&
        !secrets_known_trimmed(value_str(value_get(profile, "refresh"), NOTHING)).len) {
        return;
    }
    (void)snprintf(place, sizeof(place), "profiles.%.*s", (int)(id.len < 500 ? id.len : 500), id.ptr);
    tell(self,
         &(struct secrets_finding){ .code = SECRETS_LEGACY_RESIDUE,
                                    .severity = "info",
                                    .place = place,
                                    .message = "Holds OAuth credentials, which are renewed by themselves and cannot "
                                               "become references.",
                                    .provider = provider,
                                    .profile = id });
    profile_note(self, provider, 2);
}

static void profiles_look(struct audit *self, const char *dir)
{
    struct value_iter it = value_iter(value_get(object_open(self, dir, STORE_PROFILES), "profiles"));
    struct span id;
    struct span profile;

    while (it.is_map && value_next(&it, &id, &profile)) {
        struct span type = value_str(value_get(profile, "type"), NOTHING);

        if (!secrets_known_trimmed(value_str(value_get(profile, "provider"), NOTHING)).len) {
            continue;
        }
        if (span_is_text(type, "api_key") || span_is_text(type, "token")) {
            static_profile(self, id, profile, span_is_text(type, "token"));
        } else if (span_is_text(type, "oauth")) {
            oauth_profile(self, id, profile);
        }
    }
}

/* --- what needs no config to be understood ------------------------------------------------------------- */

static void models_look(struct audit *self, const char *dir)
{
    struct span doc = object_open(self, dir, STORE_MODELS);

    if (doc.len) {
        secrets_residue_models(self->report, self->file, doc);
    }
}

static void legacy_look(struct audit *self, const char *dir)
{
    struct span doc = object_open(self, dir, STORE_LEGACY);

    if (doc.len) {
        secrets_residue_legacy(self->report, self->file, doc);
    }
}

static void env_look(struct audit *self, const char *dir)
{
    CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/.env", dir) < (int)sizeof(path) && file_open(self, path, &text)) {
        secrets_residue_env(self->report, self->file, (struct span){ text.data ? text.data : "", text.len });
    }
}

/* --- do the references lead anywhere -------------------------------------------------------------------------------
 */

static void unresolved_tell(struct audit *self, const struct use *use, const char *why)
{
    char label[SECRET_REF_TEXT_MAX];
    char message[SECRETS_MESSAGE_MAX];

    secret_ref_text(&use->ref, label);
    (void)snprintf(message, sizeof(message), "%.400s cannot be resolved: %.300s.", label, why);
    tell(self, &(struct secrets_finding){ .code = SECRETS_REF_UNRESOLVED,
                                          .severity = "error",
                                          .file = use->file,
                                          .place = use->place,
                                          .message = message,
                                          .provider = span_from(use->provider) });
}

static bool is_fit(const struct use *use, struct span value)
{
    return use->row ? secret_target_takes(use->row, value) : secrets_known_trimmed(value_str(value, NOTHING)).len > 0;
}

/* Equal references count once. */
static bool is_first(const struct audit *self, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (secret_ref_is_same(&self->uses[i].ref, &self->uses[at].ref)) {
            return false;
        }
    }
    return true;
}

static void outcomes_tell(struct audit *self, const struct secret_resolve *resolve, bool is_exec_allowed)
{
    for (size_t i = 0; i < self->uses_n; i++) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, i);
        bool is_exec = self->uses[i].ref.source == SECRET_SOURCE_EXEC;

        if (is_first(self, i)) {
            bool is_skipped = is_exec && !is_exec_allowed;
            self->report->refs_skipped_n += is_skipped;
            self->report->refs_checked_n += !is_skipped;
        }
        if (outcome->state == SECRET_FAILED) {
            unresolved_tell(self, &self->uses[i], outcome->problem.text);
        } else if (outcome->state == SECRET_FOUND && !is_fit(&self->uses[i], outcome->value)) {
            unresolved_tell(self, &self->uses[i], "what it leads to is no text, or an empty one");
        }
    }
}

static int uses_check(struct audit *self, bool is_exec_allowed)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_ref *refs = mem_new((self->uses_n + 1) * sizeof(*refs));
    struct secret_resolve_opts opts = { .doc = pack_span(&self->document.resolved),
                                        .lookup = config_lookup_process(),
                                        .refs = refs,
                                        .refs_n = self->uses_n,
                                        .is_exec_skipped = !is_exec_allowed };

    for (size_t i = 0; i < self->uses_n; i++) {
        refs[i] = self->uses[i].ref;
    }
    int r = secret_resolve_wait(&opts, &resolve);
    if (!r) {
        outcomes_tell(self, resolve, is_exec_allowed);
    }
    secret_resolve_destroy(&resolve);
    free(refs);
    return r;
}

/* --- are they ever used
 * ------------------------------------------------------------------------------------------------ */

static void shadow_tell(struct audit *self, const struct pointer *pointer, const struct profile *profile)
{
    static const char *const kinds[] = { "api_key", "token", "oauth" };
    char modes[64] = "";
    char message[SECRETS_MESSAGE_MAX];

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t len = strlen(modes);
        if (profile->has[i]) {
            (void)snprintf(modes + len, sizeof(modes) - len, "%s%s", len ? "/" : "", kinds[i]);
        }
    }
    (void)snprintf(message, sizeof(message),
                   "A profile of the provider \"%s\" has credentials (%s), which count before this reference.",
                   pointer->provider, modes);
    tell(self, &(struct secrets_finding){ .code = SECRETS_REF_SHADOWED,
                                          .severity = "warn",
                                          .file = "openclaw.json",
                                          .place = pointer->place,
                                          .message = message,
                                          .provider = span_from(pointer->provider) });
}

static void shadows_look(struct audit *self)
{
    for (size_t i = 0; i < self->pointers_n; i++) {
        for (size_t j = 0; j < self->profiles_n; j++) {
            if (!strcmp(self->pointers[i].provider, self->profiles[j].provider)) {
                shadow_tell(self, &self->pointers[i], &self->profiles[j]);
            }
        }
    }
}

/* --- the whole
 * ------------------------------------------------------------------------------------------------------------ */

static void agents_look(struct audit *self)
{
    CLEANUP(secrets_stores_deinit) struct secrets_stores stores;

    secrets_stores_list(&stores, self->paths->state_dir, pack_span(&self->document.resolved));
    for (size_t i = 0; i < stores.n; i++) {
        profiles_look(self, stores.dirs[i]);
    }
    for (size_t i = 0; i < stores.n; i++) {
        models_look(self, stores.dirs[i]);
    }
}

/* With a config that nobody could start with, only what does not depend on it is looked at. */
static int config_look(struct audit *self, bool is_exec_allowed)
{
    struct config_error error = { "" };
    int r = config_document_load(&self->document, self->paths->config_path, config_lookup_process(), &error);

    file_begin(self, self->paths->config_path);
    for (size_t i = 1; i < self->document.sources.n; i++) {
        file_begin(self, self->document.sources.items[i]->path);
    }
    self->file = self->files[0];
    r = r ? r : config_valid(&self->document, &error, NULL);
    if (r) {
        unreadable_tell(self, r < 0 ? fault_text(r) : error.text);
        return 0;
    }
    secret_target_each(pack_span(&self->document.source), "openclaw.json", on_config_place, self);
    agents_look(self);
    r = uses_check(self, is_exec_allowed);
    shadows_look(self);
    return r;
}

static void rest_look(struct audit *self)
{
    CLEANUP(secrets_stores_deinit) struct secrets_stores stores;
    char config_dir[PATH_MAX];

    (void)snprintf(config_dir, sizeof(config_dir), "%s", self->paths->config_path);
    *strrchr(config_dir, '/') = '\0'; /* the path is absolute */
    env_look(self, self->paths->state_dir);
    if (strcmp(config_dir, self->paths->state_dir) != 0) {
        env_look(self, config_dir);
    }
    secrets_stores_list(&stores, self->paths->state_dir, NOTHING);
    for (size_t i = 0; i < stores.n; i++) {
        legacy_look(self, stores.dirs[i]);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void files_tell(struct audit *self)
{
    qsort(self->files, self->files_n, sizeof(*self->files), by_name);
    for (size_t i = 0; i < self->files_n; i++) {
        if (!i || strcmp(self->files[i], self->files[i - 1]) != 0) {
            pack_text(&self->report->files, self->files[i]);
        }
    }
}

static void audit_deinit(struct audit *self)
{
    for (size_t i = 0; i < self->docs_n; i++) {
        secrets_edit_wipe(&self->docs[i]);
    }
    for (size_t i = 0; i < self->uses_n; i++) {
        free(self->uses[i].file);
        free(self->uses[i].place);
        free(self->uses[i].provider);
    }
    for (size_t i = 0; i < self->pointers_n; i++) {
        free(self->pointers[i].place);
    }
    for (size_t i = 0; i < self->files_n; i++) {
        free(self->files[i]);
    }
    free(self->docs);
    free(self->uses);
    free(self->pointers);
    free(self->profiles);
    free(self->files);
    config_document_deinit(&self->document);
}

int secrets_audit(const struct cli_paths *paths, bool is_exec_allowed, struct secrets_report *report)
{
    CLEANUP(audit_deinit) struct audit self = { .paths = paths, .report = report };

    config_document_init(&self.document);
    int r = config_look(&self, is_exec_allowed);
    rest_look(&self);
    files_tell(&self);
    return r ? r : secrets_report_end(report);
}
