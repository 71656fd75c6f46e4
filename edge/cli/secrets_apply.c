#include "edge/cli/secrets_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/config_writer.h"
#include "edge/cli/secrets_backups.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_preflight.h"
#include "edge/cli/secrets_project.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_target.h"

#define NOTHING ((struct span){ 0 })

struct apply {
    const struct cli *cli;
    const struct secrets_plan *plan;
    const struct secrets_apply_opts *opts;
    struct secrets_result *result;
    struct config_writer writer;
    struct secrets_project project;
};

void secrets_result_init(struct secrets_result *self)
{
    *self = (struct secrets_result){ .is_complete = true };
    pack_init(&self->changed, 0);
    pack_init(&self->warnings, 0);
}

void secrets_result_deinit(struct secrets_result *self)
{
    pack_deinit(&self->changed);
    pack_deinit(&self->warnings);
}

void secrets_result_pack(const struct secrets_result *self, bool is_write, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "mode", is_write ? "write" : "dry-run");
    pack_kv_bool(out, "changed", self->is_changed);
    pack_kv_raw(out, "changedFiles", pack_span(&self->changed));
    pack_key(out, "checks");
    pack_map_begin(out);
    pack_kv_bool(out, "resolvability", true);
    pack_kv_bool(out, "resolvabilityComplete", self->is_complete);
    pack_map_end(out);
    pack_kv_u64(out, "refsChecked", self->refs_checked_n);
    pack_kv_u64(out, "skippedExecRefs", self->refs_skipped_n);
    pack_kv_u64(out, "warningCount", self->warnings_n);
    pack_kv_raw(out, "warnings", pack_span(&self->warnings));
    pack_map_end(out);
}

static void list_print(struct span list, const char *front)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        cli_out("%s", front);
        cli_out_safe(value_str(item, NOTHING), false);
        cli_out("\n");
    }
}

void secrets_result_print(const struct secrets_result *self, bool is_write)
{
    if (!self->is_changed) {
        cli_out("Nothing %s to change\n", is_write ? "was" : "would be");
    } else {
        cli_out("%s %zu %s:\n", is_write ? "Changed" : "Would change", self->changed_n,
                self->changed_n == 1 ? "file" : "files");
        list_print(pack_span(&self->changed), "  ");
    }
    list_print(pack_span(&self->warnings), "warning: ");
    if (self->refs_skipped_n) {
        cli_out("%zu references to programs were not tried; --allow-exec runs the programs\n", self->refs_skipped_n);
    }
}

