#include "edge/listener/presence.h"

#include "bus/codec.h"
#include "edge/listener/edge.h"
#include "edge/listener/ws.h"
#include "schema_gen.h"

static void join_fill(struct conn *conn, const struct msg_connect *params, const struct msg_auth_decision *decision,
                      struct msg_presence_join *join)
{
    const struct type_connect_client *client = &params->client;
    struct ws *ws = ws_of(conn);

    *join = (struct msg_presence_join){ .conn_id = span_from(ws->conn_id),
                                        .client_id = client->id,
                                        .has_display_name = client->has_display_name,
                                        .display_name = client->display_name,
                                        .has_version = true,
                                        .version = client->version,
                                        .has_platform = true,
                                        .platform = client->platform,
                                        .has_device_family = client->has_device_family,
                                        .device_family = client->device_family,
                                        .has_model_identifier = client->has_model_identifier,
                                        .model_identifier = client->model_identifier,
                                        .mode = client->mode,
                                        .role = decision->role,
                                        .has_scopes = true,
                                        .scopes = decision->scopes,
                                        .has_device_id = decision->has_device_id,
                                        .device_id = decision->device_id,
                                        .has_instance_id = client->has_instance_id,
                                        .instance_id = client->instance_id,
                                        .has_is_local = true,
                                        .is_local = decision->is_local };
}

static void text_cut(struct span *text, size_t max)
{
    if (text->len > max) {
        text->len = max;
        while (text->len > 0 && ((unsigned char)text->ptr[text->len] & 0xc0U) == 0x80U) {
            text->len--;
        }
    }
}

static int join_send(struct edge *edge, struct ws *ws)
{
    return actor_cast_span(edge->actor, "health", MSG_PRESENCE_JOIN, (struct span){ ws->join.data, ws->join.len },
                           NULL);
}

int presence_join(struct conn *conn, const struct msg_connect *params, const struct msg_auth_decision *decision)
{
    struct edge *edge = conn->edge;
    struct ws *ws = ws_of(conn);
    struct msg_presence_join join;
    struct codec_error error;
    int r;

    join_fill(conn, params, decision, &join);
    join.has_ip = true;
    join.ip = decision->has_remote_ip ? decision->remote_ip : span_from(conn->remote);
    text_cut(&join.display_name, 256);
    text_cut(&join.version, 128);
    text_cut(&join.platform, 128);
    text_cut(&join.device_family, 128);
    text_cut(&join.model_identifier, 128);
    text_cut(&join.instance_id, 128);
    pack_reset(&edge->pack);
    r = codec_encode(MSG_PRESENCE_JOIN->type, &join, &edge->pack, &error);
    if (r) {
        return FAULT_FOLD(r);
    }
    r = text_buf_add(&ws->join, pack_span(&edge->pack));
    return r ? r : join_send(edge, ws);
}

void presence_leave(struct conn *conn)
{
    struct ws *ws = ws_of(conn);
    struct msg_presence_leave leave = { .conn_id = span_from(ws->conn_id) };

    /* A fault here is one of the bus, which then says so to the runtime itself. */
    (void)actor_cast(conn->edge->actor, "health", MSG_PRESENCE_LEAVE, &leave, NULL);
}

void presence_repeat(struct edge *edge)
{
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);

        if (ws && join_send(edge, ws)) {
            return;
        }
    }
}
