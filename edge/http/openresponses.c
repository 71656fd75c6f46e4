#include "edge/http/openresponses.h"

#include <math.h>

#include "bus/value.h"
#include "edge/http/openresponses_items.h"
#include "edge/http/tools.h"

#define NOTHING ((struct span){ NULL, 0 })

static int text_take(struct span body, const char *key, size_t max, struct span *ret_text, struct openai_error *error)
{
    struct span value = value_get(body, key);

    *ret_text = value_str(value, NOTHING);
    if (!openai_is_absent(value) && value_kind_of(value) != VALUE_STR) {
        return openai_refuse(error, "`%s` must be a string.", key);
    }
    return ret_text->len <= max ? 0 : openai_refuse(error, "`%s` must not be longer than %zu bytes.", key, max);
}

static int flag_take(struct span body, const char *key, bool *ret_has, bool *ret_value, struct openai_error *error)
{
    struct span value = value_get(body, key);

    *ret_has = value_kind_of(value) == VALUE_BOOL;
    *ret_value = value_bool(value, false);
    return *ret_has || openai_is_absent(value) ? 0 : openai_refuse(error, "`%s` must be true or false.", key);
}

static int number_take(struct span body, const char *key, bool *ret_has, double *ret_value, struct openai_error *error)
{
    struct span value = value_get(body, key);
    enum value_kind kind = value_kind_of(value);

    *ret_has = kind == VALUE_INT || kind == VALUE_FLOAT;
    *ret_value = kind == VALUE_FLOAT ? value_f64(value, 0) : (double)value_i64(value, 0);
    if (!*ret_has && !openai_is_absent(value)) {
        return openai_refuse(error, "`%s` must be a number.", key);
    }
    return isfinite(*ret_value) ? 0 : openai_refuse(error, "`%s` must be a finite number.", key);
}

/* `text.format` says what chat completions say with `response_format`, one level flatter. */
static int format_take(struct span body, struct pack *made, struct openai_error *error)
{
    struct span format = value_path(body, "text.format");
    struct span type = value_str(value_get(format, "type"), NOTHING);
    struct value_iter it = value_iter(format);
    struct span key;
    struct span item;

    if (openai_is_absent(format) || span_is_text(type, "text")) {
        return 0;
    }
    if (!span_is_text(type, "json_object") && !span_is_text(type, "json_schema")) {
        return openai_refuse(error, "`text.format` must be of the type text, json_object or json_schema.");
    }
    pack_map_begin(made);
    pack_kv_str(made, "type", type);
    if (span_is_text(type, "json_schema")) {
        pack_key(made, "json_schema");
        pack_map_begin(made);
        while (value_next(&it, &key, &item)) {
            if (!span_is_text(key, "type")) {
                pack_key_span(made, key);
                pack_raw(made, item);
            }
        }
        pack_map_end(made);
    }
    pack_map_end(made);
    return pack_error(made);
}

static int fields_take(struct span body, struct openresponses_request *request, struct openai_error *error)
{
    double tokens = 0;
    bool has;
    int r = text_take(body, "model", 256, &request->model, error);

    r = r ? r : text_take(body, "user", 256, &request->user, error);
    r = r ? r : text_take(body, "previous_response_id", 512, &request->previous_id, error);
    r = r ? r : flag_take(body, "stream", &has, &request->is_streamed, error);
    r = r ? r : flag_take(body, "parallel_tool_calls", &request->has_parallel, &request->is_parallel, error);
    r = r ? r : number_take(body, "temperature", &request->has_temperature, &request->temperature, error);
    r = r ? r : number_take(body, "top_p", &request->has_top_p, &request->top_p, error);
    r = r ? r : number_take(body, "max_output_tokens", &request->has_max_tokens, &tokens, error);
    if (r) {
        return r;
    }
    if (request->has_max_tokens && !(tokens >= 1 && tokens <= 10000000)) {
        return openai_refuse(error, "`max_output_tokens` must be between 1 and 10000000.");
    }
    request->max_tokens = (uint64_t)tokens;
    if (value_bool(value_get(body, "background"), false)) {
        return openai_refuse(error, "`background` is not served here: use `stream`.");
    }
    return 0;
}

/* One behind the other in `made`. */
static int lists_take(struct span body, const struct endpoint *rules, struct pack *made,
                      struct openresponses_request *request, struct openai_error *error)
{
    struct parts parts = { .rules = rules };
    struct span instructions;
    size_t choice_at;
    size_t format_at;
    size_t messages_at;
    uint32_t tools_n;
    bool has_choice;
    int r = tools_pack(value_get(body, "tools"), made, &tools_n, error);

    choice_at = made->len;
    r = r ? r : tools_choice_pack(value_get(body, "tool_choice"), pack_span(made), made, &has_choice, error);
    format_at = made->len;
    r = r ? r : format_take(body, made, error);
    messages_at = made->len;
    r = r ? r : text_take(body, "instructions", ENDPOINTS_BODY_MAX, &instructions, error);
    r = r ? r : openresponses_items_pack(instructions, value_get(body, "input"), &parts, made, error);
    if (r) {
        return r;
    }
    request->tools = (struct span){ made->data, choice_at };
    request->tool_choice = (struct span){ made->data + choice_at, format_at - choice_at };
    request->response_format = (struct span){ made->data + format_at, messages_at - format_at };
    request->messages = (struct span){ made->data + messages_at, made->len - messages_at };
    return 0;
}

int openresponses_parse(struct span body, const struct endpoint *rules, struct pack *raw, struct pack *made,
                        struct openresponses_request *ret_request, struct openai_error *error)
{
    struct span value = { NULL, 0 };
    int r;

    memset(ret_request, 0, sizeof(*ret_request));
    r = openai_body_read(body, raw, &value, error);
    r = r ? r : fields_take(value, ret_request, error);
    if (!r && !ret_request->model.len) {
        r = openai_refuse(error, "Missing `model`. Use `openclaw` or `openclaw/<agentId>`.");
    }
    if (!r && !openai_agent_of(ret_request->model, &ret_request->agent_id)) {
        r = openai_refuse(error, "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.");
    }
    return r ? r : lists_take(value, rules, made, ret_request, error);
}
