#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/topology.h"
#include "edge/cli/gateway_topology.h"

#ifndef TOPOLOGIES_DIR
#define TOPOLOGIES_DIR "deploy/topologies" /* its build knows better */
#endif

static void parse(const char *text, struct topology *topology)
{
    struct topology_error error;
    int r = topology_parse(span_from(text), topology, &error);

    if (r) {
        fail_msg("%s: %s", text, error.text);
    }
}

static void reads_hosts_and_actors_in_order(void **state)
{
    struct topology topology;

    (void)state;
    parse("// two\n{ hosts: { main: { actors: ['config', 'edge/0',] }, b2: { actors: ['agent/*'] } } }", &topology);
    assert_int_equal(topology.hosts_n, 2);
    assert_string_equal(topology.hosts[0].name, "main");
    assert_int_equal(topology.hosts[0].actors_n, 2);
    assert_string_equal(topology.hosts[0].actors[1], "edge/0");
    assert_string_equal(topology.hosts[1].actors[0], "agent/*");
    assert_ptr_equal(topology_host_find(&topology, "b2"), &topology.hosts[1]);
    assert_null(topology_host_find(&topology, "b"));
    topology_deinit(&topology);
}

static void reads_the_program_that_is_a_host(void **state)
{
    struct topology topology;

    (void)state;
    parse("{ hosts: { a: { actors: ['x', 'y'], exec: ['/bin/x', '--y', 'z'], env: ['A', 'b_2'] }, b: { actors: ['b'] } "
          "} }",
          &topology);
    assert_string_equal(topology.hosts[0].exec[0], "/bin/x");
    assert_string_equal(topology.hosts[0].exec[2], "z");
    assert_null(topology.hosts[0].exec[3]);
    assert_string_equal(topology.hosts[0].env[1], "b_2");
    assert_null(topology.hosts[0].env[2]);
    assert_null(topology.hosts[1].exec);
    assert_null(topology.hosts[1].env);
    topology_deinit(&topology);
}

static void reads_the_strategy_and_the_caps_of_a_host(void **state)
{
    struct topology topology;

    (void)state;
    parse("{ hosts: { a: { actors: ['a'], strategy: 'rest_for_one', memoryMb: 512, hangMs: 60000 },"
          " b: { memoryMb: 16, actors: ['b'], strategy: 'one_for_one', hangMs: 0 }, c: { actors: ['c'] } } }",
          &topology);
    assert_true(topology.hosts[0].is_rest_for_one);
    assert_int_equal(topology.hosts[0].memory_mb, 512);
    assert_false(topology.hosts[1].is_rest_for_one);
    assert_int_equal(topology.hosts[1].memory_mb, 16);
    assert_false(topology.hosts[2].is_rest_for_one);
    assert_int_equal(topology.hosts[2].memory_mb, 0);
    assert_int_equal(topology.hosts[0].hang_ms, 60000);
    assert_int_equal(topology.hosts[1].hang_ms, 0);
    assert_int_equal(topology.hosts[2].hang_ms, TOPOLOGY_HANG_MS);
    topology_deinit(&topology);
}

static const char *place(const struct topology *topology, const char *address)
{
    const struct topology_host *host = topology_place(topology, address);

    return host ? host->name : "nowhere";
}

static void places_by_exact_entry_then_longest_pattern(void **state)
{
    struct topology topology;

    (void)state;
    parse("{ hosts: { a: { actors: ['agent/*', 'x'] }, b: { actors: ['agent/m*', 'agent/main-2'] },"
          " c: { actors: ['agent/main'] } } }",
          &topology);
    assert_string_equal(place(&topology, "agent/main"), "c");
    assert_string_equal(place(&topology, "agent/main-2"), "b");
    assert_string_equal(place(&topology, "agent/mike"), "b");
    assert_string_equal(place(&topology, "agent/other"), "a");
    assert_string_equal(place(&topology, "x"), "a");
    assert_string_equal(place(&topology, "xy"), "nowhere");
    assert_string_equal(place(&topology, "agent"), "nowhere");
    topology_deinit(&topology);
}

static void a_lone_star_takes_what_nobody_else_has(void **state)
{
    struct topology topology;

    (void)state;
    parse("{ hosts: { a: { actors: ['*'] }, b: { actors: ['agent/*'] } } }", &topology);
    assert_string_equal(place(&topology, "agent/x"), "b");
    assert_string_equal(place(&topology, "config"), "a");
    topology_deinit(&topology);
}

