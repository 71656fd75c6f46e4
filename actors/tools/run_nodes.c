/*
 * run_nodes: nodes: finds, pairs and uses nodes, through the methods that clients have for it.
 */
#include <stdio.h>

#include "actors/tools/tools_state.h"
#include "bus/base/cleanup.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })
#define INVOKE_MS 60000U
#define INVOKE_MOST_MS 600000

/* Actions that are one command of a node, without parameters of their own. */
static const struct {
    const char *action;
    const char *command;
} plain[] = {
    { "camera_list", "camera.list" },
    { "notifications_list", "notifications.list" },
    { "device_status", "device.status" },
    { "device_info", "device.info" },
    { "device_permissions", "device.permissions" },
    { "device_health", "device.health" },
    { "location_get", "location.get" },
    { "notifications_action", "notifications.actions" },
    { "notify", "system.notify" },
};

static int on_told(struct invocation *self, const struct actor_answer *answer)
{
    return answer->failure ? invocation_fail_as(self, answer->failure) : invocation_done(self, answer->body);
}

/* --- a command of a node --------------------------------------------------------------------------------------- */

/* The whole answer of invoke; of the others what the node said. */
static int on_invoked(struct invocation *self, const struct actor_answer *answer)
{
    struct span said = value_get(answer->body, "payload");
    bool is_whole = span_is_text(invocation_text(self, "action"), "invoke");

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    return invocation_done(self, is_whole ? answer->body : value_kind_of(said) == VALUE_MAP ? said : SPAN_LIT("\x80"));
}

static int invoke(struct invocation *self, struct span node_id, struct span params)
{
    int64_t most = invocation_number(self, "invokeTimeoutMs", 0);
    char key[TOOLS_ID_MAX];
    struct msg_node_invoke in = { .node_id = node_id,
                                  .command = span_from(self->command),
                                  .has_params = true,
                                  .params = params,
                                  .idempotency_key = { key, TOOLS_ID_MAX - 1 },
                                  .has_timeout_ms = most > 0,
                                  .timeout_ms = (uint64_t)(most > INVOKE_MOST_MS ? INVOKE_MOST_MS : most),
                                  .has_client = true,
                                  .client = self->ask.client };

    tools_uuid(key);
    return invocation_ask(self, "node", MSG_NODE_INVOKE, &in,
                          INVOKE_MS + (in.has_timeout_ms ? (uint32_t)in.timeout_ms : 0), on_invoked);
}

static void param_copy(const struct invocation *self, const char *argument, const char *name, struct pack *out)
{
    struct span value = value_get(self->ask.args, argument);

    if (value.len && value_kind_of(value) != VALUE_NIL) {
        pack_kv_raw(out, name, value);
    }
}

/* What an action gives to its command. */
static void params_pack(const struct invocation *self, struct pack *out)
{
    pack_map_begin(out);
    if (strcmp(self->command, "location.get") == 0) {
        param_copy(self, "maxAgeMs", "maxAgeMs", out);
        param_copy(self, "desiredAccuracy", "desiredAccuracy", out);
        param_copy(self, "locationTimeoutMs", "timeoutMs", out);
    } else if (strcmp(self->command, "notifications.actions") == 0) {
        param_copy(self, "notificationKey", "key", out);
        param_copy(self, "notificationAction", "action", out);
        param_copy(self, "notificationReplyText", "replyText", out);
    } else if (strcmp(self->command, "system.notify") == 0) {
        param_copy(self, "title", "title", out);
        param_copy(self, "body", "body", out);
        param_copy(self, "sound", "sound", out);
        param_copy(self, "priority", "priority", out);
        param_copy(self, "delivery", "delivery", out);
    }
    pack_map_end(out);
}

/* invokeParamsJson as msgpack. */
static int json_params_pack(const struct invocation *self, struct pack *out)
{
    struct span text = invocation_text(self, "invokeParamsJson");
    struct json_opts opts = { .depth_max = 32 };

    return json_to_pack(text.len ? text : SPAN_LIT("{}"), &opts, out, NULL);
}

static int command_send(struct invocation *self, struct span node_id)
{
    bool is_free = span_is_text(invocation_text(self, "action"), "invoke");
    struct pack params;
    int r = 0;

    pack_init(&params, 0);
    if (is_free && json_params_pack(self, &params)) {
        r = invocation_fail(self, 400, "invokeParamsJson must be valid JSON");
    } else {
        if (!is_free) {
            params_pack(self, &params);
        }
        r = invoke(self, node_id, pack_span(&params));
    }
    pack_deinit(&params);
    return r;
}

