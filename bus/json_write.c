#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/utf8.h"
#include "bus/json.h"
#include "bus/json_scan.h"
#include "bus/value_direct.h"

#define NUMBER_MAX 32 /* characters of any number we write */
#define DEPTH_MOST 256

struct writer {
    struct text_buf *out;
    bool is_pretty;
    unsigned depth;
    int fault;
};

static bool room(struct writer *w, size_t more)
{
    if (__builtin_expect(w->out->cap - w->out->len >= more, 1)) {
        return true;
    }
    w->fault = text_buf_reserve(w->out, more);
    return w->fault == 0;
}

static void add(struct writer *w, const char *text, size_t len)
{
    memcpy(w->out->data + w->out->len, text, len);
    w->out->len += len;
}

static bool add_lit(struct writer *w, const char *text)
{
    size_t len = strlen(text);

    if (!room(w, len)) {
        return false;
    }
    add(w, text, len);
    return true;
}

static bool add_char(struct writer *w, char byte)
{
    if (!room(w, 1)) {
        return false;
    }
    w->out->data[w->out->len++] = byte;
    return true;
}

/* --- strings ---------------------------------------------------------------------------- */

static size_t escape_put(char byte, char *dst)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_names[] = "btn?fr"; /* 0x08 to 0x0d, without 0x0b */

    dst[0] = '\\';
    if (byte == '"' || byte == '\\') {
        dst[1] = byte;
        return 2;
    }
    if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b) {
        dst[1] = short_names[byte - 0x08];
        return 2;
    }
    dst[1] = 'u';
    dst[2] = '0';
    dst[3] = '0';
    dst[4] = hex[(unsigned char)byte >> 4];
    dst[5] = hex[byte & 0x0f];
    return 6;
}

/* One byte or character that scan_plain stopped at. */
static size_t odd_put(const char *at, const char *end, struct writer *w)
{
    char *dst = w->out->data + w->out->len;
    size_t len;

    if ((unsigned char)*at < 0x80) {
        w->out->len += escape_put(*at, dst);
        return 1;
    }
    len = utf8_char_len(at, (size_t)(end - at));
    if (len == 0) { /* never send clients what their JSON reader must refuse */
        add(w, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
        return 1;
    }
    add(w, at, len);
    return len;
}

static bool string_write(struct writer *w, struct span text)
{
    const char *at = text.len ? text.ptr : "";
    const char *end = at + text.len;

    if (!room(w, text.len + 2)) {
        return false;
    }
    w->out->data[w->out->len++] = '"';
    while (at < end) {
        const char *odd = scan_plain(at, end);

        add(w, at, (size_t)(odd - at));
        at = odd;
        if (at < end) {
            if (!room(w, (size_t)(end - at) + 8)) { /* the rest, the quote, and what an escape adds */
                return false;
            }
            at += odd_put(at, end, w);
        }
    }
    w->out->data[w->out->len++] = '"';
    return true;
}

static bool base64_write(struct writer *w, struct span bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t left = bytes.len;
    const unsigned char *at = (const unsigned char *)bytes.ptr;

    if (!room(w, (bytes.len + 2) / 3 * 4 + 2)) {
        return false;
    }
    w->out->data[w->out->len++] = '"';
    while (left > 0) {
        uint32_t three = (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0) | (left > 2 ? at[2] : 0);
        char four[4] = { digits[three >> 18], digits[three >> 12 & 63], left > 1 ? digits[three >> 6 & 63] : '=',
                         left > 2 ? digits[three & 63] : '=' };

        add(w, four, sizeof(four));
        at += left < 3 ? left : 3;
        left -= left < 3 ? left : 3;
    }
    w->out->data[w->out->len++] = '"';
    return true;
}

/* --- numbers ------------------------------------------------------------------------------ */

/* Writes digits to the end of `dst` and returns where they begin. */
static char *digits_put(uint64_t number, char *end)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return end;
}

static bool u64_write(struct writer *w, uint64_t number, bool is_negative)
{
    char text[NUMBER_MAX];
    char *end = text + sizeof(text);
    char *at = digits_put(number, end);

    if (is_negative) {
        *--at = '-';
    }
    if (!room(w, NUMBER_MAX)) {
        return false;
    }
    add(w, at, (size_t)(end - at));
    return true;
}

static bool i64_write(struct writer *w, int64_t number)
{
    return number < 0 ? u64_write(w, 0 - (uint64_t)number, true) : u64_write(w, (uint64_t)number, false);
}

/* Most doubles that people and programs write have a few decimals. If m / 10^k gives the number
 * back, m with k decimals is exact, since both are exact doubles; the first k is the shortest. */
