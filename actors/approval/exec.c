/*
 * exec: commands that wait for somebody's leave.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/approval/approval_state.h"
#include "actors/approval/command.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define TIMEOUT_MS 1800000U
#define OVERSIZED 262144U

/* What a request is about, from its params: a plan, when there is one, says it better. */
struct matter {
    struct span plan; /* packed map, or empty */
    struct span argv; /* packed list, or empty */
    struct span text;
    struct span preview;
    struct span cwd;
    struct span agent_id;
    struct span session_key;
    bool is_node;
};

static struct span first_of(struct span a, struct span b)
{
    return a.len ? a : b;
}

static struct matter matter_of(const struct msg_exec_approval_request *in, struct span body)
{
    struct matter matter = { .is_node = span_is(span_trim(in->host), SPAN_LIT("node")) };
    struct span plan = value_get(body, "systemRunPlan");

    if (matter.is_node && value_kind_of(plan) == VALUE_MAP && value_count(value_get(plan, "argv")) &&
        map_text(plan, "commandText").len) {
        matter.plan = plan;
    }
    matter.argv = matter.plan.len ? value_get(plan, "argv") : in->command_argv;
    matter.text = matter.plan.len ? map_text(plan, "commandText") : in->command;
    matter.preview =
        matter.plan.len ? first_of(map_text(plan, "commandPreview"), span_trim(in->command)) : (struct span){ 0 };
    matter.cwd = first_of(map_text(matter.plan, "cwd"), span_trim(in->cwd));
    matter.agent_id = first_of(map_text(matter.plan, "agentId"), span_trim(in->agent_id));
    matter.session_key = first_of(map_text(matter.plan, "sessionKey"), span_trim(in->session_key));
    return matter;
}

/* What is missing, or NULL. */
static const char *matter_lacks(const struct matter *matter, const struct msg_exec_approval_request *in)
{
    if (matter->is_node && !span_trim(in->node_id).len) {
        return "nodeId is required for host=node";
    }
    if (matter->is_node && !matter->plan.len) {
        return "systemRunPlan is required for host=node";
    }
    if (!matter->text.len) {
        return "command is required";
    }
    if (matter->is_node && !command_is_line(matter->argv, matter->text)) { /* people see one, the node runs the other */
        return "systemRunPlan.commandText does not match systemRunPlan.argv";
    }
    return span_starts(span_trim(in->id), "plugin:") ? "approval ids starting with plugin: are reserved" : NULL;
}

/* --- the record ------------------------------------------------------------------------------------ */

/* A text as people may see it, under `key`. */
static int shown_pack(struct approval *self, const char *key, struct span text, bool keeps_lines, struct pack *out)
{
    int r;

    self->text.len = 0;
    r = text.len > OVERSIZED
            ? text_buf_add(&self->text, SPAN_LIT("[longer than can be shown; the whole text is held back]"))
            : command_show(text, keeps_lines, &self->text);
    if (!r) {
        pack_kv_str(out, key, buf_span(&self->text));
    }
    return r;
}

static void env_keys_pack(struct span env, struct pack *out)
{
    struct value_iter iter = value_iter(env);
    struct span key;
    struct span item;

    if (!value_count(env)) {
        return;
    }
    pack_key(out, "envKeys");
    pack_array_begin(out);
    while (value_next(&iter, &key, &item)) {
        pack_str(out, key);
    }
    pack_array_end(out);
}

/* What exactly a run on a node must be, to be this one. */
static int binding_pack(const struct matter *matter, struct span env, struct pack *out)
{
    char hash[COMMAND_HASH_LEN];
    int r = command_env_hash(env, hash);

    pack_key(out, "systemRunBinding");
    if (r || !matter->is_node) {
        pack_nil(out);
        return r;
    }
    pack_map_begin(out);
    pack_kv_raw(out, "argv", matter->argv);
    pack_kv_or_nil(out, "cwd", matter->cwd);
    pack_kv_or_nil(out, "agentId", matter->agent_id);
    pack_kv_or_nil(out, "sessionKey", matter->session_key);
    pack_kv_or_nil(out, "envHash", span_from(hash));
    pack_map_end(out);
    return 0;
}

