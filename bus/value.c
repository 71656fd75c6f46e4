#include "bus/value.h"

#include "bus/value_direct.h"

#define DEPTH_MOST 256 /* of wire_check, whatever the caller asks for */

bool value_read(struct span *cursor, struct value_head *ret_head)
{
    return value_head_read(cursor, ret_head);
}

/* What is still to come of one open container; `left` counts keys and values. */
struct scan_level {
    uint64_t left;
    bool is_map;
};

bool value_scan(struct span *cursor, unsigned depth)
{
    struct scan_level levels[DEPTH_MOST + 1];
    unsigned level = 0;

    if (depth > DEPTH_MOST) {
        depth = DEPTH_MOST;
    }
    levels[0] = (struct scan_level){ 1, false };
    for (;;) {
        struct value_head head;
        bool is_key;

        while (levels[level].left == 0) {
            if (level == 0) {
                return true;
            }
            level--;
        }
        is_key = levels[level].is_map && levels[level].left % 2 == 0;
        levels[level].left--;
        if (!value_head_read(cursor, &head) || (is_key && head.kind != VALUE_STR)) {
            return false;
        }
        if (head.kind == VALUE_ARRAY || head.kind == VALUE_MAP) {
            uint64_t inside = head.kind == VALUE_MAP ? (uint64_t)head.count * 2 : head.count;

            if (level == depth || inside > cursor->len) {
                return false;
            }
            levels[++level] = (struct scan_level){ inside, head.kind == VALUE_MAP };
        }
    }
}

bool wire_check(const void *bytes, size_t len, unsigned depth)
{
    struct span cursor = { bytes, len };

    return value_scan(&cursor, depth) && cursor.len == 0;
}

/* Depth needs no stack here: every head adds what is inside it to the values still due. */
bool value_skip(struct span *cursor)
{
    struct span at = *cursor;
    uint64_t due = 1;

    while (due > 0) {
        struct value_head head;

        if (!value_head_read(&at, &head)) {
            return false;
        }
        due--;
        if (head.kind == VALUE_ARRAY) {
            due += head.count;
        } else if (head.kind == VALUE_MAP) {
            due += (uint64_t)head.count * 2;
        }
        if (due > at.len) {
            return false;
        }
    }
    *cursor = at;
    return true;
}

bool value_take(struct span *cursor, struct span *ret_value)
{
    struct span start = *cursor;

    if (!value_skip(cursor)) {
        return false;
    }
    *ret_value = (struct span){ start.ptr, start.len - cursor->len };
    return true;
}

enum value_kind value_kind_of(struct span value)
{
    struct value_head head;

    return value_head_read(&value, &head) ? head.kind : VALUE_NONE;
}

struct span value_find(struct span map, struct span key)
{
    struct value_iter it = value_iter(map);
    struct span name;
    struct span item;

    while (it.is_map && value_next(&it, &name, &item)) {
        if (span_is(name, key)) {
            return item;
        }
    }
    return (struct span){ 0 };
}

struct span value_get(struct span map, const char *key)
{
    return value_find(map, span_from(key));
}

struct span value_path(struct span map, const char *path)
{
    while (map.len) {
        size_t len = strcspn(path, ".");

        map = value_find(map, (struct span){ path, len });
        if (path[len] == '\0') {
            return map;
        }
        path += len + 1;
    }
    return (struct span){ 0 };
}

struct span value_str(struct span value, struct span fallback)
{
    struct value_head head;

    return value_head_read(&value, &head) && head.kind == VALUE_STR ? head.bytes : fallback;
}

int64_t value_i64(struct span value, int64_t fallback)
{
    struct value_head head;

    return value_head_read(&value, &head) && head.kind == VALUE_INT ? head.i64 : fallback;
}

double value_f64(struct span value, double fallback)
{
    struct value_head head;

    if (!value_head_read(&value, &head)) {
        return fallback;
    }
    switch (head.kind) {
    case VALUE_FLOAT:
        return head.f64;
    case VALUE_INT:
        return (double)head.i64;
    case VALUE_UINT:
        return (double)head.u64;
    default:
        return fallback;
    }
}

bool value_bool(struct span value, bool fallback)
{
    struct value_head head;

    return value_head_read(&value, &head) && head.kind == VALUE_BOOL ? head.boolean : fallback;
}

struct value_iter value_iter(struct span container)
{
    struct value_head head;
    struct value_iter it = { .rest = container };

    if (value_head_read(&it.rest, &head) && (head.kind == VALUE_ARRAY || head.kind == VALUE_MAP)) {
        it.left = head.count;
        it.is_map = head.kind == VALUE_MAP;
    }
    return it;
}

bool value_next(struct value_iter *self, struct span *ret_key, struct span *ret_item)
{
    struct span key = { 0 };

    if (self->left == 0) {
        return false;
    }
    if (self->is_map && !value_take(&self->rest, &key)) {
        self->left = 0;
        return false;
    }
    if (!value_take(&self->rest, ret_item)) {
        self->left = 0;
        return false;
    }
    self->left--;
    *ret_key = value_str(key, (struct span){ 0 });
    return true;
}

uint32_t value_count(struct span container)
{
    return value_iter(container).left;
}
