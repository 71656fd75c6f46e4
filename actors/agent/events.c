#include "actors/agent/events.h"

#include "actors/agent/message.h"
#include "bus/value.h"

static struct span text_of(const struct run *run)
{
    return (struct span){ run->text.data, run->text.len };
}

/* --- topic agent ------------------------------------------------------------------------- */

static void agent_begin(struct pack *out, struct run *run, const char *stream)
{
    pack_map_begin(out);
    pack_kv_text(out, "runId", run->row.id);
    pack_kv_text(out, "stream", stream);
    pack_key(out, "data");
    pack_map_begin(out);
}

/* Behind the data; the map stays open. */
static void agent_place(struct pack *out, struct run *run, int64_t now_ms)
{
    pack_map_end(out);
    pack_kv_text(out, "sessionKey", run->session->row.key);
    pack_kv_u64(out, "seq", ++run->seq);
    pack_kv_i64(out, "ts", now_ms);
}

static void agent_end(struct pack *out, struct run *run, int64_t now_ms)
{
    agent_place(out, run, now_ms);
    pack_map_end(out);
}

void events_run_started(struct pack *out, struct run *run, int64_t now_ms)
{
    agent_begin(out, run, "lifecycle");
    pack_kv_text(out, "phase", "start");
    pack_kv_i64(out, "startedAt", run->row.started_ms);
    agent_end(out, run, now_ms);
}

void events_run_text(struct pack *out, struct run *run, int64_t now_ms)
{
    struct span text = text_of(run);

    agent_begin(out, run, "assistant");
    pack_kv_str(out, "text", text);
    pack_kv_str(out, "delta", (struct span){ text.ptr + run->shown, text.len - run->shown });
    agent_end(out, run, now_ms);
    run->shown = text.len;
}

void events_run_ended(struct pack *out, struct run *run, int64_t now_ms)
{
    agent_begin(out, run, "lifecycle");
    if (run->row.state == STORE_RUN_DONE) {
        pack_kv_text(out, "phase", "end");
        pack_kv_text(out, "livenessState", "working");
    } else if (run->row.state == STORE_RUN_ABORTED) {
        pack_kv_text(out, "phase", "end");
        pack_kv_text(out, "status", "cancelled");
        pack_kv_bool(out, "aborted", true);
        pack_kv_text(out, "stopReason", run->row.stop_reason);
        pack_kv_i64(out, "startedAt", run->row.started_ms ? run->row.started_ms : run->row.created_ms);
    } else {
        pack_kv_text(out, "phase", "error");
        pack_kv_text(out, "error", run->row.error);
        pack_kv_text(out, "livenessState", "blocked");
    }
    pack_kv_i64(out, "endedAt", run->row.ended_ms);
    agent_end(out, run, now_ms);
}

/* --- topic chat ---------------------------------------------------------------------------- */

static void chat_begin(struct pack *out, const struct run *run, const char *state)
{
    pack_map_begin(out);
    pack_kv_text(out, "runId", run->row.id);
    pack_kv_text(out, "sessionKey", run->session->row.key);
    pack_kv_u64(out, "seq", run->seq);
    pack_kv_text(out, "state", state);
}

static void chat_message(struct pack *out, const struct run *run, int64_t now_ms)
{
    pack_key(out, "message");
    pack_map_begin(out);
    pack_kv_text(out, "role", "assistant");
    pack_key(out, "content");
    message_content_pack(text_of(run), out);
    pack_kv_i64(out, "timestamp", now_ms);
    pack_map_end(out);
}

void events_chat_delta(struct pack *out, struct run *run, int64_t now_ms)
{
    struct span text = text_of(run);

    chat_begin(out, run, "delta");
    chat_message(out, run, now_ms);
    pack_key(out, "_protocol4");
    pack_map_begin(out);
    pack_kv_str(out, "deltaText", (struct span){ text.ptr + run->chat_shown, text.len - run->chat_shown });
    pack_map_end(out);
    pack_map_end(out);
    run->chat_shown = text.len;
}

static const char *error_kind(enum provider_outcome outcome)
{
    switch (outcome) {
    case PROVIDER_E_TIMEOUT:
        return "timeout";
    case PROVIDER_E_RATE:
        return "rate_limit";
    case PROVIDER_E_CONTEXT:
        return "context_length";
    default:
        return "unknown";
    }
}

