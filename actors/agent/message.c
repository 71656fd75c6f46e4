#include "actors/agent/message.h"

#include <stdio.h>
#include <string.h>

#include "actors/agent/tool_calls.h"
#include "bus/base/cleanup.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define WORD_MAX 160     /* bytes of an address or a type, with terminator */
#define NAME_MAX_LEN 224 /* bytes of what stands for a part, with terminator */

static bool part_is_text(struct span part)
{
    return span_is_text(value_str(value_get(part, "type"), SPAN_LIT("")), "text");
}

/* Bytes that a base64 text stands for. */
static size_t base64_bytes(struct span text)
{
    while (text.len && text.ptr[text.len - 1] == '=') {
        text.len--;
    }
    return text.len / 4 * 3 + text.len % 4 * 3 / 4;
}

/* A name or an address that fits on a line: cut, and without control characters or a bracket that would end it. */
static void word_copy(struct span text, char ret_word[WORD_MAX])
{
    size_t len = utf8_cut(text, WORD_MAX - 1).len;

    for (size_t i = 0; i < len; i++) {
        ret_word[i] =
            (unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == ']' || text.ptr[i] == 0x7f ? '_' : text.ptr[i];
    }
    ret_word[len] = '\0';
}

/* data:image/png;base64,… by type and size; any other address as it stands. */
static void address_name(const char *what, struct span url, char ret_name[NAME_MAX_LEN])
{
    const char *comma = span_starts(url, "data:") ? memchr(url.ptr, ',', url.len) : NULL;
    size_t head = comma ? (size_t)(comma - url.ptr) - (sizeof("data:") - 1) : 0;
    struct span type = { comma ? url.ptr + sizeof("data:") - 1 : NULL, head };
    const char *semicolon = comma ? memchr(type.ptr, ';', type.len) : NULL;
    char word[WORD_MAX];

    if (!comma) {
        word_copy(url, word);
        (void)snprintf(ret_name, NAME_MAX_LEN, word[0] ? "[%s %s]" : "[%s]", what, word);
        return;
    }
    bool is_base64 = head >= 7 && memcmp(comma - 7, ";base64", 7) == 0;
    struct span data = { comma + 1, url.len - (size_t)(comma + 1 - url.ptr) };

    type.len = semicolon ? (size_t)(semicolon - type.ptr) : type.len;
    word_copy(type, word);
    (void)snprintf(ret_name, NAME_MAX_LEN, "[%s %s %zu bytes]", what, word[0] ? word : "text/plain",
                   is_base64 ? base64_bytes(data) : data.len);
}

/* What stands in a text for a part that is none: "[image image/png 1234 bytes]". */
static void part_name(struct span part, char ret_name[NAME_MAX_LEN])
{
    struct span type = value_str(value_get(part, "type"), SPAN_LIT("unknown"));
    struct span image = value_get(part, "image_url");
    struct span data = value_str(value_path(part, "input_audio.data"), SPAN_LIT(""));
    char word[WORD_MAX];

    if (span_is_text(type, "image_url")) {
        address_name("image", value_str(value_get(image, "url"), value_str(image, SPAN_LIT(""))), ret_name);
    } else if (span_is_text(type, "input_audio")) {
        word_copy(value_str(value_path(part, "input_audio.format"), SPAN_LIT("unknown")), word);
        (void)snprintf(ret_name, NAME_MAX_LEN, "[audio %s %zu bytes]", word, base64_bytes(data));
    } else if (span_is_text(type, "file")) {
        struct span name = value_str(value_path(part, "file.filename"), SPAN_LIT(""));

        word_copy(name.len ? name : value_str(value_path(part, "file.file_id"), SPAN_LIT("unnamed")), word);
        (void)snprintf(ret_name, NAME_MAX_LEN, "[file %s %zu bytes]", word,
                       base64_bytes(value_str(value_path(part, "file.file_data"), SPAN_LIT(""))));
    } else if (tool_calls_is_part(part)) {
        word_copy(value_str(value_get(part, "name"), SPAN_LIT("unnamed")), word);
        (void)snprintf(ret_name, NAME_MAX_LEN, "[call of %s]", word);
    } else {
        word_copy(type, word);
        (void)snprintf(ret_name, NAME_MAX_LEN, "[%s %zu bytes]", word, part.len);
    }
}

static int part_add(struct span part, struct text_buf *out)
{
    char name[NAME_MAX_LEN];

    if (part_is_text(part)) {
        return text_buf_add(out, value_str(value_get(part, "text"), SPAN_LIT("")));
    }
    part_name(part, name);
    return text_buf_add(out, span_from(name));
}

int message_text_add(struct span content, struct text_buf *out)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;
    bool is_first = true;

    if (value_kind_of(content) == VALUE_STR) {
        return text_buf_add(out, value_str(content, SPAN_LIT("")));
    }
    while (value_next(&it, &key, &part)) {
        int rc = 0;

        if (!is_first) {
            rc = text_buf_add(out, SPAN_LIT("\n"));
        }
        is_first = false;
        rc = rc ? rc : part_add(part, out);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

size_t message_text_bytes(struct span content)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;
    size_t bytes = 0;

    if (value_kind_of(content) == VALUE_STR) {
        return value_str(content, SPAN_LIT("")).len;
    }
    while (value_next(&it, &key, &part)) {
        bytes += (part_is_text(part) ? value_str(value_get(part, "text"), SPAN_LIT("")).len : NAME_MAX_LEN) + 1;
    }
    return bytes;
}

struct span message_last(struct span messages, const char *role)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    struct span last = { 0 };

    while (value_next(&it, &key, &message)) {
        if (span_is_text(value_str(value_get(message, "role"), SPAN_LIT("")), role)) {
            last = message;
        }
    }
    return last;
}

