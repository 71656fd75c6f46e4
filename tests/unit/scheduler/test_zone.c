#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "actors/scheduler/zone.h"
#include "bus/base/cleanup.h"

/* --- files made here ------------------------------------------------------------------------------ */

struct file {
    char bytes[1024];
    size_t len;
};

static void put(struct file *file, const void *bytes, size_t len)
{
    assert_true(file->len + len <= sizeof(file->bytes));
    memcpy(file->bytes + file->len, bytes, len);
    file->len += len;
}

static void put_number(struct file *file, int64_t value, size_t size)
{
    char bytes[8];

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)((uint64_t)value >> (8 * (size - 1 - i)));
    }
    put(file, bytes, size);
}

static void put_head(struct file *file, char version, size_t transitions_n, size_t types_n, size_t chars_n)
{
    put(file, "TZif", 4);
    put(file, &version, 1);
    put(file, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
    put_number(file, 0, 4);
    put_number(file, 0, 4);
    put_number(file, 0, 4);
    put_number(file, (int64_t)transitions_n, 4);
    put_number(file, (int64_t)types_n, 4);
    put_number(file, (int64_t)chars_n, 4);
}

static void put_type(struct file *file, int32_t offset_s)
{
    put_number(file, offset_s, 4);
    put(file, "\0\0", 2);
}

/* Two transitions, at 1000 and 2000 seconds, and what holds behind them. */
static void put_zone(struct file *file, size_t size)
{
    put_number(file, 1000, size);
    put_number(file, 2000, size);
    put(file, "\1\0", 2);
    put_type(file, 3600);
    put_type(file, 7200);
    put(file, "XYZ", 4);
}

static void put_footer(struct file *file, const char *rule)
{
    put(file, "\n", 1);
    put(file, rule, strlen(rule));
    put(file, "\n", 1);
}

static void make(struct file *file, const char *rule)
{
    *file = (struct file){ .len = 0 };
    put_head(file, '2', 0, 1, 4);
    put_type(file, 0);
    put(file, "UTC", 4);
    put_head(file, '2', 2, 2, 4);
    put_zone(file, 8);
    put_footer(file, rule);
}

static void open_rule(const char *rule, struct zone *zone)
{
    struct file file;

    make(&file, rule);
    assert_int_equal(zone_parse((struct span){ file.bytes, file.len }, zone), 0);
}

/* --- tests --------------------------------------------------------------------------------------------- */

static void transitions_count_and_behind_them_the_rule(void **state)
{
    struct zone zone;

    (void)state;
    open_rule("CET-1CEST,M3.5.0,M10.5.0/3", &zone);
    assert_int_equal(zone_offset_s(&zone, 999), 3600);
    assert_int_equal(zone_offset_s(&zone, 1000), 7200);
    assert_int_equal(zone_offset_s(&zone, 1999), 7200);
    /* Central Europe in 2026, second by second around both changes. */
    assert_int_equal(zone_offset_s(&zone, 1774745999), 3600);
    assert_int_equal(zone_offset_s(&zone, 1774746000), 7200);
    assert_int_equal(zone_offset_s(&zone, 1792889999), 7200);
    assert_int_equal(zone_offset_s(&zone, 1792890000), 3600);
    zone_deinit(&zone);
}

static void rules_of_all_kinds_say_what_clocks_show(void **state)
{
    static const struct {
        const char *rule;
        int64_t at_s;
        int32_t offset_s;
    } cases[] = {
        { "EST5EDT,M3.2.0,M11.1.0", 2224713600, -14400 },         /* New York, July 2040 */
        { "EST5EDT,M3.2.0,M11.1.0", 4102444800, -18000 },         /* January 2100 */
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", 2524608000, 39600 },    /* Sydney, January 2050 */
        { "AEST-10AEDT,M10.1.0,M4.1.0/3", 2540246400, 36000 },    /* July */
        { "<+0545>-5:45", 1767225600, 20700 },                    /* Kathmandu */
        { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2382480000, -3600 }, /* Nuuk, July 2045 */
        { "XXX3EDT4,0/0,J365/23", 1767225600, -14400 },           /* daylight saving all the year */
        { "AAA0BBB,J60,J300", 1709258400, 3600 },                 /* 1 March 2024: J60, also in a leap year */
        { "AAA0BBB,J60,J300", 1709258399, 0 },                    /* a second before; J does not count 29 February */
        { "AAA0BBB,59,300", 1709172000, 3600 },                   /* the 60th day, which it is */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone zone;

        open_rule(cases[i].rule, &zone);
        if (zone_offset_s(&zone, cases[i].at_s) != cases[i].offset_s) {
            fail_msg("%s at %lld: %d", cases[i].rule, (long long)cases[i].at_s, zone_offset_s(&zone, cases[i].at_s));
        }
        zone_deinit(&zone);
    }
}

static void broken_rules_are_refused(void **state)
{
    static const char *const cases[] = { "",
                                         "X5",
                                         "ABC",
                                         "ABC5DEF",
                                         "ABC5DEF,",
                                         "ABC99",
                                         "ABC5DEF,M3.2.0",
                                         "ABC5DEF,M13.2.0,M1.1.0",
                                         "<AB5",
                                         "ABC5DEF,M3.6.0,M1.1.0",
                                         "ABC5DEF,M3.2.7,M1.1.0",
                                         "ABC5DEF,J0,J1",
                                         "ABC5DEF,366,1",
                                         "ABC5DEF,1,2,3" };
    struct zone_rule rule;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_false(zone_rule_parse(span_from(cases[i]), &rule));
    }
}

