/* Hosts that no file names: what they may be given, and the list on disk that says so. */
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

#include "bus/base/cleanup.h"
#include "bus/curve.h"
#include "bus/topology.h"

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define FILE_TEXT                                                                                                      \
    "{ gateway: { endpoint: 'tcp://10.0.0.1:1', curve: '" KEY "' }, hosts: { "                                         \
    "main: { actors: ['config', 'agent/*', 'channel/web'] }, far: { link: 'tcp', actors: ['agent/far-*'] } } }"

static void parse(struct topology *topology)
{
    struct topology_error error;

    if (topology_parse(span_from(FILE_TEXT), topology, &error)) {
        fail_msg("%s", error.text);
    }
}

static void fill(struct curve_peer *peer, const char *name, const char *const *actors)
{
    *peer = (struct curve_peer){ .public_key = KEY };
    (void)snprintf(peer->name, sizeof(peer->name), "%s", name);
    for (; actors[peer->actors_n]; peer->actors_n++) {
        (void)snprintf(peer->actors[peer->actors_n], sizeof(peer->actors[0]), "%s", actors[peer->actors_n]);
    }
}

static struct topology_guest guest_of(struct curve_peer *peer)
{
    return (struct topology_guest){ peer->name, peer->actors, peer->actors_n };
}

static const char *place(const struct topology *topology, const char *address)
{
    const struct topology_host *host = topology_place(topology, address);

    return host ? host->name : "";
}

static void a_guest_has_its_place_until_it_is_taken_out(void **state)
{
    struct curve_peer left;
    struct curve_peer other;
    struct topology topology;
    struct topology_error error;

    (void)state;
    parse(&topology);
    const struct topology_host *first = topology.hosts;
    fill(&left, "left", (const char *const[]){ "agent/left-*", "channel/lines", NULL });
    struct topology_guest guest = guest_of(&left);
    assert_true(topology_guest_takes(&topology, &guest, "agent/left-a"));
    assert_false(topology_guest_takes(&topology, &guest, "agent/right"));
    assert_false(topology_guest_takes(&topology, &guest, "config"));
    assert_int_equal(topology_guest_check(&topology, &guest, &error), 0);
    const struct topology_host *host = topology_guest_set(&topology, &guest);
    assert_true(host->is_guest && host->is_remote);
    assert_string_equal(place(&topology, "agent/left-a"), "left");
    assert_string_equal(place(&topology, "channel/lines"), "left");
    assert_string_equal(place(&topology, "agent/main"), "main");
    assert_true(topology_covers(&topology, host, "agent/left-a"));
    assert_true(topology_covers(&topology, host, "agent/left-b*"));
    assert_false(topology_covers(&topology, host, "agent/*"));
    assert_false(topology_covers(&topology, host, "config"));
    /* Again, with something else. */
    fill(&left, "left", (const char *const[]){ "agent/x", NULL });
    guest = guest_of(&left);
    assert_int_equal(topology_guest_check(&topology, &guest, &error), 0);
    assert_ptr_equal(topology_guest_set(&topology, &guest), host);
    assert_string_equal(place(&topology, "agent/left-a"), "main");
    assert_string_equal(place(&topology, "agent/x"), "left");
    /* Out; whoever comes next has its place, and nobody has moved. */
    (void)topology_guest_set(&topology, &(struct topology_guest){ .name = left.name });
    assert_string_equal(place(&topology, "agent/x"), "main");
    assert_null(topology_host_find(&topology, "left"));
    assert_null(topology_host_find(&topology, ""));
    fill(&other, "other", (const char *const[]){ "agent/y", NULL });
    guest = guest_of(&other);
    assert_ptr_equal(topology_guest_set(&topology, &guest), host);
    assert_ptr_equal(topology.hosts, first);
    topology_deinit(&topology);
}

static const struct {
    const char *name;
    const char *actors[3];
    const char *says;
} bad[] = {
    { "far", { "agent/z" }, "host \"far\" is in the topology" },
    { "left", { "agent/*" }, "\"agent/*\" is already on host \"main\" of the topology; an address has one place" },
    { "left", { "agent/z", "agent/far-*" }, "\"agent/far-*\" is already on host \"far\"" },
    { "left", { "agent/taken" }, "\"agent/taken\" is already on host \"guest\", which was allowed it" },
    { "left", { "*" }, "\"*\" takes in too much" },
    { "left", { "agent*" }, "\"agent*\" takes in too much" },
    { "left", { "agent//x" }, "\"agent//x\" is no address" },
    { "left", { "a*/b" }, "is no address" },
    { "left", { "supervisor" }, "belongs to the bus itself" },
    { "left", { "host/x" }, "belongs to the bus itself" },
    { "left", { "agent/z", "agent/z" }, "\"agent/z\" is named twice" },
    { "left", { NULL }, "1 to 32 actors" },
};

