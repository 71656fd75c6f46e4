#include "bus/base/utf8.h"
#include "bus/json_reader.h"
#include "bus/json_scan.h"

#define NBSP "\xc2\xa0"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define LINE_SEPARATOR "\xe2\x80\xa8"
#define PARAGRAPH_SEPARATOR "\xe2\x80\xa9"

static bool looking_at(const struct json_reader *r, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(r->end - r->at) >= len && memcmp(r->at, text, len) == 0;
}

/* --- space and comments -------------------------------------------------------------- */

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Bytes of a JSON5 space at r->at beyond those of JSON; 0 when there is none. Unicode's Zs
 * starts with e1, e2 or e3 there, and c2 a0. */
static size_t space5_len(const struct json_reader *r)
{
    static const char *const spaces[] = {
        NBSP,           BYTE_ORDER_MARK, LINE_SEPARATOR, PARAGRAPH_SEPARATOR, "\xe1\x9a\x80",
        "\xe2\x80\x80", "\xe2\x80\x81",  "\xe2\x80\x82", "\xe2\x80\x83",      "\xe2\x80\x84",
        "\xe2\x80\x85", "\xe2\x80\x86",  "\xe2\x80\x87", "\xe2\x80\x88",      "\xe2\x80\x89",
        "\xe2\x80\x8a", "\xe2\x80\xaf",  "\xe2\x81\x9f", "\xe3\x80\x80",
    };

    if (*r->at == '\v' || *r->at == '\f') {
        return 1;
    }
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        if (looking_at(r, spaces[i])) {
            return strlen(spaces[i]);
        }
    }
    return 0;
}

static bool is_line_end(const struct json_reader *r)
{
    return *r->at == '\n' || *r->at == '\r' || looking_at(r, LINE_SEPARATOR) || looking_at(r, PARAGRAPH_SEPARATOR);
}

static bool comment_skip(struct json_reader *r)
{
    if (looking_at(r, "//")) {
        while (r->at < r->end && !is_line_end(r)) {
            r->at++;
        }
        return true;
    }
    if (!looking_at(r, "/*")) {
        return json_reader_fail(r, "'//' or '/*' to begin a comment");
    }
    r->at += 2;
    while (r->at < r->end && !looking_at(r, "*/")) {
        r->at++;
    }
    if (r->at >= r->end) {
        return json_reader_fail(r, "'*/' to end a comment");
    }
    r->at += 2;
    return true;
}

bool json_token_space_slow(struct json_reader *r)
{
    while (r->at < r->end) {
        size_t len;

        if (is_space(*r->at)) {
            r->at++;
            continue;
        }
        if (!r->json5) {
            return true;
        }
        if (*r->at == '/') {
            if (!comment_skip(r)) {
                return false;
            }
            continue;
        }
        len = space5_len(r);
        if (len == 0) {
            return true;
        }
        r->at += len;
    }
    return true;
}

/* --- strings --------------------------------------------------------------------------- */

/* One byte that is not plain: the quote of the other kind, a character above ASCII, or an
 * escape, whose meaning is looked at later. */
static bool odd_skip(struct json_reader *r, struct json_literal *literal)
{
    size_t len;

    if (*r->at == '\\') {
        literal->has_escape = true;
        r->at++;
        if (r->at >= r->end) {
            return json_reader_fail(r, "an escape character");
        }
        if (r->json5 && looking_at(r, "\r\n")) { /* one line end, of two bytes */
            r->at += 2;
            return true;
        }
    } else if ((unsigned char)*r->at < 0x20 && (!r->json5 || is_line_end(r))) {
        return json_reader_fail(r, "an escape instead of a control character in a string");
    }
    len = utf8_char_len(r->at, (size_t)(r->end - r->at));
    if (len == 0) {
        return json_reader_fail(r, "valid UTF-8");
    }
    r->at += len;
    return true;
}

bool json_token_string(struct json_reader *r, struct json_literal *ret_literal)
{
    char quote = *r->at;
    const char *start = ++r->at;

    ret_literal->has_escape = false;
    for (;;) {
        r->at = quote == '"' ? scan_plain(r->at, r->end) : r->at;
        if (r->at >= r->end) {
            return json_reader_fail(r, "a closing quote");
        }
        if (*r->at == quote) {
            ret_literal->raw = (struct span){ start, (size_t)(r->at - start) };
            r->at++;
            return true;
        }
        if (!odd_skip(r, ret_literal)) {
            return false;
        }
    }
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

static bool hex_read(const char *at, const char *end, unsigned digits, uint32_t *ret_code)
{
    uint32_t code = 0;

    if ((size_t)(end - at) < digits) {
        return false;
    }
    for (unsigned i = 0; i < digits; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0) {
            return false;
        }
        code = code << 4 | (uint32_t)digit;
    }
    *ret_code = code;
    return true;
}

/* Behind "\u". A pair of surrogates is one character; one alone is none (RFC 8259 §8.2 leaves
 * it open) and is replaced, since UTF-8 cannot hold it. */