void events_chat_ended(struct pack *out, const struct run *run, int64_t now_ms)
{
    if (run->row.state == STORE_RUN_DONE) {
        chat_begin(out, run, "final");
        chat_message(out, run, now_ms);
    } else if (run->row.state == STORE_RUN_ABORTED) {
        chat_begin(out, run, "aborted");
        pack_kv_text(out, "stopReason", run->row.stop_reason);
        if (run->text.len) {
            chat_message(out, run, now_ms);
        }
    } else {
        chat_begin(out, run, "error");
        pack_kv_text(out, "errorMessage", run->row.error);
        pack_kv_text(out, "errorKind", error_kind(run->outcome));
    }
    pack_map_end(out);
}

/* --- rows of sessions ------------------------------------------------------------------------ */

static void origin_pack(struct pack *out, const struct store_session *row)
{
    pack_kv_text(out, "chatType", "direct");
    pack_key(out, "origin");
    pack_map_begin(out);
    pack_kv_text(out, "provider", row->channel);
    pack_kv_text(out, "surface", row->channel);
    pack_kv_text(out, "chatType", "direct");
    pack_map_end(out);
}

static void delivery_pack(struct pack *out, const struct store_session *row)
{
    pack_key(out, "deliveryContext");
    pack_map_begin(out);
    pack_kv_text(out, "channel", row->channel);
    pack_map_end(out);
    pack_kv_text(out, "lastChannel", row->channel);
}

/* This release has one level of thinking, and says so in the words clients know. */
void events_thinking(struct pack *out)
{
    pack_key(out, "thinkingLevels");
    pack_array_begin(out);
    pack_map_begin(out);
    pack_kv_text(out, "id", "off");
    pack_kv_text(out, "label", "off");
    pack_map_end(out);
    pack_array_end(out);
    pack_key(out, "thinkingOptions");
    pack_array_begin(out);
    pack_text(out, "off");
    pack_array_end(out);
    pack_kv_text(out, "thinkingDefault", "off");
}

static void tokens_pack(struct pack *out, const struct store_session *row)
{
    if (row->input_tokens || row->output_tokens) {
        pack_kv_u64(out, "inputTokens", row->input_tokens);
        pack_kv_u64(out, "outputTokens", row->output_tokens);
    }
    if (row->total_tokens) {
        pack_kv_u64(out, "totalTokens", row->total_tokens);
        pack_kv_bool(out, "totalTokensFresh", true);
        pack_kv_u64(out, "estimatedCostUsd", 0);
    } else {
        pack_kv_bool(out, "totalTokensFresh", false);
    }
}

static void status_pack(struct pack *out, const struct store_session *row)
{
    if (row->status == STORE_SESSION_IDLE) {
        return;
    }
    pack_kv_text(out, "status", store_session_status_name(row->status));
    pack_kv_i64(out, "startedAt", row->started_ms);
    if (row->ended_ms) {
        pack_kv_i64(out, "endedAt", row->ended_ms);
        pack_kv_i64(out, "runtimeMs", row->ended_ms - row->started_ms);
    }
}

static void model_pack(struct pack *out, const struct store_session *row, const struct settings *settings)
{
    pack_kv_text(out, "modelProvider", row->provider[0] ? row->provider : settings->provider);
    pack_kv_text(out, "model", row->model[0] ? row->model : settings->model);
}

void events_session_row_begin(struct pack *out, const struct store_session *row, const struct settings *settings)
{
    pack_map_begin(out);
    pack_kv_text(out, "key", row->key);
    pack_kv_text(out, "kind", "direct");
    if (row->label[0]) {
        pack_kv_text(out, "label", row->label);
    }
    if (row->channel[0]) {
        origin_pack(out, row);
    }
    pack_kv_i64(out, "updatedAt", row->updated_ms);
    pack_kv_text(out, "sessionId", row->id);
    pack_kv_bool(out, "abortedLastRun", row->is_last_aborted);
    events_thinking(out);
    tokens_pack(out, row);
    status_pack(out, row);
    model_pack(out, row, settings);
    pack_key(out, "agentRuntime");
    pack_map_begin(out);
    pack_kv_text(out, "id", "openclaw");
    pack_kv_text(out, "source", "implicit");
    pack_map_end(out);
    pack_kv_u64(out, "contextTokens", settings->context_tokens);
    if (row->channel[0]) {
        delivery_pack(out, row);
    }
}

