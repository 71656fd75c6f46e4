#include "edge/listener/completion.h"

#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/listener/edge.h"
#include "edge/listener/run_ask.h"
#include "schema_gen.h"

/* The stream has begun, so the status is spoken for: the error is an event, and no [DONE]. */
static void stream_fail(struct exchange *self, const struct openai_error *error)
{
    size_t at;
    struct text_buf *out = exchange_event_begin(self, NULL, &at);

    if (out && openai_error_write(error, out)) {
        exchange_break(self);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
    exchange_stream_end(self, true);
}

/* --- streaming ------------------------------------------------------------------------ */

static void stream_begin(struct exchange *self)
{
    struct text_buf *out;
    size_t at;

    if (self->has_begun) {
        return;
    }
    exchange_stream_begin(self);
    out = exchange_event_begin(self, NULL, &at);
    if (out && openai_chunk_role(&self->run, out)) {
        exchange_break(self);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
}

static void text_send(struct exchange *self, struct span text)
{
    struct text_buf *out;
    size_t at;

    if (text.len == 0) {
        return;
    }
    out = exchange_event_begin(self, NULL, &at);
    if (out && openai_chunk_text(&self->run, text, out)) {
        exchange_break(self);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
}

static void calls_send(struct exchange *self, struct span calls)
{
    size_t at;
    struct text_buf *out = exchange_event_begin(self, NULL, &at);

    if (out && openai_chunk_calls(&self->run, calls, out)) {
        exchange_break(self);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
}

static void on_delta(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct exchange *self = cookie;
    const struct msg_run_delta *delta = msg;

    (void)state;
    (void)actor;
    if (!self->stream || schema != MSG_RUN_DELTA || !delta) {
        return;
    }
    stream_begin(self);
    text_send(self, delta->text);
    if (delta->has_tool_calls) {
        calls_send(self, delta->tool_calls);
    }
    self->debt += (uint32_t)body.len;
}

/* A model's last word: the reason why it stopped, then what it cost, then the end mark. */
static void stream_finish(struct exchange *self, const struct msg_run_done *done)
{
    struct openai_usage usage = { done->usage.input, done->usage.output };
    struct text_buf *out;
    size_t at;

    stream_begin(self);
    if (done->has_text) {
        text_send(self, done->text);
    }
    if (done->has_tool_calls) {
        calls_send(self, done->tool_calls);
    }
    out = exchange_event_begin(self, NULL, &at);
    if (out && !openai_chunk_finish(&self->run, done->finish_reason, out)) {
        exchange_event_end(self, out, at);
    }
    out = self->has_usage ? exchange_event_begin(self, NULL, &at) : NULL;
    if (out && !openai_chunk_usage(&self->run, &usage, out)) {
        exchange_event_end(self, out, at);
    }
    out = exchange_event_begin(self, NULL, &at);
    if (out && !text_buf_add(out, SPAN_LIT("[DONE]"))) {
        exchange_event_end(self, out, at);
    }
    exchange_stream_end(self, false);
}

static void whole_finish(struct exchange *self, const struct msg_run_done *done)
{
    struct openai_usage usage = { done->usage.input, done->usage.output };
    struct text_buf text = { 0 };

    if (openai_completion_write(&self->run, done->text, done->has_tool_calls ? done->tool_calls : (struct span){ 0 },
                                done->finish_reason, &usage, &text)) {
        exchange_break(self);
    }
    exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    text_buf_deinit(&text);
}

static void on_done(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    struct openai_error error;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure && self->has_begun) {
        run_ask_error(reply->failure, &error);
        stream_fail(self, &error);
    } else if (reply->failure) {
        run_ask_fail(self, reply->failure);
    } else if (self->is_streamed) {
        stream_finish(self, reply->msg);
    } else {
        whole_finish(self, reply->msg);
    }
}

/* --- the request ------------------------------------------------------------------------ */

static void run_fill(const struct openai_request *asked, struct pack *stops, struct msg_agent_run *run)
{
    run->messages = asked->messages;
    run->has_agent_id = asked->agent_id.len > 0;
    run->agent_id = asked->agent_id;
    run->has_user = asked->user.len > 0;
    run->user = asked->user;
    run->has_max_tokens = asked->has_max_tokens;
    run->max_tokens = asked->max_tokens;
    run->has_temperature = asked->has_temperature;
    run->temperature = asked->temperature;
    run->has_top_p = asked->has_top_p;
    run->top_p = asked->top_p;
    run->has_frequency_penalty = asked->has_frequency_penalty;
    run->frequency_penalty = asked->frequency_penalty;
    run->has_presence_penalty = asked->has_presence_penalty;
    run->presence_penalty = asked->presence_penalty;
    run->has_seed = asked->has_seed;
    run->seed = asked->seed;
    run->has_response_format = asked->response_format.len > 0;
    run->response_format = asked->response_format;
    run->has_reasoning_effort = asked->reasoning_effort.len > 0;
    run->reasoning_effort = asked->reasoning_effort;
    run->has_tools = asked->tools.len > 0;
    run->tools = asked->tools;
    run->has_tool_choice = asked->tool_choice.len > 0;
    run->tool_choice = asked->tool_choice;
    run->has_parallel_tool_calls = asked->has_parallel;
    run->parallel_tool_calls = asked->is_parallel;
    run->has_stop = asked->stop.len > 0;
    run->stop = asked->stop;
    if (value_kind_of(asked->stop) == VALUE_STR) {
        pack_array_begin(stops);
        pack_raw(stops, asked->stop);
        pack_array_end(stops);
        run->stop = pack_span(stops);
    }
}

static int run_call(struct exchange *self, const struct openai_request *asked, struct openai_error *error)
{
    struct msg_agent_run run = { .has_surface = true, .surface = SPAN_LIT("openai") };
    struct run_ask ask = {
        .run = &run, .inputs = &self->edge->endpoints.chat, .on_done = on_done, .on_delta = on_delta
    };
    struct pack stops;
    int r;

    pack_init(&stops, 4096);
    run_fill(asked, &stops, &run);
    r = run_ask(self, &ask, error);
    pack_deinit(&stops);
    return r;
}

static void run_describe(struct exchange *self, const struct openai_request *asked)
{
    char id[EDGE_ID_MAX];

    edge_uuid(id);
    (void)snprintf(self->run.id, sizeof(self->run.id), "chatcmpl_%s", id); /* fits */
    self->run.created_s = clock_wall_ms() / 1000;
    self->model = mem_text(asked->model.ptr, asked->model.len);
    self->run.model = span_from(self->model);
    self->is_streamed = asked->is_streamed;
    self->has_usage = asked->has_usage;
}

void completion_start(struct exchange *self)
{
    struct openai_request asked;
    struct openai_error error;
    struct pack raw;
    struct pack made;
    int r;

    pack_init(&raw, (size_t)OPENAI_BODY_MAX * 2);
    pack_init(&made, (size_t)OPENAI_BODY_MAX * 2);
    r = openai_request_parse((struct span){ self->body.data, self->body.len }, &self->edge->endpoints.chat, &raw, &made,
                             &asked, &error);
    text_buf_deinit(&self->body);
    self->body = (struct text_buf){ 0 };
    if (!r) {
        run_describe(self, &asked);
        r = run_call(self, &asked, &error);
    }
    pack_deinit(&raw);
    pack_deinit(&made);
    if (r) {
        run_ask_refuse(self, r, &error);
    }
}
