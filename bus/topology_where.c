#include "bus/topology_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/nearest.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_punctuation(char c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ',';
}

/* Behind the comment that starts at `at`, or `at` when none does. */
static size_t comment_end(struct span text, size_t at)
{
    if (at + 1 >= text.len || text.ptr[at] != '/') {
        return at;
    }
    if (text.ptr[at + 1] == '/') {
        while (at < text.len && text.ptr[at] != '\n') {
            at++;
        }
    } else if (text.ptr[at + 1] == '*') {
        at += 2;
        while (at + 1 < text.len && !(text.ptr[at] == '*' && text.ptr[at + 1] == '/')) {
            at++;
        }
        at = at + 2 < text.len ? at + 2 : text.len;
    }
    return at;
}

static size_t token_end(struct span text, size_t at)
{
    char quote = text.ptr[at];

    if (quote == '"' || quote == '\'') {
        for (at++; at < text.len && text.ptr[at] != quote; at++) {
            at += text.ptr[at] == '\\';
        }
        return at < text.len ? at + 1 : text.len;
    }
    while (at < text.len && !is_blank(text.ptr[at]) && !is_punctuation(text.ptr[at]) && text.ptr[at] != '/') {
        at++;
    }
    return at;
}

/* Offset of the `n`-th key or scalar (from 0); the text's length when there are fewer. */
static size_t token_find(struct span text, size_t n)
{
    size_t at = text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (at < text.len) {
        size_t end = comment_end(text, at);

        if (end > at) {
            at = end;
        } else if (is_blank(text.ptr[at]) || is_punctuation(text.ptr[at])) {
            at++;
        } else if (n-- == 0) {
            return at;
        } else {
            end = token_end(text, at);
            at = end > at ? end : at + 1;
        }
    }
    return text.len;
}

static void place_of(struct span text, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
    size_t line_at = 0;
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            line_at = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = (unsigned)(offset - line_at) + 1;
}

int topology_refuse(struct walk *self, const char *fmt, ...)
{
    char text[200];
    unsigned line;
    unsigned column;
    va_list args;

    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    (void)vsnprintf(text, sizeof(text), fmt, args); /* a cut text still says what is wrong */
    va_end(args);
    place_of(self->text, token_find(self->text, self->tokens_n ? self->tokens_n - 1 : 0), &line, &column);
    (void)snprintf(self->error->text, sizeof(self->error->text), "line %u, column %u: %s", line, column, text);
    return TOPOLOGY_E_REFUSED;
}

int topology_refuse_key(struct walk *self, struct span key, const char *what, const char *const *known)
{
    char typed[64];
    struct nearest nearest = { .typed = typed };

    (void)snprintf(typed, sizeof(typed), "%.*s", (int)(key.len < sizeof(typed) ? key.len : sizeof(typed) - 1), key.ptr);
    for (size_t i = 0; known[i]; i++) {
        nearest_offer(&nearest, known[i]);
    }
    if (nearest.best) {
        return topology_refuse(self, "unknown key \"%s\"; did you mean \"%s\"?", typed, nearest.best);
    }
    char list[128] = "";
    for (size_t i = 0, len = 0; known[i] && len < sizeof(list); i++) {
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s\"%s\"", i ? ", " : "", known[i]);
    }
    return topology_refuse(self, "unknown key \"%s\"; %s has %s", typed, what, list);
}
