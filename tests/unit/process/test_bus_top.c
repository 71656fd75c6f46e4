#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/bus_top.h"

static void a_quantile_is_at_most_a_sixteenth_too_much(void **state)
{
    struct tap_quantile *all = calloc(1, sizeof(*all));

    (void)state;
    assert_int_equal(tap_quantile_get(all, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++) {
        tap_quantile_note(all, i);
    }
    assert_in_range(tap_quantile_get(all, 0.5), 50000, 50000 * 17 / 16);
    assert_in_range(tap_quantile_get(all, 0.99), 99000, 100000);
    assert_int_equal(tap_quantile_get(all, 1), 100000);
    assert_in_range(tap_quantile_get(all, 0), 1, 1);
    tap_quantile_note(all, UINT64_MAX);
    tap_quantile_note(all, 0);
    assert_int_equal(tap_quantile_get(all, 1), UINT64_MAX);
    free(all);
}

static void small_values_are_told_exactly(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 32; value++) {
        struct tap_quantile *one = calloc(1, sizeof(*one));

        tap_quantile_note(one, value);
        tap_quantile_note(one, 1000);
        assert_int_equal(tap_quantile_get(one, 0.5), value);
        free(one);
    }
}

static void answer_make(struct pack *pack, uint64_t in, uint64_t busy_ns, double cpu, bool with_other)
{
    pack_init(pack, 0);
    pack_map_begin(pack);
    pack_key(pack, "hosts");
    pack_array_begin(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "name", "main");
    pack_kv_u64(pack, "rssBytes", 1000);
    pack_kv_f64(pack, "cpuSeconds", cpu);
    pack_map_end(pack);
    pack_array_end(pack);
    pack_key(pack, "actors");
    pack_array_begin(pack);
    for (unsigned i = 0; i < (with_other ? 2U : 1U); i++) {
        pack_map_begin(pack);
        pack_kv_text(pack, "address", i ? "busy" : "idle");
        pack_kv_text(pack, "state", "ready");
        pack_kv_u64(pack, "msgsIn", i ? in : 5);
        pack_kv_u64(pack, "busyNs", i ? busy_ns : 0);
        pack_map_end(pack);
    }
    pack_array_end(pack);
    pack_map_end(pack);
}

static double number(struct span look, const char *path)
{
    struct span value = value_path(look, path);

    return value.len ? value_f64(value, (double)value_i64(value, 0)) : -1;
}

/* Row `i` of a list. */
static struct span row(struct span look, const char *list, unsigned i)
{
    struct value_iter it = value_iter(value_get(look, list));
    struct span key;
    struct span item = { NULL, 0 };

    for (unsigned k = 0; k <= i; k++) {
        assert_true(value_next(&it, &key, &item));
    }
    return item;
}

static void look(struct bus_top *top, struct pack *answer, uint64_t now_ns, struct pack *out)
{
    pack_init(out, 0);
    assert_int_equal(bus_top_look(top, pack_span(answer), now_ns, out), 0);
    pack_deinit(answer);
}

static void tells_what_has_passed_since_the_look_before_busiest_first(void **state)
{
    CLEANUP(bus_top_deinit) struct bus_top top = { 0 };
    struct tap_record handled = { .address = SPAN_LIT("busy"), .is_handled = true, .waited_us = 2000, .busy_us = 500 };
    struct tap_record answer = { .env = { .from = SPAN_LIT("busy") }, .has_latency = true, .latency_ms = 3 };
    struct pack told;
    struct pack out;

    (void)state;
    answer_make(&told, 10, 1000, 1, true);
    look(&top, &told, 1000000000, &out);
    assert_true(number(row(pack_span(&out), "actors", 0), "inPerSecond") < 0);
    pack_deinit(&out);
    bus_top_note(&top, &handled);
    bus_top_note(&top, &answer);
    answer_make(&told, 110, 1000000000, 1.5, true);
    look(&top, &told, 3000000000, &out);
    struct span busy = row(pack_span(&out), "actors", 0);
    assert_true(span_is_text(value_str(value_get(busy, "address"), SPAN_LIT("")), "busy"));
    assert_true(number(busy, "inPerSecond") == 50);
    assert_true(number(busy, "busy") == 0.5);
    assert_true(number(busy, "waitMs.p50") == 2);
    assert_true(number(busy, "handlerMs.max") == 0.5);
    assert_true(number(busy, "answerMs.n") == 1);
    assert_true(number(row(pack_span(&out), "actors", 1), "inPerSecond") == 0);
    assert_true(number(row(pack_span(&out), "hosts", 0), "cpu") == 0.25);
    assert_true(number(row(pack_span(&out), "hosts", 0), "rssBytes") == 1000);
    assert_true(number(pack_span(&out), "intervalMs") == 2000);
    pack_deinit(&out);
}

static void what_began_anew_counts_from_0(void **state)
{
    CLEANUP(bus_top_deinit) struct bus_top top = { 0 };
    struct pack told;
    struct pack out;

    (void)state;
    answer_make(&told, 1000, 0, 0, true);
    look(&top, &told, 0, &out);
    pack_deinit(&out);
    answer_make(&told, 30, 0, 0, true);
    look(&top, &told, 1000000000, &out);
    assert_true(number(row(pack_span(&out), "actors", 0), "inPerSecond") == 30);
    pack_deinit(&out);
    answer_make(&told, 0, 0, 0, false);
    look(&top, &told, 2000000000, &out);
    pack_deinit(&out);
    answer_make(&told, 40, 0, 0, true);
    look(&top, &told, 3000000000, &out);
    assert_true(number(row(pack_span(&out), "actors", 0), "inPerSecond") < 0);
    pack_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantile_is_at_most_a_sixteenth_too_much),
        cmocka_unit_test(small_values_are_told_exactly),
        cmocka_unit_test(tells_what_has_passed_since_the_look_before_busiest_first),
        cmocka_unit_test(what_began_anew_counts_from_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
