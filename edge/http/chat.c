#include "edge/http/chat.h"

#include "bus/base/utf8.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })

/* --- content ------------------------------------------------------------------------- */

static void text_part_pack(struct span text, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "type", "text");
    pack_kv_str(out, "text", text);
    pack_map_end(out);
}

static int image_pack(struct span part, struct parts *parts, struct pack *out, struct openai_error *error)
{
    struct span image = value_get(part, "image_url");
    struct span url = value_str(image, value_str(value_get(image, "url"), NOTHING));

    if (!url.len) {
        return openai_refuse(error, "An `image_url` part needs a `url`.");
    }
    return parts_image_pack(parts, url, value_str(value_get(image, "detail"), NOTHING), out, error);
}

/* What the API has of a file, which is the provider's own business; nothing else, as other members mean something here.
 */
static void file_pack(struct span file, struct pack *out)
{
    static const char *const names[] = { "file_data", "file_id", "filename" };

    pack_map_begin(out);
    pack_kv_text(out, "type", "file");
    pack_key(out, "file");
    pack_map_begin(out);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (value_get(file, names[i]).len) {
            pack_kv_raw(out, names[i], value_get(file, names[i]));
        }
    }
    pack_map_end(out);
    pack_map_end(out);
}

static int part_pack(struct span part, struct parts *parts, struct pack *out, struct openai_error *error)
{
    struct span type = value_str(value_get(part, "type"), NOTHING);
    struct span text = value_get(part, "text");

    if (span_is_text(type, "refusal")) {
        text = value_get(part, "refusal");
    }
    if (span_is_text(type, "text") || span_is_text(type, "refusal")) {
        if (value_kind_of(text) != VALUE_STR) {
            return openai_refuse(error, "A `%.*s` part needs a text.", SPAN_FMT(type));
        }
        text_part_pack(value_str(text, NOTHING), out);
        return 0;
    }
    if (span_is_text(type, "image_url")) {
        return image_pack(part, parts, out, error);
    }
    if (span_is_text(type, "input_audio") && value_kind_of(value_get(part, "input_audio")) == VALUE_MAP) {
        pack_raw(out, part); /* the provider's own business */
        return 0;
    }
    if (span_is_text(type, "file") && value_kind_of(value_get(part, "file")) == VALUE_MAP) {
        file_pack(value_get(part, "file"), out);
        return 0;
    }
    return openai_refuse(error, "`messages` hold a part of the type `%.*s`, which is not taken here.",
                         SPAN_FMT(utf8_cut(type, 64)));
}

static int content_pack(struct span content, struct parts *parts, struct pack *out, struct openai_error *error)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;
    int r = 0;

    if (openai_is_absent(content)) {
        return 0;
    }
    pack_key(out, "content");
    if (value_kind_of(content) == VALUE_STR) {
        pack_raw(out, content);
        return 0;
    }
    if (value_kind_of(content) != VALUE_ARRAY) {
        return openai_refuse(error, "The `content` of a message must be a string or a list of parts.");
    }
    pack_array_begin(out);
    while (!r && value_next(&it, &key, &part)) {
        r = part_pack(part, parts, out, error);
    }
    pack_array_end(out);
    return r;
}

/* --- calls of tools --------------------------------------------------------------------- */

static int call_pack(struct span call, struct pack *out, struct openai_error *error)
{
    struct span id = value_str(value_get(call, "id"), NOTHING);
    struct span name = value_str(value_path(call, "function.name"), NOTHING);
    struct span arguments = value_path(call, "function.arguments");

    if (!id.len || id.len > CHAT_ID_MAX || !name.len || name.len > 128 || value_kind_of(arguments) != VALUE_STR) {
        return openai_refuse(error, "Every entry of `tool_calls` needs an `id` and a `function` with `name` and "
                                    "`arguments` (a string).");
    }
    pack_map_begin(out);
    pack_kv_str(out, "id", id);
    pack_kv_text(out, "type", "function");
    pack_key(out, "function");
    pack_map_begin(out);
    pack_kv_str(out, "name", name);
    pack_kv_raw(out, "arguments", arguments);
    pack_map_end(out);
    pack_map_end(out);
    return 0;
}

static int calls_pack(struct span calls, struct pack *out, struct openai_error *error)
{
    struct value_iter it = value_iter(calls);
    struct span key;
    struct span call;
    int r = 0;

    if (openai_is_absent(calls)) {
        return 0;
    }
    if (value_kind_of(calls) != VALUE_ARRAY || value_count(calls) > CHAT_CALLS_MAX) {
        return openai_refuse(error, "`tool_calls` must be a list of at most %u calls.", CHAT_CALLS_MAX);
    }
    if (!value_count(calls)) {
        return 0;
    }
    pack_key(out, "tool_calls");
    pack_array_begin(out);
    while (!r && value_next(&it, &key, &call)) {
        r = call_pack(call, out, error);
    }
    pack_array_end(out);
    return r;
}

/* --- messages ------------------------------------------------------------------------------ */

static bool role_is_known(struct span role)
{
    static const char *const roles[] = { "system", "developer", "user", "assistant", "tool" };

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (span_is_text(role, roles[i])) {
            return true;
        }
    }
    return false;
}

static int message_pack(struct span message, struct parts *parts, struct pack *out, struct openai_error *error)
{
    struct span role = value_str(value_get(message, "role"), NOTHING);
    struct span call_id = value_str(value_get(message, "tool_call_id"), NOTHING);
    int r;

    if (value_kind_of(message) != VALUE_MAP || !role.len) {
        return openai_refuse(error, "Every message must be an object with a `role`.");
    }
    if (!role_is_known(role)) {
        return openai_refuse(error, "The role `%.*s` is not known: use system, developer, user, assistant or tool.",
                             SPAN_FMT(utf8_cut(role, 32)));
    }
    pack_map_begin(out);
    pack_kv_str(out, "role", role);
    r = content_pack(value_get(message, "content"), parts, out, error);
    if (!r && span_is_text(role, "assistant")) {
        r = calls_pack(value_get(message, "tool_calls"), out, error);
    }
    if (!r && span_is_text(role, "tool")) {
        if (!call_id.len || call_id.len > CHAT_ID_MAX) {
            return openai_refuse(error, "A message of the role `tool` needs a `tool_call_id`.");
        }
        pack_kv_str(out, "tool_call_id", call_id);
    }
    pack_map_end(out);
    return r;
}

int chat_messages_pack(struct span messages, struct parts *parts, struct pack *out, struct openai_error *error)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    bool is_asked = false;
    int r = 0;

    if (!openai_is_absent(messages) && value_kind_of(messages) != VALUE_ARRAY) {
        return openai_refuse(error, "`messages` must be a list.");
    }
    if (value_count(messages) > CHAT_MESSAGES_MAX) {
        return openai_refuse(error, "`messages` must not hold more than %u messages.", CHAT_MESSAGES_MAX);
    }
    pack_array_begin(out);
    while (!r && value_next(&it, &key, &message)) {
        struct span role = value_str(value_get(message, "role"), NOTHING);

        r = message_pack(message, parts, out, error);
        is_asked = is_asked || span_is_text(role, "user") || span_is_text(role, "tool");
    }
    pack_array_end(out);
    if (!r && !is_asked) {
        return openai_refuse(error, "Missing user message in `messages`.");
    }
    return r ? r : pack_error(out);
}