/* What stands in the way is told; `r` is an outcome of this program's parts, or a fault. */
static int explain(const struct apply *self, int r, const char *text)
{
    if (r < 0) {
        cli_err("the plan cannot be carried out: %s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    cli_err("%s", text);
    cli_err_more("%s", self->opts->is_write ? "nothing was written" : "it would not be carried out");
    return CLI_EXIT_FAILED;
}

/* --- the plan file ---------------------------------------------------------------------------------- */

int secrets_apply_read(const char *path, struct secrets_plan *plan)
{
    CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
    struct config_error error = { "" };
    bool is_there = false;
    int r = secrets_file_read(path, SECRETS_PLAN_BYTES_MAX, &text, &is_there, &error);

    *plan = (struct secrets_plan){ .targets = NULL };
    pack_init(&plan->doc, 0);
    if (r || !is_there) {
        cli_err("the plan cannot be read: %s%s",
                r < 0 ? fault_text(r)
                : r   ? error.text
                      : path,
                r ? "" : ": no such file");
        return CLI_EXIT_FAILED;
    }
    r = secrets_plan_parse((struct span){ text.data, text.len }, plan, &error);
    if (r) {
        cli_err("%s is no plan that could be carried out", path);
        cli_err_more("%s", r < 0 ? fault_text(r) : error.text);
        return r < 0 ? CLI_EXIT_SOFTWARE : CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* --- do the references lead anywhere -------------------------------------------------------------------- */

static int outcome_take(struct apply *self, const struct secrets_target *target, const struct secret_outcome *outcome)
{
    char label[SECRET_REF_TEXT_MAX];
    char place[SECRETS_PLACE_LEN];
    char text[512];

    if (outcome->state == SECRET_SKIPPED) {
        self->result->refs_skipped_n++;
        self->result->is_complete = false;
        return CLI_EXIT_OK;
    }
    self->result->refs_checked_n++;
    if (outcome->state == SECRET_FOUND && secret_target_takes(target->place.row, outcome->value)) {
        int r = secrets_project_moved(&self->project, outcome->value);
        return r ? explain(self, r, "") : CLI_EXIT_OK;
    }
    secret_ref_text(&target->ref, label);
    (void)snprintf(
        text, sizeof(text), "%.150s: %.150s cannot be resolved: %.180s", secrets_place_text(&target->place, place),
        label, outcome->state == SECRET_FOUND ? "what it leads to is no text, or an empty one" : outcome->problem.text);
    return explain(self, 1, text);
}

static int refs_check(struct apply *self)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    CLEANUP(mem_free) struct secret_ref *refs = mem_new((self->plan->targets_n + 1) * sizeof(*refs));
    struct secret_resolve_opts opts = { .doc = pack_span(&self->project.resolved),
                                        .lookup = config_lookup_process(),
                                        .refs = refs,
                                        .refs_n = self->plan->targets_n,
                                        .is_exec_skipped = !self->opts->is_exec_allowed };

    for (size_t i = 0; i < self->plan->targets_n; i++) {
        refs[i] = self->plan->targets[i].ref;
    }
    int r = secret_resolve_wait(&opts, &resolve);
    r = r ? explain(self, r, "") : CLI_EXIT_OK;
    for (size_t i = 0; !r && i < self->plan->targets_n; i++) {
        r = outcome_take(self, &self->plan->targets[i], secret_resolve_outcome(resolve, i));
    }
    secret_resolve_destroy(&resolve); /* before what it borrows */
    return r;
}

/* --- what it comes to ----------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void changed_tell(struct apply *self)
{
    const char *paths[SECRETS_FILES_MAX + 1];
    size_t n = 0;

    if (self->project.is_config_changed) {
        paths[n++] = self->cli->paths.config_path;
    }
    for (size_t i = 0; i < self->project.files.n; i++) {
        if (self->project.files.items[i]->is_changed) {
            paths[n++] = self->project.files.items[i]->path;
        }
    }
    qsort(paths, n, sizeof(*paths), by_name);
    pack_array_begin(&self->result->changed);
    for (size_t i = 0; i < n; i++) {
        pack_text(&self->result->changed, paths[i]);
    }
    pack_array_end(&self->result->changed);
    self->result->changed_n = n;
    self->result->is_changed = n > 0;
}

/* Everything that can be known without writing. */
static int prepare(struct apply *self)
{
    struct config_error error = { "" };
    int r = secrets_project_make(&self->project, &error);

    r = r ? explain(self, r, error.text) : refs_check(self);
    if (r) {
        return r;
    }
    r = secrets_project_env(&self->project, &error);
    if (r) {
        return explain(self, r, error.text);
    }
    changed_tell(self);
    r = self->result->is_changed ? secrets_preflight(&self->project, self->opts->is_exec_allowed, &error) : 0;
    if (r) {
        return explain(self, r, error.text);
    }
    if (self->project.is_config_changed) {
        self->writer.raw = self->project.config;
        self->project.config = (struct text_buf){ 0 };
        r = config_writer_try(&self->writer);
    }
    return r;
}

/* --- writing ------------------------------------------------------------------------------------------------ */

static int config_put(struct apply *self)
{
    struct config_error error = { "" };
    int r = self->project.is_config_changed ? config_writer_write(&self->writer) : CLI_EXIT_OK;

    if (r && !secrets_files_undo(&self->project.files, &error)) {
        cli_err("%s", error.text);
    }
    return r;
}

/*
 * The config comes last: until it is written, a run that is killed can be repeated, since the values that have
 * to go are still known from it.
 */
static int write_all(struct apply *self)
{
    struct config_error error = { "" };
    int r = config_writer_lock(&self->writer);

    if (r) {
        return r;
    }
    r = secrets_files_stage(&self->project.files, &error);
    r = r ? r : secrets_files_commit(&self->project.files, &error);
    if (r == SECRETS_FILES_E_TORN) {
        cli_err("%s", error.text);
        return CLI_EXIT_FAILED;
    }
    r = r ? explain(self, r, error.text) : config_put(self);
    if (r) {
        return r;
    }
    r = secrets_backups_scrub(&self->project, config_writer_is_alone(&self->writer), &error);
    if (r) {
        cli_err("the plan was carried out, but copies of the config may still hold the secrets: %s",
                r < 0 ? fault_text(r) : error.text);
        return CLI_EXIT_FAILED;
    }
    secrets_backups_look(&self->project);
    return CLI_EXIT_OK;
}

static void apply_deinit(struct apply *self)
{
    secrets_project_deinit(&self->project);
    config_writer_deinit(&self->writer);
}

static int run(struct apply *self)
{
    int r = self->opts->is_write ? config_writer_turn(&self->writer) : CLI_EXIT_OK;

    r = r ? r : config_writer_read(&self->writer);
    r = r ? r : prepare(self);
    return r || !self->opts->is_write ? r : write_all(self);
}

static int apply_try(const struct cli *cli, const struct secrets_plan *plan, const struct secrets_apply_opts *opts,
                     struct secrets_result *result, struct config_again *again)
{
    CLEANUP(apply_deinit)
    struct apply self = { .cli = cli, .plan = plan, .opts = opts, .result = result };

    config_writer_init(&self.writer, cli);
    self.writer.again = again;
    secrets_project_init(&self.project, &cli->paths, plan, &self.writer.document);
    int r = run(&self);
    pack_array_end(&self.project.warnings);
    pack_raw(&result->warnings, pack_span(&self.project.warnings));
    result->warnings_n = self.project.warnings_n;
    if (!r && (pack_error(&result->warnings) || pack_error(&result->changed))) {
        return explain(&self, pack_error(&result->warnings) ? pack_error(&result->warnings) : -ENOMEM, "");
    }
    return r;
}

int secrets_apply(const struct cli *cli, const struct secrets_plan *plan, const struct secrets_apply_opts *opts,
                  struct secrets_result *result)
{
    struct config_again again = { 0 };
    int r;

    if (opts->is_write && !opts->is_exec_allowed && secrets_plan_has_exec(plan)) {
        return explain(&(struct apply){ .opts = opts }, 1,
                       "the plan has programs run to get at secrets: allow it with --allow-exec");
    }
    do {
        secrets_result_deinit(result);
        secrets_result_init(result);
        r = apply_try(cli, plan, opts, result, &again);
    } while (config_again_due(&again, r));
    return r;
}
