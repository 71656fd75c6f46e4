/*
 * utf8: well-formedness (Unicode 15, table 3-7): no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 */
#ifndef BUS_BASE_UTF8_H
#define BUS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define UTF8_CHAR_MAX 4

bool utf8_is_valid(struct span text);

/* Bytes of the character at `at`, of which `left` can be read; 0 when malformed or cut. */
size_t utf8_char_len(const char *at, size_t left);

/* Stores the character `code` (a scalar value) and returns its bytes, at most UTF8_CHAR_MAX. */
size_t utf8_char_put(uint32_t code, char *dst);

/* The longest prefix of `text` of at most `max` bytes that cuts no character in two. */
struct span utf8_cut(struct span text, size_t max);
/* The first `chars_max` characters of well-formed text. */
struct span utf8_cut_chars(struct span text, size_t chars_max);

#endif
