#include "actors/hooks/template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })

/* --- where an expression leads ------------------------------------------------------------------ */

static struct span member_of(struct span value, struct span name)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;
    struct span found = NOTHING;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (span_is(key, name)) {
            found = item; /* of a name that comes twice the last one counts, as in JSON.parse */
        }
    }
    return found;
}

static struct span element_of(struct span value, uint64_t at)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    for (uint64_t i = 0; !it.is_map && value_next(&it, &key, &item); i++) {
        if (i == at) {
            return item;
        }
    }
    return NOTHING;
}

static bool place_read(struct span digits, uint64_t *ret_at)
{
    *ret_at = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9' || *ret_at > UINT32_MAX) {
            return false;
        }
        *ret_at = *ret_at * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    return digits.len > 0;
}

/* Takes "[12]" or "name" off the path. */
static struct span step(struct span value, struct span *path)
{
    const char *end = memchr(path->ptr, ']', path->len);
    uint64_t at;
    size_t len = 0;

    if (path->ptr[0] == '[') {
        struct span digits = { path->ptr + 1, end ? (size_t)(end - path->ptr) - 1 : 0 };

        len = end ? digits.len + 2 : path->len;
        path->ptr += len;
        path->len -= len;
        return place_read(digits, &at) ? element_of(value, at) : NOTHING;
    }
    while (len < path->len && path->ptr[len] != '.' && path->ptr[len] != '[') {
        len++;
    }
    value = member_of(value, (struct span){ path->ptr, len });
    path->ptr += len;
    path->len -= len;
    return value;
}

static struct span walk(struct span value, struct span path)
{
    while (path.len && value.len) {
        if (path.ptr[0] == '.') {
            path.ptr++;
            path.len--;
        } else {
            value = step(value, &path);
        }
    }
    return path.len ? NOTHING : value;
}

static bool begins(struct span *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (!span_starts(*text, prefix)) {
        return false;
    }
    text->ptr += len;
    text->len -= len;
    return true;
}

/* --- what is put in ------------------------------------------------------------------------------ */

static int value_add(struct span value, struct text_buf *out)
{
    switch (value_kind_of(value)) {
    case VALUE_NONE:
    case VALUE_NIL:
        return 0;
    case VALUE_STR:
        return text_buf_add(out, value_str(value, NOTHING));
    default:
        return json_from_value(value, out) == -ENOMEM ? -ENOMEM : 0; /* what JSON does not have is left out */
    }
}

static int now_add(int64_t now_ms, struct text_buf *out)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm utc;
    char text[40];
    char whole[48];

    if (!gmtime_r(&now, &utc) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc)) {
        return 0;
    }
    (void)snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int)(now_ms % 1000)); /* fits */
    return text_buf_add(out, span_from(whole));
}

static int expression_add(struct span expression, const struct template_facts *facts, struct text_buf *out)
{
    if (span_is_text(expression, "path")) {
        return text_buf_add(out, facts->path);
    }
    if (span_is_text(expression, "now")) {
        return now_add(facts->now_ms, out);
    }
    if (begins(&expression, "headers.")) {
        return value_add(member_of(facts->headers, expression), out);
    }
    if (begins(&expression, "query.")) {
        return value_add(member_of(facts->query, expression), out);
    }
    (void)begins(&expression, "payload.");
    return value_add(walk(facts->payload, expression), out);
}

/* Is this "{{", something, "}}"? Then what stands between. */
static bool braces_read(struct span text, struct span *ret_inner, size_t *ret_len)
{
    const char *end = text.len > 2 ? memchr(text.ptr + 2, '}', text.len - 2) : NULL;

    if (!end || text.ptr[0] != '{' || text.ptr[1] != '{') {
        return false;
    }
    *ret_inner = span_trim((struct span){ text.ptr + 2, (size_t)(end - text.ptr) - 2 });
    *ret_len = (size_t)(end - text.ptr) + 2;
    return *ret_len <= text.len && end[1] == '}' && end > text.ptr + 2;
}

int template_fill(struct span text, const struct template_facts *facts, size_t most, struct text_buf *out)
{
    size_t before = out->len;
    int r = 0;

    while (!r && text.len) {
        struct span inner;
        size_t len;

        if (braces_read(text, &inner, &len)) {
            r = expression_add(inner, facts, out);
        } else {
            const char *next = text.len > 1 ? memchr(text.ptr + 1, '{', text.len - 1) : NULL;

            len = next ? (size_t)(next - text.ptr) : text.len;
            r = text_buf_add(out, (struct span){ text.ptr, len });
        }
        text.ptr += len;
        text.len -= len;
        if (!r && out->len - before > most) {
            return TEMPLATE_E_LONG;
        }
    }
    return r;
}