#define TCP "{ endpoint: 'tcp://10.0.0.1:18800', curve: 'the-public-key-that-bus-keygen-prints-00' }"

static void reads_the_way_between_machines(void **state)
{
    struct topology topology;

    (void)state;
    parse("{ gateway: " TCP ", hosts: { a: { actors: ['a'], link: 'ipc' }, b: { link: 'tcp', actors: ['b'] } } }",
          &topology);
    assert_false(topology.hosts[0].is_remote);
    assert_true(topology.hosts[1].is_remote);
    assert_string_equal(topology.tcp.endpoint, "tcp://10.0.0.1:18800");
    assert_string_equal(topology.tcp.listen, "tcp://10.0.0.1:18800");
    assert_string_equal(topology.tcp.curve, "the-public-key-that-bus-keygen-prints-00");
    topology_deinit(&topology);
    parse("{ gateway: { listen: 'tcp://*:1', endpoint: 'tcp://[fd7a::1]:65535', curve: "
          "'the-public-key-that-bus-keygen-prints-00' }, hosts: { a: { actors: ['a'] } } }",
          &topology);
    assert_string_equal(topology.tcp.endpoint, "tcp://[fd7a::1]:65535");
    assert_string_equal(topology.tcp.listen, "tcp://*:1");
    topology_deinit(&topology);
}