static void analysis_pack(const struct matter *matter, struct pack *out)
{
    pack_key(out, "commandAnalysis");
    if (matter->is_node) {
        command_analyse_argv(matter->argv, out);
    } else {
        command_analyse(matter->text, out);
    }
}

/* Which decisions there are depends on how often the policy wants to be asked. */
static void allowed_pack(struct approval *self, struct span ask, struct pack *out)
{
    pack_reset(&self->record);
    pack_map_begin(&self->record);
    pack_kv_or_nil(&self->record, "ask", ask);
    pack_map_end(&self->record);
    pack_key(out, "allowedDecisions");
    asking_allowed(pack_span(&self->record), out);
}

static void thread_pack(struct span thread, struct pack *out)
{
    pack_key(out, "turnSourceThreadId");
    if (thread.len) {
        pack_raw(out, thread);
    } else {
        pack_nil(out);
    }
}

static void origin_pack(const struct msg_exec_approval_request *in, const struct matter *matter, struct pack *out)
{
    pack_kv_or_nil(out, "agentId", matter->agent_id);
    pack_kv_or_nil(out, "resolvedPath", in->resolved_path);
    pack_kv_or_nil(out, "sessionKey", matter->session_key);
    pack_kv_or_nil(out, "turnSourceChannel", span_trim(in->turn_source_channel));
    pack_kv_or_nil(out, "turnSourceTo", span_trim(in->turn_source_to));
    pack_kv_or_nil(out, "turnSourceAccountId", span_trim(in->turn_source_account_id));
    thread_pack(in->turn_source_thread_id, out);
}

static int request_pack(struct approval *self, const struct msg_exec_approval_request *in, const struct matter *matter,
                        struct pack *out)
{
    int r;

    pack_map_begin(out);
    r = shown_pack(self, "command", matter->text, false, out);
    if (!matter->is_node && value_count(matter->argv)) {
        pack_kv_raw(out, "commandArgv", matter->argv);
    }
    env_keys_pack(in->env, out);
    r = r ? r : binding_pack(matter, in->env, out);
    pack_key(out, "systemRunPlan");
    if (matter->plan.len) {
        pack_raw(out, matter->plan);
    } else {
        pack_nil(out);
    }
    pack_kv_or_nil(out, "cwd", matter->cwd);
    pack_kv_or_nil(out, "nodeId", matter->is_node ? span_trim(in->node_id) : (struct span){ 0 });
    pack_kv_or_nil(out, "host", span_trim(in->host));
    pack_kv_or_nil(out, "security", in->security);
    pack_kv_or_nil(out, "ask", in->ask);
    if (span_trim(in->warning_text).len) {
        r = r ? r : shown_pack(self, "warningText", span_trim(in->warning_text), true, out);
    } else {
        pack_kv_or_nil(out, "warningText", (struct span){ 0 });
    }
    analysis_pack(matter, out);
    allowed_pack(self, span_trim(in->ask), out);
    origin_pack(in, matter, out);
    pack_map_end(out);
    return r ? r : pack_error(out);
}

/* Whoever has nothing but the gateway's secret is nobody in particular: a grant of his would be everybody's. */
static bool is_somebody(const struct type_client *client)
{
    return (client->has_device_id && client->device_id.len) || span_starts(client->principal, "owner/") ||
           span_starts(client->principal, "user/");
}

/* What a grant has to be for: everything that decides what would run, and where. Empty where there is none. */
static int operation_find(struct approval *self, const struct msg_exec_approval_request *in,
                          const struct matter *matter, char ret_operation[COMMAND_HASH_LEN])
{
    struct pack *out = &self->pack;
    char env[COMMAND_HASH_LEN];
    int r = command_env_hash(in->env, env);

    ret_operation[0] = '\0';
    if (r || !is_somebody(&in->client)) {
        return r;
    }
    pack_reset(out);
    pack_array_begin(out);
    pack_str(out, span_trim(in->host));
    pack_str(out, matter->is_node ? span_trim(in->node_id) : (struct span){ 0 });
    pack_str(out, matter->agent_id);
    pack_str(out, matter->text);
    pack_str(out, matter->argv); /* as it is packed */
    pack_str(out, matter->cwd);
    pack_text(out, env);
    pack_array_end(out);
    r = pack_error(out);
    return r ? r : command_digest(pack_span(out), ret_operation);
}

