/* wire_check and everything that reads what it let through. */
#include "bus/json.h"
#include "bus/value.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH 64

static void walk(struct span value, unsigned depth)
{
    struct value_iter it = value_iter(value);
    uint32_t left = it.left;
    struct span key;
    struct span item;

    FUZZ_HOLD(depth <= DEPTH);
    while (value_next(&it, &key, &item)) {
        FUZZ_HOLD(item.len > 0 && item.ptr >= value.ptr && item.ptr + item.len <= value.ptr + value.len);
        left--;
        walk(item, depth + 1);
    }
    FUZZ_HOLD(left == 0);
    (void)value_path(value, "a.b.c");
    (void)value_str(value, (struct span){ 0 });
    (void)value_i64(value, 0);
    (void)value_f64(value, 0);
    (void)value_bool(value, false);
}

/* Once written and read, a value is written the same for ever. */
static void rewrite(struct span value)
{
    struct json_opts opts = { .depth_max = DEPTH };
    struct text_buf first = { 0 };
    struct text_buf second = { 0 };
    struct text_buf third = { 0 };
    struct pack pack;

    pack_init(&pack, 0);
    FUZZ_HOLD(json_from_value(value, &first) == 0);
    FUZZ_HOLD(json_to_pack((struct span){ first.data, first.len }, &opts, &pack, NULL) == 0);
    FUZZ_HOLD(json_from_value(pack_span(&pack), &second) == 0);
    pack_reset(&pack);
    FUZZ_HOLD(json_to_pack((struct span){ second.data, second.len }, &opts, &pack, NULL) == 0);
    FUZZ_HOLD(json_from_value_pretty(pack_span(&pack), &third) == 0);
    third.len = 0;
    FUZZ_HOLD(json_from_value(pack_span(&pack), &third) == 0);
    FUZZ_HOLD(span_is((struct span){ second.data, second.len }, (struct span){ third.data, third.len }));
    pack_deinit(&pack);
    text_buf_deinit(&first);
    text_buf_deinit(&second);
    text_buf_deinit(&third);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = { (const char *)data, size };
    struct span cursor = bytes;
    struct text_buf text = { 0 };

    /* Without a check nothing may read outside the bytes either. */
    if (value_skip(&cursor)) {
        FUZZ_HOLD(cursor.ptr + cursor.len == bytes.ptr + bytes.len);
    }
    (void)json_from_value(bytes, &text);
    text_buf_deinit(&text);
    if (wire_check(bytes.ptr, bytes.len, DEPTH)) {
        cursor = bytes;
        FUZZ_HOLD(value_skip(&cursor) && cursor.len == 0);
        walk(bytes, 0);
        rewrite(bytes);
    }
    return 0;
}
