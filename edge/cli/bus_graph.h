/*
 * bus_graph: which actor has sent messages to which, as a drawing. Pure.
 */
#ifndef EDGE_CLI_BUS_GRAPH_H
#define EDGE_CLI_BUS_GRAPH_H

#include <stdbool.h>

#include "bus/json.h"

#define BUS_GRAPH_NODES_MAX 512U

struct bus_graph_node {
    struct span address;
    struct span host; /* its process */
};

struct bus_graph_edge {
    size_t from;
    size_t to;
    uint64_t msgs;
    uint64_t bytes;
    struct text_buf topics; /* names, joined by ", "; may be empty */
};

/* Spans are borrowed from the answer. */
struct bus_graph {
    struct bus_graph_node *nodes; /* those of one host stand together */
    size_t nodes_n;
    struct bus_graph_edge *edges;
    size_t edges_n;
};

/* Of the control socket's answer to "links", packed. `with_nodes`: the bus's own addresses, host/… and
 * supervisor, as well. 0 or -ENOMEM. */
int bus_graph_new(struct span answer, bool with_nodes, struct bus_graph *self);
void bus_graph_deinit(struct bus_graph *self);

/* Each appends a whole document. 0 or -ENOMEM. */
int bus_graph_dot(const struct bus_graph *self, struct text_buf *out);
int bus_graph_mermaid(const struct bus_graph *self, struct text_buf *out);
int bus_graph_svg(const struct bus_graph *self, struct text_buf *out);

#endif
