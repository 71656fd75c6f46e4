#include "edge/http/openai.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "bus/value.h"
#include "edge/http/chat.h"
#include "edge/http/endpoints.h"
#include "edge/http/tools.h"

#define STOPS_MAX 16U

int openai_refuse(struct openai_error *error, const char *fmt, ...)
{
    va_list args;

    *error = (struct openai_error){ .status = 400, .type = "invalid_request_error" };
    va_start(args, fmt);
    (void)vsnprintf(error->message, sizeof(error->message), fmt, args); /* a cut text is still a text */
    va_end(args);
    return OPENAI_E_REFUSED;
}

bool openai_is_absent(struct span value)
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
    if (openai_is_absent(value)) {
        return 0;
    }
    if (value_kind_of(value) != VALUE_STR) {
        return openai_refuse(error, "`%s` must be a string.", key);
    }
    *ret_text = value_str(value, *ret_text);
    return ret_text->len <= max ? 0 : openai_refuse(error, "`%s` must not be longer than %zu bytes.", key, max);
}

static int bool_take(struct span value, const char *key, bool *ret_value, struct openai_error *error)
{
    *ret_value = false;
    if (openai_is_absent(value)) {
        return 0;
    }
    if (value_kind_of(value) != VALUE_BOOL) {
        return openai_refuse(error, "`%s` must be true or false.", key);
    }
    *ret_value = value_bool(value, false);
    return 0;
}

static int number_take(struct span body, const char *key, bool *ret_has, double *ret_value, struct openai_error *error)
{
    struct span value = value_get(body, key);
    enum value_kind kind = value_kind_of(value);

    *ret_has = !openai_is_absent(value);
    if (!*ret_has) {
        return 0;
    }
    if (kind != VALUE_INT && kind != VALUE_UINT && kind != VALUE_FLOAT) {
        return openai_refuse(error, "`%s` must be a number.", key);
    }
    *ret_value = kind == VALUE_FLOAT ? value_f64(value, 0) : (double)value_i64(value, INT64_MAX);
    return isfinite(*ret_value) ? 0 : openai_refuse(error, "`%s` must be a finite number.", key);
}

static int limits_take(struct span body, struct openai_request *request, struct openai_error *error)
{
    const char *key =
        openai_is_absent(value_get(body, "max_completion_tokens")) ? "max_tokens" : "max_completion_tokens";
    double tokens = 0;
    int r = number_take(body, key, &request->has_max_tokens, &tokens, error);

    if (r) {
        return r;
    }
    if (request->has_max_tokens && !(tokens >= 1 && tokens <= 10000000)) {
        return openai_refuse(error, "`%s` must be between 1 and 10000000.", key);
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
    if (openai_is_absent(value)) {
        return 0;
    }
    if (value_kind_of(value) == VALUE_STR) {
        request->stop = value;
        return 0;
    }
    if (value_kind_of(value) != VALUE_ARRAY || value_count(value) > STOPS_MAX) {
        return openai_refuse(error, "`stop` must be a string or a list of at most %u strings.", STOPS_MAX);
    }
    while (value_next(&iter, &key, &item)) {
        if (value_kind_of(item) != VALUE_STR || value_str(item, item).len > 1024) {
            return openai_refuse(error, "`stop` must hold strings of at most 1024 bytes.");
        }
    }
    request->stop = value;
    return 0;
}

/* Numbers and words that go to the provider as they are. */
static int tuning_take(struct span body, struct openai_request *request, struct openai_error *error)
{
    struct span effort = value_get(body, "reasoning_effort");
    struct span seed = value_get(body, "seed");
    int r = number_take(body, "frequency_penalty", &request->has_frequency_penalty, &request->frequency_penalty, error);

    r = r ? r
          : number_take(body, "presence_penalty", &request->has_presence_penalty, &request->presence_penalty, error);
    if (r) {
        return r;
    }
    request->has_seed = !openai_is_absent(seed);
    if (request->has_seed && value_kind_of(seed) != VALUE_INT) {
        return openai_refuse(error, "`seed` must be a whole number.");
    }
    request->seed = value_i64(seed, 0);
    request->response_format = value_get(body, "response_format");
    if (openai_is_absent(request->response_format)) {
        request->response_format = (struct span){ NULL, 0 };
    } else if (value_kind_of(request->response_format) != VALUE_MAP) {
        return openai_refuse(error, "`response_format` must be an object.");
    }
    request->reasoning_effort = value_str(effort, (struct span){ NULL, 0 });
    if (!openai_is_absent(effort) && (!request->reasoning_effort.len || request->reasoning_effort.len > 16)) {
        return openai_refuse(error, "`reasoning_effort` must be a word.");
    }
    return 0;
}

static int counts_take(struct span body, struct openai_error *error)
{
    struct span n = value_get(body, "n");

    if (!openai_is_absent(n) && value_i64(n, 0) != 1) {
        return openai_refuse(error, "`n` must be 1: there is one answer to a request.");
    }
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
        r = bool_take(value_path(body, "stream_options.include_usage"), "stream_options.include_usage",
                      &request->has_usage, error);
    }
    r = r ? r : limits_take(body, request, error);
    r = r ? r : stop_take(body, request, error);
    r = r ? r : tuning_take(body, request, error);
    return r ? r : counts_take(body, error);
}

