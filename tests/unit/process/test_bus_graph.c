#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "edge/cli/bus_graph.h"

static const char answer[] =
    "{\"actors\":["
    "{\"host\":\"main\",\"address\":\"host/main\",\"links\":[{\"to\":\"b\\\"<&\",\"msgs\":9}],\"topics\":[]},"
    "{\"host\":\"main\",\"address\":\"b\\\"<&\",\"links\":[{\"to\":\"a\",\"msgs\":12,\"bytes\":99},{\"to\":\"gone\","
    "\"msgs\":1},{\"to\":\"c\",\"msgs\":0}],\"topics\":[{\"name\":\"news\",\"to\":[\"c\",\"gone\"]},{\"name\":\"more\","
    "\"to\":[\"c\"]}]},"
    "{\"host\":\"main\",\"address\":\"a\",\"links\":[],\"topics\":[]},"
    "{\"host\":\"far\",\"address\":\"c\",\"links\":[{\"to\":\"a\",\"msgs\":1}],\"topics\":[]}]}";

static void graph_make(bool with_nodes, struct pack *pack, struct bus_graph *graph)
{
    pack_init(pack, 0);
    assert_int_equal(json_to_pack(SPAN_LIT(answer), &(struct json_opts){ 0 }, pack, NULL), 0);
    assert_int_equal(bus_graph_new(pack_span(pack), with_nodes, graph), 0);
}

static void has_actors_by_host_and_what_leads_to_those_that_are_there(void **state)
{
    CLEANUP(bus_graph_deinit) struct bus_graph graph = { 0 };
    CLEANUP(pack_deinit) struct pack pack;

    (void)state;
    graph_make(false, &pack, &graph);
    assert_int_equal(graph.nodes_n, 3);
    assert_true(span_is_text(graph.nodes[0].address, "a"));
    assert_true(span_is_text(graph.nodes[2].address, "c") && span_is_text(graph.nodes[2].host, "far"));
    assert_int_equal(graph.edges_n, 3);
    assert_int_equal(graph.edges[0].msgs, 12);
    assert_int_equal(graph.edges[0].bytes, 99);
}

static void the_buss_own_are_there_when_asked_for(void **state)
{
    CLEANUP(bus_graph_deinit) struct bus_graph graph = { 0 };
    CLEANUP(pack_deinit) struct pack pack;

    (void)state;
    graph_make(true, &pack, &graph);
    assert_int_equal(graph.nodes_n, 5);
    assert_int_equal(graph.edges_n, 4);
}

static void drawings_escape_what_they_must(void **state)
{
    CLEANUP(bus_graph_deinit) struct bus_graph graph = { 0 };
    CLEANUP(pack_deinit) struct pack pack;
    CLEANUP(text_buf_deinit) struct text_buf dot = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf mermaid = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf svg = { 0 };

    (void)state;
    graph_make(false, &pack, &graph);
    assert_int_equal(bus_graph_dot(&graph, &dot), 0);
    assert_int_equal(bus_graph_mermaid(&graph, &mermaid), 0);
    assert_int_equal(bus_graph_svg(&graph, &svg), 0);
    assert_int_equal(text_buf_add(&dot, (struct span){ "", 1 }), 0);
    assert_int_equal(text_buf_add(&mermaid, (struct span){ "", 1 }), 0);
    assert_int_equal(text_buf_add(&svg, (struct span){ "", 1 }), 0);
    assert_non_null(strstr(dot.data, "n1 [label=\"b\\\"<&\"];"));
    assert_non_null(strstr(dot.data, "n1 -> n2 [label=\"0\\nnews, more\", style=dashed];"));
    assert_non_null(strstr(mermaid.data, "n1[\"b#quot;#lt;&\"]"));
    assert_non_null(strstr(mermaid.data, "n1 -.->|\"0: news, more\"| n2"));
    assert_non_null(strstr(svg.data, ">b&quot;&lt;&amp;</text>"));
    assert_non_null(strstr(svg.data, "b&quot;&lt;&amp; &gt; a: 12 messages, 99 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_actors_by_host_and_what_leads_to_those_that_are_there),
        cmocka_unit_test(the_buss_own_are_there_when_asked_for),
        cmocka_unit_test(drawings_escape_what_they_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
