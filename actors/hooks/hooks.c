/*
 * hooks: webhooks: what other programs want an agent to know or to do.
 *
 * Accepts    hook_post, metrics_read, config_update
 * Answers    hook_taken, once the hook is stored
 * Follows    hooks.* and agents.* of the config
 * Asks       scheduler (scheduler_wake), router (agent, sessions.describe), channel/<…> (channel_deliver)
 * Runs       Node.js, for mappings with a transform
 * Stores     <state>/db/hooks.sqlite
 * What was taken is done, whoever dies meanwhile: every step is asked for under the hook's id, which its receiver
 * knows again, until it was answered; only then the record goes. On restart all that is stored begins anew.
 */
#include "actors/hooks/hooks.h"

#include <limits.h>

#include "actors/hooks/hooks_state.h"
#include "schema/base/db_problem.h"
#include "schema/base/metric.h"
#include "schema_gen.h"

#define PACK_MAX ((size_t)4 << 20)

static void outcome_row(struct pack *out, const char *outcome, uint64_t n)
{
    struct metric_label label = { "outcome", span_from(outcome) };

    metric_row_u64(out, "openclaw_hooks_total", n, &label, 1);
}

static int on_metrics_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct hooks *self = arg;
    struct pack *out = &self->pack;
    int r;

    (void)msg;
    pack_reset(out);
    pack_array_begin(out);
    metric_row_u64(out, "openclaw_hooks_open", self->open_n, NULL, 0);
    outcome_row(out, "taken", self->counts.taken_n);
    outcome_row(out, "repeated", self->counts.repeated_n);
    outcome_row(out, "refused", self->counts.refused_n);
    outcome_row(out, "skipped", self->counts.skipped_n);
    outcome_row(out, "done", self->counts.done_n);
    outcome_row(out, "failed", self->counts.failed_n);
    outcome_row(out, "retried", self->counts.retried_n);
    pack_array_end(out);
    r = pack_error(out);
    return r ? r : actor_reply(ctx, MSG_METRICS_ROWS, &(struct msg_metrics_rows){ .rows = pack_span(out) });
}

static int shelf_start(struct hooks *self)
{
    static const size_t limits[SHELF_KINDS] = { [KIND_OPEN] = HOOKS_OPEN_MAX, [KIND_DONE] = HOOKS_KNOWN_MAX };
    char path[PATH_MAX];
    int r = shelf_path("hooks", path, sizeof(path));

    if (r) {
        return r;
    }
    r = shelf_open(path, limits, &self->shelf);
    if (r) {
        db_problem_tell(self->actor, path, r);
        return r;
    }
    shelf_watch(self->shelf, &self->disk, self->actor);
    return 0;
}

static int hooks_init(void *state, struct actor *actor, const char *arg)
{
    struct hooks *self = state;
    int r;

    (void)arg;
    self->actor = actor;
    self->transforms.loop = actor_loop(actor);
    pack_init(&self->pack, PACK_MAX);
    r = shelf_start(self);
    r = r ? r : dispatch_open(self);
    return r ? r : setup_open(self);
}

static void hooks_deinit(void *state, struct actor *actor)
{
    struct hooks *self = state;

    (void)actor;
    accept_close(self);
    setup_close(self);
    dispatch_close(self);
    settings_deinit(&self->settings);
    disk_watch_close(&self->disk);
    shelf_close(&self->shelf);
    pack_deinit(&self->pack);
}

static const struct actor_route hooks_routes[] = {
    { MSG_HOOK_POST, on_hook_post, 0 },
    { MSG_METRICS_READ, on_metrics_read, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(hooks_routes) == HOOKS_ACCEPTS_N, "hooks: routes, schema differ");

const struct actor_def hooks_actor = {
    .name = "hooks",
    .state_size = sizeof(struct hooks),
    .routes = hooks_routes,
    .routes_n = ARRAY_LEN(hooks_routes),
    .init = hooks_init,
    .deinit = hooks_deinit,
    .on_cancel = on_hook_cancel,
};
