#include "schema/base/base64.h"

#include <stdint.h>

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding_of(struct span text)
{
    size_t n = 0;

    while (n < 2 && n < text.len && text.ptr[text.len - 1 - n] == '=') {
        n++;
    }
    return n;
}

bool base64_check(struct span text, size_t *ret_bytes)
{
    size_t padding = padding_of(text);

    if (text.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.len - padding; i++) {
        if (digit_of(text.ptr[i]) < 0) {
            return false;
        }
    }
    *ret_bytes = text.len / 4 * 3 - padding;
    return true;
}

/* The group of four at `at`; returns its one to three bytes. */
static size_t group_decode(const char *at, uint8_t out[3])
{
    uint32_t bits = 0;
    size_t n = at[2] == '=' ? 1 : at[3] == '=' ? 2 : 3;

    for (size_t i = 0; i < 4; i++) {
        bits = bits << 6 | (uint32_t)(at[i] == '=' ? 0 : digit_of(at[i]));
    }
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return n;
}

size_t base64_head(struct span text, void *out, size_t cap)
{
    uint8_t *bytes = out;
    size_t len = 0;

    for (size_t i = 0; i + 4 <= text.len && len < cap; i += 4) {
        uint8_t group[3];
        size_t n = group_decode(text.ptr + i, group);

        for (size_t k = 0; k < n && len < cap; k++) {
            bytes[len++] = group[k];
        }
    }
    return len;
}

int base64_decode(struct span text, struct text_buf *out)
{
    int r = text_buf_reserve(out, text.len / 4 * 3);

    if (r) {
        return r;
    }
    out->len += base64_head(text, out->data + out->len, text.len / 4 * 3);
    return 0;
}

int base64_encode(struct span bytes, struct text_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int r = text_buf_reserve(out, (bytes.len + 2) / 3 * 4);

    for (size_t i = 0; !r && i < bytes.len; i += 3) {
        size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = (uint32_t)(uint8_t)bytes.ptr[i] << 16;

        bits |= left > 1 ? (uint32_t)(uint8_t)bytes.ptr[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)(uint8_t)bytes.ptr[i + 2] : 0;
        r = text_buf_add(out, (struct span){ (const char[]){ digits[bits >> 18], digits[bits >> 12 & 63],
                                                             left > 1 ? digits[bits >> 6 & 63] : '=',
                                                             left > 2 ? digits[bits & 63] : '=' },
                                             4 });
    }
    return r;
}