static bool short_f64_write(struct writer *w, double number, bool *ret_done)
{
    static const double powers[] = { 1, 10, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };
    double size = fabs(number);

    *ret_done = false;
    for (unsigned k = 0; k < sizeof(powers) / sizeof(powers[0]); k++) {
        double scaled = nearbyint(size * powers[k]);
        char text[NUMBER_MAX];
        char *end = text + sizeof(text);
        char *at;

        if (scaled >= 9007199254740992.0) {
            return true;
        }
        if (scaled / powers[k] != size) {
            continue;
        }
        at = digits_put((uint64_t)scaled, end);
        while ((size_t)(end - at) <= k) {
            *--at = '0';
        }
        *ret_done = true;
        if (!room(w, NUMBER_MAX)) {
            return false;
        }
        if (number < 0) {
            w->out->data[w->out->len++] = '-';
        }
        add(w, at, (size_t)(end - at) - k);
        if (k) {
            w->out->data[w->out->len++] = '.';
            add(w, end - k, k);
        }
        return true;
    }
    return true;
}

static bool f64_write(struct writer *w, double number)
{
    char text[NUMBER_MAX];
    bool is_done;
    int len = 0;

    if (!isfinite(number)) {
        return add_lit(w, "null");
    }
    if (!short_f64_write(w, number, &is_done) || is_done) {
        return w->fault == 0;
    }
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back the same */
        len = snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    if (!room(w, NUMBER_MAX)) {
        return false;
    }
    add(w, text, (size_t)len);
    return true;
}

/* --- values ---------------------------------------------------------------------------------- */

static bool value_write(struct writer *w, struct span *cursor);

static bool newline(struct writer *w)
{
    if (!w->is_pretty) {
        return true;
    }
    if (!room(w, 1 + (size_t)w->depth * 2)) {
        return false;
    }
    w->out->data[w->out->len++] = '\n';
    memset(w->out->data + w->out->len, ' ', (size_t)w->depth * 2);
    w->out->len += (size_t)w->depth * 2;
    return true;
}

static bool malformed(struct writer *w)
{
    w->fault = FAULT(-EPROTO);
    return false;
}

static bool key_write(struct writer *w, struct span *cursor)
{
    struct value_head head;

    if (!value_head_read(cursor, &head) || head.kind != VALUE_STR) {
        return malformed(w);
    }
    return string_write(w, head.bytes) && add_char(w, ':') && (!w->is_pretty || add_char(w, ' '));
}

static bool container_write(struct writer *w, struct span *cursor, const struct value_head *head)
{
    bool is_map = head->kind == VALUE_MAP;

    if (w->depth == DEPTH_MOST) {
        return malformed(w);
    }
    if (!add_char(w, is_map ? '{' : '[')) {
        return false;
    }
    w->depth++;
    for (uint32_t i = 0; i < head->count; i++) {
        if ((i && !add_char(w, ',')) || !newline(w) || (is_map && !key_write(w, cursor)) || !value_write(w, cursor)) {
            return false;
        }
    }
    w->depth--;
    if (head->count && !newline(w)) {
        return false;
    }
    return add_char(w, is_map ? '}' : ']');
}

static bool value_write(struct writer *w, struct span *cursor)
{
    struct value_head head;

    if (!value_head_read(cursor, &head)) {
        return malformed(w);
    }
    switch (head.kind) {
    case VALUE_STR:
        return string_write(w, head.bytes);
    case VALUE_INT:
        return i64_write(w, head.i64);
    case VALUE_UINT:
        return u64_write(w, head.u64, false);
    case VALUE_BOOL:
        return add_lit(w, head.boolean ? "true" : "false");
    case VALUE_FLOAT:
        return f64_write(w, head.f64);
    case VALUE_MAP:
    case VALUE_ARRAY:
        return container_write(w, cursor, &head);
    case VALUE_BIN:
        return base64_write(w, head.bytes);
    case VALUE_NIL:
    case VALUE_EXT:
        return add_lit(w, "null");
    case VALUE_NONE:
        break;
    }
    return malformed(w);
}

static int write_all(struct span value, struct text_buf *out, bool is_pretty)
{
    struct writer writer = { .out = out, .is_pretty = is_pretty };
    size_t start = out->len;

    if (value_write(&writer, &value) && value.len == 0) {
        return 0;
    }
    out->len = start;
    return writer.fault ? writer.fault : FAULT(-EPROTO);
}

int json_from_value(struct span value, struct text_buf *out)
{
    return write_all(value, out, false);
}

int json_from_value_pretty(struct span value, struct text_buf *out)
{
    return write_all(value, out, true);
}

int json_from_text(struct span text, struct text_buf *out)
{
    struct writer writer = { .out = out };
    size_t start = out->len;

    if (string_write(&writer, text)) {
        return 0;
    }
    out->len = start;
    return writer.fault;
}
