#include "schema/base/duration.h"

#include "bus/base/cleanup.h"

#define DIGITS_MAX 15 /* of a number: a double holds them exactly */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits, and behind a point more of them. */
static bool number_take(struct span *text, double *ret_value)
{
    double value = 0;
    double scale = 1;
    unsigned digits = 0;
    bool has_point = false;
    bool is_complete = false;

    for (; text->len && digits <= DIGITS_MAX; text->ptr++, text->len--) {
        if (*text->ptr == '.' && !has_point && digits) {
            has_point = true;
            is_complete = false;
            continue;
        }
        if (!is_digit(*text->ptr)) {
            break;
        }
        value = value * 10 + (*text->ptr - '0');
        scale = has_point ? scale * 10 : 1;
        digits++;
        is_complete = true;
    }
    *ret_value = value / scale;
    return is_complete && digits <= DIGITS_MAX;
}

static bool unit_take(struct span *text, double *ret_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t len = strlen(units[i].name);
        size_t same = 0;

        while (same < len && same < text->len && lower(text->ptr[same]) == units[i].name[same]) {
            same++;
        }
        if (same == len) {
            *text = (struct span){ text->ptr + len, text->len - len };
            *ret_ms = units[i].ms;
            return true;
        }
    }
    return false;
}

bool duration_parse(struct span text, int64_t unit_ms, int64_t *ret_ms)
{
    double total = 0;
    bool is_first = true;

    text = span_trim(text);
    if (!text.len) {
        return false;
    }
    while (text.len) {
        double value;
        double ms = (double)unit_ms;

        if (!number_take(&text, &value) || (!unit_take(&text, &ms) && !(is_first && !text.len))) {
            return false;
        }
        total += value * ms;
        is_first = false;
        if (total > (double)DURATION_MAX_MS) {
            return false;
        }
    }
    *ret_ms = (int64_t)(total + 0.5);
    return true;
}

bool duration_parse_clock(struct span text, bool is_end, int *ret_minutes)
{
    int hours;
    int minutes;

    if (text.len != 5 || !is_digit(text.ptr[0]) || !is_digit(text.ptr[1]) || text.ptr[2] != ':' ||
        !is_digit(text.ptr[3]) || !is_digit(text.ptr[4])) {
        return false;
    }
    hours = (text.ptr[0] - '0') * 10 + text.ptr[1] - '0';
    minutes = (text.ptr[3] - '0') * 10 + text.ptr[4] - '0';
    if (minutes > 59 || hours > 24 || (hours == 24 && (minutes || !is_end))) {
        return false;
    }
    *ret_minutes = hours * 60 + minutes;
    return true;
}