void events_session_row(struct pack *out, const struct store_session *row, const struct settings *settings)
{
    events_session_row_begin(out, row, settings);
    pack_map_end(out);
}

/* Events carry the row twice: whole under "session", and its main keys beside it. */
static void row_beside(struct pack *out, const struct store_session *row, const struct settings *settings)
{
    pack_key(out, "session");
    events_session_row(out, row, settings);
    pack_kv_i64(out, "updatedAt", row->updated_ms);
    pack_kv_text(out, "sessionId", row->id);
    pack_kv_text(out, "kind", "direct");
    if (row->channel[0]) {
        origin_pack(out, row);
        delivery_pack(out, row);
    }
    if (row->label[0]) {
        pack_kv_text(out, "label", row->label);
    }
    pack_kv_bool(out, "abortedLastRun", row->is_last_aborted);
    tokens_pack(out, row);
    pack_kv_u64(out, "contextTokens", settings->context_tokens);
    model_pack(out, row, settings);
    status_pack(out, row);
}

void events_session_changed(struct pack *out, const struct run *run, const struct settings *settings,
                            const struct events_change *change, int64_t now_ms)
{
    pack_map_begin(out);
    pack_kv_text(out, "sessionKey", change->row->key);
    pack_kv_text(out, "phase", change->phase);
    if (!change->message_id.len) {
        pack_kv_text(out, "runId", run->row.id);
    }
    pack_kv_i64(out, "ts", now_ms);
    if (change->message_id.len) {
        pack_kv_str(out, "messageId", change->message_id);
        pack_kv_u64(out, "messageSeq", change->message_seq);
    }
    row_beside(out, change->row, settings);
    pack_map_end(out);
}

static void tool_begin(struct pack *out, struct run *run, const char *phase, struct span name, struct span id)
{
    agent_begin(out, run, "tool");
    pack_kv_text(out, "phase", phase);
    if (name.len) { /* a result says of itself only whose it is */
        pack_kv_str(out, "name", name);
    }
    pack_kv_str(out, "toolCallId", id);
}

static void tool_end(struct pack *out, struct run *run, const struct settings *settings, int64_t now_ms)
{
    agent_place(out, run, now_ms);
    row_beside(out, &run->session->row, settings);
    pack_map_end(out);
}

void events_tool_called(struct pack *out, struct run *run, const struct settings *settings, struct span part,
                        int64_t now_ms)
{
    struct span none = SPAN_LIT("");

    tool_begin(out, run, "start", value_str(value_get(part, "name"), none), value_str(value_get(part, "id"), none));
    pack_kv_raw(out, "args", value_get(part, "arguments"));
    tool_end(out, run, settings, now_ms);
}

void events_tool_answered(struct pack *out, struct run *run, const struct settings *settings, struct span message,
                          int64_t now_ms)
{
    struct span none = SPAN_LIT("");

    tool_begin(out, run, "result", value_str(value_get(message, "toolName"), none), message_call_id(message));
    pack_kv_bool(out, "isError", value_bool(value_get(message, "isError"), false));
    pack_key(out, "result");
    pack_map_begin(out);
    pack_kv_raw(out, "content", value_get(message, "content"));
    pack_map_end(out);
    tool_end(out, run, settings, now_ms);
}

void events_session_message(struct pack *out, const struct run *run, const struct settings *settings, struct span body,
                            struct span message_id, uint32_t message_seq)
{
    const struct store_session *row = &run->session->row;

    pack_map_begin(out);
    pack_kv_text(out, "sessionKey", row->key);
    pack_key(out, "message");
    events_message(out, body, message_id, message_seq);
    pack_kv_str(out, "messageId", message_id);
    pack_kv_u64(out, "messageSeq", message_seq);
    row_beside(out, row, settings);
    pack_map_end(out);
}

void events_message(struct pack *out, struct span body, struct span message_id, uint32_t message_seq)
{
    struct value_iter it = value_iter(body);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(out, key);
        pack_raw(out, item);
    }
    pack_key(out, "__openclaw");
    pack_map_begin(out);
    pack_kv_str(out, "id", message_id);
    pack_kv_u64(out, "seq", message_seq);
    pack_map_end(out);
    pack_map_end(out);
}