static bool unicode_read(struct json_reader *r, const char *end, uint32_t *ret_code)
{
    uint32_t low;

    if (!hex_read(r->at, end, 4, ret_code)) {
        return json_reader_fail(r, "four hexadecimal digits");
    }
    r->at += 4;
    if (*ret_code < 0xd800 || *ret_code > 0xdfff) {
        return true;
    }
    if (*ret_code <= 0xdbff && end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u' &&
        hex_read(r->at + 2, end, 4, &low) && low >= 0xdc00 && low <= 0xdfff) {
        r->at += 6;
        *ret_code = 0x10000 + ((*ret_code - 0xd800) << 10) + (low - 0xdc00);
        return true;
    }
    *ret_code = 0xfffd;
    return true;
}

/* The escapes that JSON5 adds; r->at is behind the character after the backslash. */
static bool escape5_read(struct json_reader *r, const char *end, char kind, char *dst, size_t *len)
{
    uint32_t code = 0;

    switch (kind) {
    case 'v':
        dst[(*len)++] = '\v';
        return true;
    case '0':
        if (r->at < end && *r->at >= '0' && *r->at <= '9') {
            return json_reader_fail(r, "no digit after '\\0'");
        }
        dst[(*len)++] = '\0';
        return true;
    case 'x':
        if (!hex_read(r->at, end, 2, &code)) {
            return json_reader_fail(r, "two hexadecimal digits");
        }
        r->at += 2;
        *len += utf8_char_put(code, dst + *len);
        return true;
    case '\r': /* a line that goes on; its end is no part of the text */
        r->at += r->at < end && *r->at == '\n';
        return true;
    case '\n':
        return true;
    default:
        if (kind >= '1' && kind <= '9') {
            return json_reader_fail(r, "an escape character");
        }
        r->at--;
        if (looking_at(r, LINE_SEPARATOR) || looking_at(r, PARAGRAPH_SEPARATOR)) {
            r->at += strlen(LINE_SEPARATOR);
        } else {
            dst[(*len)++] = *r->at++; /* means itself; what follows of it is copied as plain text */
        }
        return true;
    }
}

/* At a backslash. */
static bool escape_read(struct json_reader *r, const char *end, char *dst, size_t *len)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char kind = r->at[1];
    const char *name = kind ? strchr(names, kind) : NULL;
    uint32_t code = 0;

    r->at += 2;
    if (name) {
        dst[(*len)++] = meanings[name - names];
        return true;
    }
    if (kind == 'u') {
        if (!unicode_read(r, end, &code)) {
            return false;
        }
        *len += utf8_char_put(code, dst + *len);
        return true;
    }
    if (r->json5) {
        return escape5_read(r, end, kind, dst, len);
    }
    r->at--;
    return json_reader_fail(r, "an escape character");
}

bool json_token_unescape(struct json_reader *r, struct span raw, char *dst, size_t *ret_len)
{
    const char *after = r->at;
    const char *end = raw.ptr + raw.len;
    size_t len = 0;

    r->at = raw.ptr;
    while (r->at < end) {
        const char *slash = memchr(r->at, '\\', (size_t)(end - r->at));
        size_t plain = (size_t)((slash ? slash : end) - r->at);

        memcpy(dst + len, r->at, plain);
        len += plain;
        r->at += plain;
        if (slash && !escape_read(r, end, dst, &len)) {
            return false;
        }
    }
    r->at = after;
    *ret_len = len;
    return true;
}

/* --- words ------------------------------------------------------------------------------- */

static bool is_name_byte(char byte, bool is_first)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' || byte == '$' ||
           (!is_first && byte >= '0' && byte <= '9');
}

/* Characters above ASCII are all let through, save those that are spaces: telling letters
 * from signs would take Unicode's tables, and a key is compared, not interpreted. */
bool json_token_name(struct json_reader *r, struct json_literal *ret_literal)
{
    const char *start = r->at;

    ret_literal->has_escape = false;
    while (r->at < r->end) {
        size_t len = 1;

        if (*r->at == '\\' && r->end - r->at >= 2 && r->at[1] == 'u') {
            ret_literal->has_escape = true;
            len = 2;
        } else if ((unsigned char)*r->at >= 0x80 && space5_len(r) == 0) {
            len = utf8_char_len(r->at, (size_t)(r->end - r->at));
        } else if (!is_name_byte(*r->at, r->at == start)) {
            break;
        }
        if (len == 0) {
            return json_reader_fail(r, "valid UTF-8");
        }
        r->at += len;
    }
    ret_literal->raw = (struct span){ start, (size_t)(r->at - start) };
    return r->at > start ? true : json_reader_fail(r, "a property name");
}

bool json_token_word(struct json_reader *r, const char *word)
{
    if (!looking_at(r, word)) {
        return json_reader_fail(r, "a value");
    }
    r->at += strlen(word);
    if (r->at < r->end && is_name_byte(*r->at, false)) {
        return json_reader_fail(r, "the end of a word");
    }
    return true;
}
