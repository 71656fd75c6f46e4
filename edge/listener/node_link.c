#include "edge/listener/node_link.h"

#include "bus/base/clock.h"
#include "bus/codec.h"
#include "edge/listener/edge.h"
#include "edge/listener/subscription.h"
#include "edge/listener/ws.h"
#include "schema_gen.h"

/* Who it is, in order of trust: its device, the program it says it is. */
static void join_fill(struct conn *conn, const struct msg_connect *params, const struct msg_auth_decision *decision,
                      struct msg_node_join *join)
{
    const struct type_connect_client *client = &params->client;

    *join = (struct msg_node_join){
        .conn_id = span_from(ws_of(conn)->conn_id),
        .node_id = decision->has_device_id ? decision->device_id : client->id,
        .has_device_id = decision->has_device_id,
        .device_id = decision->device_id,
        .client_id = client->id,
        .client_mode = client->mode,
        .has_display_name = client->has_display_name,
        .display_name = client->display_name,
        .has_platform = true,
        .platform = client->platform,
        .has_version = true,
        .version = client->version,
        .has_device_family = client->has_device_family,
        .device_family = client->device_family,
        .has_model_identifier = client->has_model_identifier,
        .model_identifier = client->model_identifier,
        .has_caps = params->has_caps,
        .caps = params->caps,
        .has_commands = params->has_commands,
        .commands = params->commands,
        .has_permissions = params->has_permissions,
        .permissions = params->permissions,
        .has_path_env = params->has_path_env,
        .path_env = params->path_env,
        .connected_ms = clock_wall_ms(),
    };
}

static int join_send(struct edge *edge, struct ws *ws)
{
    return actor_cast_span(edge->actor, "node", MSG_NODE_JOIN, (struct span){ ws->node.data, ws->node.len }, NULL);
}

int node_link_join(struct conn *conn, const struct msg_connect *params, const struct msg_auth_decision *decision)
{
    struct edge *edge = conn->edge;
    struct ws *ws = ws_of(conn);
    struct msg_node_join join;
    int r;

    if (!ws->scopes.is_node) {
        return 0;
    }
    join_fill(conn, params, decision, &join);
    join.has_remote_ip = !decision->is_local;
    join.remote_ip = decision->has_remote_ip ? decision->remote_ip : span_from(conn->remote);
    pack_reset(&edge->pack);
    r = codec_encode(MSG_NODE_JOIN->type, &join, &edge->pack, NULL);
    if (r) {
        return FAULT_FOLD(r);
    }
    r = text_buf_add(&ws->node, pack_span(&edge->pack));
    return r ? r : join_send(edge, ws);
}

void node_link_leave(struct conn *conn)
{
    struct ws *ws = ws_of(conn);
    struct msg_node_leave leave = { .conn_id = span_from(ws->conn_id) };

    if (ws->node.len > 0) {
        /* A fault here is one of the bus, which then says so to the runtime itself. */
        (void)actor_cast(conn->edge->actor, "node", MSG_NODE_LEAVE, &leave, NULL);
        ws->node.len = 0;
    }
}

void node_link_repeat(struct edge *edge)
{
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_of(conn); /* also one that waits for its hello-ok */

        if (ws && ws->node.len > 0 && join_send(edge, ws)) {
            return; /* the bus is broken, and says so itself */
        }
    }
}

/* A connection that is gone meanwhile follows nothing any more. */
int node_link_on_follow(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_edge_follow *in = msg;
    struct edge *edge = state;

    (void)ctx;
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);

        if (ws && ws->scopes.is_node && span_is_text(in->conn_id, ws->conn_id)) {
            subscription_follow(ws, in->session_key, in->is_following);
        }
    }
    return 0;
}
