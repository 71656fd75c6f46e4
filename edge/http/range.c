#include "edge/http/range.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

/* Takes digits off `text`; what is larger than any file is the largest number. False when there is none. */
static bool number_take(struct span *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t n = 0;

    for (; n < text->len && text->ptr[n] >= '0' && text->ptr[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(text->ptr[n] - '0');

        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    text->ptr += n;
    text->len -= n;
    *ret_number = number;
    return n > 0;
}

/* "-N": the last N bytes. Of an empty file there are none that could be named. */
static struct range tail_read(struct span text, uint64_t size)
{
    uint64_t n;

    text.ptr++;
    text.len--;
    if (!number_take(&text, &n) || text.len || (n && !size)) {
        return (struct range){ .kind = RANGE_WHOLE };
    }
    if (!n) {
        return (struct range){ .kind = RANGE_BEYOND };
    }
    n = n < size ? n : size;
    return (struct range){ .kind = RANGE_PART, .first = size - n, .len = n };
}

static struct range part_read(struct span text, uint64_t size)
{
    uint64_t first;
    uint64_t last = UINT64_MAX;

    if (!number_take(&text, &first) || !text.len || text.ptr[0] != '-') {
        return (struct range){ .kind = RANGE_WHOLE };
    }
    text.ptr++;
    text.len--;
    if (text.len && (!number_take(&text, &last) || text.len || last < first)) {
        return (struct range){ .kind = RANGE_WHOLE };
    }
    if (first >= size) {
        return (struct range){ .kind = RANGE_BEYOND };
    }
    last = last < size ? last : size - 1;
    return (struct range){ .kind = RANGE_PART, .first = first, .len = last - first + 1 };
}

struct range range_read(struct span field, struct span if_range, uint64_t size, const char *etag)
{
    static const char unit[] = "bytes=";
    struct span text = span_trim(field);

    /* By strong comparison: a weak tag never matches, nor does a date, as we tell none. */
    if (if_range.len && (!etag[0] || !span_is_text(span_trim(if_range), etag))) {
        return (struct range){ .kind = RANGE_WHOLE };
    }
    if (text.len < sizeof(unit) || strncasecmp(text.ptr, unit, sizeof(unit) - 1) != 0) {
        return (struct range){ .kind = RANGE_WHOLE };
    }
    text.ptr += sizeof(unit) - 1;
    text.len -= sizeof(unit) - 1;
    text = span_trim(text);
    return text.len && text.ptr[0] == '-' ? tail_read(text, size) : part_read(text, size);
}

struct span range_field(const struct range *self, uint64_t size, char field[RANGE_FIELD_MAX])
{
    int len = 0;

    if (self->kind == RANGE_PART) {
        len = snprintf(field, RANGE_FIELD_MAX, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
                       self->first, self->first + self->len - 1, size);
    } else if (self->kind == RANGE_BEYOND) {
        len = snprintf(field, RANGE_FIELD_MAX, "Content-Range: bytes */%" PRIu64 "\r\n", size);
    }
    return (struct span){ field, (size_t)len };
}