bool message_is_text(struct span content)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;

    while (value_next(&it, &key, &part)) {
        if (!part_is_text(part)) {
            return false;
        }
    }
    return true;
}

int message_said_add(struct span content, struct text_buf *out)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;
    int rc = 0;

    if (value_kind_of(content) == VALUE_STR) {
        return text_buf_add(out, value_str(content, SPAN_LIT("")));
    }
    while (!rc && value_next(&it, &key, &part)) {
        if (part_is_text(part)) {
            rc = out->len ? text_buf_add(out, SPAN_LIT("\n")) : 0;
            rc = rc ? rc : text_buf_add(out, value_str(value_get(part, "text"), SPAN_LIT("")));
        }
    }
    return rc;
}

/* What an assistant said and which tools it called. */
static bool answer_pack(struct span message, struct pack *out)
{
    struct span content = value_get(message, "content");
    struct span calls = value_get(message, "tool_calls");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(pack_deinit) struct pack own;

    pack_init(&own, 0);
    if (!value_count(calls) && tool_calls_from_parts(content, &own)) {
        calls = pack_span(&own);
    }
    if (message_said_add(content, &text) || (!text.len && !value_count(calls))) {
        return false;
    }
    pack_map_begin(out);
    pack_kv_text(out, "role", "assistant");
    pack_key(out, "content");
    if (text.len) {
        pack_str(out, (struct span){ text.data, text.len });
    } else {
        pack_nil(out);
    }
    if (value_count(calls)) {
        pack_kv_raw(out, "tool_calls", calls);
    }
    pack_map_end(out);
    return true;
}

/* What a tool answered; also when that is nothing. */
static bool result_pack(struct span message, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct span id = message_call_id(message);

    if (message_text_add(value_get(message, "content"), &text)) {
        return false;
    }
    pack_map_begin(out);
    pack_kv_text(out, "role", "tool");
    pack_kv_str(out, "tool_call_id", id);
    pack_kv_str(out, "content", (struct span){ text.data ? text.data : "", text.len });
    pack_map_end(out);
    return true;
}

struct span message_call_id(struct span message)
{
    return value_str(value_get(message, "tool_call_id"), value_str(value_get(message, "toolCallId"), SPAN_LIT("")));
}

bool message_is_result(struct span message)
{
    struct span role = value_str(value_get(message, "role"), SPAN_LIT(""));

    return span_is_text(role, "tool") || span_is_text(role, "toolResult");
}

bool message_pack(struct span message, struct pack *out)
{
    struct span role = value_str(value_get(message, "role"), SPAN_LIT("user"));
    struct span content = value_get(message, "content");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (message_is_result(message)) {
        return result_pack(message, out);
    }
    if (span_is_text(role, "assistant")) {
        return answer_pack(message, out);
    }
    if (!message_is_text(content)) {
        pack_map_begin(out);
        pack_kv_str(out, "role", role);
        pack_kv_raw(out, "content", content);
        pack_map_end(out);
        return true;
    }
    if (!message_text_bytes(content) || message_text_add(content, &text)) {
        return false;
    }
    pack_map_begin(out);
    pack_kv_str(out, "role", role);
    pack_kv_str(out, "content", (struct span){ text.data, text.len });
    pack_map_end(out);
    return true;
}

void message_text_pack(struct span text, struct pack *out)
{
    if (text.len) {
        pack_map_begin(out);
        pack_kv_text(out, "type", "text");
        pack_kv_str(out, "text", text);
        pack_map_end(out);
    }
}

void message_content_pack(struct span text, struct pack *out)
{
    pack_array_begin(out);
    message_text_pack(text, out);
    pack_array_end(out);
}
