#include "edge/http/openai.h"

#include <stdarg.h>
#include <stdio.h>

#include "bus/value.h"

#define STOPS_MAX 16U

static int refuse(struct openai_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct openai_error *error, const char *fmt, ...)
{
    va_list args;

    *error = (struct openai_error){ .status = 400, .type = "invalid_request_error" };
    va_start(args, fmt);
    (void)vsnprintf(error->message, sizeof(error->message), fmt, args); /* a cut text is still a text */
    va_end(args);
    return OPENAI_E_REFUSED;
}

static bool is_absent(struct span value)
{
    enum value_kind kind = value_kind_of(value);

    return kind == VALUE_NONE || kind == VALUE_NIL;
}

bool openai_agent_of(struct span model, struct span *ret_agent_id)
{
    static const char *const prefixes[] = { "openclaw/", "openclaw:", "agent:" };

    *ret_agent_id = (struct span){ NULL, 0 };
    if (model.len == 0 || span_is(model, SPAN_LIT("openclaw")) || span_is(model, SPAN_LIT("openclaw/default"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t len = strlen(prefixes[i]);

        if (span_starts(model, prefixes[i]) && model.len > len && model.len - len <= 64) {
            *ret_agent_id = (struct span){ model.ptr + len, model.len - len };
            return true;
        }
    }
    return false;
}

/* Optional text of at most `max` bytes. */
static int text_take(struct span body, const char *key, size_t max, struct span *ret_text, struct openai_error *error)
{
    struct span value = value_get(body, key);

    *ret_text = (struct span){ NULL, 0 };
    if (is_absent(value)) {
        return 0;
    }
    if (value_kind_of(value) != VALUE_STR) {
        return refuse(error, "`%s` must be a string.", key);
    }
    *ret_text = value_str(value, *ret_text);
    return ret_text->len <= max ? 0 : refuse(error, "`%s` must not be longer than %zu bytes.", key, max);
}

static int bool_take(struct span value, const char *key, bool *ret_value, struct openai_error *error)
{
    *ret_value = false;
    if (is_absent(value)) {
        return 0;
    }
    if (value_kind_of(value) != VALUE_BOOL) {
        return refuse(error, "`%s` must be true or false.", key);
    }
    *ret_value = value_bool(value, false);
    return 0;
}

static int number_take(struct span body, const char *key, bool *ret_has, double *ret_value, struct openai_error *error)
{
    struct span value = value_get(body, key);
    enum value_kind kind = value_kind_of(value);

    *ret_has = !is_absent(value);
    if (!*ret_has) {
        return 0;
    }
    if (kind != VALUE_INT && kind != VALUE_UINT && kind != VALUE_FLOAT) {
        return refuse(error, "`%s` must be a number.", key);
    }
    *ret_value = kind == VALUE_FLOAT ? value_f64(value, 0) : (double)value_i64(value, INT64_MAX);
    return 0;
}

static int limits_take(struct span body, struct openai_request *request, struct openai_error *error)
{
    const char *key = is_absent(value_get(body, "max_completion_tokens")) ? "max_tokens" : "max_completion_tokens";
    double tokens = 0;
    int r = number_take(body, key, &request->has_max_tokens, &tokens, error);

    if (r) {
        return r;
    }
    if (request->has_max_tokens && !(tokens >= 1 && tokens <= 10000000)) {
        return refuse(error, "`%s` must be between 1 and 10000000.", key);
    }
    request->max_tokens = (uint64_t)tokens;
    r = number_take(body, "temperature", &request->has_temperature, &request->temperature, error);
    return r ? r : number_take(body, "top_p", &request->has_top_p, &request->top_p, error);
}

static int stop_take(struct span body, struct openai_request *request, struct openai_error *error)
{
    struct span value = value_get(body, "stop");
    struct value_iter iter = value_iter(value);
    struct span key;
    struct span item;

    request->stop = (struct span){ NULL, 0 };
    if (is_absent(value)) {
        return 0;
    }
    if (value_kind_of(value) == VALUE_STR) {
        request->stop = value;
        return 0;
    }
    if (value_kind_of(value) != VALUE_ARRAY || value_count(value) > STOPS_MAX) {
        return refuse(error, "`stop` must be a string or a list of at most %u strings.", STOPS_MAX);
    }
    while (value_next(&iter, &key, &item)) {
        if (value_kind_of(item) != VALUE_STR || value_str(item, item).len > 1024) {
            return refuse(error, "`stop` must hold strings of at most 1024 bytes.");
        }
    }
    request->stop = value;
    return 0;
}

static int messages_take(struct span body, struct openai_request *request, struct openai_error *error)
{
    struct span messages = value_get(body, "messages");
    struct value_iter iter = value_iter(messages);
    struct span key;
    struct span item;
    bool has_user = false;

    if (!is_absent(messages) && value_kind_of(messages) != VALUE_ARRAY) {
        return refuse(error, "`messages` must be a list.");
    }
    if (value_count(messages) > 4096) {
        return refuse(error, "`messages` must not hold more than 4096 messages.");
    }
    while (value_next(&iter, &key, &item)) {
        struct span role = value_str(value_get(item, "role"), (struct span){ NULL, 0 });

        if (value_kind_of(item) != VALUE_MAP || role.len == 0) {
            return refuse(error, "Every message must be an object with a `role`.");
        }
        has_user = has_user || span_is(role, SPAN_LIT("user")) || span_is(role, SPAN_LIT("tool"));
    }
    if (!has_user) {
        return refuse(error, "Missing user message in `messages`.");
    }
    request->messages = messages;
    return 0;
}

static int fields_take(struct span body, struct openai_request *request, struct openai_error *error)
{
    int r = text_take(body, "model", 256, &request->model, error);

    if (!r) {
        r = text_take(body, "user", 256, &request->user, error);
    }
    if (!r) {
        r = bool_take(value_get(body, "stream"), "stream", &request->is_streamed, error);
    }
    if (!r) {
        r = bool_take(value_get(value_get(body, "stream_options"), "include_usage"), "include_usage",
                      &request->has_usage, error);
    }
    if (!r) {
        r = limits_take(body, request, error);
    }
    if (!r) {
        r = stop_take(body, request, error);
    }
    return r ? r : messages_take(body, request, error);
}

int openai_request_parse(struct span body, struct pack *pack, struct openai_request *ret_request,
                         struct openai_error *error)
{
    struct json_opts opts = { .depth_max = OPENAI_DEPTH_MAX };
    struct json_error json;
    struct span value;
    int r;

    memset(ret_request, 0, sizeof(*ret_request));
    if (body.len == 0) {
        return refuse(error, "Missing user message in `messages`.");
    }
    r = json_to_pack(body, &opts, pack, &json);
    if (r == JSON_E_DEPTH) {
        return refuse(error, "The request body is nested deeper than %u levels.", OPENAI_DEPTH_MAX);
    }
    if (r > 0) {
        return refuse(error, "The request body is not JSON: line %u, column %u: expected %s.", json.line, json.column,
                      json.expected);
    }
    if (r < 0 || pack_error(pack)) {
        return r < 0 ? r : pack_error(pack);
    }
    value = pack_span(pack);
    if (value_kind_of(value) != VALUE_MAP) {
        return refuse(error, "The request body must be an object.");
    }
    r = fields_take(value, ret_request, error);
    if (r) {
        return r;
    }
    if (!openai_agent_of(ret_request->model, &ret_request->agent_id)) {
        return refuse(error, "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.");
    }
    if (ret_request->model.len == 0) {
        ret_request->model = SPAN_LIT("openclaw");
    }
    return 0;
}

/* --- writing ------------------------------------------------------------------------ */

static int add(struct text_buf *out, const char *text)
{
    return text_buf_add(out, span_from(text));
}

int openai_error_write(const struct openai_error *error, struct text_buf *out)
{
    int r = add(out, "{\"error\":{\"message\":");

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

int openai_completion_write(const struct openai_run *run, struct span text, struct span finish_reason,
                            const struct openai_usage *usage, struct text_buf *out)
{
    int r = head_write(run, "chat.completion", out);

    r = r ? r : add(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    r = r ? r : json_from_text(text, out);
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
