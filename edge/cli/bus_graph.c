#include "edge/cli/bus_graph.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/actor.h"
#include "bus/base/fault.h"
#include "bus/value.h"

static const struct span nothing = { "", 0 };

/* --- the graph -------------------------------------------------------------------------------- */

void bus_graph_deinit(struct bus_graph *self)
{
    for (size_t i = 0; i < self->edges_n; i++) {
        text_buf_deinit(&self->edges[i].topics);
    }
    free(self->nodes);
    free(self->edges);
    *self = (struct bus_graph){ 0 };
}

static bool is_bus_address(struct span address)
{
    return span_is_text(address, "supervisor") || span_starts(address, "host/");
}

static size_t node_find(const struct bus_graph *self, struct span address)
{
    size_t i = 0;

    while (i < self->nodes_n && !span_is(self->nodes[i].address, address)) {
        i++;
    }
    return i;
}

static void node_add(struct bus_graph *self, struct span address, struct span host)
{
    if (address.len && address.len < ACTOR_ADDRESS_MAX && self->nodes_n < BUS_GRAPH_NODES_MAX &&
        node_find(self, address) == self->nodes_n) {
        self->nodes[self->nodes_n++] = (struct bus_graph_node){ address, host };
    }
}

static struct bus_graph_edge *edge_get(struct bus_graph *self, size_t from, size_t to)
{
    struct bus_graph_edge *edges;

    for (size_t i = 0; i < self->edges_n; i++) {
        if (self->edges[i].from == from && self->edges[i].to == to) {
            return &self->edges[i];
        }
    }
    edges = realloc(self->edges, (self->edges_n + 1) * sizeof(*edges));
    if (!edges) {
        return NULL;
    }
    self->edges = edges;
    edges[self->edges_n] = (struct bus_graph_edge){ .from = from, .to = to };
    return &edges[self->edges_n++];
}

static int links_read(struct bus_graph *self, size_t from, struct span links)
{
    struct value_iter it = value_iter(links);
    struct span key;
    struct span link;

    while (value_next(&it, &key, &link)) {
        size_t to = node_find(self, value_str(value_get(link, "to"), nothing));
        int64_t msgs = value_i64(value_get(link, "msgs"), 0);
        struct bus_graph_edge *edge = to < self->nodes_n && msgs > 0 ? edge_get(self, from, to) : NULL;

        if (!edge && to < self->nodes_n && msgs > 0) {
            return FAULT(-ENOMEM);
        }
        if (edge) {
            edge->msgs = (uint64_t)msgs;
            edge->bytes = (uint64_t)value_i64(value_get(link, "bytes"), 0);
        }
    }
    return 0;
}

/* A subscription is an edge even before the first publication. */
static int topic_read(struct bus_graph *self, size_t from, struct span topic)
{
    struct value_iter it = value_iter(value_get(topic, "to"));
    struct span name = value_str(value_get(topic, "name"), nothing);
    struct span key;
    struct span address;
    int r = 0;

    while (r == 0 && value_next(&it, &key, &address)) {
        size_t to = node_find(self, value_str(address, nothing));
        struct bus_graph_edge *edge;

        if (to == self->nodes_n) {
            continue;
        }
        edge = edge_get(self, from, to);
        if (!edge) {
            return FAULT(-ENOMEM);
        }
        r = edge->topics.len ? text_buf_add(&edge->topics, SPAN_LIT(", ")) : 0;
        r = r ? r : text_buf_add(&edge->topics, name);
    }
    return r;
}

static int actor_read(struct bus_graph *self, struct span actor)
{
    size_t from = node_find(self, value_str(value_get(actor, "address"), nothing));
    struct value_iter it = value_iter(value_get(actor, "topics"));
    struct span key;
    struct span topic;
    int r = from < self->nodes_n ? links_read(self, from, value_get(actor, "links")) : 0;

    while (r == 0 && from < self->nodes_n && value_next(&it, &key, &topic)) {
        r = topic_read(self, from, topic);
    }
    return r;
}

