/*
 * allow_file: exec.approvals.get and .set, on the file of this machine.
 */
#include <stdlib.h>

#include "actors/approval/approval_state.h"
#include "bus/value.h"
#include "schema/base/approvals_file.h"

static int refuse(struct actor_ctx *ctx, int r, const struct approvals_error *error)
{
    return r < 0 ? r : actor_fail(ctx, FAIL_UNAVAILABLE, "%s", error->text);
}

/* The file as it is; one without a socket gets one, as programs on this machine look for it there. */
static int load(struct approval *self, struct approvals_file *file, struct approvals_error *error)
{
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    int r = state ? approvals_file_load(file, state, error) : FAULT(-EINVAL);
    struct span socket;

    if (r) {
        return r;
    }
    socket = value_get(pack_span(&file->content), "socket");
    if (file->exists && map_text(socket, "path").len && map_text(socket, "token").len) {
        return 0;
    }
    pack_reset(&self->scratch);
    r = approvals_file_complete(file, pack_span(&file->content), &self->scratch);
    return r ? r : approvals_file_save(file, pack_span(&self->scratch), error);
}

static int show(struct approval *self, struct actor_ctx *ctx, const struct approvals_file *file)
{
    pack_reset(&self->pack);
    approvals_file_show(file, &self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int on_exec_approvals_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    CLEANUP(approvals_file_deinit) struct approvals_file file;
    struct approvals_error error;
    int r;

    (void)msg;
    approvals_file_init(&file);
    r = load(arg, &file, &error);
    return r ? refuse(ctx, r, &error) : show(arg, ctx, &file);
}

/* Whoever changes the file must have seen what is there now. */
static int base_check(struct actor_ctx *ctx, const struct msg_exec_approvals_set *in, const struct approvals_file *file)
{
    if (!file->exists) {
        return 0;
    }
    if (!in->has_base_hash) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST,
                          "exec approvals base hash required; re-run exec.approvals.get and retry");
    }
    if (!span_is_text(in->base_hash, file->hash)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST,
                          "exec approvals changed since last load; re-run exec.approvals.get and retry");
    }
    return 0;
}

int on_exec_approvals_set(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_exec_approvals_set *in = msg;
    CLEANUP(approvals_file_deinit) struct approvals_file file;
    struct approvals_error error;
    int r;

    approvals_file_init(&file);
    r = load(self, &file, &error);
    if (r) {
        return refuse(ctx, r, &error);
    }
    r = base_check(ctx, in, &file);
    if (r) {
        return r;
    }
    pack_reset(&self->scratch);
    r = approvals_file_complete(&file, value_get(actor_ctx_body(ctx), "file"), &self->scratch);
    r = r ? r : approvals_file_save(&file, pack_span(&self->scratch), &error);
    return r ? refuse(ctx, r, &error) : show(self, ctx, &file);
}