static const struct {
    const char *text;
    const char *says;
} bad[] = {
    { "", "line 1, column 1" },
    { "{ hosts: ", "line 1, column " },
    { "[]", "an object" },
    { "{}", "\"hosts\" is missing" },
    { "{ host: {} }", "line 1, column 3: unknown key \"host\"; did you mean \"hosts\"?" },
    { "{ network: {} }", "unknown key \"network\"; a topology has \"hosts\", \"gateway\"" },
    { "{ hosts: { a: { actors: ['a'], lnk: 'tcp' } } }", "unknown key \"lnk\"; did you mean \"link\"?" },
    { "{ hosts: { a: { actors: ['a'], link: 'udp' } } }", "line 1, column 38: \"link\" is \"ipc\"" },
    { "{ hosts: { a: { actors: ['a'] }, b: { actors: ['b'], link: 'tcp' } } }",
      "host \"b\" has link \"tcp\", but \"gateway\" is missing" },
    { "{ gateway: 5, hosts: { a: { actors: ['a'] } } }", "\"gateway\" must be an object" },
    { "{ gateway: {}, hosts: { a: { actors: ['a'] } } }", "\"gateway\" has no \"endpoint\"" },
    { "{ gateway: { endpoint: 'tcp://10.0.0.1:18800' } }", "\"tcp://10.0.0.1:18800\" has no \"curve\"" },
    { "{ gateway: { endpoint: 'tcp://127.0.0.1:1' }, hosts: { a: { actors: ['a'] } } }", "has no \"curve\"" },
    { "{ gateway: { endpont: 1 } }", "line 1, column 14: unknown key \"endpont\"; did you mean \"endpoint\"?" },
    { "{ gateway: { endpoint: 'tcp://*:18800' } }", "line 1, column 24: \"endpoint\" is written as" },
    { "{ gateway: { endpoint: 'ipc:///run/x' } }", "\"endpoint\" is written as" },
    { "{ gateway: { endpoint: 'tcp://host' } }", "\"endpoint\" is written as" },
    { "{ gateway: { endpoint: 'tcp://:1' } }", "\"endpoint\" is written as" },
    { "{ gateway: { endpoint: 'tcp://a:65536' } }", "\"endpoint\" is written as" },
    { "{ gateway: { endpoint: 'tcp://a:0' } }", "\"endpoint\" is written as" },
    { "{ gateway: { endpoint: 'tcp://a;b:1' } }", "\"endpoint\" is written as" },
    { "{ gateway: { endpoint: 7 } }", "\"endpoint\" is written as" },
    { "{ gateway: { listen: 'udp://*:1' } }", "\"listen\" is written as" },
    { "{ gateway: { curve: 'short' } }", "line 1, column 21: \"curve\" is the public key" },
    { "{ gateway: { curve: 'the public key that bus keygen prints 00' } }", "\"curve\" is the public key" },
    { "{ hosts: {} }", "1 to 64 hosts" },
    { "{ hosts: 5 }", "must be an object" },
    { "{ hosts: {\n  main: 5 } }", "line 2, column 3: host \"main\" must be an object" },
    { "{ hosts: { main: {} } }", "has no \"actors\"" },
    { "{ hosts: { main: { actors: [] } } }", "1 to 256" },
    { "{ hosts: { main: { actors: 'config' } } }", "must be a list" },
    { "{ hosts: { main: { actors: ['config', 7] } } }", "line 1, column 39: an actor is written as a string" },
    { "{ hosts: { main: { actors: ['a'], extra: 1 } } }", "line 1, column 35: unknown key \"extra\"" },
    { "{ hosts: { a: { actors: ['a'], exec: ['x'] } } }", "begins with the absolute path of the program" },
    { "{ hosts: { a: { actors: ['a'], exec: [] } } }", "\"exec\" must be a list of 1 to 64 texts" },
    { "{ hosts: { a: { actors: ['a'], exec: ['/x', ''] } } }", "what stands in \"exec\" must be a text" },
    { "{ hosts: { a: { actors: ['a'], exec: ['/x'], env: ['A=b'] } } }", "must be names of environment variables" },
    { "{ hosts: { a: { actors: ['a'], exec: ['/x'], env: ['OPENCLAW_BUS_HOST'] } } }", "the gateway sets itself" },
    { "{ hosts: { a: { actors: ['a'], env: ['A'] } } }", "but no \"exec\"" },
    { "{ hosts: { a: { actors: ['a/*'], exec: ['/x'] } } }", "name each without" },
    { "{ hosts: { a: { actors: ['a'], exec: ['/x'], strategy: 'rest_for_one' } } }", "means nothing" },
    { "{ hosts: { a: { actors: ['a'], exec: ['/x'], link: 'tcp' } } }", "has \"exec\" and link \"tcp\"" },
    { "{ hosts: { a: { link: 'tcp', actors: ['a'], exec: ['/x'] } } }", "leave one of them out" },
    { "{ hosts: { Main: { actors: ['a'] } } }", "\"Main\" is no host name" },
    { "{ hosts: { 'a b': { actors: ['a'] } } }", "\"a b\" is no host name" },
    { "{ hosts: { '': { actors: ['a'] } } }", "is no host name" },
    { "{ hosts: { abcdefghijklmnopqrstuvwxyz012345: { actors: ['a'] } } }", "is no host name" },
    { "{ hosts: { a: { actors: ['a'] },\n b: { actors: ['b'] }, 'a': { actors: ['c'] } } }",
      "line 2, column 25: \"a\" stands here twice; remove one" },
    { "{ hosts: { a: { actors: ['a'], strategy: 'all' } } }", "line 1, column 42: \"strategy\" is" },
    { "{ hosts: { a: { actors: ['a'], memoryMb: 'x' } } }", "line 1, column 42: \"memoryMb\" must be a whole" },
    { "{ hosts: { a: { actors: ['a'], memoryMb: 1 } } }", "line 1, column 42: \"memoryMb\" must be a whole" },
    { "{ hosts: { a: { actors: ['a'], hangMs: 'x' } } }", "line 1, column 40: \"hangMs\" must be a whole" },
    { "{ hosts: { a: { actors: ['a'], hangMs: 999 } } }", "line 1, column 40: \"hangMs\" must be a whole" },
    { "{ hosts: { a: { actors: ['a'], actors: ['b'] } } }", "line 1, column 32: \"actors\" stands here twice" },
    { "{ hosts: { a: { actors: ['a', // 'b'\n 'a'] } } }", "line 2, column 2: \"a\" is already on host \"a\"" },
    { "{ hosts: { a: { actors: ['a'] },\n b: { actors: ['x', 'a'] } } }", "line 2, column 21: \"a\" is already" },
    { "{ hosts: { a: { actors: ['/a'] } } }", "\"/a\" is no address" },
    { "{ hosts: { a: { actors: ['a/'] } } }", "\"a/\" is no address" },
    { "{ hosts: { a: { actors: ['a//b'] } } }", "is no address" },
    { "{ hosts: { a: { actors: ['a*b'] } } }", "is no address" },
    { "{ hosts: { a: { actors: ['a b'] } } }", "is no address" },
    { "{ hosts: { a: { actors: [''] } } }", "is no address" },
    { "{ hosts: { a: { actors: ['supervisor'] } } }", "belongs to the bus" },
    { "{ hosts: { a: { actors: ['host/a'] } } }", "belongs to the bus" },
    { "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", "nested" },
};

