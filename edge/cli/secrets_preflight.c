#include "edge/cli/secrets_preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_stores.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_surface.h"

#define CONFIG "openclaw.json"
#define PROFILES "auth-profiles.json"

/* A reference that is in use, and where it stands. */
struct use {
    struct secret_ref ref;
    char *place; /* owned: "file: path" */
};

struct preflight {
    struct secrets_project *project;
    bool is_exec_allowed;
    const char *file;
    struct use *uses;
    size_t n;
    size_t cap;
    struct pack *docs; /* stores, from which uses borrow */
    size_t docs_n;
};

static void use_add(struct preflight *self, const struct secret_ref *ref, const char *path)
{
    char place[1024];

    if (self->n == self->cap) {
        size_t cap = self->cap ? 2 * self->cap : 32;
        struct use *uses = mem_new(cap * sizeof(*uses));

        if (self->n) {
            memcpy(uses, self->uses, self->n * sizeof(*uses));
        }
        free(self->uses);
        self->uses = uses;
        self->cap = cap;
    }
    (void)snprintf(place, sizeof(place), "%.400s: %.500s", self->file, path);
    self->uses[self->n++] = (struct use){ .ref = *ref, .place = mem_text(place, strlen(place)) };
}

static void on_place(void *arg, const struct secret_target *target)
{
    struct preflight *self = arg;
    struct secret_surface surface = { .is_active = true };
    struct secret_ref ref;

    if (!secret_target_ref(target, pack_span(&self->project->source), &ref)) {
        return;
    }
    if (!strcmp(target->row->file, CONFIG)) {
        secret_surface_judge(pack_span(&self->project->resolved), target, config_lookup_process(), &surface);
    }
    if (surface.is_active) {
        use_add(self, &ref, target->path);
    }
}

static int store_look(struct preflight *self, const char *dir, struct config_error *error)
{
    char path[PATH_MAX];
    struct secrets_file *file = NULL;

    if (snprintf(path, sizeof(path), "%s/" PROFILES, dir) >= (int)sizeof(path)) {
        return 0; /* so no such file can be there */
    }
    int r = secrets_files_get(&self->project->files, path, &file, error);
    if (r || (!file->is_there && !file->is_changed)) {
        return r;
    }
    struct pack *doc = &self->docs[self->docs_n++];
    pack_init(doc, 0);
    if (secrets_edit_read(secrets_file_text(file), doc)) {
        return 0; /* an audit tells */
    }
    self->file = file->path;
    secret_target_each(pack_span(doc), PROFILES, on_place, self);
    return 0;
}

static int uses_collect(struct preflight *self, struct config_error *error)
{
    CLEANUP(secrets_stores_deinit) struct secrets_stores stores;
    int r = 0;

    self->file = self->project->paths->config_path;
    secret_target_each(pack_span(&self->project->source), CONFIG, on_place, self);
    secrets_stores_list(&stores, self->project->paths->state_dir, pack_span(&self->project->resolved));
    self->docs = mem_new((stores.n + 1) * sizeof(*self->docs));
    for (size_t i = 0; !r && i < stores.n; i++) {
        r = store_look(self, stores.dirs[i], error);
    }
    return r;
}

/* Could it not be resolved with the config as it is, which has the same provider, either? */
static bool was_broken(const struct preflight *self, const struct secret_ref *ref)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_resolve_opts opts = { .doc = pack_span(&self->project->document->resolved),
                                        .lookup = config_lookup_process(),
                                        .refs = ref,
                                        .refs_n = 1,
                                        .is_exec_skipped = !self->is_exec_allowed };

    struct span before = secret_provider_entry(opts.doc, ref->provider);

    return span_is(before, secret_provider_entry(pack_span(&self->project->resolved), ref->provider)) &&
           !secret_resolve_wait(&opts, &resolve) && secret_resolve_outcome(resolve, 0)->state == SECRET_FAILED;
}

static int failure_take(struct preflight *self, const struct use *use, const char *why, struct config_error *error)
{
    char label[SECRET_REF_TEXT_MAX];

    secret_ref_text(&use->ref, label);
    if (was_broken(self, &use->ref)) {
        secrets_project_warn(self->project, "%.400s: %.150s cannot be resolved, as before: %.200s.", use->place, label,
                             why);
        return 0;
    }
    (void)snprintf(error->text, sizeof(error->text), "%.350s: %.150s cannot be resolved: %.200s", use->place, label,
                   why);
    return SECRETS_PREFLIGHT_E_REFUSED;
}

static int uses_try(struct preflight *self, struct config_error *error)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    CLEANUP(mem_free) struct secret_ref *refs = mem_new((self->n + 1) * sizeof(*refs));
    struct secret_resolve_opts opts = { .doc = pack_span(&self->project->resolved),
                                        .lookup = config_lookup_process(),
                                        .refs = refs,
                                        .refs_n = self->n,
                                        .is_exec_skipped = !self->is_exec_allowed };

    for (size_t i = 0; i < self->n; i++) {
        refs[i] = self->uses[i].ref;
    }
    int r = secret_resolve_wait(&opts, &resolve);
    for (size_t i = 0; !r && i < self->n; i++) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, i);

        if (outcome->state == SECRET_FAILED) {
            r = failure_take(self, &self->uses[i], outcome->problem.text, error);
        }
    }
    secret_resolve_destroy(&resolve); /* before what it borrows */
    return r;
}

static void preflight_deinit(struct preflight *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->uses[i].place);
    }
    for (size_t i = 0; i < self->docs_n; i++) {
        secrets_edit_wipe(&self->docs[i]);
    }
    free(self->uses);
    free(self->docs);
}

int secrets_preflight(struct secrets_project *project, bool is_exec_allowed, struct config_error *error)
{
    CLEANUP(preflight_deinit)
    struct preflight self = { .project = project, .is_exec_allowed = is_exec_allowed };
    int r = uses_collect(&self, error);

    return r ? r : uses_try(&self, error);
}
