#include "actors/agent/echo.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/agent/message.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

struct echo_turn {
    struct provider_turn base;
    uv_idle_t idle; /* one step per turn of the loop */
    const struct provider_events *events;
    void *arg;
    struct text_buf answer;
    char tool[TOOL_CALLS_NAME_MAX]; /* `answer` is the arguments of its call; "" when it is text */
    size_t sent;
    uint64_t words_per_step;
    struct provider_usage usage;
};

static bool byte_is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

uint64_t echo_words_count(struct span text)
{
    uint64_t words = 0;
    bool was_space = true;

    for (size_t i = 0; i < text.len; i++) {
        bool is_space = byte_is_space(text.ptr[i]);

        words += was_space && !is_space;
        was_space = is_space;
    }
    return words;
}

/* The next piece of `text` from `offset`: white space and the `words` that follow it. */
static struct span piece_next(struct span text, size_t offset, uint64_t words)
{
    size_t end = offset;

    for (; words; words--) {
        while (end < text.len && byte_is_space(text.ptr[end])) {
            end++;
        }
        while (end < text.len && !byte_is_space(text.ptr[end])) {
            end++;
        }
    }
    return (struct span){ text.ptr + offset, end - offset };
}

/* Results of tools that stand at the end, else what a user said last. */
static int last_text_add(struct span messages, struct text_buf *out)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    size_t start = out->len;
    bool has_result = false;
    int rc = 0;

    while (!rc && value_next(&it, &key, &message)) {
        if (message_is_result(message)) {
            rc = has_result && out->len > start ? text_buf_add(out, SPAN_LIT("\n")) : 0;
            rc = rc ? rc : message_text_add(value_get(message, "content"), out);
            has_result = true;
        } else {
            out->len = start;
            has_result = false;
        }
    }
    return rc || has_result ? rc : message_text_add(value_get(message_last(messages, "user"), "content"), out);
}

/* Appends the answer to packed `messages`. 0 or -ENOMEM. */
static int answer_add(struct span messages, struct text_buf *out)
{
    int rc = text_buf_add(out, SPAN_LIT("Echo: "));

    return rc ? rc : last_text_add(messages, out);
}

/* The tool (an element of `tools`) that the options force a call of; empty when none. */
static struct span tool_forced(struct span options)
{
    struct span choice = value_get(options, "tool_choice");
    struct span name = value_str(value_path(choice, "function.name"), SPAN_LIT(""));
    struct value_iter it = value_iter(value_get(options, "tools"));
    struct span key;
    struct span tool;

    while (value_next(&it, &key, &tool)) {
        if (span_is_text(value_str(choice, SPAN_LIT("")), "required") ||
            (name.len && span_is(name, value_str(value_path(tool, "function.name"), SPAN_LIT(""))))) {
            return tool;
        }
    }
    return (struct span){ 0 };
}

/* Appends the arguments of such a call as JSON. 0 or -ENOMEM. */
static int arguments_add(struct span tool, struct span text, struct text_buf *out)
{
    struct span schema = value_path(tool, "function.parameters");
    struct value_iter it = value_iter(value_get(schema, "required"));
    CLEANUP(pack_deinit) struct pack pack;
    struct span key;
    struct span name;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    while (value_next(&it, &key, &name)) {
        struct value_iter properties = value_iter(value_get(schema, "properties"));
        struct span property;
        struct span rule;

        while (value_next(&properties, &property, &rule)) {
            if (span_is(property, value_str(name, SPAN_LIT(""))) &&
                span_is_text(value_str(value_get(rule, "type"), SPAN_LIT("")), "string")) {
                pack_key_span(&pack, property);
                pack_str(&pack, text);
            }
        }
    }
    pack_map_end(&pack);
    return pack_error(&pack) ? pack_error(&pack) : json_from_value(pack_span(&pack), out);
}