static void refuses_and_names_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct topology topology;
        struct topology_error error;
        int r = topology_parse(span_from(bad[i].text), &topology, &error);

        if (r != TOPOLOGY_E_REFUSED) {
            fail_msg("accepted: %s", bad[i].text);
        }
        if (!strstr(error.text, bad[i].says)) {
            fail_msg("%s: says \"%s\", not \"%s\"", bad[i].text, error.text, bad[i].says);
        }
    }
}

static void refuses_an_address_of_any_length_without_harm(void **state)
{
    struct topology topology;
    struct topology_error error;
    char text[5000];

    (void)state;
    for (int len = 100; len < 4000; len += 27) {
        (void)snprintf(text, sizeof(text), "{ hosts: { a: { actors: ['%0*d'] } } }", len, 0);
        if (topology_parse(span_from(text), &topology, &error) == 0) {
            assert_true(len < 128);
            topology_deinit(&topology);
        } else {
            assert_true(len >= 128);
        }
    }
}

static void file_parse(const char *path, struct topology *topology)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct topology_error error;

    if (gateway_topology_load(path, &text, topology, &error)) {
        fail_msg("%s", error.text);
    }
}

static void the_file_for_people_is_the_default(void **state)
{
    struct topology ours;
    struct topology theirs;

    (void)state;
    file_parse(NULL, &ours);
    file_parse(TOPOLOGIES_DIR "/single.json5", &theirs);
    assert_int_equal(ours.hosts_n, 1);
    assert_int_equal(theirs.hosts_n, 1);
    assert_string_equal(ours.hosts[0].name, theirs.hosts[0].name);
    assert_int_equal(ours.hosts[0].actors_n, theirs.hosts[0].actors_n);
    for (size_t i = 0; i < ours.hosts[0].actors_n; i++) {
        assert_string_equal(ours.hosts[0].actors[i], theirs.hosts[0].actors[i]);
    }
    topology_deinit(&ours);
    topology_deinit(&theirs);
}

static void the_split_topology_gives_agents_a_process_of_their_own(void **state)
{
    struct topology topology;

    (void)state;
    file_parse(TOPOLOGIES_DIR "/split-agents.json5", &topology);
    assert_string_equal(place(&topology, "agent/main"), "agents");
    assert_string_equal(place(&topology, "edge/0"), "main");
    topology_deinit(&topology);
}

static void the_topology_of_many_processes_gives_each_part_its_own(void **state)
{
    struct topology topology;

    (void)state;
    file_parse(TOPOLOGIES_DIR "/split-process.json5", &topology);
    assert_string_equal(place(&topology, "edge/0"), "edge");
    assert_string_equal(place(&topology, "router"), "core");
    assert_string_equal(place(&topology, "channel/webchat"), "channels");
    assert_string_equal(place(&topology, "agent/main"), "agent-main");
    assert_string_equal(place(&topology, "agent/ops"), "agents");
    topology_deinit(&topology);
}

static void the_topology_of_two_machines_gives_agents_the_other(void **state)
{
    struct topology topology;

    (void)state;
    file_parse(TOPOLOGIES_DIR "/split-host.json5", &topology);
    assert_true(topology_place(&topology, "agent/main")->is_remote);
    assert_false(topology_place(&topology, "edge/0")->is_remote);
    topology_deinit(&topology);
}

static void a_missing_file_is_named(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct topology topology;
    struct topology_error error;

    (void)state;
    assert_int_equal(gateway_topology_load("/nowhere/x.json5", &text, &topology, &error), GATEWAY_TOPOLOGY_E_REFUSED);
    assert_non_null(strstr(error.text, "/nowhere/x.json5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_hosts_and_actors_in_order),
        cmocka_unit_test(places_by_exact_entry_then_longest_pattern),
        cmocka_unit_test(a_lone_star_takes_what_nobody_else_has),
        cmocka_unit_test(reads_the_program_that_is_a_host),
        cmocka_unit_test(reads_the_strategy_and_the_caps_of_a_host),
        cmocka_unit_test(reads_the_way_between_machines),
        cmocka_unit_test(refuses_and_names_the_place),
        cmocka_unit_test(refuses_an_address_of_any_length_without_harm),
        cmocka_unit_test(the_file_for_people_is_the_default),
        cmocka_unit_test(the_split_topology_gives_agents_a_process_of_their_own),
        cmocka_unit_test(the_topology_of_many_processes_gives_each_part_its_own),
        cmocka_unit_test(the_topology_of_two_machines_gives_agents_the_other),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
