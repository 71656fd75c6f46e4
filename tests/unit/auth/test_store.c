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
#include <sqlite3.h>

#include "actors/auth/bootstrap.h"
#include "actors/auth/requests.h"
#include "actors/auth/scopes.h"

#define OPERATOR (1U << CONNECT_ROLE_OPERATOR)
#define NODE (1U << CONNECT_ROLE_NODE)

struct rig {
    char dir[64];
    char path[128];
    struct store *store;
};

static const struct device_identity laptop = {
    .id = "aa",
    .public_key = "KEY",
    .platform = "linux",
    .client_id = "cli",
    .client_mode = "cli",
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
    char command[160];

    store_close(&rig->store);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    int r = system(command);
    free(rig);
    return r;
}

static void reopen(struct rig *rig)
{
    store_close(&rig->store);
    assert_int_equal(store_open(rig->path, &rig->store), 0);
}

static struct scope_list list_of(uint32_t mask)
{
    struct scope_list list = { 0 };

    scope_list_add_mask(&list, mask);
    return list;
}

static int approve(struct rig *rig, uint32_t roles, uint32_t scopes, int64_t now_ms, struct device_record *record)
{
    struct scope_list list = list_of(scopes);

    return devices_approve(rig->store, &laptop, roles, &list, now_ms, record);
}

static void tell(struct rig *rig, struct device_record *record, enum connect_role role, char token[SECRET_TOKEN_LEN])
{
    assert_int_equal(devices_token_tell(rig->store, record, role, token), 0);
    assert_int_equal(strlen(token), 43);
}

static void is_nobody_elses_to_read(void **state)
{
    struct rig *rig = *state;
    char key[160];
    struct stat st;

    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(key, sizeof(key), "%s.key", rig->path);
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, SECRET_DIGEST);
}

static void keeps_a_paired_device_and_its_token(void **state)
{
    struct rig *rig = *state;
    struct device_record first;
    struct device_record again;
    char token[SECRET_TOKEN_LEN];
    char same[SECRET_TOKEN_LEN];
    bool is_found = true;

    assert_int_equal(devices_find(rig->store, "aa", &is_found, &first), 0);
    assert_false(is_found);
    assert_int_equal(approve(rig, OPERATOR, SCOPES_READ, 1000, &first), 0);
    tell(rig, &first, CONNECT_ROLE_OPERATOR, token);
    reopen(rig);
    assert_int_equal(devices_find(rig->store, "aa", &is_found, &again), 0);
    assert_true(is_found);
    tell(rig, &again, CONNECT_ROLE_OPERATOR, same);
    assert_string_equal(same, token);
    assert_string_equal(again.identity.platform, "linux");
    assert_int_equal(again.created_ms, 1000);
    assert_int_equal(again.tokens[CONNECT_ROLE_OPERATOR].scopes, SCOPES_READ);
    assert_int_equal(devices_roles(&again), OPERATOR);
}

static void keeps_no_token_in_the_database(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    char token[SECRET_TOKEN_LEN];
    char setup_token[SECRET_TOKEN_LEN];
    char command[256];

    assert_int_equal(approve(rig, OPERATOR | NODE, SCOPES_ALL, 1000, &record), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, token);
    assert_int_equal(bootstrap_issue(rig->store, NODE, 0, 1000, setup_token), 0);
    snprintf(command, sizeof(command), "grep -rqa -e '%s' -e '%s' '%s'", token, setup_token, rig->dir);
    assert_int_not_equal(system(command), 0);
    snprintf(command, sizeof(command), "grep -rqa 'operator.admin' '%s'", rig->dir);
    assert_int_equal(system(command), 0); /* so that the search above can find something */
}