/* tools, tool_choice and messages, one behind the other in `made`. */
static int lists_take(struct span body, const struct endpoint *rules, struct pack *made, struct openai_request *request,
                      struct openai_error *error)
{
    struct parts parts = { .rules = rules };
    struct span parallel = value_get(body, "parallel_tool_calls");
    size_t choice_at;
    size_t messages_at;
    uint32_t tools_n;
    bool has_choice;
    int r = tools_pack(value_get(body, "tools"), made, &tools_n, error);

    choice_at = made->len;
    r = r ? r : tools_choice_pack(value_get(body, "tool_choice"), pack_span(made), made, &has_choice, error);
    if (!r && !openai_is_absent(parallel) && value_kind_of(parallel) != VALUE_BOOL) {
        r = openai_refuse(error, "`parallel_tool_calls` must be true or false.");
    }
    messages_at = made->len;
    r = r ? r : chat_messages_pack(value_get(body, "messages"), &parts, made, error);
    if (r) {
        return r;
    }
    request->tools = (struct span){ made->data, choice_at };
    request->tool_choice = (struct span){ made->data + choice_at, messages_at - choice_at };
    request->messages = (struct span){ made->data + messages_at, made->len - messages_at };
    request->has_parallel = value_kind_of(parallel) == VALUE_BOOL;
    request->is_parallel = value_bool(parallel, true);
    return 0;
}

int openai_body_read(struct span body, struct pack *raw, struct span *ret_value, struct openai_error *error)
{
    struct json_opts opts = { .depth_max = OPENAI_DEPTH_MAX };
    struct json_error json;
    int r = json_to_pack(body, &opts, raw, &json);

    if (r == JSON_E_DEPTH) {
        return openai_refuse(error, "The request body is nested deeper than %u levels.", OPENAI_DEPTH_MAX);
    }
    if (r > 0) {
        return openai_refuse(error, "The request body is not JSON: line %u, column %u: expected %s.", json.line,
                             json.column, json.expected);
    }
    if (r < 0 || pack_error(raw)) {
        return r < 0 ? r : pack_error(raw);
    }
    *ret_value = pack_span(raw);
    return value_kind_of(*ret_value) == VALUE_MAP ? 0 : openai_refuse(error, "The request body must be an object.");
}

int openai_request_parse(struct span body, const struct endpoint *rules, struct pack *raw, struct pack *made,
                         struct openai_request *ret_request, struct openai_error *error)
{
    struct span value = { NULL, 0 };
    int r;

    memset(ret_request, 0, sizeof(*ret_request));
    if (body.len == 0) {
        return openai_refuse(error, "Missing user message in `messages`.");
    }
    r = openai_body_read(body, raw, &value, error);
    r = r ? r : fields_take(value, ret_request, error);
    r = r ? r : lists_take(value, rules, made, ret_request, error);
    if (r) {
        return r;
    }
    if (!openai_agent_of(ret_request->model, &ret_request->agent_id)) {
        return openai_refuse(error, "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.");
    }
    if (ret_request->model.len == 0) {
        ret_request->model = SPAN_LIT("openclaw");
    }
    return 0;
}
