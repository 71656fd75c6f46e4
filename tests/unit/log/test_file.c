/* What is there already is appended to only when it is a log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "actors/log/file.h"
#include "actors/log/line.h"
#include "bus/base/cleanup.h"

struct rig {
    char dir[64];
    char usual[128];
    char other[128];
    struct file file;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    strcpy(rig->dir, "/tmp/openclaw-log-XXXXXX");
    if (!mkdtemp(rig->dir)) {
        return -1;
    }
    snprintf(rig->usual, sizeof(rig->usual), "%s/usual.log", rig->dir);
    snprintf(rig->other, sizeof(rig->other), "%s/other", rig->dir);
    file_init(&rig->file);
    *state = rig;
    return file_open(&rig->file, rig->usual, FILE_BYTES_LEAST);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];

    file_close(&rig->file);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    int r = system(command);
    free(rig);
    return r;
}

static void other_make(const struct rig *rig, struct span text)
{
    FILE *out = fopen(rig->other, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text.ptr, 1, text.len, out), text.len);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(rig->other, 0644), 0);
}

static void assert_refused(struct rig *rig)
{
    struct stat before;
    struct stat after;

    assert_int_equal(lstat(rig->other, &before), 0);
    assert_int_equal(file_open_chosen(&rig->file, rig->other, FILE_BYTES_LEAST), FILE_E_FOREIGN);
    assert_string_equal(rig->file.path, rig->usual);
    assert_int_equal(file_write(&rig->file, SPAN_LIT("{}\n")), 0);
    assert_int_equal(lstat(rig->other, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_size, before.st_size);
}

static void leaves_alone_what_is_no_log(void **state)
{
    static const char *const texts[] = { "\001\002key", "{\"gateway\":{}}\n", "{\"time\":\"x\"}\n", "\n{}\n", "[1]\n" };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        other_make(rig, span_from(texts[i]));
        assert_refused(rig);
    }
    assert_int_equal(unlink(rig->other), 0);
    assert_int_equal(symlink(rig->usual, rig->other), 0);
    assert_refused(rig);
    assert_int_equal(unlink(rig->other), 0);
    assert_int_equal(mkfifo(rig->other, 0644), 0);
    assert_refused(rig);
}

static void goes_on_with_a_log_and_with_what_is_empty(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf lines = { 0 };
    struct line line = { .level = SPAN_LIT("info"), .event = SPAN_LIT("e"), .text = SPAN_LIT("t"), .ts_ms = 1 };
    struct rig *rig = *state;

    assert_int_equal(file_open_chosen(&rig->file, rig->other, FILE_BYTES_LEAST), 0);
    assert_string_equal(rig->file.path, rig->other);
    assert_int_equal(line_format(&line, &lines), 0);
    assert_int_equal(file_write(&rig->file, (struct span){ lines.data, lines.len }), 0);
    assert_int_equal(file_open_chosen(&rig->file, rig->other, FILE_BYTES_LEAST), 0);
    assert_int_equal(rig->file.size, lines.len);
    other_make(rig, SPAN_LIT("{\"0\":\"x\",\"_meta\":{\"name\":\"n\"},\"time\":\"2026-01-01T00:00:00.000Z\"}\n"));
    assert_int_equal(file_open_chosen(&rig->file, rig->other, FILE_BYTES_LEAST), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_alone_what_is_no_log, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_with_a_log_and_with_what_is_empty, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