static void a_collision_is_refused_and_names_whom_it_is_with(void **state)
{
    struct topology topology;
    struct topology_error error;
    struct curve_peer peer;

    (void)state;
    parse(&topology);
    fill(&peer, "guest", (const char *const[]){ "agent/taken", NULL });
    struct topology_guest guest = guest_of(&peer);
    (void)topology_guest_set(&topology, &guest);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *actors[] = { bad[i].actors[0], bad[i].actors[0] ? bad[i].actors[1] : NULL, NULL };

        fill(&peer, bad[i].name, actors);
        guest = guest_of(&peer);
        assert_int_equal(topology_guest_check(&topology, &guest, &error), TOPOLOGY_E_REFUSED);
        if (!strstr(error.text, bad[i].says)) {
            fail_msg("says \"%s\", not \"%s\"", error.text, bad[i].says);
        }
    }
    topology_deinit(&topology);
}

static void there_are_no_more_hosts_than_there_is_room_for(void **state)
{
    struct topology topology;
    struct topology_error error;
    struct curve_peer peer;
    char name[16];
    char pattern[32];

    (void)state;
    parse(&topology);
    for (size_t i = topology.hosts_n; i <= TOPOLOGY_HOSTS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "g%zu", i);
        (void)snprintf(pattern, sizeof(pattern), "agent/g%zu", i);
        fill(&peer, name, (const char *const[]){ pattern, NULL });
        struct topology_guest guest = guest_of(&peer);
        if (i < TOPOLOGY_HOSTS_MAX) {
            assert_int_equal(topology_guest_check(&topology, &guest, &error), 0);
            (void)topology_guest_set(&topology, &guest);
        } else {
            assert_int_equal(topology_guest_check(&topology, &guest, &error), TOPOLOGY_E_REFUSED);
            assert_non_null(strstr(error.text, "there are 64 hosts already"));
            (void)topology_guest_set(&topology, &(struct topology_guest){ .name = "g10" });
            assert_int_equal(topology_guest_check(&topology, &guest, &error), 0);
        }
    }
    topology_deinit(&topology);
}

/* --- the list on disk ------------------------------------------------------------------------ */

static char dir[] = "/tmp/guests-XXXXXX";

static int dir_make(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static void what_was_allowed_is_read_as_it_was_written(void **state)
{
    struct curve_peer peer;
    struct curve_peer out;
    struct stat info;
    char path[64];

    (void)state;
    fill(&peer, "left", (const char *const[]){ "agent/left-*", "channel/A.b_c-d", NULL });
    for (; peer.actors_n < TOPOLOGY_GUEST_ACTORS_MAX; peer.actors_n++) { /* as many as can be, as long as can be */
        (void)snprintf(peer.actors[peer.actors_n], sizeof(peer.actors[0]), "agent/%0120zu", peer.actors_n);
    }
    assert_int_equal(curve_get(dir, "left", &out), CURVE_E_MISSING);
    assert_int_equal(curve_allow(dir, &peer), 0);
    assert_int_equal(curve_get(dir, "left", &out), 0);
    assert_memory_equal(&out, &peer, sizeof(peer));
    assert_true(curve_find(dir, KEY, &out));
    assert_int_equal(out.actors_n, TOPOLOGY_GUEST_ACTORS_MAX);
    (void)snprintf(path, sizeof(path), "%s/allowed/left.cert", dir);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    peer.actors_n = 0; /* the topology says it from now on */
    assert_int_equal(curve_allow(dir, &peer), 0);
    assert_int_equal(curve_get(dir, "left", &out), 0);
    assert_int_equal(out.actors_n, 0);
    assert_int_equal(curve_deny(dir, "left"), 0);
    assert_int_equal(curve_get(dir, "left", &out), CURVE_E_MISSING);
    assert_false(curve_find(dir, KEY, &out));
}

static void a_list_that_somebody_has_spoilt_lets_nobody_join(void **state)
{
    static const char *const lines[] = { "actor-0 = \"*\"", "actor-0 = \"agent/ x\"", "actor-0 = \"\"",
                                         "actor-0 = \"host/x\"" };
    struct curve_peer out;
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/allowed/left.cert", dir);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        (void)fprintf(file, "metadata\n    name = \"left\"\n    %s\ncurve\n    public-key = \"%s\"\n", lines[i], KEY);
        (void)fclose(file);
        assert_int_equal(curve_get(dir, "left", &out), 0);
        assert_string_equal(out.public_key, "");
        assert_int_equal(out.actors_n, 0);
        assert_false(curve_find(dir, KEY, &out));
    }
}

