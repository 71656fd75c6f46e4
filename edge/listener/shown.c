#include "edge/listener/shown.h"

#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define SHOWN_NAME_MAX 128U

static bool is_named(const struct request_header *header, struct span name)
{
    return header->name.len == name.len && strncasecmp(header->name.ptr, name.ptr, name.len) == 0;
}

static size_t add(char *text, size_t len, struct span more)
{
    size_t room = SHOWN_VALUE_MAX - len;
    size_t part = more.len < room ? more.len : room;

    memcpy(text + len, more.ptr, part);
    return len + part;
}

/* All values of one header; false when it is absent. Together they are shorter than a head. */
static bool value_of(const struct request *request, struct span name, char text[SHOWN_VALUE_MAX], size_t *ret_len)
{
    bool is_found = false;
    size_t len = 0;

    for (size_t i = 0; i < request->headers_n; i++) {
        const struct request_header *header = &request->headers[i];

        if (is_named(header, name)) {
            len = is_found ? add(text, len, SPAN_LIT(", ")) : len;
            len = header->value.len ? add(text, len, header->value) : len;
            is_found = true;
        }
    }
    *ret_len = len;
    return is_found;
}

void shown_headers(struct span names, const struct request *request, struct pack *pack)
{
    struct value_iter iter = value_iter(names);
    char text[SHOWN_VALUE_MAX];
    struct span key;
    struct span item;

    pack_map_begin(pack);
    while (value_next(&iter, &key, &item)) {
        struct span name = value_str(item, (struct span){ NULL, 0 });
        size_t len;

        if (name.len && value_of(request, name, text, &len)) {
            pack_key_span(pack, name);
            pack_str(pack, (struct span){ text, len });
        }
    }
    pack_map_end(pack);
}

static bool is_secret(struct span name)
{
    static const char *const secrets[] = { "authorization", "cookie", "proxy-authorization", "x-openclaw-token" };

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (span_is_text(name, secrets[i])) {
            return true;
        }
    }
    return false;
}

static bool is_first(const struct request *request, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (is_named(&request->headers[i], request->headers[at].name)) {
            return false;
        }
    }
    return true;
}

void shown_headers_harmless(const struct request *request, struct pack *pack)
{
    char text[SHOWN_VALUE_MAX];

    pack_map_begin(pack);
    for (size_t i = 0; i < request->headers_n; i++) {
        const struct request_header *header = &request->headers[i];
        char name[SHOWN_NAME_MAX];
        struct span lower = { name, header->name.len };
        size_t len;

        if (lower.len > sizeof(name) || !is_first(request, i)) {
            continue;
        }
        for (size_t j = 0; j < lower.len; j++) {
            char c = header->name.ptr[j];

            name[j] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        if (!is_secret(lower) && value_of(request, lower, text, &len) && utf8_is_valid((struct span){ text, len })) {
            pack_key_span(pack, lower);
            pack_str(pack, (struct span){ text, len });
        }
    }
    pack_map_end(pack);
}