static void replaces_a_token_in_two_phases(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    char older[SECRET_TOKEN_LEN];
    char never_told[SECRET_TOKEN_LEN];
    char newer[SECRET_TOKEN_LEN];
    struct device_token *token = &record.tokens[CONNECT_ROLE_OPERATOR];
    bool is_found;

    assert_int_equal(approve(rig, OPERATOR, SCOPES_READ, 1, &record), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, older);
    assert_int_equal(devices_token_rotate(rig->store, &record, CONNECT_ROLE_OPERATOR, SCOPES_READ, 2), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, never_told);
    assert_int_equal(devices_token_rotate(rig->store, &record, CONNECT_ROLE_OPERATOR, SCOPES_READ, 3), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, newer);
    reopen(rig);
    assert_int_equal(devices_find(rig->store, "aa", &is_found, &record), 0);
    assert_int_equal(devices_token_match(token, span_from(older)), DEVICES_MATCH_OLDER);
    assert_int_equal(devices_token_match(token, span_from(never_told)), DEVICES_MATCH_NONE);
    assert_int_equal(devices_token_match(token, span_from(newer)), DEVICES_MATCH_NEWEST);
    assert_int_equal(devices_token_match(token, (struct span){ 0 }), DEVICES_MATCH_NONE);
    assert_int_equal(devices_token_settle(rig->store, &record, CONNECT_ROLE_OPERATOR), 0);
    reopen(rig);
    assert_int_equal(devices_find(rig->store, "aa", &is_found, &record), 0);
    assert_int_equal(devices_token_match(token, span_from(older)), DEVICES_MATCH_NONE);
    assert_int_equal(devices_token_match(token, span_from(newer)), DEVICES_MATCH_NEWEST);
}

static void never_gives_an_old_token_to_a_device_that_comes_back(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    char before[SECRET_TOKEN_LEN];
    char after[SECRET_TOKEN_LEN];
    bool was_there = false;

    assert_int_equal(approve(rig, OPERATOR, SCOPES_READ, 1, &record), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, before);
    assert_int_equal(devices_token_revoke(rig->store, &record, CONNECT_ROLE_OPERATOR, 2), 0);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_OPERATOR], span_from(before)), DEVICES_MATCH_NONE);
    assert_int_equal(devices_roles_usable(&record), 0);
    assert_int_equal(devices_remove(rig->store, "aa", &was_there), 0);
    assert_true(was_there);
    assert_int_equal(devices_remove(rig->store, "aa", &was_there), 0);
    assert_false(was_there);
    assert_int_equal(approve(rig, OPERATOR, SCOPES_READ, 3, &record), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, after);
    assert_string_not_equal(before, after);
}

static void keeps_roles_apart(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    char as_operator[SECRET_TOKEN_LEN];
    char as_node[SECRET_TOKEN_LEN];

    assert_int_equal(approve(rig, OPERATOR, SCOPES_WRITE, 1, &record), 0);
    assert_false(record.tokens[CONNECT_ROLE_NODE].is_usable);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, as_operator);
    assert_int_equal(approve(rig, NODE, 0, 2, &record), 0);
    tell(rig, &record, CONNECT_ROLE_NODE, as_node);
    assert_string_not_equal(as_node, as_operator);
    assert_int_equal(record.tokens[CONNECT_ROLE_NODE].scopes, 0);
    assert_int_equal(record.tokens[CONNECT_ROLE_OPERATOR].scopes, SCOPES_WRITE | SCOPES_READ);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_NODE], span_from(as_operator)),
                     DEVICES_MATCH_NONE);
}

/* Lost with a backup, say: what clients hold stays good, and they are told something new. */
static void survives_the_loss_of_the_key(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    char before[SECRET_TOKEN_LEN];
    char after[SECRET_TOKEN_LEN];
    char key[160];
    bool is_found;

    assert_int_equal(approve(rig, OPERATOR, SCOPES_READ, 1, &record), 0);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, before);
    store_close(&rig->store);
    snprintf(key, sizeof(key), "%s.key", rig->path);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(store_open(rig->path, &rig->store), 0);
    assert_int_equal(devices_find(rig->store, "aa", &is_found, &record), 0);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_OPERATOR], span_from(before)),
                     DEVICES_MATCH_NEWEST);
    tell(rig, &record, CONNECT_ROLE_OPERATOR, after);
    assert_string_not_equal(before, after);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_OPERATOR], span_from(before)),
                     DEVICES_MATCH_OLDER);
}

