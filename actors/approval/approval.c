/*
 * approval: what waits for somebody's leave, and what needs none.
 *
 * Accepts    exec.approval.* plugin.approval.* approval.* openclaw.approval.list exec.approvals.get
 *            exec.approvals.set exec_run_check
 * Publishes  exec.approval.requested exec.approval.resolved plugin.approval.requested
 *            plugin.approval.resolved
 * Asks       health (whether anybody could decide)
 * On restart requests are in the database, within their time; whoever waited is told that
 * we are gone, and can wait again.
 */
#include "actors/approval/approval.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/approval/approval_state.h"
#include "bus/value.h"
#include "schema/base/db_problem.h"

/* --- small services --------------------------------------------------------------------------- */

void pack_kv_or_nil(struct pack *out, const char *key, struct span text)
{
    pack_key(out, key);
    if (text.len) {
        pack_str(out, text);
    } else {
        pack_nil(out);
    }
}

struct span map_text(struct span map, const char *key)
{
    return span_trim(value_str(value_get(map, key), (struct span){ 0 }));
}

void approval_uuid(char out[37])
{
    uint8_t b[16] = { 0 };

    if (getentropy(b, sizeof(b)) != 0) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
    b[6] = (uint8_t)((b[6] & 0x0fU) | 0x40U);
    b[8] = (uint8_t)((b[8] & 0x3fU) | 0x80U);
    (void)snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
                   b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* --- life cycle ---------------------------------------------------------------------------------- */

static int approval_init(void *state, struct actor *actor, const char *arg)
{
    static const size_t limits[SHELF_KINDS] = { [KIND_EXEC] = APPROVALS_MAX,
                                                [KIND_PLUGIN] = APPROVALS_MAX,
                                                [KIND_PAST] = APPROVALS_PAST_MAX,
                                                [KIND_GRANT] = GRANTS_MAX };
    struct approval *self = state;
    char path[PATH_MAX];
    int r;

    (void)arg;
    self->actor = actor;
    pack_init(&self->pack, APPROVAL_BODY_MAX);
    pack_init(&self->scratch, APPROVAL_BODY_MAX);
    pack_init(&self->record, APPROVAL_BODY_MAX);
    (void)uv_timer_init(actor_loop(actor), &self->timer); /* cannot fail */
    self->timer.data = self;
    self->has_timer = true;
    r = shelf_path("approval", path, sizeof(path));
    if (r) {
        return r;
    }
    r = shelf_open(path, limits, &self->shelf);
    if (r) {
        db_problem_tell(actor, path, r);
        return r;
    }
    shelf_watch(self->shelf, &self->disk, actor);
    return records_review(self);
}

static void approval_deinit(void *state, struct actor *actor)
{
    struct approval *self = state;

    (void)actor;
    if (self->has_timer) {
        uv_close((uv_handle_t *)&self->timer, NULL);
    }
    waiters_free(self);
    disk_watch_close(&self->disk);
    shelf_close(&self->shelf);
    text_buf_deinit(&self->text);
    pack_deinit(&self->pack);
    pack_deinit(&self->scratch);
    pack_deinit(&self->record);
}

static const struct actor_route approval_routes[] = {
    { MSG_EXEC_APPROVAL_REQUEST, on_exec_approval_request, 0 },
    { MSG_EXEC_APPROVAL_GET, on_exec_approval_get, 0 },
    { MSG_EXEC_APPROVAL_LIST, on_exec_approval_list, 0 },
    { MSG_EXEC_APPROVAL_WAIT_DECISION, on_exec_approval_wait, 0 },
    { MSG_EXEC_APPROVAL_RESOLVE, on_exec_approval_resolve, 0 },
    { MSG_EXEC_APPROVAL_GRANTS_LIST, on_exec_approval_grants_list, 0 },
    { MSG_EXEC_APPROVAL_GRANTS_REVOKE, on_exec_approval_grants_revoke, 0 },
    { MSG_OPENCLAW_APPROVAL_LIST, on_openclaw_approval_list, 0 },
    { MSG_PLUGIN_APPROVAL_REQUEST, on_plugin_approval_request, 0 },
    { MSG_PLUGIN_APPROVAL_LIST, on_plugin_approval_list, 0 },
    { MSG_PLUGIN_APPROVAL_WAIT_DECISION, on_plugin_approval_wait, 0 },
    { MSG_PLUGIN_APPROVAL_RESOLVE, on_plugin_approval_resolve, 0 },
    { MSG_EXEC_APPROVALS_GET, on_exec_approvals_get, 0 },
    { MSG_EXEC_APPROVALS_SET, on_exec_approvals_set, 0 },
    { MSG_APPROVAL_GET, on_approval_get, 0 },
    { MSG_APPROVAL_HISTORY, on_approval_history, 0 },
    { MSG_APPROVAL_RESOLVE, on_approval_resolve, 0 },
    { MSG_EXEC_RUN_CHECK, on_exec_run_check, 0 },
};
_Static_assert(ARRAY_LEN(approval_routes) == APPROVAL_ACCEPTS_N, "approval: routes, schema differ");

const struct actor_def approval_actor = {
    .name = "approval",
    .state_size = sizeof(struct approval),
    .routes = approval_routes,
    .routes_n = ARRAY_LEN(approval_routes),
    .init = approval_init,
    .deinit = approval_deinit,
    .on_cancel = on_approval_cancel,
};
