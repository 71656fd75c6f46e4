#include "actors/tools/history.h"

#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })
#define CUT "\n[cut]"

static bool is_account(struct span key)
{
    return span_is_text(key, "details") || span_is_text(key, "usage") || span_is_text(key, "cost");
}

static bool is_tools(struct span part)
{
    struct span type = value_str(value_get(part, "type"), NOTHING);

    return span_is_text(type, "toolCall") || span_is_text(type, "toolResult");
}

static void text_pack(struct span text, struct pack *out, struct history *history)
{
    struct span cut = utf8_cut_chars(text, HISTORY_TEXT_MAX);
    char *joined;

    if (cut.len == text.len) {
        pack_str(out, text);
        return;
    }
    history->is_cut = true;
    joined = mem_new(cut.len + sizeof(CUT));
    memcpy(joined, cut.ptr, cut.len);
    memcpy(joined + cut.len, CUT, sizeof(CUT));
    pack_text(out, joined);
    free(joined);
}

/* A picture is said to be there; its bytes are left out. */
static void part_pack(struct span part, struct pack *out, struct history *history)
{
    struct value_iter it = value_iter(part);
    bool is_image = span_is_text(value_str(value_get(part, "type"), NOTHING), "image");
    struct span key;
    struct span item;

    if (!it.is_map) {
        pack_raw(out, part);
        return;
    }
    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        if (is_image && span_is_text(key, "data")) {
            history->is_cut = true;
            pack_kv_bool(out, "omitted", true);
            continue;
        }
        pack_key_span(out, key);
        if (value_kind_of(item) == VALUE_STR) {
            text_pack(value_str(item, NOTHING), out, history);
        } else {
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

static void content_pack(struct span content, bool with_tools, struct pack *out, struct history *history)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;

    if (value_kind_of(content) == VALUE_STR) {
        text_pack(value_str(content, NOTHING), out, history);
        return;
    }
    pack_array_begin(out);
    while (value_next(&it, &key, &part)) {
        if (with_tools || !is_tools(part)) {
            part_pack(part, out, history);
        }
    }
    pack_array_end(out);
}

static void message_pack(struct span message, bool with_tools, struct pack *out, struct history *history)
{
    struct value_iter it = value_iter(message);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        if (is_account(key)) {
            history->is_cut = true;
            continue;
        }
        pack_key_span(out, key);
        if (span_is_text(key, "content")) {
            content_pack(item, with_tools, out, history);
        } else {
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

static bool is_shown(struct span message, bool with_tools)
{
    struct span role = value_str(value_get(message, "role"), NOTHING);

    return with_tools || (!span_is_text(role, "toolResult") && !span_is_text(role, "tool"));
}

void history_pack(struct span messages, bool with_tools, size_t most, struct pack *out, struct history *ret_history)
{
    uint32_t count = value_count(messages);
    struct span *all = mem_new((count + 1) * sizeof(*all));
    struct value_iter it = value_iter(messages);
    struct pack one;
    struct span key;
    struct span message;
    size_t n = 0;
    size_t first;

    *ret_history = (struct history){ .is_cut = false };
    while (value_next(&it, &key, &message)) {
        if (is_shown(message, with_tools)) {
            all[n++] = message;
        }
    }
    pack_init(&one, 0);
    first = n;
    while (first > 0 && n - first < most) {
        struct history unused = { .is_cut = false };

        pack_reset(&one);
        message_pack(all[first - 1], with_tools, &one, &unused);
        if (pack_error(&one) || ret_history->bytes + one.len > HISTORY_BYTES_MAX) {
            break;
        }
        ret_history->bytes += one.len;
        first--;
    }
    ret_history->is_dropped = first > 0;
    pack_array_begin(out);
    for (size_t i = first; i < n; i++) {
        message_pack(all[i], with_tools, out, ret_history);
    }
    pack_array_end(out);
    pack_deinit(&one);
    free(all);
}
