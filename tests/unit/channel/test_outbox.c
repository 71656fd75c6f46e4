/* Crashes are played by a child process that ends without closing anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "actors/channel/outbox.h"

static char dir[64];
static char path[96];

static int start(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/outbox-XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/o.sqlite", dir);
    return 0;
}

static int stop(void **state)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char name[128];

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static struct outbox opened(void)
{
    struct outbox outbox;

    assert_int_equal(outbox_open(path, &outbox), 0);
    return outbox;
}

static struct outbox_item message(const char *key)
{
    return (struct outbox_item){ .key = span_from(key),
                                 .session_key = SPAN_LIT("agent:main:main"),
                                 .text = SPAN_LIT("hello\0there"),
                                 .media = SPAN_LIT("\x90") };
}

static uint64_t put(struct outbox *outbox, const char *key)
{
    struct outbox_item item = message(key);

    assert_int_equal(outbox_put(outbox, &item, 5), 0);
    assert_false(item.is_repeat);
    return item.id;
}

/* Runs `part` in a child that dies when it returns. */
static void crash_after(void (*part)(struct outbox *outbox))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct outbox outbox;

        if (outbox_open(path, &outbox)) {
            _exit(1);
        }
        part(&outbox);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void a_message_goes_through_its_states(void **state)
{
    struct outbox outbox = opened();
    struct outbox_item item;
    uint64_t id = put(&outbox, "k1");

    (void)state;
    assert_int_equal(outbox_commit(&outbox), 0);
    assert_int_equal(outbox.counts.queued_n, 1);
    assert_int_equal(outbox.counts.oldest_queued_at, 5);
    assert_int_equal(outbox_take(&outbox, &item, 6), 0);
    assert_int_equal(item.id, id);
    assert_true(span_is_text(item.key, "k1"));
    assert_true(span_is(item.text, SPAN_LIT("hello\0there")));
    assert_true(span_is(item.media, SPAN_LIT("\x90")));
    assert_int_equal(item.to.len, 0);
    assert_int_equal(item.attempts_n, 1);
    outbox_item_free(&item);
    assert_int_equal(outbox_take(&outbox, &item, 6), OUTBOX_E_EMPTY);
    assert_int_equal(outbox_commit(&outbox), 0);
    assert_int_equal(outbox_mark(&outbox, id, OUTBOX_SENT, SPAN_LIT(""), 7), 0);
    assert_int_equal(outbox_commit(&outbox), 0);
    assert_int_equal(outbox.counts.queued_n, 0);
    assert_int_equal(outbox.counts.oldest_queued_at, 0);
    outbox_close(&outbox);
}

static void a_key_is_sent_once_however_often_it_is_given(void **state)
{
    struct outbox outbox = opened();
    struct outbox_item again = message("k1");
    uint64_t id = put(&outbox, "k1");

    (void)state;
    assert_int_equal(outbox_put(&outbox, &again, 9), 0); /* in the same batch */
    assert_true(again.is_repeat && again.id == id && again.state == OUTBOX_QUEUED);
    assert_int_equal(outbox_commit(&outbox), 0);
    assert_int_equal(outbox_mark(&outbox, id, OUTBOX_SENT, SPAN_LIT(""), 7), 0);
    assert_int_equal(outbox_put(&outbox, &again, 9), 0);
    assert_true(again.is_repeat && again.state == OUTBOX_SENT);
    assert_int_equal(outbox_commit(&outbox), 0);
    outbox_close(&outbox);
    outbox = opened(); /* and in another life */
    assert_int_equal(outbox_put(&outbox, &again, 9), 0);
    assert_true(again.is_repeat && again.state == OUTBOX_SENT);
    outbox_close(&outbox);
}

static void a_refused_message_can_be_queued_again(void **state)
{
    struct outbox outbox = opened();
    struct outbox_item item;
    uint64_t id = put(&outbox, "k1");

    (void)state;
    assert_int_equal(outbox_take(&outbox, &item, 6), 0);
    outbox_item_free(&item);
    assert_int_equal(outbox_mark(&outbox, id, OUTBOX_QUEUED, SPAN_LIT("busy"), 7), 0);
    assert_int_equal(outbox_take(&outbox, &item, 8), 0);
    assert_int_equal(item.attempts_n, 2);
    outbox_item_free(&item);
    assert_int_equal(outbox_mark(&outbox, id, OUTBOX_DEAD, SPAN_LIT("no such person"), 9), 0);
    assert_int_equal(outbox.counts.dead_n, 1);
    assert_int_equal(outbox_commit(&outbox), 0);
    outbox_close(&outbox);
}

static void before_the_commit(struct outbox *outbox)
{
    struct outbox_item item = message("k1");

    (void)outbox_put(outbox, &item, 1);
}

static void after_the_commit(struct outbox *outbox)
{
    before_the_commit(outbox);
    (void)outbox_commit(outbox);
}

