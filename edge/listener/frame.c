#include "edge/listener/frame.h"

#include <stdio.h>

#include "bus/value.h"
#include "schema_gen.h"

static int add(struct text_buf *out, struct span text)
{
    return text_buf_add(out, text);
}

int frame_answer_open(struct span id, struct text_buf *out)
{
    int r = add(out, SPAN_LIT("{\"type\":\"res\",\"id\":"));

    r = r ? r : add(out, id);
    return r ? r : add(out, SPAN_LIT(",\"ok\":true,\"payload\":"));
}

/* Key (a packed string) and value of one pair; `*is_first` is cleared. */
static int pair_add(struct span key, struct span item, bool *is_first, struct text_buf *out)
{
    int r = *is_first ? 0 : add(out, SPAN_LIT(","));

    *is_first = false;
    r = r ? r : json_from_text(key, out);
    r = r ? r : add(out, SPAN_LIT(":"));
    return r ? r : json_from_value(item, out);
}

/* The pairs of a map that clients may see. */
static int pairs_add(struct span map, bool *is_first, struct text_buf *out)
{
    struct value_iter iter = value_iter(map);
    struct span key;
    struct span item;
    int r = 0;

    while (!r && value_next(&iter, &key, &item)) {
        if (key.len == 0 || key.ptr[0] != '_') {
            r = pair_add(key, item, is_first, out);
        }
    }
    return r;
}

/* A packed map as JSON, without the keys that begin with "_"; other values unchanged. */
static int public_add(struct span value, struct span more, struct text_buf *out)
{
    bool is_first = true;
    int r;

    if (value_kind_of(value) != VALUE_MAP) {
        return json_from_value(value, out);
    }
    r = add(out, SPAN_LIT("{"));
    r = r ? r : pairs_add(value, &is_first, out);
    r = r ? r : pairs_add(more, &is_first, out);
    return r ? r : add(out, SPAN_LIT("}"));
}

/* Is there anything a client may see? */
static bool is_public(struct span details)
{
    struct value_iter iter = value_iter(details);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        if (key.len == 0 || key.ptr[0] != '_') {
            return true;
        }
    }
    return false;
}

/* Protocol 4 has a code of its own for what the asker may not do. */
static const char *wire_of(const struct failure *failure, unsigned protocol)
{
    return failure->code == FAIL_MISSING_SCOPE && protocol >= 4 ? "FORBIDDEN" : schema_error_find(failure->code)->wire;
}

int frame_refusal(struct span id, const struct failure *failure, unsigned protocol, struct text_buf *out)
{
    const struct schema_error *row = schema_error_find(failure->code);
    char tail[64];
    int r = add(out, SPAN_LIT("{\"type\":\"res\",\"id\":"));

    r = r ? r : add(out, id);
    r = r ? r : add(out, SPAN_LIT(",\"ok\":false,\"error\":{\"code\":"));
    r = r ? r : json_from_text(span_from(wire_of(failure, protocol)), out);
    r = r ? r : add(out, SPAN_LIT(",\"message\":"));
    r = r ? r : json_from_text(failure->message.len ? failure->message : span_from(row->name), out);
    if (!r && is_public(failure->details)) {
        r = add(out, SPAN_LIT(",\"details\":"));
        r = r ? r : public_add(failure->details, (struct span){ NULL, 0 }, out);
    }
    if (!r && failure->retryable) {
        r = add(out, SPAN_LIT(",\"retryable\":true"));
    }
    if (!r && failure->retry_after_ms) {
        (void)snprintf(tail, sizeof(tail), ",\"retryAfterMs\":%u", failure->retry_after_ms); /* fits */
        r = add(out, span_from(tail));
    }
    return r ? r : add(out, SPAN_LIT("}}"));
}

int frame_event_open(struct span name, struct span payload, struct span more, struct text_buf *out)
{
    int r = add(out, SPAN_LIT("{\"type\":\"event\",\"event\":"));

    r = r ? r : json_from_text(name, out);
    r = r ? r : add(out, SPAN_LIT(",\"payload\":"));
    return r ? r : public_add(payload, more, out);
}
