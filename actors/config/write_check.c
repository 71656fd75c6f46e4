#include <stdio.h>
#include <string.h>

#include "actors/config/audit.h"
#include "actors/config/write_internal.h"
#include "bus/value.h"
#include "schema/base/config_loss.h"
#include "schema/base/config_store.h"
#include "schema/base/config_mend.h"

#define NOTHING ((struct span){ 0 })

struct span write_text_before(const struct write *write)
{
    const struct config_document *document = write_base_of(write);

    if (write->in.is_repair) {
        return (struct span){ write->broken.data, write->broken.len };
    }
    const struct text_buf *text = document->sources.n ? &document->sources.items[write->edit.source]->text : NULL;

    return document->is_present && text ? (struct span){ text->data, text->len } : NOTHING;
}

const char *write_target(const struct write *write)
{
    const struct config_sources *sources = &write_base_of(write)->sources;

    return write->edit.source ? sources->items[write->edit.source]->path : write->self->path;
}

struct span write_text_after(const struct write *write)
{
    return (struct span){ write->edit.text.data, write->edit.text.len };
}

/* The text is kept beside the file, so that nobody's work is lost, and the place is told. */
static int reject(struct write *write, const char *reason, struct span details)
{
    char kept[PATH_MAX] = "";
    char text[FAILURE_MESSAGE_MAX];
    bool is_kept = config_store_reject(write_target(write), write_text_after(write), kept);

    audit_write(write->self, &(struct audit){ .method = write->in.method,
                                              .path = write_target(write),
                                              .client = &write->in.client,
                                              .before = write_text_before(write),
                                              .after = write_text_after(write),
                                              .result = "rejected",
                                              .reason = reason });
    log_warning("config_write_rejected", "method=%s kept=%s reason=\"%s\"", write->in.method, is_kept ? kept : "none",
                reason);
    (void)snprintf(text, sizeof(text), "%s", reason);
    return write_fail(
        write, &(struct failure){ .code = FAIL_INVALID_REQUEST, .message = span_from(text), .details = details });
}

static int shape_reject(struct write *write, const struct config_error *error, const struct config_issues *issues)
{
    CLEANUP(pack_deinit) struct pack details;
    char text[FAILURE_MESSAGE_MAX];
    char summary[400];

    config_issues_summary(issues, summary, sizeof(summary));
    (void)snprintf(text, sizeof(text), "invalid config: %.400s", summary[0] ? summary : error->text);
    pack_init(&details, 0);
    pack_map_begin(&details);
    pack_key(&details, "issues");
    config_issues_pack(issues, false, &details); /* where they would stand is of no use */
    if (config_issues_left_out(issues)) {
        pack_kv_u64(&details, "issuesHiddenCount", config_issues_left_out(issues));
    }
    pack_map_end(&details);
    return reject(write, text, pack_error(&details) ? NOTHING : pack_span(&details));
}

/* Less is wrong than with what is on disk, and nothing that is right there. */
static bool is_partial_mend(const struct write *write, const struct config_error *error,
                            const struct config_issues *issues)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct gateway_overrides overrides = gateway_overrides_from(config_lookup_process());
    struct config_error why = { "" };
    struct config_mend_side before = { &write->disk.document, true, &why };
    struct config_mend_side after = { &write->fresh.document, config_issues_count(issues) > 0, error };

    config_document_init(&document);
    if (write->in.is_repair) {
        before.document = &document;
        before.is_loaded = !config_document_load(&document, write->self->path, config_lookup_process(), &why);
    }
    return (write->is_disk_unusable || write->in.is_repair) &&
           config_mend_is(&before, &after, &overrides, write->in.file.len > 0);
}

int write_check_trial(struct write *write)
{
    CLEANUP(config_issues_destroy) struct config_issues *issues = config_issues_new();
    struct config_error error = { "" };
    struct snapshot_opts opts = { .path = write->self->path,
                                  .state_dir = write->self->state_dir,
                                  .lookup = config_lookup_process(),
                                  .issues = issues };

    write->overlay = (struct config_overlay){ .path = write_target(write), .text = write_text_after(write) };
    write->fresh.document.sources.overlay = &write->overlay;
    int r = snapshot_load(&write->fresh, &opts, &error);
    write->fresh.document.sources.overlay = NULL;
    if (r > 0 && is_partial_mend(write, &error, issues)) {
        write->is_partial = true;
        return 0;
    }
    return r > 0 ? shape_reject(write, &error, issues) : r;
}

int write_check_secrets(struct write *write, const struct secret_entry *broken)
{
    char text[FAILURE_MESSAGE_MAX];

    if (!broken) {
        return 0;
    }
    (void)snprintf(text, sizeof(text),
                   "invalid config: %.200s: the secret that this refers to is not available (%.200s)", broken->path,
                   broken->problem);
    return reject(write, text, NOTHING);
}

int write_check_place(struct write *write, const char *problem)
{
    char text[FAILURE_MESSAGE_MAX];

    if (!problem) {
        return 0;
    }
    listening_refusal(write->self, &write->fresh.place, problem, text, sizeof(text));
    return write_refuse(write, text);
}

int write_check_loss(struct write *write)
{
    struct span before = value_path(pack_span(&write_base_of(write)->resolved), "gateway.mode");
    struct span after = value_path(pack_span(&write->fresh.document.resolved), "gateway.mode");

    if (before.len && !after.len) {
        return reject(write, "this would drop gateway.mode, without which no gateway starts; nothing was written",
                      NOTHING);
    }
    struct config_loss loss = { .text_before = write_text_before(write),
                                .text_after = write_text_after(write),
                                .doc_before = pack_span(&write_base_of(write)->source),
                                .doc_after = pack_span(&write->fresh.document.source) };
    if (config_loss_is(&loss)) {
        return reject(
            write,
            "this would drop more than half of the config, which looks like an accident; nothing was written. "
            "To mean it, edit the file by hand",
            NOTHING);
    }
    return 0;
}
