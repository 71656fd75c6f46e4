/*
 * json_scan: finds the next byte of a string that needs a second look. Inline, shared by
 * the reader and the writer of JSON.
 */
#ifndef BUS_JSON_SCAN_H
#define BUS_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Printable ASCII other than the double quote and the backslash. */
static inline bool scan_is_plain(char byte)
{
    return (unsigned char)byte >= 0x20 && (unsigned char)byte < 0x80 && byte != '"' && byte != '\\';
}

/* The first byte in [at, end) that is not plain, or `end`. */
static inline const char *scan_plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');

    while (end - at >= 16) {
        __m128i bytes;
        __m128i found;
        int mask;

        memcpy(&bytes, at, sizeof(bytes));
        /* The comparison is signed, so that bytes above 0x7f are "below space" as well. */
        found = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                             _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
        mask = _mm_movemask_epi8(found);
        if (mask) {
            return at + __builtin_ctz((unsigned)mask);
        }
        at += 16;
    }
#endif
    while (at < end && scan_is_plain(*at)) {
        at++;
    }
    return at;
}

#endif