static void spoil(const char *name)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/allowed/%s.cert", dir, name);
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs("garbage", file);
    (void)fclose(file);
}

static void what_a_host_may_run_is_known_when_its_certificate_is_not(void **state)
{
    struct curve_peer peer;
    struct curve_peer out;

    (void)state;
    fill(&peer, "left", (const char *const[]){ "agent/left-*", "channel/lines", NULL });
    assert_int_equal(curve_allow(dir, &peer), 0);
    spoil("left");
    assert_int_equal(curve_get(dir, "left", &out), 0);
    assert_string_equal(out.public_key, "");
    curve_kept(dir, "left", &out);
    assert_int_equal(out.actors_n, 2);
    assert_string_equal(out.actors[1], "channel/lines");
    /* A list that was changed by other means is kept, too. */
    fill(&peer, "left", (const char *const[]){ "agent/other", NULL });
    assert_int_equal(curve_keep(dir, &peer), 0);
    assert_int_equal(curve_keep(dir, &peer), 0);
    curve_kept(dir, "left", &out);
    assert_string_equal(out.actors[0], "agent/other");
    assert_int_equal(out.actors_n, 1);
    assert_int_equal(curve_deny(dir, "left"), 0);
    curve_kept(dir, "left", &out);
    assert_int_equal(out.actors_n, 0);
    assert_int_equal(curve_forget(dir, "left"), CURVE_E_MISSING);
}

/* Whatever the order in which they were made, and the directory has them. */
static void a_key_has_the_first_of_the_names_that_claim_it(void **state)
{
    static const char *const orders[][3] = { { "bb", "cc", "dd" }, { "dd", "bb", "cc" }, { "cc", "dd", "bb" } };
    struct curve_peer peer;
    struct curve_peer out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct curve_list list;
        char why[256];

        for (size_t k = 0; k < ARRAY_LEN(orders[i]); k++) {
            fill(&peer, orders[i][k], (const char *const[]){ "agent/x", NULL });
            assert_int_equal(curve_allow(dir, &peer), 0);
        }
        spoil("cc");
        assert_true(curve_find(dir, KEY, &out));
        assert_string_equal(out.name, "bb");
        assert_int_equal(curve_list_read(dir, &list), 0);
        assert_int_equal(list.n, 3);
        assert_string_equal(list.peers[0].name, "bb");
        assert_null(curve_list_twin(&list, 0));
        assert_null(curve_list_twin(&list, 1)); /* nobody knows whose key it has */
        assert_string_equal(curve_list_twin(&list, 2), "bb");
        curve_twin_explain(list.peers[2].name, "bb", why, sizeof(why));
        assert_non_null(strstr(why, "bus/allowed/dd.cert has the same key as bus/allowed/bb.cert"));
        curve_list_deinit(&list);
        for (size_t k = 0; k < ARRAY_LEN(orders[i]); k++) {
            assert_int_equal(curve_deny(dir, orders[i][k]), 0);
        }
    }
}

/* More than fit: those that come first by name are read, whatever the directory begins with. */
static void a_list_that_is_too_long_is_cut_behind_its_names(void **state)
{
    struct curve_list list;
    struct curve_peer peer;
    char name[16];

    (void)state;
    for (size_t i = CURVE_PEERS_MAX + 8; i > 0; i--) {
        (void)snprintf(name, sizeof(name), "h%03zu", i);
        fill(&peer, name, (const char *const[]){ NULL });
        assert_int_equal(curve_allow(dir, &peer), 0);
    }
    assert_int_equal(curve_list_read(dir, &list), 0);
    assert_int_equal(list.n, CURVE_PEERS_MAX);
    assert_string_equal(list.peers[0].name, "h001");
    assert_string_equal(list.peers[CURVE_PEERS_MAX - 1].name, "h256");
    curve_list_deinit(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_has_its_place_until_it_is_taken_out),
        cmocka_unit_test(a_collision_is_refused_and_names_whom_it_is_with),
        cmocka_unit_test(there_are_no_more_hosts_than_there_is_room_for),
        cmocka_unit_test(what_was_allowed_is_read_as_it_was_written),
        cmocka_unit_test(a_list_that_somebody_has_spoilt_lets_nobody_join),
        cmocka_unit_test(what_a_host_may_run_is_known_when_its_certificate_is_not),
        cmocka_unit_test(a_key_has_the_first_of_the_names_that_claim_it),
        cmocka_unit_test(a_list_that_is_too_long_is_cut_behind_its_names),
    };

    return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
