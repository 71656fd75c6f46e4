#include "actors/agent/openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/openai_headers.h"
#include "actors/agent/openai_wire.h"
#include "actors/agent/sse.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define CONNECT_MS 10000
#define EVENT_MAX ((size_t)1 << 20)
#define ERROR_BODY_MAX 16384

struct openai_turn {
    struct provider_turn base;
    struct http_transfer *transfer;
    const struct provider_events *events;
    void *arg;
    char *secret; /* to blot it out of what the provider says */
    struct sse sse;
    struct pack scratch;
    struct text_buf text;  /* what one read brought, given on in one piece */
    struct text_buf other; /* body of a response with an error status */
    size_t text_total;     /* bytes of text and of arguments of calls */
    bool has_tools;        /* some were offered */
    bool has_calls;        /* one of them was called */
    bool is_done;          /* "[DONE]" was seen */
    bool has_chunk;
    bool has_tool_call;
    char finish_reason[64];
    char response_id[128];
    struct provider_usage usage;
    enum provider_outcome outcome; /* why we stopped reading */
    char problem[PROVIDER_TEXT_MAX];
};

static void turn_free(struct openai_turn *turn)
{
    http_transfer_cancel(&turn->transfer);
    sse_deinit(&turn->sse);
    pack_deinit(&turn->scratch);
    text_buf_deinit(&turn->text);
    text_buf_deinit(&turn->other);
    if (turn->secret) {
        mem_wipe(turn->secret, strlen(turn->secret));
    }
    free(turn->secret);
    free(turn);
}

static int turn_stop(struct openai_turn *turn, enum provider_outcome outcome, const char *text)
{
    turn->outcome = outcome;
    (void)snprintf(turn->problem, sizeof(turn->problem), "%s", text);
    return -1;
}

static void name_keep(char *name, size_t size, struct span value)
{
    if (value.len) {
        openai_text_clean(value, NULL, name, size);
    }
}

static void text_give(struct openai_turn *turn)
{
    struct span text = { turn->text.data, turn->text.len };

    if (text.len) {
        turn->text.len = 0;
        turn->events->on_text(turn->arg, text);
    }
}

/* In the order in which they came: the text before a call goes first. */
static int calls_give(struct openai_turn *turn, const struct openai_chunk *chunk)
{
    struct value_iter it = value_iter(chunk->tool_calls);
    struct span key;
    struct span call;

    while (value_next(&it, &key, &call)) {
        struct tool_call_piece piece;

        text_give(turn);
        openai_piece_read(call, &piece);
        turn->text_total += piece.arguments.len;
        if (piece.index >= TOOL_CALLS_MAX && piece.has_index) {
            return turn_stop(turn, PROVIDER_E_OVERSIZED, "the model calls more than 64 tools at once");
        }
        turn->has_calls = true;
        turn->events->on_tool_call(turn->arg, &piece);
    }
    return 0;
}

static int chunk_take(struct openai_turn *turn, const struct openai_chunk *chunk)
{
    int rc;

    if (chunk->has_error) {
        char said[PROVIDER_TEXT_MAX - 64];

        openai_text_clean(chunk->error, turn->secret, said, sizeof(said));
        turn->outcome = PROVIDER_E_DOWN;
        (void)snprintf(turn->problem, sizeof(turn->problem), "the provider broke off: %s", said);
        return -1;
    }
    turn->has_chunk = true;
    turn->has_tool_call |= chunk->has_tool_call;
    name_keep(turn->finish_reason, sizeof(turn->finish_reason), chunk->finish_reason);
    if (!turn->response_id[0]) {
        name_keep(turn->response_id, sizeof(turn->response_id), chunk->response_id);
    }
    if (chunk->has_usage) {
        turn->usage = chunk->usage;
    }
    turn->text_total += chunk->text.len;
    rc = chunk->text.len ? text_buf_add(&turn->text, chunk->text) : 0;
    if (!rc && turn->has_tools) {
        rc = calls_give(turn, chunk);
    }
    if (!rc && turn->text_total > PROVIDER_OUTPUT_MAX) {
        return turn_stop(turn, PROVIDER_E_OVERSIZED, "the provider's answer is larger than 8 MiB");
    }
    return rc;
}

