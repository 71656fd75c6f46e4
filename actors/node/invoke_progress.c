/*
 * invoke_progress: what a command says while it runs on a node, and telling the node that
 * nobody waits for it any more.
 *
 * Whoever asked hears of it when the client said that it wants to (capability
 * "node-progress"): others know one answer, and nothing before it.
 */
#include <stdlib.h>

#include "actors/node/invoke_internal.h"
#include "bus/base/mem.h"
#include "bus/value.h"

/* Appends the connections of those who want to hear; how many there are. */
static unsigned listeners_pack(const struct invoke *invoke, struct pack *out)
{
    unsigned n = 0;

    pack_array_begin(out);
    for (const struct waiter *at = invoke->waiters; at; at = at->next) {
        if (at->conn_id[0]) {
            pack_text(out, at->conn_id);
            n++;
        }
    }
    pack_array_end(out);
    return n;
}

static int tell(struct node *self, struct invoke *invoke, const struct msg_node_invoke_progress *in, bool *ret_is_heard)
{
    CLEANUP(pack_deinit) struct pack conn_ids;
    struct event_node_invoke_progress event = {
        .node_id = in->node_id,
        .command = span_from(invoke->command),
        .has_idempotency_key = invoke->idempotency_key[0] != '\0',
        .idempotency_key = span_from(invoke->idempotency_key),
        .seq = in->seq,
        .chunk = in->chunk,
        .has_conn_ids = true,
    };

    pack_init(&conn_ids, 65536);
    *ret_is_heard = listeners_pack(invoke, &conn_ids) > 0;
    event.conn_ids = pack_span(&conn_ids);
    if (!*ret_is_heard || pack_error(&conn_ids)) {
        return pack_error(&conn_ids);
    }
    return actor_publish(self->actor, EVENT_NODE_INVOKE_PROGRESS, &event, NULL);
}

int on_node_invoke_progress(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_invoke_progress *in = msg;
    struct invoke *invoke = invoke_awaited(self, in->invoke_id, &in->client);
    bool is_heard = false;
    int r = 0;

    if (!span_is(caller_node_id(&in->client), in->node_id)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "nodeId mismatch");
    }
    if (invoke && in->seq >= invoke->next_seq) { /* one connection keeps the order: what is older was said before */
        invoke->next_seq = in->seq + 1;
        invoke->has_progress = true;
        r = tell(self, invoke, in, &is_heard);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", true);
    pack_kv_bool(&self->pack, "ignored", !is_heard);
    pack_map_end(&self->pack);
    r = r ? r : pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

int invoke_cancel(struct node *self, const struct invoke *invoke)
{
    CLEANUP(pack_deinit) struct pack conn_ids;

    pack_init(&conn_ids, 4096);
    if (!invoke->has_progress || !invoke->session) {
        return 0;
    }
    pack_array_begin(&conn_ids);
    pack_text(&conn_ids, invoke->session->conn_id);
    pack_array_end(&conn_ids);
    int r = pack_error(&conn_ids);
    return r ? r
             : actor_publish(
                   self->actor, EVENT_NODE_INVOKE_CANCEL,
                   &(struct event_node_invoke_cancel){ .invoke_id = span_from(invoke->id),
                                                       .node_id = { invoke->node_id.data, invoke->node_id.len },
                                                       .has_conn_ids = true,
                                                       .conn_ids = pack_span(&conn_ids) },
                   NULL);
}
