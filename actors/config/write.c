#include "actors/config/write.h"

#include <stdlib.h>

#include "actors/config/audit.h"
#include "actors/config/write_internal.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "schema/base/config_copies.h"
#include "schema/base/config_store.h"

#define BUSY_RETRY_MS 500U
#define WAITING_MAX 32U

static int store(struct write *write)
{
    struct config_error error = { "" };
    int r = config_store_replace(write_target(write), write_text_before(write), write_text_after(write),
                                 write->edit.source ? CONFIG_STORE_SHARED : CONFIG_STORE_OURS, &error);

    if (r == CONFIG_STORE_E_CHANGED) {
        return write_refuse_changed(write, WRITE_CHANGED);
    }
    if (r == CONFIG_STORE_E_REFUSED) {
        return write_refuse_with(write, FAIL_STORAGE, error.text);
    }
    if (!r) {
        audit_write(write->self, &(struct audit){ .method = write->in.method,
                                                  .path = write_target(write),
                                                  .client = &write->in.client,
                                                  .before = write_text_before(write),
                                                  .after = write_text_after(write),
                                                  .result = "rename",
                                                  .reason = "" });
        log_info("config_written", "method=%s path=%s bytes=%zu", write->in.method, write_target(write),
                 write->edit.text.len);
    }
    return r;
}

/* It is written: what cannot be done now is told, and stops nothing. */
static void copies_scrub(const struct write *write)
{
    int fault = write->in.is_repair ? 0 : config_copies_scrub(write_base_of(write), &write->fresh.document);

    if (fault) {
        log_error("config_copies_not_scrubbed", "path=%s reason=\"%s\"", write->self->path, fault_text(fault));
    }
}

static int change_make(struct write *write)
{
    struct config_error error = { "" };
    struct config_change change = { .kind = write->in.change,
                                    .raw = write->in.raw,
                                    .replace = write->in.replace,
                                    .version = OPENCLAW_VERSION,
                                    .when = write->when };
    int r =
        config_change(write_base_of(write), write->self->path, &change, config_lookup_process(), &write->edit, &error);

    return r > 0 ? write_refuse(write, error.text) : r;
}

static int broken_keep(struct write *write)
{
    char kept[PATH_MAX];
    struct config_error error = { "" };

    if (!write->in.is_repair || !write->broken.data) {
        return 0;
    }
    if (config_store_place_check(write->self->path, true, &error) == CONFIG_STORE_E_REFUSED) {
        return write_refuse_with(write, FAIL_STORAGE, error.text);
    }
    if (!config_store_aside(write->self->path, write_text_before(write), kept)) {
        return write_refuse_with(write, FAIL_STORAGE, "the text that is there cannot be kept; nothing was written");
    }
    log_info("config_kept", "file=%s", kept);
    return 0;
}

