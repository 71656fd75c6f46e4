#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/agent/notes.h"
#include "actors/agent/store.h"

struct fixture {
    char dir[64];
    char path[96];
    struct store store;
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    (void)snprintf(self->dir, sizeof(self->dir), "/tmp/agent-store-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    (void)snprintf(self->path, sizeof(self->path), "%s/a.sqlite", self->dir);
    *state = self;
    return store_open(&self->store, self->path);
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    char path[128];
    static const char *const ends[] = { "", "-wal", "-shm" };

    store_close(&self->store);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", self->path, ends[i]);
        (void)unlink(path); /* not all are there */
    }
    (void)rmdir(self->dir);
    free(self);
    return 0;
}

static int64_t session_put(struct store *store, const char *key, int64_t updated_ms)
{
    struct store_session row = { .updated_ms = updated_ms, .id = "id" };

    (void)snprintf(row.key, sizeof(row.key), "%s", key);
    assert_int_equal(store_session_put(store, &row), 0);
    assert_int_not_equal(row.n, 0);
    return row.n;
}

static int run_put(struct store *store, const char *id, int64_t session_n, enum store_run_state run_state)
{
    struct store_run row = { .session_n = session_n,
                             .state = run_state,
                             .ended_ms = run_state >= STORE_RUN_DONE ? 10 : 0 };

    (void)snprintf(row.id, sizeof(row.id), "%s", id);
    return store_run_put(store, &row);
}

static void what_is_committed_is_there_after_opening_again(void **state)
{
    struct fixture *self = *state;
    struct store_session session = { .key = "k",
                                     .id = "i",
                                     .label = "l",
                                     .channel = "c",
                                     .provider = "p",
                                     .model = "m",
                                     .status = STORE_SESSION_FAILED,
                                     .created_ms = 1,
                                     .updated_ms = 2,
                                     .started_ms = 3,
                                     .ended_ms = 4,
                                     .messages_n = 5,
                                     .is_last_aborted = true,
                                     .input_tokens = 6,
                                     .output_tokens = 7,
                                     .total_tokens = 8 };
    struct store_session got = { 0 };
    struct store_run run = { .id = "r",
                             .kind = STORE_RUN_AGENT,
                             .state = STORE_RUN_STARTED,
                             .attempts = 2,
                             .created_ms = 1,
                             .started_ms = 2,
                             .ended_ms = 3,
                             .message_seq = 4,
                             .reply_seq = 5,
                             .timeout_ms = 6,
                             .model = "a/b",
                             .stop_reason = "s",
                             .error = "e" };
    struct store_run got_run = { 0 };

    assert_int_equal(store_session_put(&self->store, &session), 0);
    run.session_n = session.n;
    assert_int_equal(store_run_put(&self->store, &run), 0);
    assert_int_equal(store_batch_commit(&self->store), 0);
    store_close(&self->store);
    assert_int_equal(store_open(&self->store, self->path), 0);
    assert_int_equal(store_session_get(&self->store, SPAN_LIT("k"), &got), 0);
    assert_memory_equal(&got, &session, sizeof(got));
    assert_int_equal(store_run_get(&self->store, SPAN_LIT("r"), &got_run), 0);
    assert_memory_equal(&got_run, &run, sizeof(run));
    session.updated_ms = 99;
    assert_int_equal(store_session_put(&self->store, &session), 0);
    assert_int_equal(store_session_get_n(&self->store, session.n, &got), 0);
    assert_int_equal(got.updated_ms, 99);
}

static void what_is_rolled_back_is_gone(void **state)
{
    struct fixture *self = *state;
    struct store_session got;
    uint32_t count = 9;

    (void)session_put(&self->store, "kept", 1);
    assert_int_equal(store_batch_commit(&self->store), 0);
    (void)session_put(&self->store, "gone", 2);
    store_batch_rollback(&self->store);
    assert_int_equal(store_session_get(&self->store, SPAN_LIT("gone"), &got), STORE_E_ABSENT);
    assert_int_equal(store_sessions_count(&self->store, &count), 0);
    assert_int_equal(count, 1);
}

static void a_run_id_is_there_once(void **state)
{
    struct fixture *self = *state;

    assert_int_equal(run_put(&self->store, "same", 1, STORE_RUN_QUEUED), 0);
    assert_int_not_equal(run_put(&self->store, "same", 1, STORE_RUN_QUEUED), 0);
    assert_false(self->store.in_batch); /* the whole batch went with it */
}

struct keys {
    char text[128];
};

static int on_session(void *arg, const struct store_session *session)
{
    (void)strcat(((struct keys *)arg)->text, session->key);
    return 0;
}

