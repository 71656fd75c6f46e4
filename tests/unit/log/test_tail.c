#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "actors/log/file.h"
#include "actors/log/tail.h"
#include "bus/base/cleanup.h"
#include "bus/value.h"

struct rig {
    char dir[64];
    char path[128];
    struct file file;
    struct text_buf buf;
    struct pack out;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    strcpy(rig->dir, "/tmp/openclaw-log-XXXXXX");
    if (!mkdtemp(rig->dir)) {
        return -1;
    }
    snprintf(rig->path, sizeof(rig->path), "%s/logs/openclaw.log", rig->dir);
    file_init(&rig->file);
    pack_init(&rig->out, 0);
    *state = rig;
    return file_open(&rig->file, rig->path, FILE_BYTES_LEAST);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];

    file_close(&rig->file);
    text_buf_deinit(&rig->buf);
    pack_deinit(&rig->out);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    int r = system(command);
    free(rig);
    return r;
}

static void put(struct rig *rig, const char *lines)
{
    assert_int_equal(file_write(&rig->file, span_from(lines)), 0);
}

static struct span tail(struct rig *rig, struct tail_ask ask)
{
    ask.lines_max = ask.lines_max ? ask.lines_max : TAIL_LINES_DEFAULT;
    ask.bytes_max = ask.bytes_max ? ask.bytes_max : TAIL_BYTES_DEFAULT;
    pack_reset(&rig->out);
    assert_int_equal(tail_read(&rig->file, &ask, &rig->buf, &rig->out), 0);
    return pack_span(&rig->out);
}

static uint64_t number(struct span reply, const char *key)
{
    return (uint64_t)value_i64(value_get(reply, key), -1);
}

static void assert_lines(struct span reply, const char *expected)
{
    struct value_iter it = value_iter(value_get(reply, "lines"));
    struct span key;
    struct span item;
    char text[256] = "";

    while (value_next(&it, &key, &item)) {
        struct span line = value_str(item, SPAN_LIT("?"));
        strncat(text, line.ptr, line.len);
        strcat(text, ";");
    }
    assert_string_equal(text, expected);
}

static void shows_the_end_to_a_new_reader(void **state)
{
    struct rig *rig = *state;

    put(rig, "a\nb\nc\n");
    assert_lines(tail(rig, (struct tail_ask){ 0 }), "a;b;c;");
    struct span reply = tail(rig, (struct tail_ask){ .lines_max = 2 });
    assert_lines(reply, "b;c;");
    assert_true(value_bool(value_get(reply, "truncated"), false));
    assert_int_equal(number(reply, "cursor"), 6);
    assert_int_equal(number(reply, "size"), 6);
    assert_lines(tail(rig, (struct tail_ask){ .bytes_max = 4 }), "b;c;");
    assert_lines(tail(rig, (struct tail_ask){ .bytes_max = 1 }), "c;");
}

static void goes_on_where_the_reader_left_off_and_loses_nothing(void **state)
{
    struct rig *rig = *state;
    struct tail_ask ask = { .has_cursor = true, .lines_max = 2 };

    put(rig, "a\nb\nc\n");
    struct span reply = tail(rig, ask);
    assert_lines(reply, "a;b;");
    ask.cursor = number(reply, "cursor");
    reply = tail(rig, ask);
    assert_lines(reply, "c;");
    ask.cursor = number(reply, "cursor");
    assert_lines(tail(rig, ask), "");
    put(rig, "d\n");
    reply = tail(rig, ask);
    assert_lines(reply, "d;");
    assert_false(value_bool(value_get(reply, "reset"), true));
}

static void tells_the_reader_that_its_cursor_is_of_no_use(void **state)
{
    struct rig *rig = *state;

    put(rig, "a\n");
    struct span reply = tail(rig, (struct tail_ask){ .has_cursor = true, .cursor = 4711 });
    assert_true(value_bool(value_get(reply, "reset"), false));
    assert_lines(reply, "a;");
    assert_int_equal(number(reply, "cursor"), 2);
}

static void begins_with_a_whole_line_in_a_large_file(void **state)
{
    struct rig *rig = *state;
    char line[1001];

    memset(line, 'x', sizeof(line));
    line[999] = '\n';
    line[1000] = '\0';
    assert_int_equal(file_open(&rig->file, rig->path, 10U << 20), 0);
    for (int i = 0; i < 500; i++) {
        put(rig, line);
    }
    struct span reply = tail(rig, (struct tail_ask){ .bytes_max = 10000 });
    assert_int_equal(value_count(value_get(reply, "lines")), 10);
    assert_true(value_bool(value_get(reply, "truncated"), false));
    struct value_iter it = value_iter(value_get(reply, "lines"));
    struct span key;
    struct span item;
    while (value_next(&it, &key, &item)) {
        assert_int_equal(value_str(item, SPAN_LIT("")).len, 999);
    }
}

