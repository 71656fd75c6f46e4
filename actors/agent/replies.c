#include "actors/agent/replies.h"

#include "actors/agent/message.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"

/* The words that clients know for the end of a run; an aborted one counts as not finished. */
static const char *status_of(const struct store_run *run)
{
    switch (run->state) {
    case STORE_RUN_DONE:
        return "ok";
    case STORE_RUN_ERROR:
        return "error";
    case STORE_RUN_ABORTED:
        return "timeout";
    default:
        return "in_flight";
    }
}

void reply_send_pack(struct pack *out, const struct store_run *run, bool is_repeat)
{
    pack_map_begin(out);
    pack_kv_text(out, "runId", run->id);
    pack_kv_text(out, "status", is_repeat ? status_of(run) : "started");
    if (is_repeat && run->state == STORE_RUN_ERROR) {
        pack_kv_text(out, "summary", run->error);
    }
    pack_map_end(out);
}

static void usage_pack(struct pack *out, struct span usage)
{
    int64_t input = value_i64(value_get(usage, "input"), 0);
    int64_t output = value_i64(value_get(usage, "output"), 0);
    int64_t total = value_i64(value_get(usage, "totalTokens"), 0);

    pack_key(out, "usage");
    pack_map_begin(out);
    pack_kv_i64(out, "input", input);
    pack_kv_i64(out, "output", output);
    pack_kv_i64(out, "total", total);
    pack_map_end(out);
    pack_key(out, "lastCallUsage");
    pack_map_begin(out);
    pack_kv_i64(out, "input", input);
    pack_kv_i64(out, "output", output);
    pack_kv_i64(out, "cacheRead", 0);
    pack_kv_i64(out, "cacheWrite", 0);
    pack_kv_i64(out, "total", total);
    pack_map_end(out);
    pack_kv_i64(out, "promptTokens", input);
}

static void meta_pack(struct pack *out, const struct store_run *run, const char *session_id, struct span answer,
                      const char *path, uint64_t context_tokens)
{
    pack_key(out, "meta");
    pack_map_begin(out);
    pack_kv_i64(out, "durationMs", run->ended_ms - run->created_ms);
    pack_key(out, "agentMeta");
    pack_map_begin(out);
    pack_kv_text(out, "sessionId", session_id);
    pack_kv_text(out, "sessionFile", path);
    pack_kv_str(out, "provider", value_str(value_get(answer, "provider"), SPAN_LIT("")));
    pack_kv_str(out, "model", value_str(value_get(answer, "model"), SPAN_LIT("")));
    pack_kv_u64(out, "contextTokens", context_tokens);
    usage_pack(out, value_get(answer, "usage"));
    pack_map_end(out);
    pack_kv_bool(out, "aborted", run->state == STORE_RUN_ABORTED);
    pack_kv_text(out, "livenessState", run->state == STORE_RUN_DONE ? "working" : "blocked");
    pack_kv_text(out, "stopReason", run->stop_reason);
    pack_map_end(out);
}

int reply_agent_pack(struct pack *out, const struct store_run *run, const char *session_id, struct span answer,
                     const char *path, uint64_t context_tokens)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int rc = message_text_add(value_get(answer, "content"), &text);

    if (rc) {
        return rc;
    }
    pack_map_begin(out);
    pack_kv_text(out, "runId", run->id);
    pack_kv_text(out, "status", status_of(run));
    pack_kv_text(out, "summary", run->state == STORE_RUN_DONE ? "completed" : "aborted");
    if (run->state == STORE_RUN_ABORTED) {
        pack_kv_text(out, "stopReason", run->stop_reason);
    }
    pack_key(out, "result");
    pack_map_begin(out);
    pack_key(out, "payloads");
    pack_array_begin(out);
    if (text.len) {
        pack_map_begin(out);
        pack_kv_str(out, "text", (struct span){ text.data, text.len });
        pack_key(out, "mediaUrl");
        pack_nil(out);
        pack_map_end(out);
    }
    pack_array_end(out);
    meta_pack(out, run, session_id, answer, path, context_tokens);
    pack_map_end(out);
    pack_map_end(out);
    return pack_error(out);
}

void reply_agent_failed_pack(struct pack *out, const struct store_run *run)
{
    pack_map_begin(out);
    pack_key(out, "payload");
    pack_map_begin(out);
    pack_kv_text(out, "runId", run->id);
    pack_kv_text(out, "status", "error");
    pack_kv_text(out, "summary", run->error);
    pack_map_end(out);
    pack_map_end(out);
}

void reply_wait_pack(struct pack *out, struct span run_id, const struct store_run *run)
{
    pack_map_begin(out);
    pack_kv_str(out, "runId", run_id);
    pack_kv_text(out, "status", run ? status_of(run) : "timeout");
    if (run) {
        if (run->started_ms) {
            pack_kv_i64(out, "startedAt", run->started_ms);
        }
        pack_kv_i64(out, "endedAt", run->ended_ms);
        if (run->state == STORE_RUN_ERROR) {
            pack_kv_text(out, "error", run->error);
        }
        if (run->stop_reason[0]) {
            pack_kv_text(out, "stopReason", run->stop_reason);
        }
        pack_kv_text(out, "livenessState", run->state == STORE_RUN_DONE ? "working" : "blocked");
    }
    pack_map_end(out);
}
