/*
 * node: the machines that lend the gateway their commands, and what operators allow them.
 *
 * Accepts    node_join node_leave, node.* and exec.approvals.node.*, config_update; topic: auth_revoked
 * Follows    gateway.nodes of the config
 * Publishes  node.pair.requested node.pair.resolved node.invoke.request node.invoke.progress node.invoke.cancel
 * Asks       approval (what may run on a node)
 * On restart pairings, requests, work and when a node was last seen are in the database;
 * the edges join their live nodes again when they see us ready. Commands that were under
 * way fail, as their askers are told that we are gone.
 * Reads, once, what the original kept of nodes and their requests in the state directory.
 */
#include "actors/node/node.h"

#include <limits.h>
#include <stdlib.h>

#include "actors/node/node_state.h"
#include "bus/value.h"
#include "schema/base/db_problem.h"

/* --- small services --------------------------------------------------------------------------- */

int shelf_failure(int r)
{
    return r == SHELF_E_DISK ? FAIL_STORAGE : r == SHELF_E_FULL ? FAIL_UNAVAILABLE : r;
}

void pack_kv_some(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

struct span map_text(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

/* --- configuration ------------------------------------------------------------------------------- */

/* The lists are read long after the message is gone. */
static int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_config_update *in = msg;
    struct text_buf fresh = { 0 };

    if (text_buf_add(&fresh, value_path(in->config, "gateway.nodes"))) {
        return FAULT(-ENOMEM);
    }
    text_buf_deinit(&self->config);
    self->config = fresh;
    self->policy = (struct policy){ .allow = value_get(buf_span(&fresh), "allowCommands"),
                                    .deny = value_get(buf_span(&fresh), "denyCommands") };
    sessions_review(self, (struct span){ 0 });
    actor_ready(self->actor);
    return config_follow_applied(ctx, msg);
}

/* --- others ----------------------------------------------------------------------------------------- */

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct node *self = arg;
    int fault = config_follow_life(&self->follow, life);

    (void)address;
    if (fault) {
        (void)actor_fault(actor, fault);
    }
}

/* Whoever came through an edge that is gone is gone too. */
static void on_edge_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    (void)actor;
    if (life != ACTOR_LIFE_READY && life != ACTOR_LIFE_STARTING && life != ACTOR_LIFE_UNRESPONSIVE) {
        sessions_drop_edge(arg, address);
    }
}

/* Of one role it is a token that died, of all it is the device. */
static int on_revoked(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_revoked *in = msg;

    (void)ctx;
    return in->has_device_id && !in->has_role ? pairing_forget(arg, in->device_id) : 0;
}

/* --- life cycle ---------------------------------------------------------------------------------------- */

static int node_init(void *state, struct actor *actor, const char *arg)
{
    static const size_t limits[SHELF_KINDS] = {
        [KIND_PAIRED] = NODE_PAIRED_MAX, [KIND_REQUEST] = NODE_REQUESTS_MAX, [KIND_SEEN] = NODE_SEEN_MAX,
        [KIND_WORK] = NODE_WORK_MAX,     [KIND_ACTION] = NODE_ACTIONS_MAX,   [KIND_REVISION] = NODE_SEEN_MAX,
        [KIND_MARK] = NODE_MARKS_MAX,
    };
    struct node *self = state;
    const char *dir = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    char path[PATH_MAX];
    int r;

    (void)arg;
    self->actor = actor;
    pack_init(&self->pack, NODE_BODY_MAX);
    pack_init(&self->scratch, NODE_BODY_MAX);
    (void)uv_timer_init(actor_loop(actor), &self->timer); /* cannot fail */
    self->timer.data = self;
    config_follow_open(&self->follow, actor);
    self->has_timers = true;
    r = shelf_path("node", path, sizeof(path));
    if (r) {
        return r;
    }
    r = shelf_open(path, limits, &self->shelf);
    if (r) {
        db_problem_tell(actor, path, r);
        return r;
    }
    shelf_watch(self->shelf, &self->disk, actor);
    r = dir ? legacy_take(self, dir) : 0;
    r = r ? r : actor_watch(actor, "config", on_config_life);
    return r ? r : actor_watch(actor, "edge/*", on_edge_life);
}

static void node_deinit(void *state, struct actor *actor)
{
    struct node *self = state;

    (void)actor;
    if (self->has_timers) {
        uv_close((uv_handle_t *)&self->timer, NULL);
    }
    config_follow_close(&self->follow);
    invokes_free(self);
    sessions_free(self);
    disk_watch_close(&self->disk);
    shelf_close(&self->shelf);
    text_buf_deinit(&self->config);
    text_buf_deinit(&self->text);
    pack_deinit(&self->pack);
    pack_deinit(&self->scratch);
}

static const struct actor_route node_routes[] = {
    { MSG_NODE_JOIN, on_node_join, 0 },
    { MSG_NODE_LEAVE, on_node_leave, 0 },
    { MSG_NODE_LIST, on_node_list, 0 },
    { MSG_NODE_DESCRIBE, on_node_describe, 0 },
    { MSG_NODE_RENAME, on_node_rename, 0 },
    { MSG_NODE_INVOKE, on_node_invoke, 0 },
    { MSG_NODE_INVOKE_RESULT, on_node_invoke_result, 0 },
    { MSG_NODE_INVOKE_PROGRESS, on_node_invoke_progress, 0 },
    { MSG_NODE_EVENT, on_node_event, 0 },
    { MSG_NODE_PENDING_ENQUEUE, on_node_pending_enqueue, 0 },
    { MSG_NODE_PENDING_DRAIN, on_node_pending_drain, 0 },
    { MSG_NODE_PENDING_PULL, on_node_pending_pull, 0 },
    { MSG_NODE_PENDING_ACK, on_node_pending_ack, 0 },
    { MSG_NODE_PAIR_REQUEST, on_node_pair_request, 0 },
    { MSG_NODE_PAIR_LIST, on_node_pair_list, 0 },
    { MSG_NODE_PAIR_APPROVE, on_node_pair_approve, 0 },
    { MSG_NODE_PAIR_REJECT, on_node_pair_reject, 0 },
    { MSG_NODE_PAIR_REMOVE, on_node_pair_remove, 0 },
    { MSG_NODE_PAIR_VERIFY, on_node_pair_verify, 0 },
    { MSG_EXEC_APPROVALS_NODE_GET, on_exec_approvals_node_get, 0 },
    { MSG_EXEC_APPROVALS_NODE_SET, on_exec_approvals_node_set, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(node_routes) == NODE_ACCEPTS_N, "node: routes, schema differ");

static const struct actor_route node_topics[] = {
    { MSG_AUTH_REVOKED, on_revoked, 0 },
};

const struct actor_def nodes_actor = {
    .name = "node",
    .state_size = sizeof(struct node),
    .routes = node_routes,
    .routes_n = ARRAY_LEN(node_routes),
    .topics = node_topics,
    .topics_n = ARRAY_LEN(node_topics),
    .init = node_init,
    .deinit = node_deinit,
    .on_cancel = on_node_cancel,
    .is_ready_late = true,
};