/* --- requests ------------------------------------------------------------------------ */

static bool put(struct rig *rig, uint32_t roles, uint32_t scopes, int64_t now_ms, struct pair_request *request)
{
    bool is_new = false;

    *request = (struct pair_request){ .identity = laptop, .roles = roles, .scopes = list_of(scopes) };
    assert_int_equal(requests_put(rig->store, request, now_ms, &is_new), 0);
    return is_new;
}

static void keeps_the_id_of_a_request_that_is_repeated(void **state)
{
    struct rig *rig = *state;
    struct pair_request first;
    struct pair_request again;
    struct pair_request wider;
    struct pair_request late;

    assert_true(put(rig, OPERATOR, SCOPES_READ, 1, &first));
    assert_false(put(rig, OPERATOR, SCOPES_READ, 2, &again));
    assert_string_equal(first.id, again.id);
    assert_true(put(rig, NODE, SCOPES_ADMIN, 3, &wider));
    assert_string_not_equal(first.id, wider.id);
    assert_int_equal(wider.roles, OPERATOR | NODE);
    assert_int_equal(scope_list_mask(&wider.scopes), SCOPES_READ | SCOPES_ADMIN);
    assert_true(put(rig, OPERATOR, SCOPES_READ, 4 + REQUESTS_TTL_MS, &late));
    assert_string_not_equal(wider.id, late.id);
}

static int count(void *arg, const struct pair_request *request)
{
    unsigned *n = arg;

    (void)request;
    ++*n;
    return 0;
}

static void forgets_requests_that_waited_too_long(void **state)
{
    struct rig *rig = *state;
    struct pair_request request;
    struct pair_request found;
    bool is_found = false;
    unsigned n = 0;

    put(rig, OPERATOR, SCOPES_READ, 1000, &request);
    assert_int_equal(requests_find(rig->store, request.id, 1000 + REQUESTS_TTL_MS, &is_found, &found), 0);
    assert_true(is_found);
    assert_int_equal(requests_find(rig->store, request.id, 1001 + REQUESTS_TTL_MS, &is_found, &found), 0);
    assert_false(is_found);
    assert_int_equal(requests_each(rig->store, 1001 + REQUESTS_TTL_MS, count, &n), 0);
    assert_int_equal(n, 0);
}

static void bounds_the_requests_that_wait(void **state)
{
    struct rig *rig = *state;
    struct pair_request request;
    bool is_new;
    unsigned n = 0;

    for (int i = 0; i < REQUESTS_MAX + 20; i++) {
        request = (struct pair_request){ .identity = laptop, .roles = OPERATOR };
        snprintf(request.identity.id, sizeof(request.identity.id), "d%d", i);
        assert_int_equal(requests_put(rig->store, &request, 1000 + i, &is_new), 0);
    }
    assert_int_equal(requests_each(rig->store, 2000, count, &n), 0);
    assert_int_equal(n, REQUESTS_MAX);
}

static const struct bootstrap_places nowhere = { "", "" };

/* --- setup codes ------------------------------------------------------------------------ */

static void spends_a_setup_code_once(void **state)
{
    struct rig *rig = *state;
    struct bootstrap found;
    char token[SECRET_TOKEN_LEN];
    bool is_found = false;

    assert_int_equal(bootstrap_issue(rig->store, NODE | OPERATOR, SCOPES_ALL, 1000, token), 0);
    assert_int_equal(bootstrap_find(rig->store, &nowhere, span_from(token), 2000, &is_found, &found), 0);
    assert_true(is_found);
    assert_int_equal(found.scopes, bootstrap_scopes_allowed());
    assert_int_equal(bootstrap_bind(rig->store, &found, "aa"), 0);
    assert_int_equal(bootstrap_find(rig->store, &nowhere, span_from(token), 2000, &is_found, &found), 0);
    assert_string_equal(found.device_id, "aa");
    assert_int_equal(bootstrap_find(rig->store, &nowhere, span_from(token), 1000 + BOOTSTRAP_TTL_MS, &is_found, &found),
                     0);
    assert_false(is_found);
    assert_int_equal(bootstrap_redeem(rig->store, &found, 3000), 0);
    assert_int_equal(bootstrap_find(rig->store, &nowhere, span_from(token), 3000, &is_found, &found), 0);
    assert_false(is_found);
}

