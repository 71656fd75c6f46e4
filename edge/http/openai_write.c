#include "edge/http/openai.h"

#include <stdio.h>

#include "bus/value.h"

/* --- writing ------------------------------------------------------------------------ */

static int add(struct text_buf *out, const char *text)
{
    return text_buf_add(out, span_from(text));
}

int openai_error_write(const struct openai_error *error, struct text_buf *out)
{
    /* Of this one refusal the reference says `ok` also where its other errors do not. */
    int r = add(out, error->status == 403 ? "{\"ok\":false,\"error\":{\"message\":" : "{\"error\":{\"message\":");

    if (!r) {
        r = json_from_text(span_from(error->message), out);
    }
    if (!r) {
        r = add(out, ",\"type\":");
    }
    if (!r) {
        r = json_from_text(span_from(error->type), out);
    }
    if (!r && error->code) {
        r = add(out, ",\"code\":");
        r = r ? r : json_from_text(span_from(error->code), out);
    }
    return r ? r : add(out, "}}");
}

/* Up to and with "choices":[ */
static int head_write(const struct openai_run *run, const char *object, struct text_buf *out)
{
    char head[192];
    int len = snprintf(head, sizeof(head), "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%lld,\"model\":", run->id,
                       object, (long long)run->created_s);
    int r = text_buf_add(out, (struct span){ head, (size_t)len });

    r = r ? r : json_from_text(run->model, out);
    return r ? r : add(out, ",\"choices\":[");
}

static int usage_write(const struct openai_usage *usage, struct text_buf *out)
{
    char text[160];
    int len = snprintf(text, sizeof(text),
                       ",\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,\"total_tokens\":%llu}",
                       (unsigned long long)usage->input, (unsigned long long)usage->output,
                       (unsigned long long)usage->input + usage->output);

    return text_buf_add(out, (struct span){ text, (size_t)len });
}

/* One entry of tool_calls, or in a stream a piece of one. */
static int call_write(const struct openai_call *call, bool is_piece, struct text_buf *out)
{
    char head[32];
    int r;

    (void)snprintf(head, sizeof(head), "{\"index\":%u,", call->index); /* fits */
    r = add(out, is_piece ? head : "{");
    if (!r && call->id.len) {
        r = add(out, "\"id\":");
        r = r ? r : json_from_text(call->id, out);
        r = r ? r : add(out, ",\"type\":\"function\",");
    }
    r = r ? r : add(out, "\"function\":{");
    if (!r && call->name.len) {
        r = add(out, "\"name\":");
        r = r ? r : json_from_text(call->name, out);
        r = r ? r : add(out, ",");
    }
    r = r ? r : add(out, "\"arguments\":");
    r = r ? r : json_from_text(call->arguments, out);
    return r ? r : add(out, "}}");
}

static int calls_write(struct span calls, bool is_piece, struct text_buf *out)
{
    struct value_iter it = value_iter(calls);
    struct span key;
    struct span item;
    bool is_first = true;
    int r = add(out, "\"tool_calls\":[");

    while (!r && value_next(&it, &key, &item)) {
        struct openai_call call = openai_call_of(item);

        r = is_first ? 0 : add(out, ",");
        r = r ? r : call_write(&call, is_piece, out);
        is_first = false;
    }
    return r ? r : add(out, "]");
}

struct openai_call openai_call_of(struct span item)
{
    static const struct span nothing = { "", 0 };

    return (struct openai_call){ .index = (uint32_t)value_i64(value_get(item, "index"), 0),
                                 .id = value_str(value_get(item, "id"), nothing),
                                 .name = value_str(value_get(item, "name"), nothing),
                                 .arguments = value_str(value_get(item, "arguments"), nothing) };
}

int openai_completion_write(const struct openai_run *run, struct span text, struct span calls,
                            struct span finish_reason, const struct openai_usage *usage, struct text_buf *out)
{
    int r = head_write(run, "chat.completion", out);

    r = r ? r : add(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (!r) {
        r = value_count(calls) && !text.len ? add(out, "null") : json_from_text(text, out);
    }
    if (!r && value_count(calls)) {
        r = add(out, ",");
        r = r ? r : calls_write(calls, false, out);
    }
    r = r ? r : add(out, "},\"finish_reason\":");
    r = r ? r : json_from_text(finish_reason, out);
    r = r ? r : add(out, "}]");
    r = r ? r : usage_write(usage, out);
    return r ? r : add(out, "}");
}

int openai_chunk_role(const struct openai_run *run, struct text_buf *out)
{
    int r = head_write(run, "chat.completion.chunk", out);

    return r ? r : add(out, "{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}");
}

int openai_chunk_text(const struct openai_run *run, struct span text, struct text_buf *out)
{
    int r = head_write(run, "chat.completion.chunk", out);

    r = r ? r : add(out, "{\"index\":0,\"delta\":{\"content\":");
    r = r ? r : json_from_text(text, out);
    return r ? r : add(out, "},\"finish_reason\":null}]}");
}

int openai_chunk_calls(const struct openai_run *run, struct span calls, struct text_buf *out)
{
    int r = head_write(run, "chat.completion.chunk", out);

    r = r ? r : add(out, "{\"index\":0,\"delta\":{");
    r = r ? r : calls_write(calls, true, out);
    return r ? r : add(out, "},\"finish_reason\":null}]}");
}

int openai_chunk_finish(const struct openai_run *run, struct span finish_reason, struct text_buf *out)
{
    int r = head_write(run, "chat.completion.chunk", out);

    r = r ? r : add(out, "{\"index\":0,\"delta\":{},\"finish_reason\":");
    r = r ? r : json_from_text(finish_reason, out);
    return r ? r : add(out, "}]}");
}

int openai_chunk_usage(const struct openai_run *run, const struct openai_usage *usage, struct text_buf *out)
{
    int r = head_write(run, "chat.completion.chunk", out);

    r = r ? r : add(out, "]");
    r = r ? r : usage_write(usage, out);
    return r ? r : add(out, "}");
}

int openai_model_write(struct span id, struct text_buf *out)
{
    int r = add(out, "{\"id\":");

    r = r ? r : json_from_text(id, out);
    return r ? r : add(out, ",\"object\":\"model\",\"created\":0,\"owned_by\":\"openclaw\",\"permission\":[]}");
}
