#include "actors/config/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/diff.h"
#include "actors/config/last_good.h"
#include "actors/config/reload.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_shape.h"

/* Builds a snapshot of one file and what it includes; an absent file is an empty config. On a refusal `ret_seen` (may
 * be NULL) gets the files. */
static int file_load(const struct config *self, const char *path, struct snapshot *ret_snapshot,
                     struct config_error *error, struct config_issues *issues, struct config_sources *ret_seen)
{
    struct snapshot_opts opts = { .path = path,
                                  .state_dir = self->state_dir,
                                  .lookup = config_lookup_process(),
                                  .before = &self->snapshot.secrets,
                                  .issues = issues };
    struct snapshot built;

    snapshot_init(&built);
    int r = snapshot_load(&built, &opts, error);
    if (r > 0 && ret_seen) {
        *ret_seen = built.document.sources;
        built.document.sources = (struct config_sources){ 0 };
    }
    if (r) {
        snapshot_deinit(&built);
        return r;
    }
    *ret_snapshot = built;
    return 0;
}

void config_details_set(struct config *self, const struct config_issues *issues)
{
    pack_reset(&self->issues);
    if (issues) {
        config_issues_pack(issues, true, &self->issues);
    }
    self->issues_left_out = issues ? config_issues_left_out(issues) : 0;
}

void config_refused_forget(struct config *self)
{
    for (size_t i = 0; self->refused && self->refused[i]; i++) {
        free(self->refused[i]);
    }
    free(self->refused);
    self->refused = NULL;
}

/* What an edit brings may be mended in any of the files that were read for it. */
static void refused_note(struct config *self, const struct config_sources *sources)
{
    config_refused_forget(self);
    self->refused = mem_new((sources->n + 1) * sizeof(*self->refused));
    for (size_t i = 0; i < sources->n; i++) {
        self->refused[i] = mem_text(sources->items[i]->path, strlen(sources->items[i]->path));
    }
}

int config_load(struct config *self, struct snapshot *ret_snapshot)
{
    CLEANUP(config_issues_destroy) struct config_issues *issues = config_issues_new();
    struct config_error error = { "" };
    struct config_sources seen = { 0 };
    int r = file_load(self, self->path, ret_snapshot, &error, issues, &seen);

    if (r > 0) {
        refused_note(self, &seen);
    } else {
        config_refused_forget(self);
    }
    config_sources_deinit(&seen);
    config_details_set(self, issues);
    self->issue = r > 0 ? error : (struct config_error){ "" };
    return r;
}

static void on_unserved(void *arg, const struct config_section *section)
{
    char(*list)[256] = arg;
    size_t len = strlen(*list);

    (void)snprintf(*list + len, sizeof(*list) - len, "%s%s", len ? "," : "", section->name);
}

/* Once for each set of sections, not at every load. */
static void unserved_tell(struct config *self)
{
    char list[256] = "";

    config_shape_unserved(pack_span(&self->snapshot.document.source), on_unserved, &list);
    if (strcmp(list, self->unserved) != 0) {
        memcpy(self->unserved, list, sizeof(list));
        if (list[0]) {
            log_info("config_not_served", "sections=%s kept=true", list);
        }
    }
}

/* The copy is a convenience for a bad day: without it (full disk) today goes on. */
static void last_good_keep(struct config *self)
{
    struct span text = config_document_text(&self->snapshot.document);
    int fault = self->snapshot.document.is_present ? last_good_write(self->path, text) : 0;

    self->spare_problem[0] = '\0';
    if (fault) {
        (void)snprintf(self->spare_problem, sizeof(self->spare_problem), "no copy of the last good config: %s",
                       fault_text(fault));
    }
    config_status_tell(self);
}

void config_prove(struct config *self)
{
    if (self->is_unproved) {
        self->is_unproved = false;
        last_good_keep(self);
        unserved_tell(self); /* not before: the log may not be there yet when the first config is read */
        activation_tell(self);
    }
}

static void snapshot_put(struct config *self, struct snapshot *fresh)
{
    snapshot_deinit(&self->snapshot);
    self->snapshot = *fresh;
    snapshot_init(fresh);
    self->version++;
}

static void paths_copy(struct span paths, struct pack *out)
{
    struct value_iter it = value_iter(paths);
    struct span key;
    struct span path;

    while (value_next(&it, &key, &path)) {
        pack_raw(out, path);
    }
}

/* What the document says otherwise, and secrets that are others under the same reference. */
static void changed_pack(const struct snapshot *before, const struct snapshot *after, struct pack *out)
{
    CLEANUP(pack_deinit) struct pack plain;
    CLEANUP(pack_deinit) struct pack secrets;

    pack_init(&plain, 0);
    pack_init(&secrets, 0);
    diff_pack(pack_span(&before->effective), pack_span(&after->effective), &plain);
    pack_array_begin(&secrets);
    secret_set_diff_pack(&before->secrets, &after->secrets, &secrets);
    pack_array_end(&secrets);
    pack_reset(out);
    pack_array_begin(out);
    if (value_count(pack_span(&plain)) + value_count(pack_span(&secrets)) > DIFF_PATHS_MAX) {
        pack_text(out, "");
    } else {
        paths_copy(pack_span(&plain), out);
        paths_copy(pack_span(&secrets), out);
    }
    pack_array_end(out);
}