static void rotates_and_keeps_so_many_archives(void **state)
{
    struct rig *rig = *state;
    char line[30001];
    char archive[PATH_MAX];
    struct stat st;

    memset(line, 'y', sizeof(line));
    line[29999] = '\n';
    line[30000] = '\0';
    put(rig, "first\n");
    for (int i = 0; i < 40; i++) {
        put(rig, line);
    }
    for (unsigned i = 1; i <= FILE_ARCHIVES; i++) {
        file_archive_path(rig->path, i, archive);
        assert_int_equal(stat(archive, &st), 0);
        assert_true(st.st_size <= FILE_BYTES_LEAST);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    file_archive_path(rig->path, FILE_ARCHIVES + 1, archive);
    assert_int_not_equal(stat(archive, &st), 0);
    /* a cursor from before the rotation is told from one after it */
    struct span reply = tail(rig, (struct tail_ask){ .has_cursor = true, .cursor = 6 });
    assert_true(value_bool(value_get(reply, "reset"), false));
    assert_true(number(reply, "cursor") > 40 * 30000);
}

static void names_archives_beside_the_file(void **state)
{
    char path[PATH_MAX];

    (void)state;
    file_archive_path("/a.b/openclaw.log", 3, path);
    assert_string_equal(path, "/a.b/openclaw.3.log");
    file_archive_path("/a.b/openclaw", 1, path);
    assert_string_equal(path, "/a.b/openclaw.1");
}

static void notices_that_somebody_moved_or_emptied_the_file(void **state)
{
    struct rig *rig = *state;
    char moved[160];

    put(rig, "a\n");
    snprintf(moved, sizeof(moved), "%s/moved", rig->dir);
    assert_int_equal(rename(rig->path, moved), 0);
    assert_int_equal(file_follow(&rig->file), 0);
    put(rig, "b\n");
    assert_lines(tail(rig, (struct tail_ask){ 0 }), "b;");
    assert_int_equal(truncate(rig->path, 0), 0);
    assert_int_equal(file_follow(&rig->file), 0);
    put(rig, "c\n");
    assert_lines(tail(rig, (struct tail_ask){ 0 }), "c;");
    assert_true(value_bool(value_get(tail(rig, (struct tail_ask){ .has_cursor = true, .cursor = 2 }), "reset"), false));
}

/* A limit on the size of files stands for a disk that fills up in the middle of a line. */
static void outlives_a_disk_that_is_full(void **state)
{
    struct rig *rig = *state;
    struct rlimit old;
    struct stat st;

    put(rig, "before\n");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 10, .rlim_max = old.rlim_max }), 0);
    int r = file_write(&rig->file, SPAN_LIT("too long for what is left\n"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, FILE_E_DISK);
    assert_int_not_equal(rig->file.error, 0);
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_size, 7);
    put(rig, "after\n");
    assert_int_equal(rig->file.error, 0);
    assert_lines(tail(rig, (struct tail_ask){ 0 }), "before;after;");
}

static void refuses_what_is_no_file(void **state)
{
    struct rig *rig = *state;
    struct file full;

    file_init(&full);
    /* A character device is no log file, and neither is a folder. */
    assert_int_equal(file_open(&full, "/dev/full", FILE_BYTES_LEAST), FILE_E_DISK);
    assert_int_not_equal(full.error, 0);
    assert_int_equal(file_write(&full, SPAN_LIT("x\n")), FILE_E_DISK);
    assert_int_equal(file_open(&full, rig->dir, FILE_BYTES_LEAST), FILE_E_DISK);
    assert_int_equal(file_open(&full, rig->path, FILE_BYTES_LEAST), 0);
    assert_int_equal(file_write(&full, SPAN_LIT("x\n")), 0);
    file_close(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_the_end_to_a_new_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_where_the_reader_left_off_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_reader_that_its_cursor_is_of_no_use, setup, teardown),
        cmocka_unit_test_setup_teardown(begins_with_a_whole_line_in_a_large_file, setup, teardown),
        cmocka_unit_test_setup_teardown(rotates_and_keeps_so_many_archives, setup, teardown),
        cmocka_unit_test(names_archives_beside_the_file),
        cmocka_unit_test_setup_teardown(notices_that_somebody_moved_or_emptied_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(outlives_a_disk_that_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_file, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