static int node_order(const void *a, const void *b)
{
    struct span left = ((const struct bus_graph_node *)a)->address;
    struct span right = ((const struct bus_graph_node *)b)->address;
    size_t shorter = left.len < right.len ? left.len : right.len;
    int order = memcmp(left.ptr, right.ptr, shorter);

    return order ? order : (left.len > right.len) - (left.len < right.len);
}

/* Within a host by name: in what order actors answer means nothing. */
static void nodes_sort(struct bus_graph *self)
{
    for (size_t from = 0, i = 0; i < self->nodes_n; i++) {
        if (i + 1 == self->nodes_n || !span_is(self->nodes[i].host, self->nodes[i + 1].host)) {
            qsort(&self->nodes[from], i + 1 - from, sizeof(*self->nodes), node_order);
            from = i + 1;
        }
    }
}

int bus_graph_new(struct span answer, bool with_nodes, struct bus_graph *self)
{
    struct value_iter it = value_iter(value_get(answer, "actors"));
    struct span key;
    struct span actor;
    int r = 0;

    *self = (struct bus_graph){ .nodes = calloc(BUS_GRAPH_NODES_MAX, sizeof(*self->nodes)) };
    if (!self->nodes) {
        return FAULT(-ENOMEM);
    }
    while (value_next(&it, &key, &actor)) {
        struct span address = value_str(value_get(actor, "address"), nothing);

        if (with_nodes || !is_bus_address(address)) {
            node_add(self, address, value_str(value_get(actor, "host"), nothing));
        }
    }
    if (with_nodes) {
        node_add(self, SPAN_LIT("supervisor"), SPAN_LIT("supervisor"));
    }
    nodes_sort(self);
    it = value_iter(value_get(answer, "actors"));
    while (r == 0 && value_next(&it, &key, &actor)) {
        r = actor_read(self, actor);
    }
    if (r) {
        bus_graph_deinit(self);
    }
    return r;
}

