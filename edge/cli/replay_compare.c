#include "edge/cli/replay_compare.h"

#include <ctype.h>
#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define DEPTH_MAX 64U
#define EPOCH_MS_MIN 1000000000000.0 /* 2001 */
#define EPOCH_MS_MAX 100000000000000.0
#define UUID_LEN 36U

/* Keys whose values tell of a process, a moment or a place. */
static const char *const volatile_keys[] = { "ts",   "timestamp", "seq",  "pid",     "stateVersion", "presence",
                                             "host", "hash",      "path", "version", "uptimeMs",     "workspace" };
static const char *const volatile_endings[] = { "At", "AtMs", "Ms", "Path", "Dir", "File", "Bytes", "Seconds" };

static bool ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);

    return text.len > len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

static bool is_volatile_key(struct span key)
{
    for (size_t i = 0; i < ARRAY_LEN(volatile_keys); i++) {
        if (span_is_text(key, volatile_keys[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(volatile_endings); i++) {
        if (ends_with(key, volatile_endings[i])) {
            return true;
        }
    }
    return false;
}

/* 8-4-4-4-12 hex digits; more may follow. */
static bool has_uuid(struct span text)
{
    for (size_t at = 0; at + UUID_LEN <= text.len; at++) {
        size_t i = 0;

        while (i < UUID_LEN && (i == 8 || i == 13 || i == 18 || i == 23 ? text.ptr[at + i] == '-'
                                                                        : isxdigit((unsigned char)text.ptr[at + i]))) {
            i++;
        }
        if (i == UUID_LEN) {
            return true;
        }
    }
    return false;
}

/* What generated ids look like that are no UUIDs. */
static bool is_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isxdigit((unsigned char)text.ptr[i])) {
            return false;
        }
    }
    return text.len >= 8;
}

/* "2026-01-31T…" */
static bool is_moment(struct span text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd";

    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (i >= text.len || (shape[i] == 'd' ? !isdigit((unsigned char)text.ptr[i]) : text.ptr[i] != shape[i])) {
            return false;
        }
    }
    return true;
}

static bool is_volatile_text(struct span text)
{
    return has_uuid(text) || is_hex(text) || is_moment(text) || (text.len && text.ptr[0] == '/');
}

/* Both are of a sort that differs each time. */
static bool is_volatile_pair(struct span a, struct span b)
{
    static const struct span none = { "", 0 };
    enum value_kind kind = value_kind_of(a);
    double left = value_f64(a, (double)value_i64(a, 0));
    double right = value_f64(b, (double)value_i64(b, 0));

    if (kind == VALUE_STR && value_kind_of(b) == VALUE_STR) {
        return is_volatile_text(value_str(a, none)) && is_volatile_text(value_str(b, none));
    }
    return (kind == VALUE_INT || kind == VALUE_FLOAT) && left >= EPOCH_MS_MIN && left <= EPOCH_MS_MAX &&
           right >= EPOCH_MS_MIN && right <= EPOCH_MS_MAX;
}

static void value_show(struct span value, char out[REPLAY_TEXT_MAX])
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (!value.len) {
        (void)snprintf(out, REPLAY_TEXT_MAX, "absent");
    } else if (json_from_value(value, &text)) {
        (void)snprintf(out, REPLAY_TEXT_MAX, "unreadable");
    } else {
        (void)snprintf(out, REPLAY_TEXT_MAX, "%.*s%s",
                       (int)(text.len < REPLAY_TEXT_MAX - 4 ? text.len : REPLAY_TEXT_MAX - 5), text.data,
                       text.len < REPLAY_TEXT_MAX - 4 ? "" : "...");
    }
}

/* What is being compared: where, and how deep. */
struct place {
    struct replay_comparison *comparison;
    char path[REPLAY_PATH_MAX];
    size_t path_len;
    unsigned depth;
};

static void difference_add(struct place *place, struct span a, struct span b)
{
    struct replay_comparison *self = place->comparison;

    if (self->differences_n++ < REPLAY_DIFFERENCES_MAX) {
        struct replay_difference *difference = &self->differences[self->differences_n - 1];

        (void)snprintf(difference->path, sizeof(difference->path), "%s", place->path);
        value_show(a, difference->recorded);
        value_show(b, difference->replayed);
    }
}

static void value_compare(struct place *place, struct span key, struct span a, struct span b);

/* Goes one step down, compares, and comes back. */
static void inner_compare(struct place *place, struct span name, struct span a, struct span b)
{
    size_t len = place->path_len;
    size_t left = sizeof(place->path) - len;
    int n = snprintf(place->path + len, left, "%s%.*s", len ? "/" : "", SPAN_FMT(name));

    place->path_len = n < 0 || (size_t)n >= left ? sizeof(place->path) - 1 : len + (size_t)n;
    place->depth++;
    value_compare(place, name, a, b);
    place->depth--;
    place->path_len = len;
    place->path[len] = '\0';
}

static struct span get(struct span map, struct span key)
{
    struct value_iter it = value_iter(map);
    struct span name;
    struct span item;

    while (value_next(&it, &name, &item)) {
        if (span_is(name, key)) {
            return item;
        }
    }
    return (struct span){ NULL, 0 };
}

static void maps_compare(struct place *place, struct span a, struct span b)
{
    struct value_iter it = value_iter(a);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        inner_compare(place, key, item, get(b, key));
    }
    it = value_iter(b);
    while (value_next(&it, &key, &item)) {
        if (!get(a, key).len) {
            inner_compare(place, key, (struct span){ NULL, 0 }, item);
        }
    }
}

static void arrays_compare(struct place *place, struct span a, struct span b)
{
    struct value_iter left = value_iter(a);
    struct value_iter right = value_iter(b);
    struct span key;

    for (unsigned i = 0; left.left || right.left; i++) {
        struct span one = { NULL, 0 };
        struct span other = { NULL, 0 };
        char name[16];

        (void)value_next(&left, &key, &one);
        (void)value_next(&right, &key, &other);
        (void)snprintf(name, sizeof(name), "%u", i);
        inner_compare(place, span_from(name), one, other);
    }
}

static void value_compare(struct place *place, struct span key, struct span a, struct span b)
{
    enum value_kind kind = value_kind_of(a);
    CLEANUP(text_buf_deinit) struct text_buf left = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf right = { 0 };

    if (place->depth < DEPTH_MAX && kind == value_kind_of(b) && kind == VALUE_MAP) {
        maps_compare(place, a, b);
        return;
    }
    if (place->depth < DEPTH_MAX && kind == value_kind_of(b) && kind == VALUE_ARRAY) {
        arrays_compare(place, a, b);
        return;
    }
    /* As text: one number may be packed in several ways. */
    if (a.len && b.len && json_from_value(a, &left) == 0 && json_from_value(b, &right) == 0 &&
        span_is((struct span){ left.data, left.len }, (struct span){ right.data, right.len })) {
        return;
    }
    if (!place->comparison->is_strict && (is_volatile_key(key) || is_volatile_pair(a, b))) {
        place->comparison->passed_over++;
        return;
    }
    difference_add(place, a, b);
}

void replay_compare(struct replay_comparison *self, struct span recorded, struct span replayed)
{
    struct place place = { .comparison = self };

    if (recorded.len || replayed.len) {
        value_compare(&place, (struct span){ "", 0 }, recorded, replayed);
    }
}
