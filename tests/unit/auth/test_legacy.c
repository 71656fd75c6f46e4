/* What the original left in its folder and its database: taken over once, and never believed further than it proves. */
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
    char why[LEGACY_WHY_MAX];
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
    return legacy_import_files(rig->store, rig->dir, NOW, &rig->counts, rig->why);
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
    assert_int_equal(rig->counts.sources, 0);
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_false(is_found);
}

static void waits_for_files_that_can_be_read(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    bool is_found = false;

    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.sources + rig->counts.left, 0);
    devices_put(rig);
    put(rig, "pending.json", "{\"half\":");
    assert_int_equal(import(rig), LEGACY_E_UNUSABLE);
    assert_non_null(strstr(rig->why, "pending.json"));
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_false(is_found); /* not even what could be read */
    devices_put(rig);
    assert_int_equal(import(rig), 0);
    assert_int_equal(rig->counts.devices, 1);
}

/* --- the database of the later generation ------------------------------------------------------- */

/* Its tables, as far as they matter here. */
static const char tables[] =
    "CREATE TABLE device_pairing_paired (device_id TEXT NOT NULL PRIMARY KEY, public_key TEXT NOT NULL, operator_label"
    " TEXT, role TEXT, scopes_json TEXT, approved_scopes_json TEXT, tokens_json TEXT, created_at_ms INTEGER NOT NULL,"
    " approved_at_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE device_pairing_pending (request_id TEXT NOT NULL PRIMARY KEY, device_id TEXT NOT NULL, public_key"
    " TEXT NOT NULL, role TEXT, scopes_json TEXT, is_repair INTEGER, ts INTEGER NOT NULL) STRICT;"
    "CREATE TABLE device_bootstrap_tokens (token_key TEXT NOT NULL PRIMARY KEY, token TEXT NOT NULL, ts INTEGER NOT"
    " NULL, device_id TEXT, profile_json TEXT, issued_at_ms INTEGER NOT NULL) STRICT;";

static void database_put(struct rig *rig, const char *sql)
{
    sqlite3 *db = NULL;
    char path[96];

    snprintf(path, sizeof(path), "%s/later.sqlite", rig->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void paired_put(struct rig *rig, const char *tokens)
{
    const struct vector *v = &vectors[0];
    char sql[2048];

    snprintf(
        sql, sizeof(sql),
        "INSERT INTO device_pairing_paired VALUES ('%s', '%s', 'Kitchen', 'operator', '[]', '[\"operator.read\"]',"
        " '%s', 1, 2), ('forged', '%s', NULL, NULL, NULL, NULL, NULL, 1, 1);"
        "INSERT INTO device_pairing_pending VALUES ('r1', '%s', '%s', 'operator', '[\"operator.admin\"]', 1, %lld)",
        v->device_id, v->public_key, tokens, vectors[1].public_key, v->device_id, v->public_key, (long long)NOW - 1000);
    database_put(rig, sql);
}

static int import_state(struct rig *rig)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/later.sqlite", rig->dir);
    return legacy_import_state(rig->store, path, NOW, &rig->counts, rig->why);
}

#define LATER_TOKENS                                                                                                   \
    "{\"operator\":{\"token\":\"LATER\",\"role\":\"operator\",\"scopes\":[\"operator.read\"],\"createdAtMs\":1}}"

static void takes_the_later_database_over_once(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    bool is_found = false;
    unsigned n = 0;

    assert_int_equal(import_state(rig), 0);
    assert_int_equal(rig->counts.sources, 0);
    database_put(rig, tables); /* nobody is paired yet, so this is not the one time */
    assert_int_equal(import_state(rig), 0);
    assert_int_equal(rig->counts.sources, 0);
    paired_put(rig, LATER_TOKENS);
    assert_int_equal(import_state(rig), 0);
    assert_int_equal(rig->counts.devices, 1);
    assert_int_equal(rig->counts.requests, 1);
    assert_int_equal(rig->counts.left, 1);
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_true(is_found);
    assert_string_equal(record.label, "Kitchen");
    assert_int_equal(scope_list_mask(&record.scopes), SCOPES_READ);
    const struct device_token *token = &record.tokens[CONNECT_ROLE_OPERATOR];
    assert_int_equal(devices_token_match(token, SPAN_LIT("LATER")), DEVICES_MATCH_NEWEST);
    assert_false(record.tokens[CONNECT_ROLE_NODE].is_approved);
    assert_int_equal(requests_each(rig->store, NOW, count, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(devices_remove(rig->store, vectors[0].device_id, &is_found), 0);
    assert_int_equal(import_state(rig), 0);
    assert_int_equal(rig->counts.sources, 0);
}

static void nothing_that_was_revoked_here_comes_back(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    bool is_found = false;

    devices_put(rig);
    assert_int_equal(import(rig), 0);
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_int_equal(devices_token_revoke(rig->store, &record, CONNECT_ROLE_OPERATOR, NOW), 0);
    database_put(rig, tables);
    paired_put(rig, LATER_TOKENS);
    assert_int_equal(import_state(rig), 0);
    assert_int_equal(rig->counts.sources, 1);
    assert_int_equal(rig->counts.devices, 0);
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    const struct device_token *token = &record.tokens[CONNECT_ROLE_OPERATOR];
    assert_int_equal(devices_token_match(token, SPAN_LIT("LATER")), DEVICES_MATCH_NONE);
    assert_int_equal(devices_token_match(token, SPAN_LIT("OLD")), DEVICES_MATCH_NONE);
}

static void takes_nothing_of_what_it_cannot_understand(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    bool is_found = false;

    put(rig, "later.sqlite",
        "this is no database, and long enough for nobody to take it for an empty one: "
        "0123456789012345678901234567890123456789012345678901234567890123456789");
    assert_int_equal(import_state(rig), LEGACY_E_UNUSABLE);
    assert_non_null(strstr(rig->why, "not a database"));
    put(rig, "later.sqlite", "");
    database_put(rig, tables);
    paired_put(rig, LATER_TOKENS);
    database_put(rig, "UPDATE device_pairing_pending SET scopes_json = '[\"operator.'");
    assert_int_equal(import_state(rig), LEGACY_E_UNUSABLE);
    assert_non_null(strstr(rig->why, "scopes_json"));
    assert_int_equal(devices_find(rig->store, vectors[0].device_id, &is_found, &record), 0);
    assert_false(is_found);
    database_put(rig, "UPDATE device_pairing_pending SET scopes_json = '[]', ts = 0");
    assert_int_equal(import_state(rig), 0);
    assert_int_equal(rig->counts.devices, 1);
}

/* --- setup codes ---------------------------------------------------------------------------------- */

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
    database_put(rig, tables);
    snprintf(sql, sizeof(sql),
             "INSERT INTO device_bootstrap_tokens VALUES ('k', 'SECOND', 1, NULL, '{\"roles\":[\"operator\"]}', %lld),"
             "('l', 'BROKEN', 1, NULL, '{', %lld)",
             (long long)NOW, (long long)NOW);
    database_put(rig, sql);
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
        cmocka_unit_test_setup_teardown(takes_the_later_database_over_once, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_that_was_revoked_here_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_nothing_of_what_it_cannot_understand, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_setup_codes_of_both_generations, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
