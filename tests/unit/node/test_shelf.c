#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "schema/base/database.h"
#include "schema/base/shelf.h"

#define SMALL SPAN_LIT("\x81\xa1k\x01") /* {k: 1} */
#define OTHER SPAN_LIT("\x81\xa1k\x02")

static char dir[64];
static char path[128];
static const size_t limits[SHELF_KINDS] = { 2, 100 };

static struct shelf *opened(void)
{
    struct shelf *shelf = NULL;

    assert_int_equal(shelf_open(path, limits, &shelf), 0);
    return shelf;
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/openclaw-shelf-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/x.sqlite", dir);
    return 0;
}

static int teardown(void **state)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char file[160];

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(file, sizeof(file), "%s%s", path, ends[i]);
        (void)unlink(file);
    }
    return rmdir(dir);
}

static void keeps_what_is_put_into_it_over_a_restart(void **state)
{
    struct shelf *shelf = opened();
    const struct shelf_item *item;
    struct stat st;

    (void)state;
    assert_true(shelf_is_new(shelf));
    assert_int_equal(shelf_put(shelf, 0, SPAN_LIT("a"), SPAN_LIT("me"), 7, SMALL), 0);
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("a"), (struct span){ 0 }, 8, OTHER), 0);
    shelf_close(&shelf);
    shelf = opened();
    assert_false(shelf_is_new(shelf));
    item = shelf_find(shelf, 0, SPAN_LIT("a"));
    assert_non_null(item);
    assert_string_equal(item->owner, "me");
    assert_int_equal(item->at_ms, 7);
    assert_true(span_is(item->body, SMALL));
    assert_true(span_is(shelf_find(shelf, 1, SPAN_LIT("a"))->body, OTHER));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    shelf_close(&shelf);
}

static void replaces_in_place_and_keeps_the_order(void **state)
{
    struct shelf *shelf = opened();

    (void)state;
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("a"), (struct span){ 0 }, 1, SMALL), 0);
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("b"), (struct span){ 0 }, 2, SMALL), 0);
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("a"), (struct span){ 0 }, 3, OTHER), 0);
    assert_int_equal(shelf_count(shelf, 1), 2);
    assert_string_equal(shelf_first(shelf, 1)->id, "a");
    assert_int_equal(shelf_first(shelf, 1)->at_ms, 3);
    shelf_close(&shelf);
    shelf = opened();
    assert_string_equal(shelf_first(shelf, 1)->id, "a");
    assert_string_equal(shelf_first(shelf, 1)->next->id, "b");
    shelf_close(&shelf);
}

static void refuses_more_than_it_may_hold_and_goes_on(void **state)
{
    struct shelf *shelf = opened();

    (void)state;
    assert_int_equal(shelf_put(shelf, 0, SPAN_LIT("a"), (struct span){ 0 }, 1, SMALL), 0);
    assert_int_equal(shelf_put(shelf, 0, SPAN_LIT("b"), (struct span){ 0 }, 1, SMALL), 0);
    assert_int_equal(shelf_put(shelf, 0, SPAN_LIT("c"), (struct span){ 0 }, 1, SMALL), SHELF_E_FULL);
    assert_int_equal(shelf_put(shelf, 0, SPAN_LIT("b"), (struct span){ 0 }, 2, OTHER), 0);
    assert_int_equal(shelf_drop(shelf, 0, SPAN_LIT("a")), 0);
    assert_int_equal(shelf_drop(shelf, 0, SPAN_LIT("a")), 0);
    assert_int_equal(shelf_put(shelf, 0, SPAN_LIT("c"), (struct span){ 0 }, 1, SMALL), 0);
    assert_null(shelf_find(shelf, 0, SPAN_LIT("a")));
    shelf_close(&shelf);
}

static void a_lock_that_stays_is_bad_news_and_no_fault(void **state)
{
    struct shelf *shelf = opened();
    sqlite3 *other = NULL;

    (void)state;
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("a"), (struct span){ 0 }, 1, SMALL), 0);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("b"), (struct span){ 0 }, 1, SMALL), SHELF_E_DISK);
    assert_int_equal(shelf_drop(shelf, 1, SPAN_LIT("a")), SHELF_E_DISK);
    assert_int_equal(shelf_count(shelf, 1), 1);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(shelf_put(shelf, 1, SPAN_LIT("b"), (struct span){ 0 }, 1, SMALL), 0);
    shelf_close(&shelf);
}

static void does_not_open_what_is_no_database(void **state)
{
    struct shelf *shelf = NULL;
    FILE *file = fopen(path, "w");

    (void)state;
    assert_non_null(file);
    fputs("this is not a database, but something else that is long enough to be looked at", file);
    fclose(file);
    assert_true(shelf_open(path, limits, &shelf) < 0);
    assert_null(shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_what_is_put_into_it_over_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(replaces_in_place_and_keeps_the_order, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_more_than_it_may_hold_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lock_that_stays_is_bad_news_and_no_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_open_what_is_no_database, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