static void every_cut_of_a_file_is_refused(void **state)
{
    struct file file;
    struct zone zone;

    (void)state;
    make(&file, "CET-1");
    for (size_t len = 0; len < file.len; len++) {
        assert_int_equal(zone_parse((struct span){ file.bytes, len }, &zone), ZONE_E_BROKEN);
    }
}

static void old_files_have_short_times_and_no_rule(void **state)
{
    struct file file = { .len = 0 };
    struct zone zone;

    (void)state;
    put_head(&file, '\0', 2, 2, 4);
    put_zone(&file, 4);
    assert_int_equal(zone_parse((struct span){ file.bytes, file.len }, &zone), 0);
    assert_int_equal(zone_offset_s(&zone, 1500), 7200);
    assert_int_equal(zone_offset_s(&zone, 1774746000), 3600);
    zone_deinit(&zone);
}

static void what_counts_does_not_fit_is_refused(void **state)
{
    struct file file = { .len = 0 };
    struct zone zone;

    (void)state;
    put_head(&file, '\0', 0x7fffffff, 2, 4);
    put_zone(&file, 4);
    assert_int_equal(zone_parse((struct span){ file.bytes, file.len }, &zone), ZONE_E_BROKEN);
    file.len = 0;
    put_head(&file, '\0', 2, 1, 4); /* the second transition names a type that is not there */
    put_zone(&file, 4);
    assert_int_equal(zone_parse((struct span){ file.bytes, file.len }, &zone), ZONE_E_BROKEN);
}

static void names_lead_to_files_below_the_folder_alone(void **state)
{
    char folder[] = "/tmp/openclaw-zone-XXXXXX";
    char path[64];
    struct file file;
    struct zone zone;
    FILE *out;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("TZDIR", folder, 1), 0); /* NOLINT(concurrency-mt-unsafe): no thread is there */
    (void)snprintf(path, sizeof(path), "%s/Here", folder);
    make(&file, "CET-1");
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(file.bytes, 1, file.len, out), file.len);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(zone_load(SPAN_LIT("Here"), &zone), 0);
    assert_string_equal(zone.name, "Here");
    zone_deinit(&zone);
    assert_int_equal(zone_load(SPAN_LIT("There"), &zone), ZONE_E_UNKNOWN);
    assert_int_equal(zone_load(SPAN_LIT("../Here"), &zone), ZONE_E_UNKNOWN);
    assert_int_equal(zone_load(SPAN_LIT("a/../Here"), &zone), ZONE_E_UNKNOWN);
    assert_int_equal(zone_load(SPAN_LIT("/etc/passwd"), &zone), ZONE_E_UNKNOWN);
    assert_int_equal(zone_load(SPAN_LIT(""), &zone), ZONE_E_UNKNOWN);
    (void)unlink(path);
    (void)rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transitions_count_and_behind_them_the_rule),
        cmocka_unit_test(rules_of_all_kinds_say_what_clocks_show),
        cmocka_unit_test(broken_rules_are_refused),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(old_files_have_short_times_and_no_rule),
        cmocka_unit_test(what_counts_does_not_fit_is_refused),
        cmocka_unit_test(names_lead_to_files_below_the_folder_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
