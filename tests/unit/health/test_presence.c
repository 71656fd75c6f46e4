#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/health/presence.h"
#include "bus/value.h"

#define NOW 1000000
#define NOTHING ((struct span){ 0 })

static int start(void **state)
{
    struct presence *self = calloc(1, sizeof(*self));
    struct pack entry;

    pack_init(&entry, 0);
    pack_map_begin(&entry);
    pack_kv_text(&entry, "host", "gateway");
    pack_map_end(&entry);
    *state = self;
    if (!self || presence_init(self, 7, 1, pack_span(&entry))) {
        return -1;
    }
    pack_deinit(&entry);
    return 0;
}

static int stop(void **state)
{
    presence_deinit(*state);
    free(*state);
    return 0;
}

static struct pack scopes_of(const char *scope)
{
    struct pack pack;

    pack_init(&pack, 0);
    pack_array_begin(&pack);
    pack_text(&pack, scope);
    pack_array_end(&pack);
    return pack;
}

static int join_as(struct presence *self, const char *conn, const char *device, const char *role, const char *scope,
                   const char *edge, int64_t now_ms)
{
    struct pack scopes = scopes_of(scope);
    int r = presence_join(self, span_from(edge),
                          &(struct presence_who){
                              .conn_id = span_from(conn),
                              .client_id = SPAN_LIT("test"),
                              .display_name = span_from(device),
                              .mode = SPAN_LIT("ui"),
                              .role = span_from(role),
                              .scopes = pack_span(&scopes),
                              .device_id = span_from(device),
                          },
                          now_ms);

    pack_deinit(&scopes);
    return r;
}

static int join(struct presence *self, const char *conn, const char *device, int64_t now_ms)
{
    return join_as(self, conn, device, "operator", "operator.read", "edge/0", now_ms);
}

/* The text under `key` of the list's entry at `at`. */
static struct span listed(struct presence *self, size_t at, const char *key, int64_t now_ms)
{
    struct value_iter it = value_iter(presence_list(self, now_ms));
    struct span name;
    struct span item = NOTHING;

    for (size_t i = 0; i <= at; i++) {
        if (!value_next(&it, &name, &item)) {
            return NOTHING;
        }
    }
    return value_str(value_get(item, key), NOTHING);
}

static void the_gateway_is_listed_alone_at_first(void **state)
{
    assert_int_equal(value_count(presence_list(*state, NOW)), 1);
    assert_true(span_is_text(listed(*state, 0, "host", NOW), "gateway"));
}

static void connections_of_one_device_share_an_entry(void **state)
{
    struct presence *self = *state;

    assert_int_equal(join(self, "c1", "Dev", NOW), 0);
    assert_int_equal(join_as(self, "c2", "dev", "node", "node.x", "edge/0", NOW + 1), 0);
    assert_int_equal(self->connections_n, 2);
    assert_int_equal(self->readers_n, 1);
    assert_int_equal(value_count(presence_list(self, NOW)), 2);
    assert_int_equal(presence_leave(self, SPAN_LIT("c1"), NOW + 2), 0);
    assert_true(span_is_text(listed(self, 1, "reason", NOW), "connect")); /* the other one lives */
    assert_int_equal(presence_leave(self, SPAN_LIT("c2"), NOW + 3), 0);
    assert_true(span_is_text(listed(self, 1, "reason", NOW), "disconnect"));
    assert_int_equal(self->connections_n, 0);
    assert_int_equal(self->readers_n, 0);
}

static void roles_and_scopes_of_a_device_are_put_together(void **state)
{
    struct presence *self = *state;
    struct value_iter it;
    struct span key;
    struct span item;

    assert_int_equal(join(self, "c1", "dev", NOW), 0);
    assert_int_equal(join_as(self, "c2", "dev", "node", "operator.read", "edge/0", NOW), 0);
    it = value_iter(presence_list(self, NOW));
    assert_true(value_next(&it, &key, &item) && value_next(&it, &key, &item));
    assert_int_equal(value_count(value_get(item, "roles")), 2);
    assert_int_equal(value_count(value_get(item, "scopes")), 1);
}

static void scopes_made_up_to_fill_the_list_are_left_out(void **state)
{
    struct presence *self = *state;
    struct pack scopes;
    char word[512];

    pack_init(&scopes, 0);
    pack_array_begin(&scopes);
    for (int i = 0; i < 128; i++) {
        memset(word, 'a' + i % 26, sizeof(word));
        pack_str(&scopes, (struct span){ word, i % 2 ? sizeof(word) : (size_t)(i + 2) });
    }
    pack_i64(&scopes, 5);
    pack_array_end(&scopes);
    assert_int_equal(presence_join(self, SPAN_LIT("edge/0"),
                                   &(struct presence_who){
                                       .conn_id = SPAN_LIT("c"), .mode = SPAN_LIT("ui"), .scopes = pack_span(&scopes) },
                                   NOW),
                     0);
    pack_deinit(&scopes);
    assert_true(self->newest->packed_len < 8192);
    assert_int_equal(value_count(value_get((struct span){ self->newest->packed, self->newest->packed_len }, "scopes")),
                     PRESENCE_WORDS_MAX);
}

