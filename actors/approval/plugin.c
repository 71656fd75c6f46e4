/*
 * plugin: what plug-ins want leave for.
 */
#include <stdio.h>

#include "actors/approval/approval_state.h"

#define TIMEOUT_MS 120000U

static void request_pack(const struct msg_plugin_approval_request *in, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_or_nil(out, "pluginId", in->plugin_id);
    pack_kv_str(out, "title", in->title);
    pack_kv_str(out, "description", in->description);
    pack_kv_or_nil(out, "severity", in->severity);
    pack_kv_or_nil(out, "toolName", in->tool_name);
    pack_kv_or_nil(out, "toolCallId", in->tool_call_id);
    if (in->has_allowed_decisions) {
        pack_kv_raw(out, "allowedDecisions", in->allowed_decisions);
    }
    pack_kv_or_nil(out, "agentId", in->agent_id);
    pack_kv_or_nil(out, "sessionKey", in->session_key);
    pack_kv_or_nil(out, "turnSourceChannel", span_trim(in->turn_source_channel));
    pack_kv_or_nil(out, "turnSourceTo", span_trim(in->turn_source_to));
    pack_kv_or_nil(out, "turnSourceAccountId", span_trim(in->turn_source_account_id));
    pack_key(out, "turnSourceThreadId");
    if (in->turn_source_thread_id.len) {
        pack_raw(out, in->turn_source_thread_id);
    } else {
        pack_nil(out);
    }
    pack_map_end(out);
}

int on_plugin_approval_request(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_plugin_approval_request *in = msg;
    char uuid[37];
    char id[48];
    int r;

    approval_uuid(uuid);
    (void)snprintf(id, sizeof(id), "plugin:%s", uuid); /* fits */
    pack_reset(&self->scratch);
    request_pack(in, &self->scratch);
    r = pack_error(&self->scratch);
    r = r ? r
          : record_add(self, &(struct asked){ .kind = KIND_PLUGIN,
                                              .id = span_from(id),
                                              .request = pack_span(&self->scratch),
                                              .timeout_ms = in->has_timeout_ms ? in->timeout_ms : TIMEOUT_MS,
                                              .client = &in->client });
    return r ? r : asking_start(self, ctx, KIND_PLUGIN, span_from(id), &in->client, in->two_phase);
}

/* Nobody here makes requests of that kind: the agent that would is no part of this gateway. */
int on_openclaw_approval_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return asking_list(arg, ctx, KIND_SYSTEM_AGENT);
}

int on_plugin_approval_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return asking_list(arg, ctx, KIND_PLUGIN);
}

int on_plugin_approval_wait(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_plugin_approval_wait_decision *in = msg;

    return asking_wait(arg, ctx, KIND_PLUGIN, in->id);
}

int on_plugin_approval_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_plugin_approval_resolve *in = msg;
    struct verdict verdict = {
        .kind = KIND_PLUGIN, .id = span_trim(in->id), .decision = in->decision, .client = &in->client
    };

    return asking_resolve(arg, ctx, &verdict);
}
