/*
 * span: a borrowed run of bytes, not terminated.
 */
#ifndef BUS_BASE_SPAN_H
#define BUS_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN_LIT(s) ((struct span){ (s), sizeof(s) - 1 })
#define SPAN_FMT(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline struct span span_from(const char *text)
{
    return (struct span){ text, text ? strlen(text) : 0 };
}

static inline bool span_is(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_is_text(struct span a, const char *text)
{
    return span_is(a, span_from(text));
}

static inline bool span_starts(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && memcmp(a.ptr, prefix, len) == 0;
}

/* Without the white space (of ASCII) around it. */
static inline struct span span_trim(struct span text)
{
    while (text.len && (text.ptr[0] == ' ' || (text.ptr[0] >= '\t' && text.ptr[0] <= '\r'))) {
        text.ptr++;
        text.len--;
    }
    while (text.len &&
           (text.ptr[text.len - 1] == ' ' || (text.ptr[text.len - 1] >= '\t' && text.ptr[text.len - 1] <= '\r'))) {
        text.len--;
    }
    return text;
}

#endif