static void sessions_are_filtered_and_newest_first(void **state)
{
    struct fixture *self = *state;
    struct store_filter all = { .limit = 10 };
    struct store_filter two = { .limit = 2 };
    struct store_filter search = { .limit = 10, .search = SPAN_LIT("B") };
    struct store_filter recent = { .limit = 10, .updated_min_ms = 3 };
    struct keys keys = { "" };
    uint32_t total = 0;

    (void)session_put(&self->store, "a", 3);
    (void)session_put(&self->store, "b", 1);
    (void)session_put(&self->store, "c", 5);
    assert_int_equal(store_sessions_list(&self->store, &all, on_session, &keys, &total), 0);
    assert_string_equal(keys.text, "cab");
    keys.text[0] = 0;
    assert_int_equal(store_sessions_list(&self->store, &two, on_session, &keys, &total), 0);
    assert_string_equal(keys.text, "ca");
    assert_int_equal(total, 3);
    keys.text[0] = 0;
    assert_int_equal(store_sessions_list(&self->store, &search, on_session, &keys, &total), 0);
    assert_string_equal(keys.text, "b");
    keys.text[0] = 0;
    assert_int_equal(store_sessions_list(&self->store, &recent, on_session, &keys, &total), 0);
    assert_string_equal(keys.text, "ca");
}

struct seqs {
    char text[64];
    int stop_after;
};

static int on_message(void *arg, const struct store_message *message)
{
    struct seqs *seqs = arg;
    size_t len = strlen(seqs->text);

    (void)snprintf(seqs->text + len, sizeof(seqs->text) - len, "%u%.*s ", message->seq, SPAN_FMT(message->body));
    return --seqs->stop_after == 0;
}

static void messages_are_read_newest_first_of_their_session_alone(void **state)
{
    struct fixture *self = *state;
    struct seqs seqs = { "", 0 };

    for (int64_t session_n = 1; session_n < 4; session_n++) {
        for (uint32_t seq = 1; seq < 4; seq++) {
            struct store_message message = { .seq = seq, .id = SPAN_LIT("i"), .body = SPAN_LIT("x") };

            message.body = session_n == 2 ? SPAN_LIT("y") : SPAN_LIT("x");
            assert_int_equal(store_message_add(&self->store, session_n, &message), 0);
        }
    }
    assert_int_equal(store_messages_read(&self->store, 2, UINT32_MAX, on_message, &seqs), 0);
    assert_string_equal(seqs.text, "3y 2y 1y ");
    seqs = (struct seqs){ "", 1 };
    assert_int_equal(store_messages_read(&self->store, 2, 2, on_message, &seqs), 0);
    assert_string_equal(seqs.text, "2y ");
}

static int on_run(void *arg, const struct store_run *run)
{
    (void)strcat(((struct keys *)arg)->text, run->id);
    return 0;
}

static void open_runs_are_found_in_order(void **state)
{
    struct fixture *self = *state;
    struct keys keys = { "" };

    assert_int_equal(run_put(&self->store, "a", 1, STORE_RUN_STARTED), 0);
    assert_int_equal(run_put(&self->store, "b", 1, STORE_RUN_DONE), 0);
    assert_int_equal(run_put(&self->store, "c", 1, STORE_RUN_QUEUED), 0);
    assert_int_equal(run_put(&self->store, "d", 1, STORE_RUN_ABORTED), 0);
    assert_int_equal(store_runs_open(&self->store, on_run, &keys), 0);
    assert_string_equal(keys.text, "ac");
}

