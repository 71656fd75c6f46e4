#include "actors/config/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/audit.h"
#include "actors/config/internal.h"
#include "schema/base/config_redact.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/body.h"
#include "bus/value.h"
#include "schema/base/config_change.h"
#include "schema/base/config_loss.h"
#include "schema/base/config_store.h"
#include "schema/base/config_valid.h"

#define BUSY_RETRY_MS 500U
#define NOTHING ((struct span){ 0 })
#define CHANGED "config changed since last load; re-run config.get and retry"

struct request {
    struct body body;   /* what the spans borrow from */
    const char *method; /* "config.patch" */
    const char *kind;   /* "config-patch" in the answer; NULL: it has none */
    enum config_change_kind change;
    bool is_repair; /* `raw` is the text of the file; `change` says nothing */
    struct span raw;
    struct span replace;
    struct span base_hash;
    struct span note;
    struct type_client client;
};

/* One change, from the request to its answer. It outlives the request when secrets have to be waited for. */
struct write {
    struct config *self;
    struct actor_ctx *ctx;    /* while the request is in hand, then NULL */
    struct actor_token token; /* then */
    struct request in;
    struct config_edit edit;
    struct snapshot disk; /* what the files hold, when the change is made from that and it is not in force */
    bool has_disk;
    struct snapshot fresh; /* what the change makes of the config */
    struct config_overlay overlay;
    char when[CONFIG_TIME_LEN];
    struct text_buf broken; /* of a repair: what the file holds, which is not what is in force */
    int outcome;            /* of on_judged, when it was called at once */
};

/* The code for the handler to return; once there is no handler the answer is sent, and the code says that it is over.
 */
static int fail(struct write *write, const struct failure *failure)
{
    if (write->ctx) {
        return actor_fail_with(write->ctx, failure);
    }
    int r = actor_token_fail(write->self->actor, write->token, failure);
    return r ? r : failure->code;
}

static int refuse_with(struct write *write, int code, const char *text)
{
    return fail(write, &(struct failure){ .code = code, .message = span_from(text) });
}

static int refuse(struct write *write, const char *text)
{
    return refuse_with(write, FAIL_INVALID_REQUEST, text);
}

/* --- may it be tried ------------------------------------------------------------------------------- */

/* What the change is made from. */
static const struct config_document *base_of(const struct write *write)
{
    return write->has_disk ? &write->disk.document : &write->self->snapshot.document;
}

/* The files were edited and the edit is not in force: it comes first. Takes the snapshot. */
static int edited_take(struct write *write, struct snapshot *now)
{
    struct config *self = write->self;
    char text[FAILURE_MESSAGE_MAX];
    int r = activation_take(self, now, write->ctx);
    bool is_awaited = !r && self->activation.why != ACTIVATION_NONE;

    if (r > 0 || (is_awaited && self->activation.is_file_broken)) {
        (void)snprintf(text, sizeof(text), "the config on disk is not in force, so nothing is written over it: %.400s",
                       self->was_refused);
        return refuse(write, text);
    }
    return is_awaited ? refuse(write, CHANGED) : r;
}

/*
 * A change is made from what the files hold now. What was edited meanwhile comes first, unless
 * that is just what the change was made from: then both come into force at once, and a change
 * can mend what the edit was refused for.
 */
static int edited_check(struct write *write, struct snapshot *now)
{
    const struct config_document *document = &now->document;

    if (!strcmp(document->hash, write->self->snapshot.document.hash)) {
        snapshot_deinit(now);
        return 0;
    }
    if (!document->is_present || !span_is_text(write->in.base_hash, document->hash)) {
        return edited_take(write, now);
    }
    write->disk = *now;
    write->has_disk = true;
    return 0;
}

static int base_check(struct write *write)
{
    struct config *self = write->self;
    struct snapshot now;
    int r = config_load(self, &now);

    if (r > 0) {
        char text[FAILURE_MESSAGE_MAX];

        config_refuse(self);
        (void)snprintf(text, sizeof(text), "the config on disk cannot be used, so nothing is written over it: %.400s",
                       self->issue.text);
        return refuse(write, text);
    }
    if (r) {
        return r;
    }
    if (self->followers.rollouts_n >= ROLLOUTS_MAX) {
        snapshot_deinit(&now);
        return refuse_with(write, FAIL_UNAVAILABLE, "earlier changes are still being applied; nothing was written");
    }
    r = edited_check(write, &now);
    if (r) {
        return r;
    }
    if (base_of(write)->is_present && !write->in.base_hash.len) {
        return refuse(write, "config base hash required; re-run config.get and retry");
    }
    if (base_of(write)->is_present && !span_is_text(write->in.base_hash, base_of(write)->hash)) {
        return refuse(write, CHANGED);
    }
    return 0;
}