/* --- which node --------------------------------------------------------------------------------------------------- */

static bool is_named(struct span node, struct span wanted)
{
    static const char *const keys[] = { "nodeId", "displayName", "remoteIp" };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (span_is(value_str(value_get(node, keys[i]), NOTHING), wanted)) {
            return true;
        }
    }
    return false;
}

static int describe(struct invocation *self, struct span node_id)
{
    struct msg_node_describe in = { .node_id = node_id, .has_client = true, .client = self->ask.client };

    return invocation_ask(self, "node", MSG_NODE_DESCRIBE, &in, 0, on_told);
}

static int on_nodes(struct invocation *self, const struct actor_answer *answer)
{
    struct span wanted = invocation_text(self, "node");
    struct value_iter it = value_iter(answer->failure ? NOTHING : value_get(answer->body, "nodes"));
    struct span key;
    struct span node;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    while (value_next(&it, &key, &node)) {
        struct span id = value_str(value_get(node, "nodeId"), NOTHING);

        if (id.len && is_named(node, wanted)) {
            return self->command ? command_send(self, id) : describe(self, id);
        }
    }
    return invocation_fail(self, 400, "no node is called \"%.*s\"", SPAN_FMT(utf8_cut(wanted, 128)));
}

/* By its id, its name or its address. */
static int node_find(struct invocation *self)
{
    struct msg_node_list in = { .has_client = true, .client = self->ask.client };

    if (!invocation_text(self, "node").len) {
        return invocation_fail(self, 400, "node required");
    }
    return invocation_ask(self, "node", MSG_NODE_LIST, &in, 0, on_nodes);
}

/* --- actions --------------------------------------------------------------------------------------------------------
 */

static int pair_ask(struct invocation *self, bool is_approval)
{
    struct span id = invocation_text(self, "requestId");
    struct msg_node_pair_approve approve = { .request_id = id, .has_client = true, .client = self->ask.client };
    struct msg_node_pair_reject reject = { .request_id = id, .has_client = true, .client = self->ask.client };

    if (!id.len || id.len > 512) {
        return invocation_fail(self, 400, "requestId required");
    }
    return is_approval ? invocation_ask(self, "node", MSG_NODE_PAIR_APPROVE, &approve, 0, on_told)
                       : invocation_ask(self, "node", MSG_NODE_PAIR_REJECT, &reject, 0, on_told);
}

static int free_command(struct invocation *self)
{
    struct span command = invocation_text(self, "invokeCommand");

    if (!command.len || command.len >= sizeof(self->target)) {
        return invocation_fail(self, 400, "invokeCommand required");
    }
    if (span_starts(command, "system.run")) {
        return invocation_fail(self, 400, "invokeCommand \"%.*s\" runs programs: that is not for this tool",
                               SPAN_FMT(utf8_cut(command, 64)));
    }
    (void)snprintf(self->target, sizeof(self->target), "%.*s", SPAN_FMT(command)); /* fits */
    self->command = self->target;
    return node_find(self);
}

static int notify(struct invocation *self)
{
    return invocation_text(self, "title").len || invocation_text(self, "body").len
               ? node_find(self)
               : invocation_fail(self, 400, "title or body required");
}

int run_nodes(struct invocation *self)
{
    struct span action = invocation_text(self, "action");
    struct msg_node_list list = { .has_client = true, .client = self->ask.client };
    struct msg_node_pair_list pending = { .has_client = true, .client = self->ask.client };

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (span_is_text(action, plain[i].action)) {
            self->command = plain[i].command;
            return span_is_text(action, "notify") ? notify(self) : node_find(self);
        }
    }
    if (span_is_text(action, "status")) {
        return invocation_ask(self, "node", MSG_NODE_LIST, &list, 0, on_told);
    }
    if (span_is_text(action, "pending")) {
        return invocation_ask(self, "node", MSG_NODE_PAIR_LIST, &pending, 0, on_told);
    }
    if (span_is_text(action, "approve") || span_is_text(action, "reject")) {
        return pair_ask(self, span_is_text(action, "approve"));
    }
    if (span_is_text(action, "describe")) {
        return node_find(self);
    }
    if (span_is_text(action, "invoke")) {
        return free_command(self);
    }
    return invocation_fail(self, 400,
                           action.len ? "action \"%.*s\" is not served by this gateway" : "action required%.*s",
                           SPAN_FMT(utf8_cut(action, 64)));
}