static void old_runs_are_forgotten_but_not_the_newest(void **state)
{
    struct fixture *self = *state;
    struct store_run got;

    assert_int_equal(run_put(&self->store, "a", 1, STORE_RUN_DONE), 0);
    assert_int_equal(run_put(&self->store, "b", 1, STORE_RUN_QUEUED), 0);
    assert_int_equal(run_put(&self->store, "c", 1, STORE_RUN_DONE), 0);
    assert_int_equal(store_runs_prune(&self->store, 5), 0);
    assert_int_equal(store_run_get(&self->store, SPAN_LIT("a"), &got), 0);
    assert_int_equal(store_runs_prune(&self->store, 11), 0);
    assert_int_equal(store_run_get(&self->store, SPAN_LIT("a"), &got), STORE_E_ABSENT);
    assert_int_equal(store_run_get(&self->store, SPAN_LIT("b"), &got), 0);
    assert_int_equal(store_run_get(&self->store, SPAN_LIT("c"), &got), 0);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_newer_format_is_refused_and_kept(void **state)
{
    struct fixture *self = *state;

    store_close(&self->store);
    sql(self->path, "PRAGMA user_version = 7");
    assert_int_equal(store_open(&self->store, self->path), STORE_E_NEWER);
    assert_non_null(strstr(store_problem(&self->store), "format 7"));
    store_close(&self->store);
    sql(self->path, "PRAGMA user_version = 1");
    assert_int_equal(store_open(&self->store, self->path), 0);
}

static void another_programs_database_is_refused(void **state)
{
    struct fixture *self = *state;

    store_close(&self->store);
    sql(self->path, "PRAGMA application_id = 7");
    assert_int_equal(store_open(&self->store, self->path), -EUCLEAN);
    assert_non_null(strstr(store_problem(&self->store), "another program"));
}

static void a_locked_database_is_unavailable(void **state)
{
    struct fixture *self = *state;
    struct store_session row = { .key = "k" };
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(self->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_session_put(&self->store, &row), STORE_E_UNAVAILABLE);
    assert_int_equal(row.n, 0);
    assert_non_null(strstr(store_problem(&self->store), "locked"));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_session_put(&self->store, &row), 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Writes sessions of three rows each, one commit after the other, and says which are committed. */
static _Noreturn void writer(const char *path, int out)
{
    struct store store;

    if (store_open(&store, path)) {
        _exit(1);
    }
    for (int64_t i = 1;; i++) {
        struct store_session session = { .id = "i", .messages_n = 2 };
        struct store_message message = { .id = SPAN_LIT("m"), .body = SPAN_LIT("b") };

        (void)snprintf(session.key, sizeof(session.key), "%lld", (long long)i);
        if (store_session_put(&store, &session)) {
            _exit(1);
        }
        for (message.seq = 1; message.seq <= 2; message.seq++) {
            if (store_message_add(&store, session.n, &message)) {
                _exit(1);
            }
        }
        if (store_batch_commit(&store) || write(out, &i, sizeof(i)) != sizeof(i)) {
            _exit(1);
        }
    }
}

static int count_message(void *arg, const struct store_message *message)
{
    (void)message;
    ++*(int *)arg;
    return 0;
}

static void killed_at_any_moment_no_commit_is_lost_or_halved(void **state)
{
    struct fixture *self = *state;

    store_close(&self->store);
    for (int life = 0; life < 10; life++) {
        int ends[2];
        int64_t last = 0;
        int64_t i;
        pid_t pid;

        (void)unlink(self->path); /* may be absent */
        assert_int_equal(pipe(ends), 0);
        pid = fork();
        if (pid == 0) {
            (void)close(ends[0]);
            writer(self->path, ends[1]);
        }
        assert_true(pid > 0);
        (void)close(ends[1]);
        for (int seen = 0; seen < 5 + life * 7 && read(ends[0], &i, sizeof(i)) == sizeof(i); seen++) {
            last = i;
        }
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (read(ends[0], &i, sizeof(i)) == sizeof(i)) {
            last = i;
        }
        (void)close(ends[0]);
        assert_true(last > 0);
        assert_int_equal(store_open(&self->store, self->path), 0);
        for (int64_t n = 1; n <= last + 1; n++) {
            char key[32];
            struct store_session session;
            int messages = 0;
            int rc;

            (void)snprintf(key, sizeof(key), "%lld", (long long)n);
            rc = store_session_get(&self->store, span_from(key), &session);
            if (n > last && rc == STORE_E_ABSENT) {
                continue; /* begun and not acknowledged */
            }
            assert_int_equal(rc, 0);
            assert_int_equal(store_messages_read(&self->store, session.n, UINT32_MAX, count_message, &messages), 0);
            assert_int_equal(messages, 2);
        }
        store_close(&self->store);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

struct seen {
    char text[256];
    unsigned n;
};

static void on_note(void *arg, const struct note_text *note)
{
    struct seen *seen = arg;

    (void)snprintf(seen->text, sizeof(seen->text), "%llu %.*s %.*s %d %d", (unsigned long long)note->number,
                   SPAN_FMT(note->session_key), SPAN_FMT(note->text), note->is_trusted, note->is_kept);
    seen->n++;
}

static void notes_wait_until_they_were_read_and_their_ids_are_remembered(void **state)
{
    struct fixture *self = *state;
    struct note_text note = { .number = 1, .session_key = SPAN_LIT("s"), .text = SPAN_LIT("one"), .is_trusted = true };
    struct seen seen = { .n = 0 };
    uint64_t last;

    assert_int_equal(store_note_add(&self->store, (struct span){ 0 }, &note), 0);
    note = (struct note_text){ .number = 2, .session_key = SPAN_LIT("s"), .text = SPAN_LIT("two"), .at_ms = 5 };
    assert_int_equal(store_note_find(&self->store, SPAN_LIT("k")), STORE_E_ABSENT);
    assert_int_equal(store_note_add(&self->store, SPAN_LIT("k"), &note), 0);
    assert_int_equal(store_batch_commit(&self->store), 0);
    assert_int_equal(store_notes_open(&self->store, on_note, &seen, &last), 0);
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.text, "2 s two 0 1");
    assert_int_equal(store_notes_read(&self->store, SPAN_LIT("other"), 2, 10), 0);
    assert_int_equal(store_notes_read(&self->store, SPAN_LIT("s"), 2, 10), 0);
    assert_int_equal(store_batch_commit(&self->store), 0);
    seen.n = 0;
    assert_int_equal(store_notes_open(&self->store, on_note, &seen, &last), 0);
    assert_int_equal(seen.n, 0);
    assert_int_equal(last, 2);
    assert_int_equal(store_note_find(&self->store, SPAN_LIT("k")), 0);
    assert_int_equal(store_notes_read(&self->store, SPAN_LIT("s"), 2, STORE_NOTE_REMEMBERED_MS + 10), 0);
    assert_int_equal(store_batch_commit(&self->store), 0);
    assert_int_equal(store_note_find(&self->store, SPAN_LIT("k")), STORE_E_ABSENT);
}

static void message_put(struct store *store, int64_t session_n, uint32_t seq, int64_t run_n, struct span body)
{
    struct store_message message = { .seq = seq, .run_n = run_n, .id = SPAN_LIT("m"), .body = body };

    assert_int_equal(store_message_add(store, session_n, &message), 0);
}

static int on_copied(void *arg, const struct store_message *message)
{
    char *text = arg;
    size_t len = strlen(text);

    (void)snprintf(text + len, 128 - len, "%u:%d:%.*s ", message->seq, (int)message->run_n, SPAN_FMT(message->body));
    return 0;
}

/* Run 2 was asked before run 1 had answered, so its question stands between question and answer of run 1. */
static void a_branch_has_what_was_said_up_to_its_run(void **state)
{
    struct fixture *self = *state;
    int64_t from = session_put(&self->store, "from", 1);
    int64_t to = session_put(&self->store, "to", 1);
    struct store_branch branch = { .session_n = from, .seq_max = 3, .run_n = 1, .origin_n = from };
    int64_t origin_n = 0;
    int64_t newest_n = 0;
    uint32_t messages_n = 0;
    uint64_t bytes = 0;
    char text[128] = "";

    assert_int_equal(store_newest_run(&self->store, from, &newest_n), STORE_E_ABSENT);
    message_put(&self->store, from, 1, 1, SPAN_LIT("q1"));
    message_put(&self->store, from, 2, 2, SPAN_LIT("q2"));
    message_put(&self->store, from, 3, 1, SPAN_LIT("answer1"));
    message_put(&self->store, from, 4, 2, SPAN_LIT("answer2"));
    assert_int_equal(store_newest_run(&self->store, from, &newest_n), 0);
    assert_int_equal(newest_n, 2);
    assert_int_equal(store_branch_measure(&self->store, &branch, 9, &messages_n, &bytes), 0);
    assert_int_equal(messages_n, 2);
    assert_int_equal(bytes, 9);
    assert_int_equal(store_branch_measure(&self->store, &branch, 1, &messages_n, &bytes), 0);
    assert_int_equal(messages_n, 1);
    assert_int_equal(store_branch_copy(&self->store, &branch, to), 0);
    assert_int_equal(store_batch_commit(&self->store), 0);
    assert_int_equal(store_messages_read(&self->store, to, UINT32_MAX, on_copied, text), 0);
    assert_string_equal(text, "2:1:answer1 1:1:q1 ");
    assert_int_equal(store_branch_origin(&self->store, from, &origin_n), STORE_E_ABSENT);
    assert_int_equal(store_branch_origin(&self->store, to, &origin_n), 0);
    assert_int_equal(origin_n, from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_committed_is_there_after_opening_again),
        TEST(what_is_rolled_back_is_gone),
        TEST(a_run_id_is_there_once),
        TEST(sessions_are_filtered_and_newest_first),
        TEST(messages_are_read_newest_first_of_their_session_alone),
        TEST(open_runs_are_found_in_order),
        TEST(old_runs_are_forgotten_but_not_the_newest),
        TEST(a_newer_format_is_refused_and_kept),
        TEST(another_programs_database_is_refused),
        TEST(a_locked_database_is_unavailable),
        TEST(notes_wait_until_they_were_read_and_their_ids_are_remembered),
        TEST(a_branch_has_what_was_said_up_to_its_run),
        TEST(killed_at_any_moment_no_commit_is_lost_or_halved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
