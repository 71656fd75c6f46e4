#include "actors/agent/echo.h"

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

struct span echo_piece(struct span text, size_t offset, uint64_t words)
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

int echo_answer(struct span messages, struct text_buf *out)
{
    int rc = text_buf_add(out, SPAN_LIT("Echo: "));

    return rc ? rc : message_text_add(value_get(message_last(messages, "user"), "content"), out);
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
    struct span piece = echo_piece(answer, turn->sent, turn->words_per_step);

    if (piece.len) {
        turn->sent += piece.len;
        events->on_text(arg, piece);
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
        rc = echo_answer(request->messages, &turn->answer);
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
