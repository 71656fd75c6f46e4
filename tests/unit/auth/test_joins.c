/* Links with which a machine pairs itself: each leads somewhere once, and only for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "actors/auth/joins.h"

#define NOW 1737264000000

struct rig {
    char dir[64];
    struct store *store;
    char code[JOINS_CODE_LEN];
    struct join join;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char path[96];

    strcpy(rig->dir, "/tmp/openclaw-joins-XXXXXX");
    if (!mkdtemp(rig->dir)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/auth.sqlite", rig->dir);
    *state = rig;
    int r = store_open(path, &rig->store);
    r = r ? r : joins_code(rig->store, rig->code, rig->join.token);
    strcpy(rig->join.url, "wss://house.example");
    strcpy(rig->join.fingerprint, "AB");
    rig->join.expires_ms = NOW + 1000;
    return r ? r : joins_put(rig->store, rig->code, &rig->join, NOW);
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

static bool leads_somewhere(struct rig *rig, const char *code, int64_t now_ms, struct join *join)
{
    bool is_found = false;

    assert_int_equal(joins_redeem(rig->store, span_from(code), now_ms, &is_found, join), 0);
    return is_found;
}

static void leads_to_the_same_once(void **state)
{
    struct rig *rig = *state;
    struct join join;

    assert_false(leads_somewhere(rig, "AAAAAAAAAAAAAAAAAAAAAA", NOW, &join));
    assert_false(leads_somewhere(rig, "", NOW, &join));
    assert_true(leads_somewhere(rig, rig->code, NOW + 999, &join));
    assert_string_equal(join.url, rig->join.url);
    assert_string_equal(join.fingerprint, rig->join.fingerprint);
    assert_string_equal(join.token, rig->join.token);
    assert_true(join.expires_ms == rig->join.expires_ms);
    assert_false(leads_somewhere(rig, rig->code, NOW + 999, &join));
}

static void ends_when_its_time_is_over(void **state)
{
    struct rig *rig = *state;
    struct join join;

    assert_false(leads_somewhere(rig, rig->code, NOW + 1000, &join));
    assert_false(leads_somewhere(rig, rig->code, NOW, &join)); /* looking at it has used it up */
}

static void is_under_tls_or_on_this_machine(void **state)
{
    static const struct {
        const char *gateway;
        const char *page; /* NULL: none */
    } rows[] = {
        { "wss://house.example", "https://house.example/j/" },
        { "wss://house.example:8443/gate/", "https://house.example:8443/gate/j/" },
        { "ws://127.0.0.1:18789", "http://127.0.0.1:18789/j/" },
        { "ws://localhost:1", "http://localhost:1/j/" },
        { "ws://[::1]:1", "http://[::1]:1/j/" },
        { "ws://192.168.1.5:18789", NULL },
        { "ws://printer.local", NULL },
        { "ws://127.0.0.1.house.example", NULL },
    };
    char page[SETUP_URL_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(joins_page(rows[i].gateway, page), rows[i].page != NULL);
        if (rows[i].page) {
            assert_string_equal(page, rows[i].page);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leads_to_the_same_once, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_when_its_time_is_over, setup, teardown),
        cmocka_unit_test(is_under_tls_or_on_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
