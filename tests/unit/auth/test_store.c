#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "actors/auth/scopes.h"
#include "actors/auth/store.h"

struct rig {
    char dir[64];
    char path[128];
    struct store *store;
};

static const struct store_identity laptop = {
    .device_id = "aa",
    .public_key = "KEY",
    .role = "operator",
    .platform = "linux",
    .device_family = "",
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    strcpy(rig->dir, "/tmp/openclaw-store-XXXXXX");
    if (!rig || !mkdtemp(rig->dir)) {
        return -1;
    }
    snprintf(rig->path, sizeof(rig->path), "%s/auth.sqlite", rig->dir);
    *state = rig;
    return store_open(rig->path, &rig->store);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char path[160];

    store_close(&rig->store);
    unlink(rig->path);
    snprintf(path, sizeof(path), "%s-wal", rig->path);
    unlink(path);
    snprintf(path, sizeof(path), "%s-shm", rig->path);
    unlink(path);
    rmdir(rig->dir);
    free(rig);
    return 0;
}

static void reopen(struct rig *rig)
{
    store_close(&rig->store);
    assert_int_equal(store_open(rig->path, &rig->store), 0);
}

static void is_nobody_elses_to_read(void **state)
{
    struct rig *rig = *state;
    struct stat st;

    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void keeps_a_paired_device_and_its_token(void **state)
{
    struct rig *rig = *state;
    struct store_device first;
    struct store_device again;

    assert_int_equal(store_device_find(rig->store, "aa", "operator", &first), 0);
    assert_false(first.is_paired);
    assert_int_equal(store_device_approve(rig->store, &laptop, 1U << 3, 1000, &first), 0);
    assert_true(first.is_paired && first.has_role);
    assert_int_equal(strlen(first.token), 43);
    assert_int_equal(first.issued_at_ms, 1000);
    reopen(rig);
    assert_int_equal(store_device_approve(rig->store, &laptop, SCOPES_ALL, 2000, &again), 0);
    assert_string_equal(again.token, first.token);
    assert_int_equal(again.scopes, SCOPES_ALL);
    assert_string_equal(again.platform, "linux");
}

static void keeps_roles_apart(void **state)
{
    struct rig *rig = *state;
    struct store_identity node = laptop;
    struct store_device as_node;
    struct store_device as_operator;

    node.role = "node";
    assert_int_equal(store_device_approve(rig->store, &laptop, 1U << 3, 1, &as_operator), 0);
    assert_int_equal(store_device_find(rig->store, "aa", "node", &as_node), 0);
    assert_true(as_node.is_paired);
    assert_false(as_node.has_role);
    assert_int_equal(store_device_approve(rig->store, &node, 0, 2, &as_node), 0);
    assert_string_not_equal(as_node.token, as_operator.token);
    assert_string_equal(as_node.roles, "node,operator");
}

static void keeps_the_id_of_a_request_that_is_repeated(void **state)
{
    struct rig *rig = *state;
    char first[37];
    char again[37];
    char wider[37];

    assert_int_equal(store_pending_put(rig->store, &laptop, 1U << 3, "not-paired", 1, first), 0);
    assert_int_equal(store_pending_put(rig->store, &laptop, 1U << 3, "not-paired", 2, again), 0);
    assert_int_equal(store_pending_put(rig->store, &laptop, SCOPES_ALL, "not-paired", 3, wider), 0);
    assert_string_equal(first, again);
    assert_string_not_equal(first, wider);
    assert_int_equal(store_pending_put(rig->store, &laptop, SCOPES_ALL, "not-paired", 4 + STORE_PENDING_TTL_MS, first),
                     0);
    assert_string_not_equal(first, wider);
}

static void bounds_the_requests_that_wait(void **state)
{
    struct rig *rig = *state;
    char id[37];
    char device[16];

    for (int i = 0; i < STORE_PENDING_MAX + 20; i++) {
        struct store_identity other = laptop;
        snprintf(device, sizeof(device), "d%d", i);
        other.device_id = device;
        assert_int_equal(store_pending_put(rig->store, &other, 0, "not-paired", i, id), 0);
    }
}

static void counts_generations_across_restarts(void **state)
{
    struct rig *rig = *state;
    uint64_t generation = 0;

    assert_int_equal(store_generation(rig->store, SPAN_LIT("token A"), &generation), 0);
    assert_int_equal(generation, 1);
    reopen(rig);
    assert_int_equal(store_generation(rig->store, SPAN_LIT("token A"), &generation), 0);
    assert_int_equal(generation, 1);
    assert_int_equal(store_generation(rig->store, SPAN_LIT("token B"), &generation), 0);
    assert_int_equal(generation, 2);
}

static void changes_nothing_when_the_disk_is_full(void **state)
{
    struct rig *rig = *state;
    struct store_device device;
    struct rlimit old;
    char id[37];

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 4096, .rlim_max = old.rlim_max }), 0);
    int approved = store_device_approve(rig->store, &laptop, SCOPES_ALL, 1, &device);
    int pending = store_pending_put(rig->store, &laptop, SCOPES_ALL, "not-paired", 1, id);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(approved, STORE_E_FULL);
    assert_int_equal(pending, STORE_E_FULL);
    assert_int_equal(store_device_find(rig->store, "aa", "operator", &device), 0);
    assert_false(device.is_paired);
    assert_int_equal(store_device_approve(rig->store, &laptop, SCOPES_ALL, 1, &device), 0);
    assert_true(device.is_paired);
}

static void refuses_a_file_that_is_no_database(void **state)
{
    struct rig *rig = *state;
    struct store *other = NULL;
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/other", rig->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++) {
        fputs("this is not a database, whatever its name says\n", file);
    }
    fclose(file);
    assert_true(store_open(path, &other) < 0);
    assert_null(other);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_nobody_elses_to_read, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_a_paired_device_and_its_token, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_roles_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_id_of_a_request_that_is_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_the_requests_that_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_generations_across_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_nothing_when_the_disk_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_file_that_is_no_database, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
