#include "bus/base/log_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SPEC_MAX 32U

struct writing {
    char *out;
    size_t room; /* without the terminator */
    size_t len;
    va_list args;
    bool is_quoted; /* inside quotes of the format */
};

/* One conversion: "%-*.3zu". */
struct conversion {
    char spec[SPEC_MAX]; /* for snprintf, its stars filled in */
    int precision;       /* -1: none */
    char length;         /* of h, l, L (ll), z, j, t; 0: none */
    char kind;
};

/* --- texts ------------------------------------------------------------------------------------ */

static void char_add(struct writing *self, char c)
{
    if (self->len < self->room) {
        self->out[self->len++] = c;
    }
}

static void escaped_add(struct writing *self, char c)
{
    bool is_special = c == '"' || c == '\\';

    if (is_special && self->len + 2 > self->room) {
        self->room = self->len; /* nothing more, or it would stand behind a gap */
        return;
    }
    if (is_special) {
        char_add(self, '\\');
    }
    char_add(self, c);
}

static void text_add(struct writing *self, const struct conversion *how)
{
    const char *text = va_arg(self->args, const char *);
    size_t max = how->precision < 0 ? SIZE_MAX : (size_t)how->precision;

    text = text ? text : max >= 6 ? "(null)" : "";
    for (size_t i = 0; i < max && text[i]; i++) {
        escaped_add(self, text[i]);
    }
}

/* --- everything else ---------------------------------------------------------------------------- */

/* The compiler has checked format and arguments where they were written; `spec` is a piece of that. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int whole_write(struct writing *self, const struct conversion *how, char *at, size_t size)
{
    switch (how->length) {
    case 'l':
        return snprintf(at, size, how->spec, va_arg(self->args, long));
    case 'L':
        return snprintf(at, size, how->spec, va_arg(self->args, long long));
    case 'z':
        return snprintf(at, size, how->spec, va_arg(self->args, size_t));
    case 'j':
        return snprintf(at, size, how->spec, va_arg(self->args, intmax_t));
    case 't':
        return snprintf(at, size, how->spec, va_arg(self->args, ptrdiff_t));
    default:
        return snprintf(at, size, how->spec, va_arg(self->args, int));
    }
}

static int value_write(struct writing *self, const struct conversion *how, char *at, size_t size)
{
    switch (how->kind) {
    case 's':
        return snprintf(at, size, how->spec, va_arg(self->args, const char *));
    case 'p':
        return snprintf(at, size, how->spec, va_arg(self->args, void *));
    case 'e':
    case 'f':
    case 'g':
        return snprintf(at, size, how->spec, va_arg(self->args, double));
    default:
        return whole_write(self, how, at, size);
    }
}

#pragma GCC diagnostic pop

static void value_add(struct writing *self, const struct conversion *how)
{
    size_t left = self->room - self->len;
    int len = value_write(self, how, self->out + self->len, left + 1);

    self->len += len < 0 ? 0 : (size_t)len < left ? (size_t)len : left;
}

/* --- the format ----------------------------------------------------------------------------------- */

static void spec_add(struct conversion *self, size_t *len, char c)
{
    if (*len + 1 < SPEC_MAX) {
        self->spec[(*len)++] = c;
    }
}

/* Digits, or a star, whose argument takes its place. */
static const char *number_read(struct writing *writing, const char *fmt, struct conversion *self, size_t *len,
                               int *ret_number)
{
    if (*fmt == '*') {
        *ret_number = va_arg(writing->args, int);
        *len += (size_t)snprintf(self->spec + *len, SPEC_MAX - *len, "%d", *ret_number); /* fits */
        return fmt + 1;
    }
    for (*ret_number = 0; *fmt >= '0' && *fmt <= '9'; fmt++) {
        *ret_number = *ret_number < 100000 ? *ret_number * 10 + (*fmt - '0') : *ret_number;
        spec_add(self, len, *fmt);
    }
    return fmt;
}

/* `fmt` is behind the "%". Returns what is behind the conversion. */
static const char *conversion_read(struct writing *writing, const char *fmt, struct conversion *self)
{
    size_t len = 0;
    int width;

    *self = (struct conversion){ .precision = -1 };
    spec_add(self, &len, '%');
    while (*fmt && strchr("-+ #0", *fmt)) {
        spec_add(self, &len, *fmt++);
    }
    fmt = number_read(writing, fmt, self, &len, &width);
    if (*fmt == '.') {
        spec_add(self, &len, *fmt++);
        fmt = number_read(writing, fmt, self, &len, &self->precision);
    }
    while (*fmt && strchr("hlzjt", *fmt)) {
        self->length = self->length == 'l' && *fmt == 'l' ? 'L' : *fmt;
        spec_add(self, &len, *fmt++);
    }
    self->kind = *fmt;
    spec_add(self, &len, *fmt);
    return *fmt ? fmt + 1 : fmt;
}

void log_text_write(char *out, size_t size, const char *fmt, va_list args)
{
    struct writing self = { .out = out, .room = size - 1 };

    va_copy(self.args, args);
    while (*fmt) {
        struct conversion how;

        if (*fmt != '%') {
            self.is_quoted ^= *fmt == '"';
            char_add(&self, *fmt++);
            continue;
        }
        fmt = conversion_read(&self, fmt + 1, &how);
        if (how.kind == '%') {
            char_add(&self, '%');
        } else if (how.kind == 's' && self.is_quoted) {
            text_add(&self, &how);
        } else {
            value_add(&self, &how);
        }
    }
    va_end(self.args);
    out[self.len] = '\0';
}
