#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/agent/session.h"

static struct session *session_make(struct book *book, const char *key)
{
    struct store_session row = { .n = 1 };

    (void)snprintf(row.key, sizeof(row.key), "%s", key);
    return book_session_add(book, &row);
}

static struct run *run_make(struct book *book, struct session *session, int n)
{
    struct store_run row = { .n = n };

    (void)snprintf(row.id, sizeof(row.id), "r%d", n);
    return book_run_add(book, session, &row);
}

static void only_the_first_run_of_a_session_may_start(void **state)
{
    struct book book;
    struct session *session;
    struct run *first;
    struct run *second;

    (void)state;
    book_init(&book, NULL);
    session = session_make(&book, "a");
    first = run_make(&book, session, 1);
    second = run_make(&book, session, 2);
    assert_ptr_equal(book_run_next(&book), first);
    book_phase_set(&book, first, RUN_ACTIVE);
    assert_null(book_run_next(&book));
    assert_int_equal(book.active_n, 1);
    assert_int_equal(book.waiting_n, 1);
    book_run_remove(&book, first);
    assert_ptr_equal(book_run_next(&book), second);
    book_run_remove(&book, second);
    assert_null(book_session_find(&book, SPAN_LIT("a")));
    assert_null(book_run_find(&book, SPAN_LIT("r2")));
    assert_int_equal(book.active_n + book.waiting_n, 0);
    book_deinit(&book);
}

static void sessions_take_turns_in_order_of_arrival(void **state)
{
    struct book book;
    struct session *a;
    struct session *b;
    struct run *runs[4];

    (void)state;
    book_init(&book, NULL);
    a = session_make(&book, "a");
    b = session_make(&book, "b");
    runs[0] = run_make(&book, a, 1);
    runs[1] = run_make(&book, a, 2);
    runs[2] = run_make(&book, b, 3);
    runs[3] = run_make(&book, b, 4);
    assert_ptr_equal(book_run_next(&book), runs[0]);
    book_phase_set(&book, runs[0], RUN_ACTIVE);
    assert_ptr_equal(book_run_next(&book), runs[2]);
    book_run_remove(&book, runs[0]);
    assert_ptr_equal(book_run_next(&book), runs[2]);
    book_phase_set(&book, runs[2], RUN_ACTIVE);
    assert_ptr_equal(book_run_next(&book), runs[1]);
    book_deinit(&book);
}

static void a_run_that_ends_while_it_waits_is_passed_over(void **state)
{
    struct book book;
    struct session *session;
    struct run *runs[3];

    (void)state;
    book_init(&book, NULL);
    session = session_make(&book, "a");
    for (int i = 0; i < 3; i++) {
        runs[i] = run_make(&book, session, i + 1);
    }
    book_phase_set(&book, runs[0], RUN_ACTIVE);
    book_phase_set(&book, runs[1], RUN_ENDING);
    book_run_remove(&book, runs[0]);
    assert_null(book_run_next(&book));
    book_run_remove(&book, runs[1]);
    assert_ptr_equal(book_run_next(&book), runs[2]);
    book_phase_set(&book, runs[2], RUN_ENDING);
    assert_null(book_run_next(&book));
    book_deinit(&book);
}

static void a_session_has_room_for_so_many_runs(void **state)
{
    struct book book;
    struct session *session;

    (void)state;
    book_init(&book, NULL);
    session = session_make(&book, "a");
    for (int i = 1; i < SESSION_RUNS_MAX; i++) {
        (void)run_make(&book, session, i);
        assert_true(book_has_room(&book, session));
    }
    (void)run_make(&book, session, SESSION_RUNS_MAX);
    assert_false(book_has_room(&book, session));
    assert_true(book_has_room(&book, NULL));
    book_deinit(&book);
}

static void askers_come_and_go(void **state)
{
    struct book book;
    struct run *run;
    struct asker *asker;

    (void)state;
    book_init(&book, NULL);
    run = run_make(&book, session_make(&book, "a"), 1);
    (void)run_asker_add(run, ASKER_AGENT);
    asker = run_asker_add(run, ASKER_COMPLETION);
    (void)run_asker_add(run, ASKER_AGENT);
    run_asker_detach(run, asker);
    assert_null(asker->run);
    asker_free(asker);
    assert_non_null(run->askers);
    assert_null(run->askers->next->next);
    run_asker_remove(run, run->askers);
    book_deinit(&book); /* frees the one that is left */
}

static void names_that_are_too_long_are_nowhere(void **state)
{
    char name[STORE_KEY_MAX + 1];
    struct book book;

    (void)state;
    memset(name, 'x', sizeof(name));
    book_init(&book, NULL);
    assert_null(book_session_find(&book, (struct span){ name, sizeof(name) }));
    assert_null(book_run_find(&book, (struct span){ name, sizeof(name) }));
    assert_null(book_run_find(&book, (struct span){ name, 0 }));
    book_deinit(&book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_first_run_of_a_session_may_start),
        cmocka_unit_test(sessions_take_turns_in_order_of_arrival),
        cmocka_unit_test(a_run_that_ends_while_it_waits_is_passed_over),
        cmocka_unit_test(a_session_has_room_for_so_many_runs),
        cmocka_unit_test(askers_come_and_go),
        cmocka_unit_test(names_that_are_too_long_are_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