/* --- text ------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int put(struct text_buf *out, const char *fmt, ...)
{
    char text[512];
    va_list args;
    int len;

    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return text_buf_add(out, (struct span){ text, len < 0                      ? 0
                                                  : (size_t)len < sizeof(text) ? (size_t)len
                                                                               : sizeof(text) - 1 });
}

/* Text in which every character of `from` is replaced by the text of the same place in `to`; control characters go. */
static int escaped(struct text_buf *out, struct span text, const char *from, const char *const *to)
{
    int r = 0;

    for (size_t i = 0; i < text.len && r == 0; i++) {
        const char *at = text.ptr[i] ? strchr(from, text.ptr[i]) : NULL;

        if (at) {
            r = text_buf_add(out, span_from(to[at - from]));
        } else if ((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f) {
            r = text_buf_add(out, (struct span){ text.ptr + i, 1 });
        }
    }
    return r;
}

static int dot_text(struct text_buf *out, struct span text)
{
    static const char *const to[] = { "\\\"", "\\\\" };

    return escaped(out, text, "\"\\", to);
}

static int mermaid_text(struct text_buf *out, struct span text)
{
    static const char *const to[] = { "#quot;", "#35;", "#lt;", "#gt;", "#124;" };

    return escaped(out, text, "\"#<>|", to);
}

static int xml_text(struct text_buf *out, struct span text)
{
    static const char *const to[] = { "&amp;", "&lt;", "&gt;", "&quot;" };

    return escaped(out, text, "&<>\"", to);
}

static bool is_first_of_host(const struct bus_graph *self, size_t i)
{
    return i == 0 || !span_is(self->nodes[i].host, self->nodes[i - 1].host);
}

static bool is_last_of_host(const struct bus_graph *self, size_t i)
{
    return i + 1 == self->nodes_n || !span_is(self->nodes[i].host, self->nodes[i + 1].host);
}

/* --- dot ---------------------------------------------------------------------------------------- */

static int dot_node(const struct bus_graph *self, size_t i, struct text_buf *out)
{
    int r = 0;

    if (is_first_of_host(self, i)) {
        r = put(out, "  subgraph cluster_%zu {\n    label=\"", i);
        r = r ? r : dot_text(out, self->nodes[i].host);
        r = r ? r : put(out, "\";\n");
    }
    r = r ? r : put(out, "    n%zu [label=\"", i);
    r = r ? r : dot_text(out, self->nodes[i].address);
    r = r ? r : put(out, "\"];\n");
    return r == 0 && is_last_of_host(self, i) ? put(out, "  }\n") : r;
}

static int dot_edge(const struct bus_graph_edge *edge, struct text_buf *out)
{
    int r = put(out, "  n%zu -> n%zu [label=\"%llu", edge->from, edge->to, (unsigned long long)edge->msgs);

    if (r == 0 && edge->topics.len) {
        r = put(out, "\\n");
        r = r ? r : dot_text(out, (struct span){ edge->topics.data, edge->topics.len });
    }
    return r ? r : put(out, "\"%s];\n", edge->msgs ? "" : ", style=dashed");
}

int bus_graph_dot(const struct bus_graph *self, struct text_buf *out)
{
    int r = put(out, "digraph bus {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");

    for (size_t i = 0; i < self->nodes_n && r == 0; i++) {
        r = dot_node(self, i, out);
    }
    for (size_t i = 0; i < self->edges_n && r == 0; i++) {
        r = dot_edge(&self->edges[i], out);
    }
    return r ? r : put(out, "}\n");
}

/* --- mermaid -------------------------------------------------------------------------------------- */

static int mermaid_node(const struct bus_graph *self, size_t i, struct text_buf *out)
{
    int r = 0;

    if (is_first_of_host(self, i)) {
        r = put(out, "  subgraph h%zu[\"", i);
        r = r ? r : mermaid_text(out, self->nodes[i].host);
        r = r ? r : put(out, "\"]\n");
    }
    r = r ? r : put(out, "    n%zu[\"", i);
    r = r ? r : mermaid_text(out, self->nodes[i].address);
    r = r ? r : put(out, "\"]\n");
    return r == 0 && is_last_of_host(self, i) ? put(out, "  end\n") : r;
}

static int mermaid_edge(const struct bus_graph_edge *edge, struct text_buf *out)
{
    int r = put(out, "  n%zu %s|\"%llu", edge->from, edge->msgs ? "-->" : "-.->", (unsigned long long)edge->msgs);

    if (r == 0 && edge->topics.len) {
        r = put(out, ": ");
        r = r ? r : mermaid_text(out, (struct span){ edge->topics.data, edge->topics.len });
    }
    return r ? r : put(out, "\"| n%zu\n", edge->to);
}

int bus_graph_mermaid(const struct bus_graph *self, struct text_buf *out)
{
    int r = put(out, "flowchart LR\n");

    for (size_t i = 0; i < self->nodes_n && r == 0; i++) {
        r = mermaid_node(self, i, out);
    }
    for (size_t i = 0; i < self->edges_n && r == 0; i++) {
        r = mermaid_edge(&self->edges[i], out);
    }
    return r;
}

/* --- svg: actors stand on a circle, those of one process side by side and in one colour ------------- */

#define SVG_RADIUS 260.0
#define SVG_CENTRE_X 480.0
#define SVG_CENTRE_Y 330.0
#define SVG_PI 3.14159265358979323846

static const char *const svg_colours[] = { "#1f77b4", "#d62728", "#2ca02c", "#9467bd",
                                           "#8c564b", "#e377c2", "#17becf", "#7f7f7f" };

static double angle_of(const struct bus_graph *self, size_t i)
{
    return 2 * SVG_PI * (double)i / (double)self->nodes_n - SVG_PI / 2;
}

static const char *colour_of(const struct bus_graph *self, size_t i)
{
    size_t host = 0;

    for (size_t k = 1; k <= i; k++) {
        host += is_first_of_host(self, k);
    }
    return svg_colours[host % (sizeof(svg_colours) / sizeof(svg_colours[0]))];
}

static int svg_edge(const struct bus_graph *self, const struct bus_graph_edge *edge, struct text_buf *out)
{
    double from = angle_of(self, edge->from);
    double to = angle_of(self, edge->to);
    double middle = (from + to) / 2;
    double bend = SVG_RADIUS * 0.25 * (edge->from < edge->to ? 1 : -1); /* one way and back lie side by side */
    double r0 = SVG_RADIUS - 9;
    int r = put(out,
                "  <path d=\"M%.1f %.1f Q%.1f %.1f %.1f %.1f\" stroke=\"%s\" stroke-width=\"%.1f\"%s "
                "marker-end=\"url(#tip)\"><title>",
                SVG_CENTRE_X + r0 * cos(from), SVG_CENTRE_Y + r0 * sin(from), SVG_CENTRE_X + bend * cos(middle),
                SVG_CENTRE_Y + bend * sin(middle), SVG_CENTRE_X + r0 * cos(to), SVG_CENTRE_Y + r0 * sin(to),
                colour_of(self, edge->from), 1 + log10((double)(edge->msgs ? edge->msgs : 1)) * 0.7,
                edge->msgs ? "" : " stroke-dasharray=\"4 3\"");

    r = r ? r : xml_text(out, self->nodes[edge->from].address);
    r = r ? r : put(out, " &gt; ");
    r = r ? r : xml_text(out, self->nodes[edge->to].address);
    r = r ? r
          : put(out, ": %llu messages, %llu bytes", (unsigned long long)edge->msgs, (unsigned long long)edge->bytes);
    if (r == 0 && edge->topics.len) {
        r = put(out, "; ");
        r = r ? r : xml_text(out, (struct span){ edge->topics.data, edge->topics.len });
    }
    return r ? r : put(out, "</title></path>\n");
}

static int svg_node(const struct bus_graph *self, size_t i, struct text_buf *out)
{
    double angle = angle_of(self, i);
    double x = cos(angle);
    double y = sin(angle);
    int r = put(out, "  <circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" fill=\"%s\"/>\n", SVG_CENTRE_X + SVG_RADIUS * x,
                SVG_CENTRE_Y + SVG_RADIUS * y, colour_of(self, i));

    r = r ? r
          : put(out, "  <text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", SVG_CENTRE_X + (SVG_RADIUS + 14) * x,
                SVG_CENTRE_Y + (SVG_RADIUS + 14) * y + 4,
                x > 0.1    ? "start"
                : x < -0.1 ? "end"
                           : "middle");
    r = r ? r : xml_text(out, self->nodes[i].address);
    return r ? r : put(out, "</text>\n");
}

static int svg_legend(const struct bus_graph *self, struct text_buf *out)
{
    unsigned row = 0;
    int r = 0;

    for (size_t i = 0; i < self->nodes_n && r == 0; i++) {
        if (!is_first_of_host(self, i)) {
            continue;
        }
        r = put(out, "  <rect x=\"16\" y=\"%u\" width=\"12\" height=\"12\" fill=\"%s\"/>\n  <text x=\"34\" y=\"%u\">",
                16 + row * 20, colour_of(self, i), 26 + row * 20);
        r = r ? r : xml_text(out, self->nodes[i].host);
        r = r ? r : put(out, "</text>\n");
        row++;
    }
    return r;
}

int bus_graph_svg(const struct bus_graph *self, struct text_buf *out)
{
    int r =
        put(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"660\" viewBox=\"0 0 960 660\" "
                 "font-family=\"sans-serif\" font-size=\"13\">\n"
                 "  <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
                 "markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" "
                 "fill=\"#444\"/></marker></defs>\n"
                 "  <rect width=\"960\" height=\"660\" fill=\"#fff\"/>\n  <g fill=\"none\" stroke-opacity=\"0.55\">\n");

    for (size_t i = 0; i < self->edges_n && r == 0; i++) {
        r = svg_edge(self, &self->edges[i], out);
    }
    r = r ? r : put(out, "  </g>\n");
    for (size_t i = 0; i < self->nodes_n && r == 0; i++) {
        r = svg_node(self, i, out);
    }
    r = r ? r : svg_legend(self, out);
    return r ? r : put(out, "</svg>\n");
}