static int changed_tell(struct config *self, const struct snapshot *before, struct actor_ctx *cause,
                        struct rollout **ret_rollout)
{
    changed_pack(before, &self->snapshot, &self->scratch);
    if (pack_error(&self->scratch)) {
        return pack_error(&self->scratch);
    }
    *ret_rollout = followers_tell(self, pack_span(&self->scratch), cause);
    return 0;
}

/* The rules speak of what is written; what flags and environment say does not change with it. */
static int plan_carry_out(struct config *self, struct span before, struct rollout *rollout)
{
    pack_reset(&self->scratch);
    diff_pack(before, pack_span(&self->snapshot.document.resolved), &self->scratch);
    if (!pack_error(&self->scratch)) {
        reload_carry_out(self, pack_span(&self->scratch), rollout);
    }
    return pack_error(&self->scratch);
}

int config_apply(struct config *self, struct snapshot *fresh, struct actor_ctx *cause)
{
    struct snapshot before = self->snapshot;
    struct rollout *rollout = NULL;

    snapshot_init(&self->snapshot);
    snapshot_put(self, fresh);
    self->issue.text[0] = '\0';
    self->was_refused[0] = '\0';
    self->is_unproved = false;
    last_good_keep(self);
    unserved_tell(self);
    log_info("config_loaded", "version=%llu path=%s", (unsigned long long)self->version, self->path);
    activation_tell_changed(&self->snapshot.secrets, &before.secrets);
    int r = changed_tell(self, &before, cause, &rollout);
    r = r ? r : plan_carry_out(self, pack_span(&before.document.resolved), rollout);
    if (!r) {
        rollout_close(self, rollout);
    }
    snapshot_deinit(&before);
    activation_settle(self, ACTIVATION_FILE);
    reload_follow(self);
    return r;
}

int config_renewed(struct config *self, const struct secret_set *before, struct rollout **ret_rollout)
{
    struct pack *paths = &self->scratch;

    *ret_rollout = NULL;
    pack_reset(paths);
    pack_array_begin(paths);
    secret_set_diff_pack(before, &self->snapshot.secrets, paths);
    pack_array_end(paths);
    if (pack_error(paths) || !value_count(pack_span(paths))) {
        return pack_error(paths);
    }
    if (value_count(pack_span(paths)) > DIFF_PATHS_MAX) {
        pack_reset(paths);
        pack_array_begin(paths);
        pack_text(paths, "");
        pack_array_end(paths);
    }
    self->version++;
    *ret_rollout = followers_tell(self, pack_span(paths), NULL);
    return pack_error(paths);
}

/* Nothing is wrong with what is in force. */
static void waiting_tell(struct config *self)
{
    char text[LISTENING_DUE_MAX + 64];
    char due[LISTENING_DUE_MAX];

    listening_due(self, due);
    if (self->spare_problem[0] || !due[0]) {
        actor_status(self->actor, self->spare_problem);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s: takes effect when the gateway is started again", due);
    actor_status(self->actor, text);
}

void config_status_tell(struct config *self)
{
    char text[ACTOR_ADDRESS_MAX + FOLLOWER_REASON_MAX + 64];

    if (self->issue.text[0]) {
        actor_status(self->actor, self->issue.text);
    } else if (followers_problem(self, text, sizeof(text))) {
        actor_status(self->actor, text);
    } else if (self->activation.is_degraded) {
        actor_status(self->actor, self->activation.degraded_text);
    } else if (self->rotation.is_newer) {
        actor_status(self->actor,
                     "a file of secrets is newer than the values in use: `openclaw secrets reload` reads it");
    } else if (self->listening.problem[0]) {
        actor_status(self->actor, self->listening.problem);
    } else {
        waiting_tell(self);
    }
}

void config_refuse(struct config *self)
{
    if (strcmp(self->was_refused, self->issue.text) == 0) {
        return;
    }
    (void)snprintf(self->was_refused, sizeof(self->was_refused), "%s", self->issue.text);
    config_status_tell(self);
    log_warning("config_refused", "version=%llu stays in force, reason=\"%s\"", (unsigned long long)self->version,
                self->issue.text);
}

int config_first_load(struct config *self)
{
    struct snapshot fresh;
    char spare[PATH_MAX];
    struct config_error ignored;
    int r = config_load(self, &fresh);

    if (!r) {
        snapshot_put(self, &fresh);
        self->is_unproved = true;
        return 0;
    }
    if (r < 0) {
        return r;
    }
    config_status_tell(self);
    if (!last_good_path(self->path, spare) || file_load(self, spare, &fresh, &ignored, NULL, NULL) ||
        !fresh.document.is_present) {
        log_error("config_unusable", "reason=\"%s\"", self->issue.text); /* the only place that can say why */
        return FAULT(-EINVAL);
    }
    snapshot_put(self, &fresh);
    log_warning("config_last_good", "file=%s reason=\"%s\"", spare, self->issue.text);
    return 0;
}
