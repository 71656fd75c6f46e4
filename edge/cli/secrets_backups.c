#include "edge/cli/secrets_backups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "edge/cli/secrets_edit.h"
#include "schema/base/config_store.h"

#define TRIES 5 /* the gateway may move its copies on meanwhile */

struct scrub {
    struct secrets_project *project;
    const struct config_source *source; /* whose copies are looked at */
    struct secrets_files files;
    bool is_alone; /* no gateway runs, so nobody else is at work on the config */
    struct config_error *error;
};

/* The place of a target within the file of the source; false when it is not written there. */
static bool place_within(const struct scrub *self, const struct secrets_place *place, struct secrets_place *ret_place)
{
    size_t skip = self->source->mount_n;

    if (skip >= place->n) {
        return false;
    }
    *ret_place = (struct secrets_place){ .row = place->row, .n = place->n - skip };
    for (size_t i = 0; i < place->n; i++) {
        const struct json5_step *step = &place->steps[i];

        if (i >= skip) {
            ret_place->steps[i - skip] = *step;
        } else if (!span_is(step->key, self->source->mount[i].key) || step->index != self->source->mount[i].index) {
            return false;
        }
    }
    return true;
}

/* Puts the reference where the copy has the value. */
static int target_scrub(struct scrub *self, const struct secrets_target *target, struct span doc, struct text_buf *text)
{
    struct secrets_place place;
    struct secret_ref ref;
    CLEANUP(pack_deinit) struct pack packed;

    pack_init(&packed, 0);
    if (!place_within(self, &target->place, &place)) {
        return 0;
    }
    struct span value = secrets_place_value(&place, doc);
    if (value_kind_of(value) <= VALUE_NIL || secret_ref_read(value, doc, &ref)) {
        return 0;
    }
    struct secrets_place ref_place = secrets_place_of_ref(&place);
    secrets_place_ref_pack(&target->ref, &packed);
    int r = secrets_values_add(&self->project->gone, value_str(value, (struct span){ 0 }));
    r = r ? r : pack_error(&packed);
    r = r ? r : secrets_edit_set(text, ref_place.steps, ref_place.n, pack_span(&packed));
    return r || !place.row->ref_path ? r : secrets_edit_remove(text, place.steps, place.n);
}

/* The text of a copy as it may stay; an empty one: it may not. */
static int text_scrub(struct scrub *self, struct span before, struct text_buf *text)
{
    CLEANUP(secrets_edit_wipe) struct pack doc;
    const struct secrets_plan *plan = self->project->plan;

    pack_init(&doc, 0);
    int r = secrets_edit_read(before, &doc);
    bool is_read = !r;
    r = r > 0 ? 0 : r;
    r = r ? r : text_buf_add(text, before);
    for (size_t i = 0; !r && is_read && i < plan->targets_n; i++) {
        if (!plan->targets[i].agent.len) {
            r = target_scrub(self, &plan->targets[i], pack_span(&doc), text);
        }
    }
    if (r < 0) {
        return r;
    }
    if (r || secrets_values_are_in(&self->project->gone, (struct span){ text->data, text->len })) {
        secrets_text_wipe(text);
    }
    return 0;
}

static int copy_scrub(struct scrub *self, const char *path)
{
    struct text_buf text = { 0 };
    struct secrets_file *file = NULL;
    int r = secrets_files_get(&self->files, path, &file, self->error);

    if (r || !file->is_there) {
        return r;
    }
    r = text_scrub(self, secrets_file_text(file), &text);
    if (!r && !text.len && unlink(path) && errno != ENOENT) {
        r = FAULT(-errno);
    } else if (!r && text.len) {
        secrets_file_change(file, &text);
    }
    secrets_text_wipe(&text);
    return r;
}

/* The name of the i-th copy of a file; false when there is none any more. */
static bool copy_name(const char *path, int i, char ret_path[PATH_MAX])
{
    int n;

    if (i < CONFIG_STORE_BACKUPS) {
        n = i ? snprintf(ret_path, PATH_MAX, "%s.bak.%d", path, i) : snprintf(ret_path, PATH_MAX, "%s.bak", path);
    } else if (i == CONFIG_STORE_BACKUPS) {
        n = snprintf(ret_path, PATH_MAX, "%s.last-good", path);
    } else {
        n = snprintf(ret_path, PATH_MAX, "%s.rejected.%d", path, i - CONFIG_STORE_BACKUPS - 1);
    }
    return i <= CONFIG_STORE_BACKUPS + CONFIG_STORE_REJECTED && n < PATH_MAX;
}

/* A writer that was killed may have left the old text under a name of its own. */
static void on_left_over(void *arg, const char *path)
{
    CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
    struct scrub *self = arg;
    struct config_error ignored;
    bool is_there = false;

    if (self->is_alone || (!secrets_file_read(path, SECRETS_FILE_BYTES_MAX, &text, &is_there, &ignored) &&
                           secrets_values_are_in(&self->project->gone, (struct span){ text.data, text.len }))) {
        (void)unlink(path); /* else it stays until the config is written again */
    }
}

static int source_scrub(struct scrub *self)
{
    char path[PATH_MAX];
    int r = 0;

    secrets_files_left_over(self->source->path, ".tmp", on_left_over, self);
    for (int i = 0; !r && copy_name(self->source->path, i, path); i++) {
        r = copy_scrub(self, path);
    }
    r = r ? r : secrets_files_stage(&self->files, self->error);
    r = r ? r : secrets_files_commit(&self->files, self->error);
    secrets_files_deinit(&self->files);
    return r;
}

int secrets_backups_scrub(struct secrets_project *project, bool is_alone, struct config_error *error)
{
    const struct config_sources *sources = &project->document->sources;
    struct scrub scrub = { .project = project, .is_alone = is_alone, .error = error };
    int r = 0;

    for (size_t i = 0; !r && i < sources->n; i++) {
        scrub.source = sources->items[i];
        r = source_scrub(&scrub);
        for (int tries = 1; r > 0 && tries < TRIES; tries++) {
            r = source_scrub(&scrub);
        }
    }
    return r;
}

void secrets_backups_look(struct secrets_project *project)
{
    const struct config_sources *sources = &project->document->sources;

    for (size_t i = 0; i < sources->n; i++) {
        CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
        struct config_error ignored;
        bool is_there = false;

        if (!secrets_file_read(sources->items[i]->path, SECRETS_FILE_BYTES_MAX, &text, &is_there, &ignored) &&
            secrets_values_are_in(&project->gone, (struct span){ text.data, text.len })) {
            secrets_project_warn(project, "%s still holds a value that was moved: in another place, or in a comment.",
                                 sources->items[i]->path);
        }
    }
}