/* What it says, or the arguments of the call that it must make. */
static int answer_make(struct echo_turn *turn, const struct provider_request *request)
{
    struct span tool = tool_forced(request->options);
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int rc;

    if (!tool.len) {
        return answer_add(request->messages, &turn->answer);
    }
    (void)snprintf(turn->tool, sizeof(turn->tool), "%.*s", /* cut as elsewhere */
                   SPAN_FMT(value_str(value_path(tool, "function.name"), SPAN_LIT(""))));
    rc = last_text_add(request->messages, &text);
    return rc ? rc : arguments_add(tool, (struct span){ text.data, text.len }, &turn->answer);
}

static int words_in(struct span messages, uint64_t *ret_words)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint64_t words = 0;

    while (value_next(&it, &key, &message)) {
        text.len = 0;
        if (message_text_add(value_get(message, "content"), &text)) {
            return FAULT(-ENOMEM);
        }
        words += echo_words_count((struct span){ text.data, text.len });
    }
    *ret_words = words;
    return 0;
}

static void turn_on_closed(uv_handle_t *handle)
{
    struct echo_turn *turn = CONTAINER_OF((uv_idle_t *)handle, struct echo_turn, idle);

    text_buf_deinit(&turn->answer);
    free(turn);
}

static void turn_cancel(struct provider_turn *base)
{
    struct echo_turn *turn = CONTAINER_OF(base, struct echo_turn, base);

    uv_close((uv_handle_t *)&turn->idle, turn_on_closed);
}

static void turn_on_step(uv_idle_t *idle)
{
    struct echo_turn *turn = CONTAINER_OF(idle, struct echo_turn, idle);
    const struct provider_events *events = turn->events;
    void *arg = turn->arg;
    struct span answer = { turn->answer.data, turn->answer.len };
    struct provider_end end = { .outcome = PROVIDER_OK, .text = "", .finish_reason = "stop", .response_id = "" };
    struct span piece = piece_next(answer, turn->sent, turn->words_per_step);
    struct tool_call_piece call = { .has_index = true, .name = span_from(turn->tool), .arguments = piece };

    turn->sent += piece.len;
    if (piece.len && turn->tool[0]) {
        events->on_tool_call(arg, &call);
    } else if (piece.len) {
        events->on_text(arg, piece);
    }
    if (piece.len) {
        return;
    }
    end.usage = turn->usage;
    turn_cancel(&turn->base);
    events->on_end(arg, &end);
}

static void turn_pause(struct provider_turn *base, bool is_paused)
{
    struct echo_turn *turn = CONTAINER_OF(base, struct echo_turn, base);

    if (is_paused) {
        (void)uv_idle_stop(&turn->idle); /* always 0 */
    } else {
        (void)uv_idle_start(&turn->idle, turn_on_step); /* fails for no callback only */
    }
}

static const struct provider_turn_ops echo_ops = { .cancel = turn_cancel, .pause = turn_pause };

int echo_turn_start(uv_loop_t *loop, const struct provider_request *request, const struct provider_events *events,
                    void *arg, struct provider_turn **ret_turn)
{
    struct echo_turn *turn = mem_new(sizeof(*turn));
    struct span answer;
    int rc = words_in(request->messages, &turn->usage.input);

    if (!rc) {
        rc = answer_make(turn, request);
    }
    if (rc) {
        text_buf_deinit(&turn->answer);
        free(turn);
        return rc;
    }
    answer = (struct span){ turn->answer.data, turn->answer.len };
    turn->usage.output = echo_words_count(answer);
    turn->usage.total = turn->usage.input + turn->usage.output;
    turn->words_per_step = turn->usage.output / ECHO_STEPS_MAX + 1;
    turn->base.ops = &echo_ops;
    turn->events = events;
    turn->arg = arg;
    (void)uv_idle_init(loop, &turn->idle);          /* always 0 */
    (void)uv_idle_start(&turn->idle, turn_on_step); /* fails for no callback only */
    *ret_turn = &turn->base;
    return 0;
}
