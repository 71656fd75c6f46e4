#include "edge/listener/openresponse.h"

#include <errno.h>
#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "edge/http/openresponses.h"
#include "edge/http/openresponses_reply.h"
#include "edge/listener/edge.h"
#include "edge/listener/run_ask.h"
#include "schema_gen.h"

#define KEY_MAX 48U /* of an idempotency key, which becomes the id of the response */

/* --- streaming ------------------------------------------------------------------------- */

static int event_emit(void *arg, const char *name, struct span json)
{
    struct exchange *self = arg;
    size_t at;
    struct text_buf *out = exchange_event_begin(self, name, &at);

    if (!out) {
        return 0; /* the connection is ending */
    }
    if (text_buf_add(out, json)) {
        return -ENOMEM;
    }
    exchange_event_end(self, out, at);
    return 0;
}

/* What was being written is cut short, so the client sees the connection end. */
static void broken_note(struct exchange *self, int r)
{
    if (r) {
        exchange_break(self);
    }
}

static int stream_begin(struct exchange *self)
{
    if (self->has_begun) {
        return 0;
    }
    exchange_stream_begin(self);
    return openresponses_reply_begin(self->reply);
}

static void on_delta(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct exchange *self = cookie;
    const struct msg_run_delta *delta = msg;
    int r;

    (void)state;
    (void)actor;
    if (!self->stream || schema != MSG_RUN_DELTA || !delta) {
        return;
    }
    r = stream_begin(self);
    r = r ? r : openresponses_reply_text(self->reply, delta->text);
    if (!r && delta->has_tool_calls) {
        r = openresponses_reply_calls(self->reply, delta->tool_calls);
    }
    broken_note(self, r);
    self->debt += (uint32_t)body.len;
}

/* --- the end ----------------------------------------------------------------------------- */

static int rest_take(struct exchange *self, const struct msg_run_done *done)
{
    int r = done->has_text ? openresponses_reply_text(self->reply, done->text) : 0;

    return r || !done->has_tool_calls ? r : openresponses_reply_calls(self->reply, done->tool_calls);
}

static void stream_finish(struct exchange *self, const struct msg_run_done *done)
{
    struct openai_usage usage = { done->usage.input, done->usage.output };
    int r = stream_begin(self);

    r = r ? r : rest_take(self, done);
    r = r ? r : openresponses_reply_end(self->reply, done->finish_reason, &usage);
    r = r ? r : event_emit(self, NULL, SPAN_LIT("[DONE]"));
    broken_note(self, r);
    exchange_stream_end(self, r != 0);
}

static void stream_fail(struct exchange *self, const struct openai_error *error)
{
    broken_note(self, openresponses_reply_fail(self->reply, error));
    exchange_stream_end(self, true);
}

static void whole_finish(struct exchange *self, const struct msg_run_done *done)
{
    struct openai_usage usage = { done->usage.input, done->usage.output };
    struct text_buf text = { 0 };
    int r = rest_take(self, done);

    r = r ? r : openresponses_reply_end(self->reply, done->finish_reason, &usage);
    r = r ? r : openresponses_reply_write(self->reply, done->finish_reason, &usage, &text);
    broken_note(self, r);
    exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    text_buf_deinit(&text);
}

static void on_done(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct exchange *self = cookie;
    struct openai_error error;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (answer->failure && self->has_begun) {
        run_ask_error(answer->failure, &error);
        stream_fail(self, &error);
    } else if (answer->failure) {
        run_ask_fail(self, answer->failure);
    } else if (self->is_streamed) {
        stream_finish(self, answer->msg);
    } else {
        whole_finish(self, answer->msg);
    }
}

/* --- the request ------------------------------------------------------------------------- */

/*
 * The id of the response is that of the run, by which the agent finds its session again. A
 * client that may repeat a request says an idempotency key, so it is made of that.
 */
static int id_make(struct exchange *self, struct openai_error *error)
{
    struct span key = request_header(&self->request, "idempotency-key");
    char uuid[EDGE_ID_MAX];

    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];

        if (key.len > KEY_MAX ||
            !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return openai_refuse(error, "An Idempotency-Key must be at most %u letters, digits, '-' or '_'.", KEY_MAX);
        }
    }
    edge_uuid(uuid);
    if (!key.len) {
        key = span_from(uuid);
    }
    (void)snprintf(self->run.id, sizeof(self->run.id), "resp_%.*s", SPAN_FMT(key)); /* fits */
    return 0;
}

static void reply_make(struct exchange *self, const struct openresponses_request *asked)
{
    self->run.created_s = clock_wall_ms() / 1000;
    self->model = mem_text(asked->model.ptr, asked->model.len);
    self->previous = mem_text(asked->previous_id.len ? asked->previous_id.ptr : "", asked->previous_id.len);
    self->is_streamed = asked->is_streamed;
    self->reply = mem_new(sizeof(*self->reply));
    *self->reply = (struct openresponses_reply){ .id = self->run.id,
                                                 .created_s = self->run.created_s,
                                                 .model = span_from(self->model),
                                                 .previous_id = span_from(self->previous),
                                                 .emit = asked->is_streamed ? event_emit : NULL,
                                                 .arg = self };
}

static int run_call(struct exchange *self, const struct openresponses_request *asked, struct openai_error *error)
{
    struct msg_agent_run run = {
        .has_surface = true,
        .surface = SPAN_LIT("openresponses"),
        .has_idempotency_key = true,
        .idempotency_key = span_from(self->run.id),
        .messages = asked->messages,
        .has_agent_id = asked->agent_id.len > 0,
        .agent_id = asked->agent_id,
        .has_user = asked->user.len > 0,
        .user = asked->user,
        .has_previous_run_id = asked->previous_id.len > 0,
        .previous_run_id = asked->previous_id,
        .has_max_tokens = asked->has_max_tokens,
        .max_tokens = asked->max_tokens,
        .has_temperature = asked->has_temperature,
        .temperature = asked->temperature,
        .has_top_p = asked->has_top_p,
        .top_p = asked->top_p,
        .has_response_format = asked->response_format.len > 0,
        .response_format = asked->response_format,
        .has_tools = asked->tools.len > 0,
        .tools = asked->tools,
        .has_tool_choice = asked->tool_choice.len > 0,
        .tool_choice = asked->tool_choice,
        .has_parallel_tool_calls = asked->has_parallel,
        .parallel_tool_calls = asked->is_parallel,
    };
    struct run_ask ask = {
        .run = &run, .inputs = &self->edge->endpoints.responses, .on_done = on_done, .on_delta = on_delta
    };

    return run_ask(self, &ask, error);
}

void openresponse_start(struct exchange *self)
{
    struct openresponses_request asked;
    struct openai_error error;
    struct pack raw;
    struct pack made;
    int r;

    pack_init(&raw, (size_t)OPENAI_BODY_MAX * 2);
    pack_init(&made, (size_t)OPENAI_BODY_MAX * 2);
    r = openresponses_parse((struct span){ self->body.data, self->body.len }, &self->edge->endpoints.responses, &raw,
                            &made, &asked, &error);
    text_buf_deinit(&self->body);
    self->body = (struct text_buf){ 0 };
    r = r ? r : id_make(self, &error);
    if (!r) {
        reply_make(self, &asked);
        r = run_call(self, &asked, &error);
    }
    pack_deinit(&raw);
    pack_deinit(&made);
    if (r) {
        run_ask_refuse(self, r, &error);
    }
}
