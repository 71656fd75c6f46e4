#include "edge/http/openresponses_items.h"

#include "bus/base/utf8.h"
#include "bus/value.h"
#include "edge/http/chat.h"
#include "edge/http/openresponses.h"

#define NOTHING ((struct span){ NULL, 0 })

/* The list under construction: a message of the assistant stays open for the calls behind it. */
struct items {
    struct pack *out;
    struct parts *parts;
    struct openai_error *error;
    bool is_open;  /* a message of the assistant, */
    bool in_calls; /* and its list of calls */
    bool is_asked; /* by a user or with the result of a tool */
};

static void open_end(struct items *self)
{
    if (self->in_calls) {
        pack_array_end(self->out);
    }
    if (self->is_open) {
        pack_map_end(self->out);
    }
    self->is_open = false;
    self->in_calls = false;
}

static void text_pack(struct items *self, struct span text)
{
    pack_map_begin(self->out);
    pack_kv_text(self->out, "type", "text");
    pack_kv_str(self->out, "text", text);
    pack_map_end(self->out);
}

/* --- parts ----------------------------------------------------------------------------- */

static int image_pack(struct items *self, struct span part)
{
    struct span source = value_get(part, "source");
    struct span image = value_get(part, "image_url");
    struct span type = value_str(value_get(source, "type"), NOTHING);
    struct span url =
        value_str(image, value_str(value_get(image, "url"), value_str(value_get(source, "url"), NOTHING)));

    if (span_is_text(type, "base64")) {
        return parts_image_data_pack(self->parts, value_str(value_get(source, "media_type"), NOTHING),
                                     value_str(value_get(source, "data"), NOTHING), self->out, self->error);
    }
    if (!url.len) {
        return openai_refuse(self->error, "An `input_image` needs an `image_url`, or a `source` with a URL or base64 "
                                          "data; uploaded files (`file_id`) are not known here.");
    }
    return parts_image_pack(self->parts, url, value_str(value_get(part, "detail"), NOTHING), self->out, self->error);
}

static int file_pack(struct items *self, struct span part)
{
    struct span source = value_get(part, "source");
    struct parts_file file = {
        .name = value_str(value_get(part, "filename"), value_str(value_get(source, "filename"), NOTHING)),
        .mime = value_str(value_get(source, "media_type"), NOTHING),
        .data = value_str(value_get(part, "file_data"), value_str(value_get(source, "data"), NOTHING)),
        .url = value_str(value_get(part, "file_url"), value_str(value_get(source, "url"), NOTHING)),
    };

    if (!file.data.len && !file.url.len) {
        return openai_refuse(self->error, "An `input_file` needs `file_data`, a `file_url` or a `source`; uploaded "
                                          "files (`file_id`) are not known here.");
    }
    return parts_file_pack(self->parts, &file, self->out, self->error);
}

static int part_pack(struct items *self, struct span part)
{
    struct span type = value_str(value_get(part, "type"), NOTHING);
    struct span text = value_get(part, span_is_text(type, "refusal") ? "refusal" : "text");

    if (span_is_text(type, "input_text") || span_is_text(type, "output_text") || span_is_text(type, "text") ||
        span_is_text(type, "refusal")) {
        if (value_kind_of(text) != VALUE_STR) {
            return openai_refuse(self->error, "A part of the type `%.*s` needs a text.", SPAN_FMT(type));
        }
        text_pack(self, value_str(text, NOTHING));
        return 0;
    }
    if (span_is_text(type, "input_image")) {
        return image_pack(self, part);
    }
    if (span_is_text(type, "input_file")) {
        return file_pack(self, part);
    }
    return openai_refuse(self->error, "`input` holds a part of the type `%.*s`, which is not taken here.",
                         SPAN_FMT(utf8_cut(type, 64)));
}

static int content_pack(struct items *self, struct span content)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;
    int r = 0;

    if (value_kind_of(content) == VALUE_STR) {
        pack_raw(self->out, content);
        return 0;
    }
    if (value_kind_of(content) != VALUE_ARRAY) {
        return openai_refuse(self->error, "The `content` of a message must be a string or a list of parts.");
    }
    pack_array_begin(self->out);
    while (!r && value_next(&it, &key, &part)) {
        r = part_pack(self, part);
    }
    pack_array_end(self->out);
    return r;
}

/* --- items ----------------------------------------------------------------------------- */

