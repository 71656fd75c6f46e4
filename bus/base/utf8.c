#include "bus/base/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_tail(unsigned char byte)
{
    return (byte & 0xc0U) == 0x80U;
}

/* The second byte carries all the restrictions of a three- or four-byte character. */
static bool is_second(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_tail(second);
    }
}

size_t utf8_char_len(const char *at, size_t left)
{
    const unsigned char *bytes = (const unsigned char *)at;

    if (left == 0) {
        return 0;
    }
    if (bytes[0] < 0x80) {
        return 1;
    }
    if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf) {
        return left >= 2 && is_tail(bytes[1]) ? 2 : 0;
    }
    if (bytes[0] >= 0xe0 && bytes[0] <= 0xef) {
        return left >= 3 && is_second(bytes[0], bytes[1]) && is_tail(bytes[2]) ? 3 : 0;
    }
    if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4) {
        return left >= 4 && is_second(bytes[0], bytes[1]) && is_tail(bytes[2]) && is_tail(bytes[3]) ? 4 : 0;
    }
    return 0;
}

bool utf8_is_valid(struct span text)
{
    size_t at = 0;

    while (at < text.len) {
        uint64_t word;
        size_t len;

        if (text.len - at >= sizeof(word)) {
            memcpy(&word, text.ptr + at, sizeof(word));
            if ((word & HIGH_BITS) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        len = utf8_char_len(text.ptr + at, text.len - at);
        if (len == 0) {
            return false;
        }
        at += len;
    }
    return true;
}

size_t utf8_char_put(uint32_t code, char *dst)
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xc0U | (code >> 6));
        dst[1] = (char)(0x80U | (code & 0x3fU));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xe0U | (code >> 12));
        dst[1] = (char)(0x80U | ((code >> 6) & 0x3fU));
        dst[2] = (char)(0x80U | (code & 0x3fU));
        return 3;
    }
    dst[0] = (char)(0xf0U | (code >> 18));
    dst[1] = (char)(0x80U | ((code >> 12) & 0x3fU));
    dst[2] = (char)(0x80U | ((code >> 6) & 0x3fU));
    dst[3] = (char)(0x80U | (code & 0x3fU));
    return 4;
}

struct span utf8_cut(struct span text, size_t max)
{
    if (text.len <= max) {
        return text;
    }
    while (max > 0 && is_tail((unsigned char)text.ptr[max])) {
        max--;
    }
    return (struct span){ text.ptr, max };
}

struct span utf8_cut_chars(struct span text, size_t chars_max)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!is_tail((unsigned char)text.ptr[i]) && ++chars > chars_max) {
            return (struct span){ text.ptr, i };
        }
    }
    return text;
}