/* --- may it be written -------------------------------------------------------------------------------- */

static struct span text_before(const struct write *write)
{
    const struct config_document *document = base_of(write);

    if (write->in.is_repair) {
        return (struct span){ write->broken.data, write->broken.len };
    }
    const struct text_buf *text = document->sources.n ? &document->sources.items[write->edit.source]->text : NULL;

    return document->is_present && text ? (struct span){ text->data, text->len } : NOTHING;
}

static const char *target(const struct write *write)
{
    const struct config_sources *sources = &base_of(write)->sources;

    return write->edit.source ? sources->items[write->edit.source]->path : write->self->path;
}

static struct span text_after(const struct write *write)
{
    return (struct span){ write->edit.text.data, write->edit.text.len };
}

/* The text is kept beside the file, so that nobody's work is lost, and the place is told. */
static int reject(struct write *write, const char *reason, struct span details)
{
    char kept[PATH_MAX] = "";
    char text[FAILURE_MESSAGE_MAX];
    bool is_kept = config_store_reject(target(write), text_after(write), kept);

    audit_write(write->self, &(struct audit){ .method = write->in.method,
                                              .path = target(write),
                                              .client = &write->in.client,
                                              .before = text_before(write),
                                              .after = text_after(write),
                                              .result = "rejected",
                                              .reason = reason });
    log_warning("config_write_rejected", "method=%s kept=%s reason=\"%s\"", write->in.method, is_kept ? kept : "none",
                reason);
    (void)snprintf(text, sizeof(text), "%s", reason);
    return fail(write,
                &(struct failure){ .code = FAIL_INVALID_REQUEST, .message = span_from(text), .details = details });
}

static int shape_reject(struct write *write, const struct config_error *error, struct pack *issues)
{
    CLEANUP(pack_deinit) struct pack details;
    char text[FAILURE_MESSAGE_MAX];
    char summary[400];

    config_valid_summary(pack_span(issues), summary, sizeof(summary));
    (void)snprintf(text, sizeof(text), "invalid config: %.400s", summary[0] ? summary : error->text);
    pack_init(&details, 0);
    pack_map_begin(&details);
    pack_kv_raw(&details, "issues", pack_span(issues));
    pack_map_end(&details);
    return reject(write, text, pack_error(&details) ? NOTHING : pack_span(&details));
}

/* Builds what the change makes of the config, as a load of the written file would. */
static int trial(struct write *write)
{
    CLEANUP(pack_deinit) struct pack issues;
    struct config_error error = { "" };
    struct snapshot_opts opts = { .path = write->self->path,
                                  .state_dir = write->self->state_dir,
                                  .lookup = config_lookup_process(),
                                  .issues = &issues };

    pack_init(&issues, 0);
    pack_array_begin(&issues);
    write->overlay = (struct config_overlay){ .path = target(write), .text = text_after(write) };
    write->fresh.document.sources.overlay = &write->overlay;
    int r = snapshot_load(&write->fresh, &opts, &error);
    write->fresh.document.sources.overlay = NULL;
    pack_array_end(&issues);
    return r > 0 ? shape_reject(write, &error, &issues) : r;
}

/* A reference that leads nowhere and is not there already is a mistake of this change. */
static int secrets_check(struct write *write, const struct secret_entry *broken)
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

