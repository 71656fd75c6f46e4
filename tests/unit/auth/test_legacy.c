/* What the original left in its folder: taken over once, and never believed further than it proves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "actors/auth/bootstrap.h"
#include "actors/auth/legacy.h"
#include "actors/auth/requests.h"
#include "tests/unit/auth/vectors.h"

#define NOW 1737264000000

struct rig {
    char dir[64];
    struct store *store;
    struct legacy_counts counts;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char path[96];

    strcpy(rig->dir, "/tmp/openclaw-legacy-XXXXXX");
    if (!mkdtemp(rig->dir)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/auth.sqlite", rig->dir);
    *state = rig;
    return store_open(path, &rig->store);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];

    store_close(&rig->store);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    int r = system(command);
    free(rig);
    return r;
}

static void put(struct rig *rig, const char *name, const char *text)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The device of the first vector, and one that claims an id which is not that of its key. */
static void devices_put(struct rig *rig)
{
    const struct vector *v = &vectors[0];
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"%s\":{\"deviceId\":\"%s\",\"publicKey\":\"%s\",\"role\":\"operator\",\"scopes\":[\"operator.read\"],"
             "\"createdAtMs\":1,\"approvedAtMs\":2,\"tokens\":{\"operator\":{\"token\":\"OLD\",\"scopes\":"
             "[\"operator.read\"],\"createdAtMs\":1},\"node\":{\"token\":\"GONE\",\"createdAtMs\":1,"
             "\"revokedAtMs\":5}}},\"forged\":{\"deviceId\":\"forged\",\"publicKey\":\"%s\"},\"odd\":7}",
             v->device_id, v->device_id, v->public_key, vectors[1].public_key);
    put(rig, "paired.json", text);
    snprintf(text, sizeof(text),
             "{\"r1\":{\"deviceId\":\"%s\",\"publicKey\":\"%s\",\"role\":\"operator\",\"scopes\":[\"operator.admin\"],"
             "\"ts\":%lld},\"r2\":{\"deviceId\":\"%s\",\"publicKey\":\"%s\",\"ts\":5}}",
             v->device_id, v->public_key, (long long)NOW - 1000, v->device_id, v->public_key);
    put(rig, "pending.json", text);
}

static int import(struct rig *rig)
{
    return legacy_import(rig->store, rig->dir, NOW, &rig->counts);
}

static int count(void *arg, const struct pair_request *request)
{
    unsigned *n = arg;

    assert_int_equal(scope_list_mask(&request->scopes), SCOPES_ADMIN);
    ++*n;
    return 0;
}

static void takes_devices_and_requests_over_once(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    bool is_found = false;
    unsigned n = 0;

    devices_put(rig);
    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.devices, 1);
    assert_int_equal(rig->counts.requests, 1);
    assert_int_equal(rig->counts.left, 2);
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_true(is_found);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_OPERATOR], SPAN_LIT("OLD")), DEVICES_MATCH_NEWEST);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_NODE], SPAN_LIT("GONE")), DEVICES_MATCH_NONE);
    assert_int_equal(requests_each(rig->store, NOW, count, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(devices_remove(rig->store, vectors[0].device_id, &is_found), 0);
    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.files, 0);
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_false(is_found);
}

static void waits_for_files_that_can_be_read(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.files + rig->counts.left, 0);
    put(rig, "paired.json", "{\"half\":");
    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.left, 1);
    devices_put(rig);
    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.devices, 1);
}

static bool code_is_there(struct rig *rig, const char *token, struct bootstrap *bootstrap)
{
    char file[96];
    char database[96];
    bool is_found = false;

    snprintf(file, sizeof(file), "%s/bootstrap.json", rig->dir);
    snprintf(database, sizeof(database), "%s/later.sqlite", rig->dir);
    struct bootstrap_places places = { file, database };
    assert_int_equal(bootstrap_find(rig->store, &places, span_from(token), NOW, &is_found, bootstrap), 0);
    return is_found;
}

static void finds_setup_codes_of_both_generations(void **state)
{
    struct rig *rig = *state;
    struct bootstrap found;
    sqlite3 *db = NULL;
    char path[96];
    char sql[512];

    assert_false(code_is_there(rig, "FIRST", &found));
    snprintf(sql, sizeof(sql),
             "{\"FIRST\":{\"token\":\"FIRST\",\"issuedAtMs\":%lld,\"profile\":{\"roles\":[\"node\"],\"scopes\":"
             "[\"operator.admin\",\"operator.read\"]}},\"\":{\"token\":\"\",\"issuedAtMs\":%lld}}",
             (long long)NOW, (long long)NOW);
    put(rig, "bootstrap.json", sql);
    assert_true(code_is_there(rig, "FIRST", &found));
    assert_int_equal(found.roles, 1U << CONNECT_ROLE_NODE);
    assert_int_equal(found.scopes, SCOPES_READ); /* administrators are not made by a code */
    assert_false(code_is_there(rig, "", &found));
    snprintf(path, sizeof(path), "%s/later.sqlite", rig->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(
        sql, sizeof(sql),
        "CREATE TABLE device_bootstrap_tokens (token TEXT, profile_json TEXT, issued_at_ms INTEGER, device_id TEXT);"
        "INSERT INTO device_bootstrap_tokens VALUES ('SECOND', '{\"roles\":[\"operator\"]}', %lld, NULL),"
        "('BROKEN', '{', %lld, NULL)",
        (long long)NOW, (long long)NOW);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(code_is_there(rig, "SECOND", &found));
    assert_int_equal(found.roles, 1U << CONNECT_ROLE_OPERATOR);
    assert_false(code_is_there(rig, "BROKEN", &found));
    assert_false(code_is_there(rig, "THIRD", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_devices_and_requests_over_once, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_files_that_can_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_setup_codes_of_both_generations, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
