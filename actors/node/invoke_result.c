/*
 * invoke_result: what a node says of a command that it was asked for: its payload, its
 * error, or that the command has to wait there.
 */
#include <string.h>

#include "actors/node/invoke_internal.h"
#include "bus/json.h"
#include "bus/value.h"

/* payloadJSON as a value; what is no JSON stays the text that it is. */
static void payload_pack(struct span text, struct pack *out)
{
    struct json_opts opts = { .depth_max = 0 };

    if (json_to_pack(text, &opts, out, NULL)) {
        pack_str(out, text);
    }
}

static void reply_pack(const struct invoke *invoke, const struct msg_node_invoke_result *in, struct pack *out)
{
    if (!invoke->is_bare) {
        pack_map_begin(out);
        pack_kv_bool(out, "ok", true);
        pack_kv_str(out, "nodeId", in->node_id);
        pack_kv_text(out, "command", invoke->command);
        if (in->has_payload_json || in->has_payload) {
            pack_key(out, "payload");
        }
    }
    if (in->has_payload_json) {
        payload_pack(in->payload_json, out);
    } else if (in->has_payload) {
        pack_raw(out, in->payload);
    } else if (invoke->is_bare) {
        pack_nil(out);
    }
    if (!invoke->is_bare) {
        pack_key(out, "payloadJSON");
        if (in->has_payload_json) {
            pack_str(out, in->payload_json);
        } else {
            pack_nil(out);
        }
        pack_map_end(out);
    }
}

static int invoke_succeed(struct node *self, struct invoke *invoke, const struct msg_node_invoke_result *in)
{
    struct result result = { 0 };

    pack_reset(&self->scratch);
    reply_pack(invoke, in, &self->scratch);
    if (pack_error(&self->scratch)) {
        return invoke_fail(self, invoke, SPAN_LIT("TOO_LARGE"), SPAN_LIT("the node's answer is too large"), true);
    }
    result.body = pack_span(&self->scratch);
    if (invoke->key) {
        outcome_keep(self, invoke->key, invoke_now(self), &result);
    }
    return invoke_end(self, invoke, &result);
}

static bool is_in_background(const struct invoke *invoke, const struct msg_node_invoke_result *in)
{
    return invoke_is_deferrable(invoke) &&
           (span_is(in->error.code, SPAN_LIT("NODE_BACKGROUND_UNAVAILABLE")) ||
            memmem(in->error.message.ptr, in->error.message.len, "BACKGROUND_UNAVAILABLE", 22));
}

/* The app is not on the screen: the command waits there until it is. */
static int invoke_queue(struct node *self, struct invoke *invoke, const struct msg_node_invoke_result *in)
{
    struct result result = { .code = FAIL_UNAVAILABLE,
                             .retryable = true,
                             .message = SPAN_LIT("node command queued until iOS returns to foreground") };
    char id[IDS_UUID_MAX];
    int r = 0;

    self->text.len = 0;
    if (invoke->params.len) {
        r = json_from_value(buf_span(&invoke->params), &self->text);
    }
    r = r ? r
          : pending_action_add(self, in->node_id, span_from(invoke->command), buf_span(&self->text),
                               span_from(invoke->idempotency_key), id);
    if (r) {
        return r < 0 ? r : invoke_fail(self, invoke, in->error.code, in->error.message, true);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "code", "QUEUED_UNTIL_FOREGROUND");
    pack_kv_text(&self->scratch, "queuedActionId", id);
    pack_kv_str(&self->scratch, "nodeId", in->node_id);
    pack_kv_text(&self->scratch, "command", invoke->command);
    pack_map_end(&self->scratch);
    result.details = pack_span(&self->scratch);
    if (invoke->key) {
        outcome_keep(self, invoke->key, invoke_now(self), &result);
    }
    return invoke_end(self, invoke, &result);
}

static int result_take(struct node *self, struct invoke *invoke, const struct msg_node_invoke_result *in)
{
    if (in->ok) {
        return invoke_succeed(self, invoke, in);
    }
    return is_in_background(invoke, in) ? invoke_queue(self, invoke, in)
                                        : invoke_fail(self, invoke, in->error.code, in->error.message, true);
}

struct invoke *invoke_awaited(const struct node *self, struct span id, const struct type_client *client)
{
    struct invoke *invoke = self->invokes;

    while (invoke && !span_is_text(id, invoke->id)) {
        invoke = invoke->next;
    }
    return invoke && invoke->session && !invoke->is_checking && span_is_text(client->conn_id, invoke->session->conn_id)
               ? invoke
               : NULL;
}

int on_node_invoke_result(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_invoke_result *in = msg;
    struct invoke *invoke = invoke_awaited(self, in->id, &in->client);
    int r = 0;

    if (!span_is(caller_node_id(&in->client), in->node_id)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "nodeId mismatch");
    }
    bool is_awaited = invoke != NULL;
    if (is_awaited) {
        r = result_take(self, invoke, in);
        invoke_timer_set(self);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", true);
    if (!is_awaited) {
        pack_kv_bool(&self->pack, "ignored", true); /* too late, or never asked */
    }
    pack_map_end(&self->pack);
    r = r ? r : pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}