static int loss_check(struct write *write)
{
    struct span before = value_path(pack_span(&base_of(write)->resolved), "gateway.mode");
    struct span after = value_path(pack_span(&write->fresh.document.resolved), "gateway.mode");

    if (before.len && !after.len) {
        return reject(write, "this would drop gateway.mode, without which no gateway starts; nothing was written",
                      NOTHING);
    }
    struct config_loss loss = { .text_before = text_before(write),
                                .text_after = text_after(write),
                                .doc_before = pack_span(&base_of(write)->source),
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

static int store(struct write *write)
{
    struct config_error error = { "" };
    int r = config_store_replace(target(write), text_before(write), text_after(write), &error);

    if (r == CONFIG_STORE_E_CHANGED) {
        return refuse(write, CHANGED);
    }
    if (r == CONFIG_STORE_E_REFUSED) {
        return refuse_with(write, FAIL_STORAGE, error.text);
    }
    if (!r) {
        audit_write(write->self, &(struct audit){ .method = write->in.method,
                                                  .path = target(write),
                                                  .client = &write->in.client,
                                                  .before = text_before(write),
                                                  .after = text_after(write),
                                                  .result = "rename",
                                                  .reason = "" });
        log_info("config_written", "method=%s path=%s bytes=%zu", write->in.method, target(write),
                 write->edit.text.len);
    }
    return r;
}

/* --- answering ------------------------------------------------------------------------------------------- */

/* Nothing is started again for a change, so no file waits to tell about it afterwards. */
static void sentinel_pack(const struct write *write, struct pack *out)
{
    pack_key(out, "sentinel");
    pack_map_begin(out);
    pack_kv_text(out, "path", NULL);
    pack_key(out, "payload");
    pack_map_begin(out);
    pack_kv_text(out, "kind", write->in.kind);
    pack_kv_text(out, "status", "ok");
    pack_kv_i64(out, "ts", clock_wall_ms());
    pack_key(out, "message");
    if (write->in.note.len) {
        pack_str(out, write->in.note);
    } else {
        pack_nil(out);
    }
    pack_key(out, "stats");
    pack_map_begin(out);
    pack_kv_text(out, "mode", write->in.method);
    pack_kv_text(out, "root", write->self->path);
    pack_map_end(out);
    pack_map_end(out);
    pack_map_end(out);
}

static void answer_pack(const struct write *write, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_text(out, "path", write->self->path);
    pack_kv_text(out, "hash", write->self->snapshot.document.hash);
    pack_key(out, "config");
    config_redact(pack_span(&write->self->snapshot.effective), out);
    if (write->self->due[0]) {
        pack_kv_text(out, "startDue", write->self->due);
    }
    if (write->in.kind) {
        sentinel_pack(write, out);
    }
}

/* Whoever changed the config hears of it when all whom it concerns work by it, or have said why not. */
static int answer(struct write *write)
{
    struct config *self = write->self;
    struct rollout *rollout = rollout_find(self, self->version);
    struct pack *out = &self->scratch;

    if (rollout && !rollout->has_asker) {
        rollout->has_asker = true;
        answer_pack(write, &rollout->answer);
        rollout->asker = write->ctx ? actor_defer(write->ctx, NULL) : write->token;
        return rollout->answer.fault; /* it is open still */
    }
    pack_reset(out);
    answer_pack(write, out);
    followers_problems_pack(self, out);
    pack_map_end(out);
    if (pack_error(out)) {
        return pack_error(out);
    }
    return write->ctx ? actor_reply_span(write->ctx, pack_span(out))
                      : actor_token_reply_span(write->self->actor, write->token, pack_span(out));
}

static int change_make(struct write *write)
{
    struct config_error error = { "" };
    struct config_change change = { .kind = write->in.change,
                                    .raw = write->in.raw,
                                    .replace = write->in.replace,
                                    .version = OPENCLAW_VERSION,
                                    .when = write->when };
    int r = config_change(base_of(write), write->self->path, &change, config_lookup_process(), &write->edit, &error);

    return r > 0 ? refuse(write, error.text) : r;
}

/* --- repairing ------------------------------------------------------------------------------------------- */

/* Only what cannot be used is replaced as a whole, and only the text that whoever repairs it has seen. */
static int broken_check(struct write *write)
{
    struct config *self = write->self;
    struct config_error error = { "" };
    struct snapshot now;
    char hash[CONFIG_FILE_HASH_LEN] = "";
    int r = config_file_read(self->path, &write->broken, &error);
    bool is_there = r != CONFIG_FILE_E_ABSENT;

    if (r < 0 || r == CONFIG_FILE_E_REFUSED) {
        return r < 0 ? r : refuse(write, error.text);
    }
    r = is_there ? config_file_hash((struct span){ write->broken.data, write->broken.len }, hash) : 0;
    if (r) {
        return r;
    }
    if (is_there ? !span_is_text(write->in.base_hash, hash) : write->in.base_hash.len > 0) {
        return refuse(write, "config changed since last load; look at it again");
    }
    r = is_there ? config_load(self, &now) : SNAPSHOT_E_REFUSED;
    if (!r) {
        snapshot_deinit(&now);
        return refuse(write, "the config can be used as it is: config.set changes it");
    }
    return r > 0 ? 0 : r;
}

static int broken_keep(struct write *write)
{
    char kept[PATH_MAX];

    if (!write->in.is_repair || !write->broken.data) {
        return 0;
    }
    if (!config_store_aside(write->self->path, text_before(write), kept)) {
        return refuse_with(write, FAIL_STORAGE, "the text that is there cannot be kept; nothing was written");
    }
    log_info("config_kept", "file=%s", kept);
    return 0;
}

/* What the change makes of the file, in `edit`. */
static int edit_make(struct write *write)
{
    int r = write->in.is_repair ? broken_check(write) : base_check(write);

    if (r || !write->in.is_repair) {
        return r ? r : change_make(write);
    }
    write->edit.is_changed = true;
    return text_buf_add(&write->edit.text, write->in.raw);
}

static void write_destroy(struct write **write_p)
{
    struct write *write = TAKE(*write_p);

    if (write) {
        snapshot_deinit(&write->disk);
        snapshot_deinit(&write->fresh);
        config_edit_deinit(&write->edit);
        if (write->broken.data) {
            mem_wipe(write->broken.data, write->broken.cap);
        }
        text_buf_deinit(&write->broken);
        body_deinit(&write->in.body);
        free(write);
    }
}

void write_abandon(struct config *self)
{
    write_destroy(&self->write);
}

/* Its secrets have been judged: 0, what was answered, or a fault. */
static int write_finish(struct write *write, const struct secret_entry *broken)
{
    int r = secrets_check(write, broken);

    r = r || write->in.is_repair ? r : loss_check(write);
    r = r ? r : broken_keep(write);
    r = r ? r : store(write);
    r = r ? r : config_apply(write->self, &write->fresh, write->ctx);
    return r ? r : answer(write);
}

static void on_judged(struct config *self, const struct secret_entry *broken)
{
    struct write *write = self->write;
    int r = write_finish(write, broken);

    if (write->ctx) {
        write->outcome = r; /* write_run returns it */
        return;
    }
    write_destroy(&self->write);
    if (r < 0) {
        (void)actor_fault(self->actor, r);
    }
}

/* 0: answered, or to be answered by on_judged (self->write is there still). */
static int write_run(struct write *write)
{
    struct config *self = write->self;
    int r = edit_make(write);

    if (!r && !write->edit.is_changed) {
        r = write->has_disk ? edited_take(write, &write->disk) : 0; /* there is nothing to mend in it */
        return r ? r : answer(write);
    }
    if (r) {
        return r;
    }
    r = trial(write);
    if (r) {
        return r;
    }
    self->write = write;
    r = activation_judge(self, &write->fresh.secrets, on_judged);
    if (r || self->activation.why == ACTIVATION_NONE) {
        self->write = NULL;
        return r ? r : write->outcome;
    }
    write->token = actor_defer(write->ctx, NULL);
    write->ctx = NULL;
    return 0;
}

static int request_run(struct config *self, struct actor_ctx *ctx, const struct request *in)
{
    CLEANUP(write_destroy) struct write *write = NULL;

    if (!activation_make_way(self)) {
        return actor_fail_with(ctx, &(struct failure){ .code = FAIL_UNAVAILABLE,
                                                       .message = SPAN_LIT("the config is being changed; try again"),
                                                       .retryable = true,
                                                       .retry_after_ms = BUSY_RETRY_MS });
    }
    write = mem_new(sizeof(*write));
    *write = (struct write){ .self = self, .ctx = ctx, .in = *in };
    snapshot_init(&write->disk);
    snapshot_init(&write->fresh);
    config_time(clock_wall_ms(), write->when);
    int r = body_init_share(&write->in.body, actor_ctx_body_shared(ctx));
    r = r ? FAULT(r) : write_run(write);
    if (!r && self->write == write) {
        write = NULL; /* on_judged has it */
    }
    return r;
}

int config_on_set(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_set *in = msg;

    return request_run(arg, ctx,
                       &(struct request){ .method = "config.set",
                                          .change = CONFIG_CHANGE_REPLACE,
                                          .raw = in->raw,
                                          .base_hash = in->base_hash,
                                          .client = in->client });
}

int config_on_patch(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_patch *in = msg;

    return request_run(arg, ctx,
                       &(struct request){ .method = "config.patch",
                                          .kind = "config-patch",
                                          .change = CONFIG_CHANGE_PATCH,
                                          .raw = in->raw,
                                          .base_hash = in->base_hash,
                                          .note = in->note,
                                          .replace = in->replace_paths,
                                          .client = in->client });
}

int config_on_apply(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_apply *in = msg;

    return request_run(arg, ctx,
                       &(struct request){ .method = "config.apply",
                                          .kind = "config-apply",
                                          .change = CONFIG_CHANGE_REPLACE,
                                          .raw = in->raw,
                                          .base_hash = in->base_hash,
                                          .note = in->note,
                                          .client = in->client });
}

int config_on_repair(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_repair *in = msg;

    return request_run(arg, ctx,
                       &(struct request){ .method = "config.repair",
                                          .is_repair = true,
                                          .raw = in->raw,
                                          .base_hash = in->base_hash,
                                          .client = in->client });
}