/* What the change makes of the file, in `edit`. */
static int edit_make(struct write *write)
{
    int r = write->in.file.len    ? write_base_file_check(write)
            : write->in.is_repair ? write_base_broken_check(write)
                                  : write_base_check(write);

    if (r || (!write->in.is_repair && !write->in.file.len)) {
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

static struct write *waiting_take(struct config *self, struct write **at)
{
    struct write *write = *at;

    *at = write->next;
    write->next = NULL;
    self->waiting_n--;
    return write;
}

void write_abandon(struct config *self)
{
    write_destroy(&self->write);
    while (self->waiting) {
        struct write *write = waiting_take(self, &self->waiting);

        write_destroy(&write);
    }
}

void write_cancel(struct config *self, const void *cookie)
{
    for (struct write **at = &self->waiting; *at; at = &(*at)->next) {
        if (*at == cookie) {
            struct write *write = waiting_take(self, at);

            write_destroy(&write);
            return;
        }
    }
}

/* It has been judged: 0, what was answered, or a fault. */
static int write_finish(struct write *write, const struct secret_entry *broken, const char *problem)
{
    int r = write_check_secrets(write, broken);

    r = r ? r : write_check_place(write, problem);
    r = r || write->in.is_repair ? r : write_check_loss(write);
    r = r ? r : broken_keep(write);
    r = r ? r : store(write);
    if (!r) {
        copies_scrub(write);
        write_answer_look(write);
    }
    r = r ? r : config_apply(write->self, &write->fresh, write->ctx);
    return r ? r : write_answer(write);
}

/* Nothing comes in force of it, so it is not asked what secrets it refers to and where it would listen. */
static int partial_finish(struct write *write)
{
    struct snapshot now;
    int r = write->in.is_repair ? 0 : write_check_loss(write);

    r = r ? r : broken_keep(write);
    r = r ? r : store(write);
    if (r) {
        return r;
    }
    copies_scrub(write);
    r = config_load(write->self, &now);
    if (!r) {
        snapshot_deinit(&now); /* somebody has mended the rest meanwhile, which the watch takes */
        return write_answer_partial(write);
    }
    if (r > 0) {
        config_refuse(write->self);
        r = write_answer_partial(write);
    }
    return r;
}

static void on_judged(struct config *self, const struct secret_entry *broken, const char *problem)
{
    struct write *write = self->write;
    int r = write_finish(write, broken, problem);

    if (write->is_judging) {
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
        r = write->has_disk ? write_base_edited_take(write, &write->disk) : 0; /* there is nothing to mend in it */
        return r ? r : write_answer(write);
    }
    if (r) {
        return r;
    }
    r = write_check_trial(write);
    if (r || write->is_partial) {
        return r ? r : partial_finish(write);
    }
    self->write = write;
    write->is_judging = true;
    r = activation_judge(self, &write->fresh, on_judged);
    write->is_judging = false;
    if (r || self->activation.why == ACTIVATION_NONE) {
        self->write = NULL;
        return r ? r : write->outcome;
    }
    if (write->ctx) {
        write->token = actor_defer(write->ctx, NULL);
        write->ctx = NULL;
    }
    return 0;
}

/* --- one after the other ------------------------------------------------------------------------------ */

static void waiting_add(struct config *self, struct write **write_p)
{
    struct write *write = TAKE(*write_p);
    struct write **at = &self->waiting;

    while (*at) {
        at = &(*at)->next;
    }
    *at = write;
    self->waiting_n++;
    write->token = actor_defer(write->ctx, write);
    write->ctx = NULL;
}

int write_resume(struct config *self)
{
    int r = 0;

    while (r >= 0 && self->waiting && activation_make_way(self)) {
        CLEANUP(write_destroy) struct write *write = waiting_take(self, &self->waiting);

        r = write_run(write);
        if (!r && self->write == write) {
            write = NULL; /* on_judged has it */
        }
    }
    return r < 0 ? r : 0;
}

static int request_run(struct config *self, struct actor_ctx *ctx, const struct request *in)
{
    CLEANUP(write_destroy) struct write *write = NULL;
    bool must_wait = self->waiting || !activation_make_way(self);

    if (must_wait && self->waiting_n == WAITING_MAX) {
        return actor_fail_with(
            ctx, &(struct failure){ .code = FAIL_UNAVAILABLE,
                                    .message = SPAN_LIT("too many changes of the config wait already; try again"),
                                    .retryable = true,
                                    .retry_after_ms = BUSY_RETRY_MS });
    }
    write = mem_new(sizeof(*write));
    *write = (struct write){ .self = self, .ctx = ctx, .in = *in };
    snapshot_init(&write->disk);
    snapshot_init(&write->fresh);
    config_time(clock_wall_ms(), write->when);
    int r = body_init_share(&write->in.body, actor_ctx_body_shared(ctx));
    if (r) {
        return FAULT(r);
    }
    if (must_wait) {
        waiting_add(self, &write);
        return 0;
    }
    r = write_run(write);
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
                                          .is_repair = !in->file.len,
                                          .raw = in->raw,
                                          .base_hash = in->base_hash,
                                          .file = in->file,
                                          .client = in->client });
}