/* Somebody said "always" to just this: nobody is asked again. */
static int granted_answer(struct approval *self, struct actor_ctx *ctx, struct span id, const char *grant)
{
    char by[64];
    int r;

    (void)snprintf(by, sizeof(by), "grant %s", grant);
    r = record_close(self, KIND_EXEC, id,
                     &(struct closing){ .decision = SPAN_LIT("allow-always"), .by = span_from(by) });
    r = r ? r : records_review(self);
    return r ? r : asking_answer(self, ctx, KIND_EXEC, id);
}

int on_exec_approval_request(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_exec_approval_request *in = msg;
    struct matter matter = matter_of(in, actor_ctx_body(ctx));
    const char *lacks = matter_lacks(&matter, in);
    struct span id = span_trim(in->id);
    char operation[COMMAND_HASH_LEN];
    char grant[37] = "";
    char fresh[37];
    int r;

    if (lacks) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", lacks);
    }
    if (id.len && shelf_find(self->shelf, KIND_EXEC, id)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "approval id already pending");
    }
    if (!id.len) {
        approval_uuid(fresh);
        id = span_from(fresh);
    }
    pack_reset(&self->scratch);
    r = request_pack(self, in, &matter, &self->scratch);
    r = r ? r : operation_find(self, in, &matter, operation);
    r = r ? r
          : record_add(self, &(struct asked){ .kind = KIND_EXEC,
                                              .id = id,
                                              .request = pack_span(&self->scratch),
                                              .operation = span_from(operation),
                                              .timeout_ms = in->has_timeout_ms ? in->timeout_ms : TIMEOUT_MS,
                                              .client = &in->client });
    if (!r && operation[0] && !span_is(span_trim(in->ask), SPAN_LIT("always"))) {
        r = grants_use(self, in->client.principal, span_from(operation), grant);
    }
    if (r) {
        return r;
    }
    return grant[0] ? granted_answer(self, ctx, id, grant)
                    : asking_start(self, ctx, KIND_EXEC, id, &in->client, in->two_phase);
}

/* --- the others ------------------------------------------------------------------------------------------ */

struct span exec_preview(struct approval *self, struct span request)
{
    struct span preview = map_text(value_get(request, "systemRunPlan"), "commandPreview");
    bool is_shown;

    self->text.len = 0;
    is_shown = preview.len && !command_show(preview, false, &self->text) &&
               !span_is(buf_span(&self->text), map_text(request, "command"));
    return is_shown ? buf_span(&self->text) : (struct span){ 0 };
}

int on_exec_approval_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_exec_approval_get *in = msg;
    struct record record;
    int r = record_find(self, KIND_EXEC, span_trim(in->id), false, &record);

    if (r != RECORD_FOUND) {
        return asking_unknown(self, ctx, r, true);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_text(&self->pack, "id", record.item->id);
    pack_kv_or_nil(&self->pack, "commandText", map_text(record.request, "command"));
    pack_kv_or_nil(&self->pack, "commandPreview", exec_preview(self, record.request));
    pack_key(&self->pack, "allowedDecisions");
    asking_allowed(record.request, &self->pack);
    pack_kv_or_nil(&self->pack, "host", map_text(record.request, "host"));
    pack_kv_or_nil(&self->pack, "nodeId", map_text(record.request, "nodeId"));
    pack_kv_or_nil(&self->pack, "agentId", map_text(record.request, "agentId"));
    pack_kv_i64(&self->pack, "expiresAtMs", record.expires_ms);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int on_exec_approval_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return asking_list(arg, ctx, KIND_EXEC);
}

int on_exec_approval_wait(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_exec_approval_wait_decision *in = msg;

    return asking_wait(arg, ctx, KIND_EXEC, in->id);
}

int on_exec_approval_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_exec_approval_resolve *in = msg;
    struct verdict verdict = {
        .kind = KIND_EXEC,
        .id = span_trim(in->id),
        .decision = in->decision,
        .days = in->has_grant_expires_in_days ? in->grant_expires_in_days : 0,
        .client = &in->client,
    };

    return asking_resolve(arg, ctx, &verdict);
}