static void the_newest_comes_first(void **state)
{
    struct presence *self = *state;

    assert_int_equal(join(self, "c1", "a", NOW), 0);
    assert_int_equal(join(self, "c2", "b", NOW + 1), 0);
    assert_true(span_is_text(listed(self, 1, "host", NOW), "b"));
    assert_int_equal(presence_leave(self, SPAN_LIT("c1"), NOW + 2), 0);
    assert_true(span_is_text(listed(self, 1, "host", NOW), "a"));
}

static void who_left_is_forgotten_after_five_minutes_and_who_stayed_is_not(void **state)
{
    struct presence *self = *state;
    int64_t later = NOW + PRESENCE_LEFT_MS + 2;

    assert_int_equal(join(self, "c1", "a", NOW), 0);
    assert_int_equal(join(self, "c2", "b", NOW), 0);
    assert_int_equal(presence_leave(self, SPAN_LIT("c1"), NOW + 1), 0);
    assert_int_equal(value_count(presence_list(self, later - 1)), 3);
    assert_int_equal(value_count(presence_list(self, later)), 2);
    assert_true(span_is_text(listed(self, 1, "host", later), "b"));
}

static void the_list_has_a_limit_and_the_living_come_before_the_gone(void **state)
{
    struct presence *self = *state;
    char name[16];

    for (int i = 0; i < PRESENCE_LISTED_MAX + 50; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        assert_int_equal(join(self, name, name, NOW + i), 0);
        if (i % 2) {
            assert_int_equal(presence_leave(self, span_from(name), NOW + i), 0);
        }
    }
    assert_int_equal(value_count(presence_list(self, NOW + 300)), PRESENCE_LISTED_MAX);
    assert_true(self->entries.nodes_n <= PRESENCE_LISTED_MAX + 1);
    assert_int_equal(self->connections_n, (PRESENCE_LISTED_MAX + 50) / 2);
    for (int i = 0; i < PRESENCE_LISTED_MAX * 2; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        assert_int_equal(join(self, name, name, NOW + 400 + i), 0);
    }
    assert_int_equal(value_count(presence_list(self, NOW + 900)), PRESENCE_LISTED_MAX);
    assert_int_equal(self->gone_n, 0); /* more living ones than are shown: nobody gone is kept */
}

static void an_edge_that_dies_takes_its_own_connections(void **state)
{
    struct presence *self = *state;

    assert_int_equal(join_as(self, "c1", "a", "operator", "operator.read", "edge/0", NOW), 0);
    assert_int_equal(join_as(self, "c2", "b", "operator", "operator.read", "edge/1", NOW), 0);
    assert_int_equal(presence_leave_edge(self, SPAN_LIT("edge/0"), NOW), 1);
    assert_int_equal(presence_leave_edge(self, SPAN_LIT("edge/9"), NOW), 0);
    assert_int_equal(self->connections_n, 1);
    assert_int_equal(presence_leave(self, SPAN_LIT("c1"), NOW), PRESENCE_E_UNKNOWN);
}

static void short_connections_are_counted_and_not_listed(void **state)
{
    static const char *const modes[] = { "cli", "backend", "probe" };
    struct presence *self = *state;
    uint64_t version = self->version;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct presence_who who = { .conn_id = SPAN_LIT("c"),
                                    .instance_id = SPAN_LIT("i"),
                                    .mode = span_from(modes[i]) };
        assert_int_equal(presence_join(self, SPAN_LIT("edge/0"), &who, NOW), 0);
        assert_int_equal(self->connections_n, 1);
        assert_int_equal(self->version, version);
        assert_int_equal(value_count(presence_list(self, NOW)), 1);
        assert_int_equal(presence_leave(self, SPAN_LIT("c"), NOW), 0);
    }
}