static int turn_on_event(void *arg, struct span data)
{
    struct openai_turn *turn = arg;
    struct openai_chunk chunk;
    int rc;

    if (turn->is_done) {
        return 0; /* nothing after the end counts */
    }
    if (span_is_text(data, "[DONE]")) {
        turn->is_done = true;
        return 0;
    }
    rc = openai_chunk_parse(data, &turn->scratch, &chunk);
    if (rc == OPENAI_WIRE_E_RUBBISH) {
        return turn_stop(turn, PROVIDER_E_RUBBISH, "the provider's stream holds something that is no chat completion");
    }
    return rc ? rc : chunk_take(turn, &chunk);
}

static int stream_failed(struct openai_turn *turn, int rc)
{
    if (rc == SSE_E_TOO_BIG) {
        return turn_stop(turn, PROVIDER_E_OVERSIZED, "the provider sent an event larger than 1 MiB");
    }
    if (rc < 0) {
        return turn_stop(turn, PROVIDER_E_OVERSIZED, "not enough memory for the provider's answer");
    }
    return rc;
}

static int on_body(void *arg, long status, struct span bytes)
{
    struct openai_turn *turn = arg;
    int rc;

    if (status != 200) {
        size_t room = ERROR_BODY_MAX - turn->other.len;

        bytes.len = bytes.len < room ? bytes.len : room;
        return bytes.len ? text_buf_add(&turn->other, bytes) : 0;
    }
    rc = sse_push(&turn->sse, bytes);
    text_give(turn);
    return rc ? stream_failed(turn, rc) : 0;
}

/* --- how it ended --------------------------------------------------------------------------- */

struct transport_row {
    enum provider_outcome outcome;
    const char *text;
};

/* By enum http_outcome; what is not here is decided by the response itself. */
static const struct transport_row transport_rows[] = {
    [HTTP_NAME_UNKNOWN] = { PROVIDER_E_DOWN, "the provider's host name does not resolve" },
    [HTTP_REFUSED] = { PROVIDER_E_DOWN, "no connection to the provider" },
    [HTTP_TLS] = { PROVIDER_E_DOWN, "no secure connection to the provider" },
    [HTTP_CONNECT_TIMEOUT] = { PROVIDER_E_TIMEOUT, "the provider did not take the connection in time" },
    [HTTP_FIRST_BYTE_TIMEOUT] = { PROVIDER_E_TIMEOUT, "the provider did not begin to answer in time" },
    [HTTP_STALLED] = { PROVIDER_E_TIMEOUT, "the provider fell silent in the middle of its answer" },
    [HTTP_TOTAL_TIMEOUT] = { PROVIDER_E_TIMEOUT, "the run took longer than it may" },
    [HTTP_BLOCKED] = { PROVIDER_E_DOWN, "the provider's address is not allowed" },
    [HTTP_CUT] = { PROVIDER_E_CUT, "the provider's stream was cut" },
    [HTTP_FAILED] = { PROVIDER_E_DOWN, "the request to the provider failed" },
};

static void end_response(struct openai_turn *turn, struct provider_end *end)
{
    int rc = sse_finish(&turn->sse);

    text_give(turn);
    if (rc) {
        (void)stream_failed(turn, rc); /* noted in the turn */
        end->outcome = turn->outcome;
        end->text = turn->problem;
    } else if (!turn->has_calls && (turn->has_tool_call || strcmp(turn->finish_reason, "tool_calls") == 0 ||
                                    strcmp(turn->finish_reason, "function_call") == 0)) {
        end->outcome = PROVIDER_E_TOOL_CALL;
        end->text = "the model called a tool, and this agent offers none";
    } else if (!turn->has_chunk) {
        end->outcome = PROVIDER_E_RUBBISH;
        end->text = "the provider answered with something other than a stream of chat completions";
    } else if (!turn->is_done && !turn->finish_reason[0]) {
        end->outcome = PROVIDER_E_CUT;
        end->text = "the provider's stream ended before its answer did";
    } else {
        end->outcome = PROVIDER_OK;
        end->text = "";
    }
}

