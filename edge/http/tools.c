#include "edge/http/tools.h"

#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })

/* A name that a function may have: letters, digits, _ and -. */
static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-')) {
            return false;
        }
    }
    return name.len > 0 && name.len <= TOOLS_NAME_MAX;
}

static int function_pack(struct span function, struct pack *out, struct openai_error *error)
{
    struct span name = value_str(value_get(function, "name"), NOTHING);
    struct span about = value_get(function, "description");
    struct span parameters = value_get(function, "parameters");
    struct span strict = value_get(function, "strict");

    if (!is_name(name)) {
        return openai_refuse(error, "Every tool needs a `name` of at most %u letters, digits, '_' or '-'.",
                             TOOLS_NAME_MAX);
    }
    if (!openai_is_absent(about) && value_kind_of(about) != VALUE_STR) {
        return openai_refuse(error, "The `description` of the tool `%.*s` must be a string.", SPAN_FMT(name));
    }
    if (!openai_is_absent(parameters) && value_kind_of(parameters) != VALUE_MAP) {
        return openai_refuse(error, "The `parameters` of the tool `%.*s` must be an object.", SPAN_FMT(name));
    }
    pack_map_begin(out);
    pack_kv_text(out, "type", "function");
    pack_key(out, "function");
    pack_map_begin(out);
    pack_kv_str(out, "name", name);
    if (!openai_is_absent(about)) {
        pack_kv_raw(out, "description", about);
    }
    if (!openai_is_absent(parameters)) {
        pack_kv_raw(out, "parameters", parameters);
    }
    if (value_kind_of(strict) == VALUE_BOOL) {
        pack_kv_raw(out, "strict", strict);
    }
    pack_map_end(out);
    pack_map_end(out);
    return 0;
}

int tools_pack(struct span tools, struct pack *out, uint32_t *ret_n, struct openai_error *error)
{
    struct value_iter it = value_iter(tools);
    struct span key;
    struct span tool;

    *ret_n = 0;
    if (openai_is_absent(tools)) {
        return 0;
    }
    if (value_kind_of(tools) != VALUE_ARRAY || value_count(tools) > TOOLS_MAX) {
        return openai_refuse(error, "`tools` must be a list of at most %u tools.", TOOLS_MAX);
    }
    if (!value_count(tools)) {
        return 0;
    }
    pack_array_begin(out);
    while (value_next(&it, &key, &tool)) {
        struct span type = value_str(value_get(tool, "type"), NOTHING);
        struct span function = value_get(tool, "function");
        int r;

        if (!span_is(type, SPAN_LIT("function"))) {
            return openai_refuse(error, "`tools` may hold tools of the type `function` only.");
        }
        r = function_pack(value_kind_of(function) == VALUE_MAP ? function : tool, out, error);
        if (r) {
            return r;
        }
    }
    pack_array_end(out);
    *ret_n = value_count(tools);
    return pack_error(out);
}

static bool is_offered(struct span tools, struct span name)
{
    struct value_iter it = value_iter(tools);
    struct span key;
    struct span tool;

    while (value_next(&it, &key, &tool)) {
        if (span_is(value_str(value_path(tool, "function.name"), NOTHING), name)) {
            return true;
        }
    }
    return false;
}

static int named_pack(struct span choice, struct span tools, struct pack *out, struct openai_error *error)
{
    struct span name = value_str(value_path(choice, "function.name"), value_str(value_get(choice, "name"), NOTHING));

    if (!span_is(value_str(value_get(choice, "type"), NOTHING), SPAN_LIT("function")) || !is_name(name)) {
        return openai_refuse(error, "`tool_choice` must be `none`, `auto`, `required` or name a function.");
    }
    if (!is_offered(tools, name)) {
        return openai_refuse(error, "`tool_choice` names the function `%.*s`, which is not in `tools`.",
                             SPAN_FMT(name));
    }
    pack_map_begin(out);
    pack_kv_text(out, "type", "function");
    pack_key(out, "function");
    pack_map_begin(out);
    pack_kv_str(out, "name", name);
    pack_map_end(out);
    pack_map_end(out);
    return pack_error(out);
}

int tools_choice_pack(struct span choice, struct span tools, struct pack *out, bool *ret_has,
                      struct openai_error *error)
{
    struct span word = value_str(choice, NOTHING);

    *ret_has = !openai_is_absent(choice);
    if (!*ret_has) {
        return 0;
    }
    if (value_kind_of(choice) == VALUE_MAP) {
        return named_pack(choice, tools, out, error);
    }
    if (!span_is(word, SPAN_LIT("none")) && !span_is(word, SPAN_LIT("auto")) && !span_is(word, SPAN_LIT("required"))) {
        return openai_refuse(error, "`tool_choice` must be `none`, `auto`, `required` or name a function.");
    }
    if (span_is(word, SPAN_LIT("required")) && !value_count(tools)) {
        return openai_refuse(error, "`tool_choice` is `required`, but there are no `tools`.");
    }
    pack_str(out, word);
    return pack_error(out);
}
