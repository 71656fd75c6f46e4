#include <stdio.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/conversation.h"
#include "actors/agent/ids.h"
#include "actors/agent/inputs.h"
#include "actors/agent/intake.h"
#include "actors/agent/message.h"
#include "actors/agent/previous.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema_gen.h"

/* --- what a run is asked ------------------------------------------------------------------ */

/* The members that go to the provider as they are. */
static void options_pack(const struct msg_agent_run *in, struct pack *out)
{
    pack_map_begin(out);
    if (in->has_max_tokens) {
        pack_kv_u64(out, "max_tokens", in->max_tokens);
    }
    if (in->has_temperature) {
        pack_kv_f64(out, "temperature", in->temperature);
    }
    if (in->has_top_p) {
        pack_kv_f64(out, "top_p", in->top_p);
    }
    if (in->has_frequency_penalty) {
        pack_kv_f64(out, "frequency_penalty", in->frequency_penalty);
    }
    if (in->has_presence_penalty) {
        pack_kv_f64(out, "presence_penalty", in->presence_penalty);
    }
    if (in->has_seed) {
        pack_kv_i64(out, "seed", in->seed);
    }
    if (in->has_stop) {
        pack_kv_raw(out, "stop", in->stop);
    }
    if (in->has_response_format) {
        pack_kv_raw(out, "response_format", in->response_format);
    }
    if (in->has_reasoning_effort) {
        pack_kv_str(out, "reasoning_effort", in->reasoning_effort);
    }
    if (in->has_tools) {
        pack_kv_raw(out, "tools", in->tools);
    }
    if (in->has_tools && in->has_tool_choice) {
        pack_kv_raw(out, "tool_choice", in->tool_choice);
    }
    if (in->has_tools && in->has_parallel_tool_calls) {
        pack_kv_bool(out, "parallel_tool_calls", in->parallel_tool_calls);
    }
    pack_map_end(out);
}

static int options_keep(struct run *run, const struct msg_agent_run *in)
{
    CLEANUP(pack_deinit) struct pack options;

    pack_init(&options, 0);
    options_pack(in, &options);
    return pack_error(&options) ? pack_error(&options) : text_buf_add(&run->options, pack_span(&options));
}

/*
 * What the session does not hold anyway is kept with the run: a whole conversation, which
 * is the asker's own and goes to the provider as it is, or pictures and files.
 */
static int question_keep(struct run *run, const struct msg_agent_run *in, const struct conversation *conversation)
{
    CLEANUP(text_buf_deinit) struct text_buf prompt = { 0 };
    int rc = options_keep(run, in);

    run->has_own_context = conversation->is_own;
    if (!rc && conversation->is_own) {
        return text_buf_add(&run->question, in->messages);
    }
    rc = rc ? rc : conversation_prompt_add(in->messages, &prompt);
    if (!rc && !conversation->is_plain) {
        rc = text_buf_add(&run->question, conversation->fresh);
    }
    if (!rc) {
        run_prompt_keep(run, (struct span){ prompt.data, prompt.len });
    }
    return rc;
}

/* --- answers ------------------------------------------------------------------------------- */

/* Ends it with a typed failure; returns 0. */
static int asker_refuse(struct agent *self, struct asker *asker, int code, const char *text)
{
    (void)actor_token_fail_text(self->actor, asker->token, code, "%s", text); /* the asker may be gone */
    asker_free(asker);
    return 0;
}

static int admit_refuse(struct agent *self, struct asker *asker, int rc)
{
    char text[FAILURE_MESSAGE_MAX];

    if (rc == ADMIT_E_FULL) {
        return asker_refuse(self, asker, FAIL_UNAVAILABLE,
                            self->book.active_n + self->book.waiting_n >= BOOK_RUNS_MAX
                                ? "too many runs wait for this agent"
                                : "too many runs wait for this session");
    }
    (void)snprintf(text, sizeof(text), "nothing was stored: %s", store_problem(&self->store)); /* fits */
    (void)asker_refuse(self, asker, FAIL_STORAGE, text);
    return rc < 0 ? rc : 0;
}

static int ended_answer(struct agent *self, struct asker *asker, const struct store_run *row)
{
    CLEANUP(text_buf_deinit) struct text_buf body = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct span answer;
    struct span usage;
    struct msg_run_done done;
    struct store_session session;
    int rc;

    if (row->state != STORE_RUN_DONE) {
        return asker_refuse(self, asker, row->state == STORE_RUN_ABORTED ? FAIL_CANCELLED : FAIL_PROVIDER,
                            row->state == STORE_RUN_ABORTED ? "the run was aborted" : row->error);
    }
    rc = store_session_get_n(&self->store, row->session_n, &session);
    rc = rc ? rc : show_answer_read(self, row, &body);
    answer = (struct span){ body.data, body.len };
    rc = rc ? rc : message_said_add(value_get(answer, "content"), &text);
    if (rc) {
        return admit_refuse(self, asker, rc < 0 ? rc : ADMIT_E_STORAGE);
    }
    pack_reset(&self->scratch);
    tool_calls_run_pack(value_get(answer, "content"), &self->scratch);
    usage = value_get(answer, "usage");
    done = (struct msg_run_done){
        .run_id = span_from(row->id),
        .session_key = span_from(session.key),
        .agent_id = span_from(self->id),
        .provider = value_str(value_get(answer, "provider"), SPAN_LIT("")),
        .model = value_str(value_get(answer, "model"), SPAN_LIT("")),
        .finish_reason = span_from(row->stop_reason),
        .has_text = true,
        .text = { text.data ? text.data : "", text.len },
        .has_tool_calls = value_count(pack_span(&self->scratch)) > 0,
        .tool_calls = pack_span(&self->scratch),
        .usage = { .input = (uint64_t)value_i64(value_get(usage, "input"), 0),
                   .output = (uint64_t)value_i64(value_get(usage, "output"), 0),
                   .total = (uint64_t)value_i64(value_get(usage, "totalTokens"), 0) },
    };
    (void)actor_token_reply(self->actor, asker->token, MSG_RUN_DONE, &done); /* the asker may be gone */
    asker_free(asker);
    return 0;
}