static void nameless_ones_that_left_are_one_entry_per_name(void **state)
{
    struct presence *self = *state;
    struct presence_who who = { .client_id = SPAN_LIT("webchat"), .mode = SPAN_LIT("webchat") };
    char conn[16];

    for (int i = 0; i < 10; i++) {
        snprintf(conn, sizeof(conn), "c%d", i);
        who.conn_id = span_from(conn);
        assert_int_equal(presence_join(self, SPAN_LIT("edge/0"), &who, NOW), 0);
    }
    assert_int_equal(value_count(presence_list(self, NOW)), 11); /* while they live each is shown */
    for (int i = 0; i < 10; i++) {
        snprintf(conn, sizeof(conn), "c%d", i);
        assert_int_equal(presence_leave(self, span_from(conn), NOW), 0);
    }
    assert_int_equal(value_count(presence_list(self, NOW)), 2);
    assert_int_equal(self->gone_n, 1);
    /* Somebody who calls his instance like that keeps his own entry. */
    who.conn_id = SPAN_LIT("x");
    who.instance_id = SPAN_LIT("gone webchat webchat");
    assert_int_equal(presence_join(self, SPAN_LIT("edge/0"), &who, NOW), 0);
    who.conn_id = SPAN_LIT("y");
    who.instance_id = NOTHING;
    assert_int_equal(presence_join(self, SPAN_LIT("edge/0"), &who, NOW), 0);
    assert_int_equal(presence_leave(self, SPAN_LIT("y"), NOW), 0);
    assert_int_equal(presence_leave(self, SPAN_LIT("x"), NOW), 0);
    assert_int_equal(self->connections_n, 0);
}

static void the_version_grows_with_every_change_of_the_list(void **state)
{
    struct presence *self = *state;
    uint64_t version = self->version;

    assert_int_equal(join(self, "c1", "a", NOW), 0);
    assert_true(self->version > version);
    version = self->version;
    assert_int_equal(join(self, "c1", "a", NOW), 0); /* the same again */
    assert_int_equal(self->version, version);
    assert_int_equal(presence_leave(self, SPAN_LIT("c1"), NOW), 0);
    assert_true(self->version > version);
}

static void ids_that_cannot_be_kept_are_refused(void **state)
{
    char id[80];

    memset(id, 'x', sizeof(id));
    assert_int_equal(join(*state, "", "a", NOW), PRESENCE_E_BAD);
    assert_int_equal(
        presence_join(*state, SPAN_LIT("edge/0"), &(struct presence_who){ .conn_id = { id, sizeof(id) } }, NOW),
        PRESENCE_E_BAD);
    assert_int_equal(presence_join(*state, SPAN_LIT("edge/0"), &(struct presence_who){ .conn_id = { "a\0b", 3 } }, NOW),
                     PRESENCE_E_BAD);
}

static void edges_have_a_limit(void **state)
{
    char edge[16];
    char conn[16];

    for (int i = 0; i <= PRESENCE_EDGES_MAX; i++) {
        snprintf(edge, sizeof(edge), "edge/%d", i);
        snprintf(conn, sizeof(conn), "c%d", i);
        assert_int_equal(join_as(*state, conn, conn, "operator", "x", edge, NOW),
                         i < PRESENCE_EDGES_MAX ? 0 : PRESENCE_E_FULL);
    }
}

static void thousands_of_connections_are_found_again(void **state)
{
    struct presence *self = *state;
    char name[16];

    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        assert_int_equal(join(self, name, name, NOW), 0);
    }
    for (int i = 4999; i >= 0; i--) {
        snprintf(name, sizeof(name), "c%d", i);
        assert_int_equal(presence_leave(self, span_from(name), NOW), 0);
    }
    assert_int_equal(self->connections_n, 0);
    assert_int_equal(self->readers_n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_gateway_is_listed_alone_at_first, start, stop),
        cmocka_unit_test_setup_teardown(connections_of_one_device_share_an_entry, start, stop),
        cmocka_unit_test_setup_teardown(roles_and_scopes_of_a_device_are_put_together, start, stop),
        cmocka_unit_test_setup_teardown(scopes_made_up_to_fill_the_list_are_left_out, start, stop),
        cmocka_unit_test_setup_teardown(the_newest_comes_first, start, stop),
        cmocka_unit_test_setup_teardown(who_left_is_forgotten_after_five_minutes_and_who_stayed_is_not, start, stop),
        cmocka_unit_test_setup_teardown(the_list_has_a_limit_and_the_living_come_before_the_gone, start, stop),
        cmocka_unit_test_setup_teardown(an_edge_that_dies_takes_its_own_connections, start, stop),
        cmocka_unit_test_setup_teardown(short_connections_are_counted_and_not_listed, start, stop),
        cmocka_unit_test_setup_teardown(nameless_ones_that_left_are_one_entry_per_name, start, stop),
        cmocka_unit_test_setup_teardown(the_version_grows_with_every_change_of_the_list, start, stop),
        cmocka_unit_test_setup_teardown(ids_that_cannot_be_kept_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(edges_have_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(thousands_of_connections_are_found_again, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