static void end_sort(struct openai_turn *turn, const struct http_end *http, struct provider_end *end)
{
    if (http->outcome == HTTP_STOPPED) {
        end->outcome = turn->outcome;
        end->text = turn->problem;
    } else if (http->outcome != HTTP_OK && http->outcome != HTTP_CUT) {
        const struct transport_row *row = &transport_rows[http->outcome];

        end->outcome = row->outcome;
        (void)snprintf(turn->problem, sizeof(turn->problem), "%s (%s)", row->text, http->text);
        end->text = row->outcome == PROVIDER_E_TIMEOUT ? row->text : turn->problem;
    } else if (http->status && http->status != 200) {
        end->outcome = openai_error_read(http->status, (struct span){ turn->other.data, turn->other.len }, turn->secret,
                                         turn->problem, sizeof(turn->problem), &end->is_retryable);
        end->text = turn->problem;
        return;
    } else if (http->outcome == HTTP_CUT && !turn->is_done && !turn->finish_reason[0]) {
        end->outcome = PROVIDER_E_CUT;
        end->text = transport_rows[HTTP_CUT].text;
    } else {
        end_response(turn, end);
    }
    end->is_retryable =
        end->outcome == PROVIDER_E_DOWN || end->outcome == PROVIDER_E_TIMEOUT || end->outcome == PROVIDER_E_CUT;
}

static void on_http_end(void *arg, const struct http_end *http)
{
    struct openai_turn *turn = arg;
    struct provider_end end = { .retry_after_ms = http->retry_after_ms };

    turn->transfer = NULL;
    end_sort(turn, http, &end);
    end.finish_reason = turn->finish_reason[0] ? turn->finish_reason : "stop";
    end.response_id = turn->response_id;
    end.usage = turn->usage;
    turn->events->on_end(turn->arg, &end);
    turn_free(turn);
}

static const struct http_events http_events = { .on_body = on_body, .on_end = on_http_end };

/* --- the request ---------------------------------------------------------------------------- */

static void turn_cancel(struct provider_turn *base)
{
    turn_free(CONTAINER_OF(base, struct openai_turn, base));
}

static void turn_pause(struct provider_turn *base, bool is_paused)
{
    struct openai_turn *turn = CONTAINER_OF(base, struct openai_turn, base);

    http_transfer_pause(turn->transfer, is_paused);
}

static const struct provider_turn_ops openai_ops = { .cancel = turn_cancel, .pause = turn_pause };

static int transfer_start(struct openai_turn *turn, struct http_client *http, const struct provider_setup *setup,
                          const struct provider_request *request)
{
    CLEANUP(text_buf_deinit) struct text_buf body = { 0 };
    CLEANUP(openai_headers_deinit) struct openai_headers headers = { 0 };
    CLEANUP(mem_free) char *url = NULL;
    struct http_request out = { .tls = &setup->tls,
                                .proxy_tls = &setup->proxy_tls,
                                .proxy = setup->proxy,
                                .connect_ms = CONNECT_MS,
                                .first_byte_ms = setup->first_byte_ms,
                                .stall_ms = setup->stall_ms,
                                .total_ms = request->total_ms };
    int rc = openai_request_build(request, &body);

    if (!rc) {
        rc = openai_headers_build(setup, "text/event-stream", &headers);
    }
    if (rc) {
        return rc;
    }
    if (asprintf(&url, "%s/chat/completions", setup->base_url) < 0) {
        url = NULL;
        return FAULT(-ENOMEM);
    }
    out.url = url;
    out.headers = (const char *const *)headers.lines;
    out.body = (struct span){ body.data, body.len };
    return http_transfer_start(http, &out, &http_events, turn, &turn->transfer);
}

int openai_turn_start(struct http_client *http, const struct provider_setup *setup,
                      const struct provider_request *request, const struct provider_events *events, void *arg,
                      struct provider_turn **ret_turn)
{
    struct openai_turn *turn = mem_new(sizeof(*turn));
    int rc;

    turn->base.ops = &openai_ops;
    turn->events = events;
    turn->arg = arg;
    turn->secret = setup->secret ? mem_text(setup->secret, strlen(setup->secret)) : NULL;
    turn->has_tools = value_count(value_get(request->options, "tools")) > 0;
    sse_init(&turn->sse, EVENT_MAX, turn_on_event, turn);
    pack_init(&turn->scratch, EVENT_MAX * 4);
    rc = transfer_start(turn, http, setup, request);
    if (rc) {
        turn_free(turn);
        return rc;
    }
    *ret_turn = &turn->base;
    return 0;
}
