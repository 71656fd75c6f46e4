#include "actors/agent/message.h"

#include "bus/base/cleanup.h"
#include "bus/value.h"

static bool part_is_text(struct span part)
{
    return span_is_text(value_str(value_get(part, "type"), SPAN_LIT("")), "text");
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

        if (!part_is_text(part)) {
            continue;
        }
        if (!is_first) {
            rc = text_buf_add(out, SPAN_LIT("\n"));
        }
        is_first = false;
        if (!rc) {
            rc = text_buf_add(out, value_str(value_get(part, "text"), SPAN_LIT("")));
        }
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
        bytes += part_is_text(part) ? value_str(value_get(part, "text"), SPAN_LIT("")).len + 1 : 0;
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

static bool content_is_text(struct span content)
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

bool message_pack(struct span message, struct pack *out)
{
    struct span content = value_get(message, "content");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (!content_is_text(content)) {
        pack_map_begin(out);
        pack_kv_str(out, "role", value_str(value_get(message, "role"), SPAN_LIT("user")));
        pack_kv_raw(out, "content", content);
        pack_map_end(out);
        return true;
    }
    if (!message_text_bytes(content) || message_text_add(content, &text)) {
        return false;
    }
    pack_map_begin(out);
    pack_kv_str(out, "role", value_str(value_get(message, "role"), SPAN_LIT("user")));
    pack_kv_str(out, "content", (struct span){ text.data, text.len });
    pack_map_end(out);
    return true;
}

void message_content_pack(struct span text, struct pack *out)
{
    pack_array_begin(out);
    if (text.len) {
        pack_map_begin(out);
        pack_kv_text(out, "type", "text");
        pack_kv_str(out, "text", text);
        pack_map_end(out);
    }
    pack_array_end(out);
}
