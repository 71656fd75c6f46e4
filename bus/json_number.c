#include <math.h>
#include <stdlib.h>

#include "bus/codec_fit.h"
#include "bus/json_reader.h"

#define TOKEN_MAX 1024  /* of a number; correct rounding never needs more than 770 digits */
#define DIGITS_EXACT 19 /* always fit uint64_t */

/* What the digits say, before it is decided which type they become. */
struct digits {
    bool is_negative;
    bool is_whole; /* no point, no exponent */
    bool is_cut;   /* more digits than the mantissa holds */
    uint64_t mantissa;
    unsigned mantissa_n;
    int exponent; /* of ten */
};

static bool is_digit(const struct json_reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* Takes a run of digits; `shift` is what each of them does to the exponent. */
static unsigned digits_take(struct json_reader *r, struct digits *digits, int shift)
{
    const char *start = r->at;

    for (; is_digit(r); r->at++) {
        unsigned digit = (unsigned)(*r->at - '0');

        if (digits->mantissa_n < DIGITS_EXACT ||
            (digits->mantissa_n == DIGITS_EXACT && digits->mantissa <= (UINT64_MAX - digit) / 10)) {
            digits->mantissa = digits->mantissa * 10 + digit;
            digits->mantissa_n += digits->mantissa != 0;
            digits->exponent += shift;
        } else {
            digits->is_cut = true;
            digits->mantissa_n = DIGITS_EXACT + 1;
            digits->exponent += shift + 1;
        }
    }
    return (unsigned)(r->at - start);
}

static bool exponent_take(struct json_reader *r, struct digits *digits)
{
    bool is_negative = false;
    int exponent = 0;

    r->at++;
    digits->is_whole = false;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-')) {
        is_negative = *r->at++ == '-';
    }
    if (!is_digit(r)) {
        return json_reader_fail(r, "a digit of the exponent");
    }
    for (; is_digit(r); r->at++) {
        if (exponent < 100000) { /* far beyond what a double can hold */
            exponent = exponent * 10 + (*r->at - '0');
        }
    }
    digits->exponent += is_negative ? -exponent : exponent;
    return true;
}

static bool fraction_take(struct json_reader *r, struct digits *digits, bool has_whole)
{
    unsigned n;

    r->at++;
    digits->is_whole = false;
    n = digits_take(r, digits, -1);
    if (n == 0 && !(r->json5 && has_whole)) {
        return json_reader_fail(r, "a digit after the point");
    }
    return true;
}

/* Clinger's fast path: both parts are exact doubles, so one operation rounds once. */
static bool exact_f64(const struct digits *digits, double *ret_number)
{
    static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

    if (digits->is_cut || digits->mantissa > (uint64_t)1 << 53 || digits->exponent < -22 || digits->exponent > 22) {
        return false;
    }
    *ret_number = digits->exponent < 0 ? (double)digits->mantissa / powers[-digits->exponent]
                                       : (double)digits->mantissa * powers[digits->exponent];
    return true;
}

static bool f64_read(struct json_reader *r, const char *start, const struct digits *digits, double *ret_number)
{
    char token[TOKEN_MAX + 1];
    size_t len = (size_t)(r->at - start);

    if (exact_f64(digits, ret_number)) {
        return true;
    }
    if (len > TOKEN_MAX) {
        r->at = start;
        return json_reader_fail(r, "a number of at most 1024 characters");
    }
    memcpy(token, start, len);
    token[len] = '\0';
    *ret_number = strtod(token, NULL); /* the C locale: nothing in this program calls setlocale */
    return true;
}

static void float_set(struct value_head *number, double value)
{
    *number = (struct value_head){ .kind = VALUE_FLOAT, .f64 = value };
    (void)fit_whole(number); /* 5.0 and 1e3 are whole numbers as well */
}

static bool whole_set(const struct digits *digits, struct value_head *number)
{
    if (!digits->is_whole || digits->is_cut) {
        return false;
    }
    if (digits->is_negative) {
        if (digits->mantissa > (uint64_t)INT64_MAX + 1) {
            return false;
        }
        *number = (struct value_head){ .kind = VALUE_INT, .i64 = (int64_t)(0 - digits->mantissa) };
    } else if (digits->mantissa > INT64_MAX) {
        *number = (struct value_head){ .kind = VALUE_UINT, .u64 = digits->mantissa };
    } else {
        *number = (struct value_head){ .kind = VALUE_INT, .i64 = (int64_t)digits->mantissa };
    }
    return true;
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* JSON5, behind "0x". */
static bool hex_number_read(struct json_reader *r, bool is_negative, struct value_head *ret_number)
{
    struct digits digits = { .is_negative = is_negative, .is_whole = true };
    double wide = 0;
    const char *start = r->at;

    while (r->at < r->end && hex_value(*r->at) >= 0) {
        int digit = hex_value(*r->at++);

        digits.is_cut = digits.is_cut || digits.mantissa >> 60;
        digits.mantissa = digits.mantissa << 4 | (uint64_t)digit;
        wide = wide * 16 + digit;
    }
    if (r->at == start) {
        return json_reader_fail(r, "a hexadecimal digit");
    }
    if (!whole_set(&digits, ret_number)) {
        float_set(ret_number, is_negative ? -wide : wide);
    }
    return true;
}

/* JSON5, behind the sign: Infinity, NaN, hexadecimal. False with no outcome when it is none. */
static bool special_read(struct json_reader *r, bool is_negative, struct value_head *ret_number)
{
    if (r->end - r->at >= 2 && r->at[0] == '0' && (r->at[1] | 0x20) == 'x') {
        r->at += 2;
        return hex_number_read(r, is_negative, ret_number);
    }
    if (r->at < r->end && *r->at == 'I') {
        *ret_number = (struct value_head){ .kind = VALUE_FLOAT, .f64 = is_negative ? -HUGE_VAL : HUGE_VAL };
        return json_token_word(r, "Infinity");
    }
    if (r->at < r->end && *r->at == 'N') {
        *ret_number = (struct value_head){ .kind = VALUE_FLOAT, .f64 = (double)NAN };
        return json_token_word(r, "NaN");
    }
    return false;
}

static bool sign_take(struct json_reader *r)
{
    if (r->at < r->end && (*r->at == '-' || (r->json5 && *r->at == '+'))) {
        return *r->at++ == '-';
    }
    return false;
}

bool json_number_read(struct json_reader *r, struct value_head *ret_number)
{
    struct digits digits = { .is_whole = true };
    const char *first;
    unsigned whole_n;
    double number = 0;

    digits.is_negative = sign_take(r);
    first = r->at;
    if (r->json5) {
        if (special_read(r, digits.is_negative, ret_number)) {
            return true;
        }
        if (r->outcome) {
            return false;
        }
    }
    whole_n = digits_take(r, &digits, 0);
    if (whole_n == 0 && !(r->json5 && r->at < r->end && *r->at == '.')) {
        return json_reader_fail(r, "a digit");
    }
    if (whole_n > 1 && *first == '0') {
        r->at = first + 1;
        return json_reader_fail(r, "no digit after a leading zero");
    }
    if (r->at < r->end && *r->at == '.' && !fraction_take(r, &digits, whole_n > 0)) {
        return false;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E') && !exponent_take(r, &digits)) {
        return false;
    }
    if (whole_set(&digits, ret_number)) {
        return true;
    }
    if (!f64_read(r, first, &digits, &number)) {
        return false;
    }
    float_set(ret_number, digits.is_negative ? -number : number);
    return true;
}
