/*
 * run_check: the params of a system.run on their way to a node.
 *
 * A node runs without asking what says that it was approved. So nobody may say that but an
 * approval that people gave: for that node, to that asker, and for exactly that command.
 */
#include "actors/approval/approval_state.h"
#include "actors/approval/command.h"
#include "bus/base/clock.h"
#include "bus/value.h"

static const char *const passed_on[] = { "command",    "rawCommand", "systemRunPlan",        "cwd",
                                         "env",        "timeoutMs",  "needsScreenRecording", "agentId",
                                         "sessionKey", "runId",      "suppressNotifyOnExit" };

/* What the plan of an approval says instead of the params. */
static const char *const planned[] = { "command", "rawCommand", "systemRunPlan", "cwd", "agentId", "sessionKey" };

static int refuse(struct approval *self, struct actor_ctx *ctx, const char *code, const char *message,
                  struct span run_id)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "code", code);
    if (run_id.len) {
        pack_kv_str(&self->scratch, "runId", run_id);
    }
    pack_map_end(&self->scratch);
    return actor_fail_with(ctx, &(struct failure){ .code = FAIL_INVALID_REQUEST,
                                                   .message = span_from(message),
                                                   .details = pack_span(&self->scratch) });
}

static bool is_one_of(struct span key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (span_is_text(key, names[i])) {
            return true;
        }
    }
    return false;
}

/* The params that may pass, left open; without those that the plan says, when there is one. */
static void params_open(struct span params, bool has_plan, struct pack *out)
{
    struct value_iter iter = value_iter(params);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&iter, &key, &item)) {
        if (is_one_of(key, passed_on, ARRAY_LEN(passed_on)) &&
            !(has_plan && is_one_of(key, planned, ARRAY_LEN(planned)))) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
}