static void while_it_is_sent(struct outbox *outbox)
{
    struct outbox_item item;

    after_the_commit(outbox);
    (void)outbox_take(outbox, &item, 2);
    (void)outbox_commit(outbox);
}

static void before_sending_is_durable(struct outbox *outbox)
{
    struct outbox_item item;

    after_the_commit(outbox);
    (void)outbox_take(outbox, &item, 2);
}

static void after_it_was_sent(struct outbox *outbox)
{
    while_it_is_sent(outbox);
    (void)outbox_mark(outbox, 1, OUTBOX_SENT, SPAN_LIT(""), 3);
    (void)outbox_commit(outbox);
}

static void a_crash_at_every_step_leaves_the_truth(void **state)
{
    static const struct {
        void (*part)(struct outbox *outbox);
        int queued, unknown;
        bool is_known;
        enum outbox_state state;
    } steps[] = {
        { before_the_commit, 0, 0, false, OUTBOX_QUEUED },        /* never acknowledged: gone */
        { after_the_commit, 1, 0, true, OUTBOX_QUEUED },          /* acknowledged: still to be sent */
        { before_sending_is_durable, 1, 0, true, OUTBOX_QUEUED }, /* nothing left before the commit */
        { while_it_is_sent, 0, 1, true, OUTBOX_UNKNOWN },         /* may have left: not sent again */
        { after_it_was_sent, 0, 0, true, OUTBOX_SENT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct outbox outbox;
        struct outbox_item item = message("k1");

        crash_after(steps[i].part);
        outbox = opened();
        assert_int_equal(outbox.counts.queued_n, steps[i].queued);
        assert_int_equal(outbox.counts.unknown_n, steps[i].unknown);
        assert_int_equal(outbox_put(&outbox, &item, 9), 0);
        assert_int_equal(item.is_repeat, steps[i].is_known);
        assert_int_equal(item.state, steps[i].state);
        outbox_close(&outbox);
        assert_int_equal(stop(NULL), 0);
        assert_int_equal(start(NULL), 0);
    }
}

static void a_full_disk_refuses_the_whole_batch_and_loses_nothing_else(void **state)
{
    struct outbox outbox = opened();
    struct outbox_item item;
    static char big[300000];
    int r;

    (void)state;
    memset(big, 'b', sizeof(big));
    (void)put(&outbox, "first");
    assert_int_equal(outbox_commit(&outbox), 0);
    assert_int_equal(sqlite3_exec(outbox.db, "PRAGMA max_page_count = 10", NULL, NULL, NULL), SQLITE_OK);
    (void)put(&outbox, "second");
    item = message("third");
    item.text = (struct span){ big, sizeof(big) };
    r = outbox_put(&outbox, &item, 1);
    assert_int_equal(r, OUTBOX_E_STORAGE);
    (void)outbox_commit(&outbox); /* whatever it says of "second", the file agrees below */
    assert_int_equal(sqlite3_exec(outbox.db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(outbox_put(&outbox, &item, 1), 0); /* there is room again */
    assert_false(item.is_repeat);
    assert_int_equal(outbox_commit(&outbox), 0);
    item = message("first");
    assert_int_equal(outbox_put(&outbox, &item, 1), 0);
    assert_true(item.is_repeat);
    outbox_close(&outbox);
}

static void too_many_waiting_messages_are_refused(void **state)
{
    struct outbox outbox = opened();
    struct outbox_item item = message("one more");

    (void)state;
    outbox.counts.queued_n = OUTBOX_OPEN_MAX;
    assert_int_equal(outbox_put(&outbox, &item, 1), OUTBOX_E_FULL);
    assert_int_equal(outbox_commit(&outbox), 0);
    outbox_close(&outbox);
}

static void a_file_of_a_newer_release_or_of_nobody_is_left_alone(void **state)
{
    struct outbox outbox = opened();
    FILE *file;

    (void)state;
    assert_int_equal(sqlite3_exec(outbox.db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    outbox_close(&outbox);
    assert_int_equal(outbox_open(path, &outbox), OUTBOX_E_STORAGE);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        fputs("this is no database", file);
    }
    fclose(file);
    assert_int_equal(outbox_open(path, &outbox), OUTBOX_E_STORAGE);
    assert_int_equal(outbox_open("/nonexistent/o.sqlite", &outbox), OUTBOX_E_STORAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_goes_through_its_states, start, stop),
        cmocka_unit_test_setup_teardown(a_key_is_sent_once_however_often_it_is_given, start, stop),
        cmocka_unit_test_setup_teardown(a_refused_message_can_be_queued_again, start, stop),
        cmocka_unit_test_setup_teardown(a_crash_at_every_step_leaves_the_truth, start, stop),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_the_whole_batch_and_loses_nothing_else, start, stop),
        cmocka_unit_test_setup_teardown(too_many_waiting_messages_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_file_of_a_newer_release_or_of_nobody_is_left_alone, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
