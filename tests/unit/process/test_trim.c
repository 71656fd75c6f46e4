#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/trim.h"

#define FILE_TEXT "in no file once it is relocated"

/* A constant with an address in it: its page differs from the one on disk. */
static const char *const relocated[] = { FILE_TEXT, NULL };

static unsigned long shared_pages(void)
{
    unsigned long size = 0;
    unsigned long resident = 0;
    unsigned long shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu %lu", &size, &resident, &shared),
                     3); /* NOLINT(cert-err34-c): the kernel's */
    assert_int_equal(fclose(file), 0);
    return shared;
}

static void gives_back_pages_of_files(void **state)
{
    unsigned long before = shared_pages();

    (void)state;
    trim_after_start();
    assert_true(shared_pages() < before);
}

static void keeps_what_is_in_no_file(void **state)
{
    static int written = 1;
    char *heap = strdup(FILE_TEXT);

    (void)state;
    assert_non_null(heap);
    written = 2;
    trim_after_start();
    trim_after_start();
    assert_int_equal(written, 2);
    assert_string_equal(heap, FILE_TEXT);
    for (size_t i = 0; relocated[i]; i++) {
        assert_string_equal(relocated[i], heap);
    }
    free(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_pages_of_files),
        cmocka_unit_test(keeps_what_is_in_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