static void some_pack(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

static void plan_pack(struct span plan, struct pack *out)
{
    pack_kv_raw(out, "command", value_get(plan, "argv"));
    pack_kv_raw(out, "systemRunPlan", plan);
    some_pack(out, "rawCommand", map_text(plan, "commandText"));
    some_pack(out, "cwd", map_text(plan, "cwd"));
    some_pack(out, "agentId", map_text(plan, "agentId"));
    some_pack(out, "sessionKey", map_text(plan, "sessionKey"));
}

static int reply(struct approval *self, struct actor_ctx *ctx)
{
    int r = pack_error(&self->pack);

    return r ? r
             : actor_reply(ctx, MSG_EXEC_RUN_CHECKED,
                           &(struct msg_exec_run_checked){ .has_params = true, .params = pack_span(&self->pack) });
}

/* --- without an approval -------------------------------------------------------------------------- */

static int plain_check(struct approval *self, struct actor_ctx *ctx, struct span params)
{
    struct span argv = value_get(params, "command");
    struct span raw = map_text(params, "rawCommand");

    if (raw.len && !value_count(argv)) {
        return refuse(self, ctx, "MISSING_COMMAND", "rawCommand requires params.command", (struct span){ 0 });
    }
    if (raw.len && !command_is_line(argv, raw)) {
        return refuse(self, ctx, "RAW_COMMAND_MISMATCH", "rawCommand does not match command", (struct span){ 0 });
    }
    pack_reset(&self->pack);
    params_open(params, false, &self->pack);
    pack_map_end(&self->pack);
    return reply(self, ctx);
}

/* --- with one ---------------------------------------------------------------------------------------- */

static const char *holder_fault(const struct record *record, const struct msg_exec_run_check *in)
{
    struct span device = map_text(record->item->body, "deviceId");
    struct span conn = map_text(record->item->body, "connId");

    if (!map_text(record->request, "nodeId").len) {
        return "APPROVAL_NODE_BINDING_MISSING";
    }
    if (!span_is(map_text(record->request, "nodeId"), span_trim(in->node_id))) {
        return "APPROVAL_NODE_MISMATCH";
    }
    if (device.len) {
        return span_is(device, in->client.device_id) ? NULL : "APPROVAL_DEVICE_MISMATCH";
    }
    return span_is(conn, in->client.conn_id) ? NULL : "APPROVAL_CLIENT_MISMATCH";
}

static bool same_list(struct span a, struct span b)
{
    struct value_iter left = value_iter(a);
    struct value_iter right = value_iter(b);
    struct span key;
    struct span one;
    struct span other;

    if (!value_count(a) || value_count(a) != value_count(b)) {
        return false;
    }
    while (value_next(&left, &key, &one) && value_next(&right, &key, &other)) {
        if (!span_is(one, other)) { /* packed: what is no text must not pass for an empty one */
            return false;
        }
    }
    return true;
}

/* Is this the command that was approved? With a plan the plan's own words count. */
static int binding_check(const struct record *record, struct span params, bool *ret_is_same)
{
    struct span binding = value_get(record->request, "systemRunBinding");
    struct span plan = value_get(record->request, "systemRunPlan");
    struct span said = value_kind_of(plan) == VALUE_MAP ? plan : params;
    char hash[COMMAND_HASH_LEN];
    int r = command_env_hash(value_get(params, "env"), hash);

    *ret_is_same = value_kind_of(binding) == VALUE_MAP &&
                   same_list(value_get(binding, "argv"), value_get(said, said.ptr == plan.ptr ? "argv" : "command")) &&
                   span_is(map_text(binding, "cwd"), map_text(said, "cwd")) &&
                   span_is(map_text(binding, "agentId"), map_text(said, "agentId")) &&
                   span_is(map_text(binding, "sessionKey"), map_text(said, "sessionKey")) &&
                   span_is_text(map_text(binding, "envHash"), hash);
    return r;
}

static int approved_reply(struct approval *self, struct actor_ctx *ctx, const struct record *record, struct span params,
                          const char *decision)
{
    struct span plan = value_get(record->request, "systemRunPlan");
    bool has_plan = value_kind_of(plan) == VALUE_MAP;

    pack_reset(&self->pack);
    params_open(params, has_plan, &self->pack);
    if (has_plan) {
        plan_pack(plan, &self->pack);
    }
    pack_kv_bool(&self->pack, "approved", true);
    pack_kv_text(&self->pack, "approvalDecision", decision);
    pack_map_end(&self->pack);
    if (!pack_error(&self->pack) && strcmp(decision, "allow-once") == 0) {
        int r = record_use(self, record->item);

        if (r) {
            return r;
        }
    }
    return reply(self, ctx);
}

static int approval_check(struct approval *self, struct actor_ctx *ctx, const struct msg_exec_run_check *in,
                          struct span run_id)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_EXEC, run_id);
    struct record record;
    const char *fault;
    bool is_same = false;
    int r;

    if (!item) {
        return refuse(self, ctx, "UNKNOWN_APPROVAL_ID", "unknown or expired approval id", run_id);
    }
    record = record_read(item);
    if (clock_wall_ms() > record.expires_ms) {
        return refuse(self, ctx, "APPROVAL_EXPIRED", "approval expired", run_id);
    }
    fault = holder_fault(&record, in);
    if (fault) {
        return refuse(self, ctx, fault, "approval id not valid for this node or client", run_id);
    }
    r = binding_check(&record, in->params, &is_same);
    if (r || !is_same) {
        return r ? r : refuse(self, ctx, "APPROVAL_REQUEST_MISMATCH", "approval id does not match request", run_id);
    }
    if (span_is(record.decision, SPAN_LIT("allow-once")) && !record.is_used) {
        return approved_reply(self, ctx, &record, in->params, "allow-once");
    }
    if (span_is(record.decision, SPAN_LIT("allow-always"))) {
        return approved_reply(self, ctx, &record, in->params, "allow-always");
    }
    return refuse(self, ctx, "APPROVAL_REQUIRED", "approval required", run_id);
}

int on_exec_run_check(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_exec_run_check *in = msg;
    struct span decision = map_text(in->params, "approvalDecision");
    struct span run_id = map_text(in->params, "runId");
    bool wants_leave = value_bool(value_get(in->params, "approved"), false) ||
                       span_is(decision, SPAN_LIT("allow-once")) || span_is(decision, SPAN_LIT("allow-always"));

    if (!wants_leave) {
        return plain_check(self, ctx, in->params);
    }
    if (!run_id.len) {
        return refuse(self, ctx, "MISSING_RUN_ID", "approval override requires params.runId", run_id);
    }
    return approval_check(self, ctx, in, run_id);
}
