#include <stdio.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/ids.h"
#include "actors/agent/message.h"
#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema_gen.h"

static uint32_t talk_count(struct span messages)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint32_t count = 0;

    while (value_next(&it, &key, &message)) {
        struct span role = value_str(value_get(message, "role"), SPAN_LIT(""));

        count += !span_is_text(role, "system") && !span_is_text(role, "developer");
    }
    return count;
}

static bool content_is_plain(struct span content)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;

    while (value_next(&it, &key, &part)) {
        if (!span_is_text(value_str(value_get(part, "type"), SPAN_LIT("")), "text")) {
            return false;
        }
    }
    return true;
}

static int prompts_keep(struct run *run, struct span messages)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;

    while (value_next(&it, &key, &message)) {
        struct span role = value_str(value_get(message, "role"), SPAN_LIT(""));
        int rc = 0;

        if (span_is_text(role, "user") || span_is_text(role, "assistant")) {
            continue;
        }
        if (text.len) {
            rc = text_buf_add(&text, SPAN_LIT("\n"));
        }
        if (!rc) {
            rc = message_text_add(value_get(message, "content"), &text);
        }
        if (rc) {
            return rc;
        }
    }
    run_prompt_keep(run, (struct span){ text.data, text.len });
    return 0;
}

/*
 * One message of a person goes behind what the session holds, like one of chat.send. A
 * whole conversation is the asker's own: the provider gets exactly that.
 */
static int question_keep(struct run *run, const struct msg_agent_run *in)
{
    struct span last = message_last(in->messages, "user");

    run->max_tokens = in->has_max_tokens ? in->max_tokens : 0;
    run->has_temperature = in->has_temperature;
    run->temperature = in->temperature;
    run->has_top_p = in->has_top_p;
    run->top_p = in->top_p;
    if (in->has_stop && text_buf_add(&run->stop, in->stop)) {
        return FAULT(-ENOMEM);
    }
    if (talk_count(in->messages) == 1 && content_is_plain(value_get(last, "content"))) {
        return prompts_keep(run, in->messages);
    }
    return text_buf_add(&run->question, in->messages);
}

static int ended_completion(struct agent *self, struct actor_ctx *ctx, const struct store_run *row, struct span key)
{
    struct span text;
    struct span result;
    struct span meta;
    struct msg_run_done done;
    struct value_iter it;
    struct span unused;
    struct span payload = { 0 };
    int rc;

    if (row->state != STORE_RUN_DONE) {
        return actor_fail(ctx, row->state == STORE_RUN_ABORTED ? FAIL_CANCELLED : FAIL_PROVIDER, "%s",
                          row->state == STORE_RUN_ABORTED ? "the run was aborted" : row->error);
    }
    pack_reset(&self->scratch);
    rc = show_reply_pack(self, row, &self->scratch);
    if (rc) {
        return handler_fail_storage(self, ctx, rc);
    }
    result = value_get(pack_span(&self->scratch), "result");
    it = value_iter(value_get(result, "payloads"));
    (void)value_next(&it, &unused, &payload); /* none when the answer was empty */
    text = value_str(value_get(payload, "text"), SPAN_LIT(""));
    meta = value_path(result, "meta.agentMeta");
    done = (struct msg_run_done){
        .run_id = span_from(row->id),
        .session_key = key,
        .agent_id = span_from(self->id),
        .provider = value_str(value_get(meta, "provider"), SPAN_LIT("")),
        .model = value_str(value_get(meta, "model"), SPAN_LIT("")),
        .finish_reason = span_from(row->stop_reason),
        .has_text = true,
        .text = text,
        .usage = { .input = (uint64_t)value_i64(value_path(meta, "usage.input"), 0),
                   .output = (uint64_t)value_i64(value_path(meta, "usage.output"), 0),
                   .total = (uint64_t)value_i64(value_path(meta, "usage.total"), 0) },
    };
    return actor_reply(ctx, MSG_RUN_DONE, &done);
}

static int completion_ask(struct agent *self, struct actor_ctx *ctx, const struct msg_agent_run *in, struct span text)
{
    char id[IDS_UUID_MAX];
    struct question question = { .kind = STORE_RUN_COMPLETION,
                                 .session_key = in->session_key,
                                 .id = in->idempotency_key,
                                 .text = text,
                                 .channel = in->has_channel ? in->channel : (struct span){ 0 },
                                 .model = in->has_model ? in->model : (struct span){ 0 },
                                 .timeout_ms = in->has_timeout_ms ? in->timeout_ms : 0 };
    struct store_run ended;
    struct asker *asker;
    struct run *run;
    int rc;

    if (!in->has_idempotency_key) {
        ids_uuid(id);
        question.id = span_from(id);
    }
    rc = admit(self, &question, &run, &ended);
    if (rc == ADMIT_E_ENDED) {
        return ended_completion(self, ctx, &ended, in->session_key);
    }
    if (rc && rc != ADMIT_E_REPEAT) {
        return handler_fail_admit(self, ctx, rc);
    }
    if (!rc) {
        rc = question_keep(run, in);
        if (rc) {
            return rc;
        }
    }
    asker = run_asker_add(run, ASKER_COMPLETION);
    asker->token = actor_defer(ctx, asker);
    asker->is_streaming = actor_stream_credit(self->actor, asker->token) > 0;
    batch_touch(self, run); /* one that repeats gets what there is already */
    return 0;
}

int on_agent_run(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_agent_run *in = msg;
    struct span content = value_get(message_last(in->messages, "user"), "content");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int rc = message_text_add(content, &text);
    struct span said = { text.data, text.len };

    if (rc) {
        return rc;
    }
    if (!in->has_session_key) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "the session key is missing");
    }
    if (!said.len && content_is_plain(content)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "Missing user message in `messages`.");
    }
    if (said.len && memchr(said.ptr, 0, said.len)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "message must not contain null bytes");
    }
    return completion_ask(arg, ctx, in, said);
}
