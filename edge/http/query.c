#include "edge/http/query.h"

#include <string.h>

#include "bus/base/utf8.h"

#define PAIR_MAX 4096U /* a target is no longer */

bool query_next(struct span *query, struct span *ret_name, struct span *ret_value)
{
    const char *end;
    const char *equals;
    struct span pair;

    while (query->len && query->ptr[0] == '&') {
        query->ptr++;
        query->len--;
    }
    if (!query->len) {
        return false;
    }
    end = memchr(query->ptr, '&', query->len);
    pair = (struct span){ query->ptr, end ? (size_t)(end - query->ptr) : query->len };
    query->ptr += pair.len;
    query->len -= pair.len;
    equals = memchr(pair.ptr, '=', pair.len);
    *ret_name = (struct span){ pair.ptr, equals ? (size_t)(equals - pair.ptr) : pair.len };
    *ret_value = (struct span){ pair.ptr + pair.len, 0 };
    if (equals) {
        *ret_value = (struct span){ equals + 1, pair.len - ret_name->len - 1 };
    }
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t query_decode(struct span text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len ? digit_of(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? digit_of(text.ptr[i + 2]) : -1;

        if (low >= 0) {
            out[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[len++] = (char)(text.ptr[i] == '+' ? ' ' : text.ptr[i]);
        }
    }
    return len;
}

static bool is_named(struct span encoded, struct span name)
{
    char text[PAIR_MAX];

    return encoded.len <= sizeof(text) && span_is((struct span){ text, query_decode(encoded, text) }, name);
}

static bool holds(struct span query, struct span wanted)
{
    struct span name;
    struct span value;

    while (query_next(&query, &name, &value)) {
        if (is_named(name, wanted)) {
            return true;
        }
    }
    return false;
}

bool query_has(struct span query, const char *name)
{
    return holds(query, span_from(name));
}

void query_pack(struct span query, size_t most, struct pack *out)
{
    struct span name;
    struct span value;
    size_t count = 0;

    pack_map_begin(out);
    while (count < most && query_next(&query, &name, &value)) {
        char key[PAIR_MAX];
        char text[PAIR_MAX];
        struct span left;
        struct span right;

        if (name.len > sizeof(key) || value.len > sizeof(text)) {
            continue;
        }
        left = (struct span){ key, query_decode(name, key) };
        right = (struct span){ text, query_decode(value, text) };
        if (utf8_is_valid(left) && utf8_is_valid(right) && !holds(query, left)) {
            pack_key_span(out, left);
            pack_str(out, right);
            count++;
        }
    }
    pack_map_end(out);
}