static int message_pack(struct items *self, struct span item)
{
    struct span role = value_str(value_get(item, "role"), NOTHING);
    bool is_assistant = span_is_text(role, "assistant");
    int r;

    if (!is_assistant && !span_is_text(role, "user") && !span_is_text(role, "system") &&
        !span_is_text(role, "developer")) {
        return openai_refuse(self->error, "The role `%.*s` is not known: use system, developer, user or assistant.",
                             SPAN_FMT(utf8_cut(role, 32)));
    }
    open_end(self);
    self->is_asked = self->is_asked || span_is_text(role, "user");
    pack_map_begin(self->out);
    pack_kv_str(self->out, "role", role);
    pack_key(self->out, "content");
    r = content_pack(self, value_get(item, "content"));
    if (is_assistant) {
        self->is_open = true;
    } else {
        pack_map_end(self->out);
    }
    return r;
}

static int call_pack(struct items *self, struct span item)
{
    struct span id = value_str(value_get(item, "call_id"), value_str(value_get(item, "id"), NOTHING));
    struct span name = value_str(value_get(item, "name"), NOTHING);
    struct span arguments = value_get(item, "arguments");

    if (!id.len || id.len > CHAT_ID_MAX || !name.len || name.len > 128 || value_kind_of(arguments) != VALUE_STR) {
        return openai_refuse(self->error, "A `function_call` needs `call_id`, `name` and `arguments` (a string).");
    }
    if (!self->is_open) {
        pack_map_begin(self->out);
        pack_kv_text(self->out, "role", "assistant");
        self->is_open = true;
    }
    if (!self->in_calls) {
        pack_key(self->out, "tool_calls");
        pack_array_begin(self->out);
        self->in_calls = true;
    }
    pack_map_begin(self->out);
    pack_kv_str(self->out, "id", id);
    pack_kv_text(self->out, "type", "function");
    pack_key(self->out, "function");
    pack_map_begin(self->out);
    pack_kv_str(self->out, "name", name);
    pack_kv_raw(self->out, "arguments", arguments);
    pack_map_end(self->out);
    pack_map_end(self->out);
    return 0;
}

static int result_pack(struct items *self, struct span item)
{
    struct span id = value_str(value_get(item, "call_id"), NOTHING);
    int r;

    if (!id.len || id.len > CHAT_ID_MAX) {
        return openai_refuse(self->error, "A `function_call_output` needs a `call_id`.");
    }
    open_end(self);
    self->is_asked = true;
    pack_map_begin(self->out);
    pack_kv_text(self->out, "role", "tool");
    pack_kv_str(self->out, "tool_call_id", id);
    pack_key(self->out, "content");
    r = content_pack(self, value_get(item, "output"));
    pack_map_end(self->out);
    return r;
}

static int item_pack(struct items *self, struct span item)
{
    struct span type = value_str(value_get(item, "type"), SPAN_LIT("message"));

    if (value_kind_of(item) != VALUE_MAP) {
        return openai_refuse(self->error, "Every item of `input` must be an object.");
    }
    if (span_is_text(type, "message")) {
        return message_pack(self, item);
    }
    if (span_is_text(type, "function_call")) {
        return call_pack(self, item);
    }
    if (span_is_text(type, "function_call_output")) {
        return result_pack(self, item);
    }
    if (span_is_text(type, "reasoning") || span_is_text(type, "item_reference")) {
        return 0;
    }
    return openai_refuse(self->error, "`input` holds an item of the type `%.*s`, which is not taken here.",
                         SPAN_FMT(utf8_cut(type, 64)));
}

static void said_pack(struct items *self, const char *role, struct span text)
{
    pack_map_begin(self->out);
    pack_kv_text(self->out, "role", role);
    pack_kv_str(self->out, "content", text);
    pack_map_end(self->out);
}

int openresponses_items_pack(struct span instructions, struct span input, struct parts *parts, struct pack *out,
                             struct openai_error *error)
{
    struct items self = { .out = out, .parts = parts, .error = error };
    struct value_iter it = value_iter(input);
    struct span key;
    struct span item;
    int r = 0;

    if (value_kind_of(input) != VALUE_STR && value_kind_of(input) != VALUE_ARRAY) {
        return openai_refuse(error, "`input` must be a string or a list of items.");
    }
    if (value_count(input) > OPENRESPONSES_ITEMS_MAX) {
        return openai_refuse(error, "`input` must not hold more than %u items.", OPENRESPONSES_ITEMS_MAX);
    }
    pack_array_begin(out);
    if (instructions.len) {
        said_pack(&self, "system", instructions);
    }
    if (value_kind_of(input) == VALUE_STR) {
        self.is_asked = value_str(input, NOTHING).len > 0;
        said_pack(&self, "user", value_str(input, NOTHING));
    }
    while (!r && value_next(&it, &key, &item)) {
        r = item_pack(&self, item);
    }
    open_end(&self);
    pack_array_end(out);
    if (!r && !self.is_asked) {
        return openai_refuse(error, "Missing user message in `input`.");
    }
    return r ? r : pack_error(out);
}