/* --- the whole -------------------------------------------------------------------------- */

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
    struct device_record record;
    struct pair_request request = { .identity = laptop };
    struct rlimit old;
    bool is = false;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 4096, .rlim_max = old.rlim_max }), 0);
    int began = store_begin(rig->store);
    int approved = approve(rig, OPERATOR, SCOPES_ALL, 1, &record);
    approved = store_finish(rig->store, approved);
    int asked = requests_put(rig->store, &request, 1, &is);
    int looked = devices_find(rig->store, "aa", &is, &record);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(began, 0);
    assert_int_equal(approved, STORE_E_FULL);
    assert_int_equal(asked, STORE_E_FULL);
    assert_int_equal(looked, 0);
    assert_false(is);
    assert_int_equal(approve(rig, OPERATOR, SCOPES_ALL, 1, &record), 0);
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
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void refuses_what_a_newer_version_wrote(void **state)
{
    struct rig *rig = *state;
    struct store *other = NULL;

    store_close(&rig->store);
    sql(rig->path, "PRAGMA user_version = 99");
    assert_true(store_open(rig->path, &other) < 0);
    assert_null(other);
}

static void takes_the_first_format_over(void **state)
{
    struct rig *rig = *state;
    struct device_record record;
    char path[160];
    bool is_found = false;

    snprintf(path, sizeof(path), "%s/first.sqlite", rig->dir);
    sql(path, "CREATE TABLE device (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, platform TEXT NOT NULL,"
              " device_family TEXT NOT NULL, client_id TEXT NOT NULL, client_mode TEXT NOT NULL, display_name TEXT NOT"
              " NULL, created_ms INTEGER NOT NULL, approved_ms INTEGER NOT NULL) WITHOUT ROWID;"
              "CREATE TABLE device_role (device_id TEXT NOT NULL REFERENCES device(id) ON DELETE CASCADE, role TEXT NOT"
              " NULL, scopes TEXT NOT NULL, token TEXT NOT NULL, issued_ms INTEGER NOT NULL, PRIMARY KEY (device_id,"
              " role)) WITHOUT ROWID; CREATE TABLE pending (request_id TEXT PRIMARY KEY);"
              "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
              "INSERT INTO device VALUES ('aa', 'KEY', 'linux', '', 'cli', 'cli', 'Laptop', 1, 2);"
              "INSERT INTO device_role VALUES ('aa', 'operator', 'operator.read', 'OLD-TOKEN', 7);"
              "PRAGMA user_version = 1");
    store_close(&rig->store);
    assert_int_equal(store_open(path, &rig->store), 0);
    assert_int_equal(devices_find(rig->store, "aa", &is_found, &record), 0);
    assert_true(is_found);
    assert_string_equal(record.identity.display_name, "Laptop");
    assert_int_equal(record.tokens[CONNECT_ROLE_OPERATOR].scopes, SCOPES_READ);
    assert_int_equal(devices_token_match(&record.tokens[CONNECT_ROLE_OPERATOR], SPAN_LIT("OLD-TOKEN")),
                     DEVICES_MATCH_NEWEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_nobody_elses_to_read, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_a_paired_device_and_its_token, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_no_token_in_the_database, setup, teardown),
        cmocka_unit_test_setup_teardown(replaces_a_token_in_two_phases, setup, teardown),
        cmocka_unit_test_setup_teardown(never_gives_an_old_token_to_a_device_that_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_roles_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_the_loss_of_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_the_id_of_a_request_that_is_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_requests_that_waited_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_the_requests_that_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(spends_a_setup_code_once, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_generations_across_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_nothing_when_the_disk_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_file_that_is_no_database, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_a_newer_version_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_the_first_format_over, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