/* --- asking --------------------------------------------------------------------------------- */

static int completion_ask(struct agent *self, struct asker *asker, const struct msg_agent_run *in,
                          const struct conversation *conversation, const struct previous *previous)
{
    struct span key = in->has_previous_run_id ? span_from(previous->key) : in->session_key;
    char id[IDS_UUID_MAX];
    struct question question = { .kind = STORE_RUN_COMPLETION,
                                 .trace = asker->trace,
                                 .session_key = key,
                                 .id = in->idempotency_key,
                                 .messages = conversation->fresh,
                                 .channel = in->has_channel ? in->channel : (struct span){ 0 },
                                 .model = in->has_model ? in->model : (struct span){ 0 },
                                 .timeout_ms = in->has_timeout_ms ? in->timeout_ms : 0,
                                 .branch = previous->is_branch ? &previous->branch : NULL };
    struct store_run ended;
    struct run *run;
    int rc;

    if (!in->has_idempotency_key) {
        ids_uuid(id);
        question.id = span_from(id);
    }
    rc = admit(self, &question, &run, &ended);
    if (rc == ADMIT_E_ENDED) {
        return ended_answer(self, asker, &ended);
    }
    if (rc && rc != ADMIT_E_REPEAT) {
        return admit_refuse(self, asker, rc);
    }
    run_asker_attach(run, asker);
    if (!rc) {
        rc = question_keep(run, in, conversation);
        if (rc) {
            return rc;
        }
    }
    asker->is_streaming = actor_stream_credit(self->actor, asker->token) > 0;
    batch_touch_text(self, run); /* one that repeats gets what there is already */
    return 0;
}

static int previous_refuse(struct agent *self, struct asker *asker, const struct msg_agent_run *in, int rc)
{
    struct span id = utf8_cut(in->previous_run_id, 128);
    char text[FAILURE_MESSAGE_MAX];

    switch (rc) {
    case PREVIOUS_E_ABSENT:
        (void)snprintf(text, sizeof(text), "Previous response with id '%.*s' not found.", SPAN_FMT(id)); /* fits */
        return asker_refuse(self, asker, FAIL_RUN_UNKNOWN, text);
    case PREVIOUS_E_OPEN:
        (void)snprintf(text, sizeof(text),
                       "The response '%.*s' has not ended yet, and another one goes on from it already: ask again "
                       "when it has ended.",
                       SPAN_FMT(id)); /* fits */
        return asker_refuse(self, asker, FAIL_UNAVAILABLE, text);
    case PREVIOUS_E_LARGE:
        (void)snprintf(text, sizeof(text),
                       "The conversation up to the response '%.*s' is too long to go on from anywhere but its end "
                       "(more than %u MiB or %u messages): go on from its newest response, or send as `input` what "
                       "is to be known.",
                       SPAN_FMT(id), PREVIOUS_BYTES_MAX >> 20, PREVIOUS_MESSAGES_MAX); /* fits */
        return asker_refuse(self, asker, FAIL_INVALID_REQUEST, text);
    default:
        return admit_refuse(self, asker, rc < 0 ? rc : ADMIT_E_STORAGE);
    }
}

int completion_begin(struct agent *self, struct asker *asker, const struct msg_agent_run *in)
{
    CLEANUP(conversation_deinit) struct conversation conversation = { 0 };
    struct previous previous = { .is_branch = false };
    int rc = conversation_read(in->messages, in->has_previous_run_id, &conversation);

    if (rc == CONVERSATION_E_EMPTY) {
        return asker_refuse(self, asker, FAIL_INVALID_REQUEST, "Missing user message in `messages`.");
    }
    if (rc == CONVERSATION_E_NUL) {
        return asker_refuse(self, asker, FAIL_INVALID_REQUEST, "message must not contain null bytes");
    }
    if (rc) {
        asker_free(asker);
        return rc;
    }
    if (in->has_previous_run_id) {
        rc = previous_find(self, in, &previous);
        if (rc) {
            return previous_refuse(self, asker, in, rc);
        }
    }
    return completion_ask(self, asker, in, &conversation, &previous);
}

int on_agent_run(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    struct msg_agent_run in = *(const struct msg_agent_run *)msg;
    struct input_ref refs[INPUTS_MAX];
    CLEANUP(pack_deinit) struct pack messages;
    struct asker *asker;

    pack_init(&messages, 0);
    if (!in.has_session_key) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "the session key is missing");
    }
    asker = mem_new(sizeof(*asker));
    asker->kind = ASKER_COMPLETION;
    asker->trace = actor_ctx_trace(ctx);
    asker->token = actor_defer(ctx, asker);
    if (inputs_list(in.messages, refs)) {
        return intake_begin(self, asker, actor_ctx_body(ctx));
    }
    if (inputs_are_there(in.messages)) {
        int rc = inputs_expand(in.messages, NULL, &messages);

        if (rc) {
            asker_free(asker);
            return rc;
        }
        in.messages = pack_span(&messages);
    }
    return completion_begin(self, asker, &in);
}
