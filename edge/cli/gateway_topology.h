/*
 * gateway_topology: the topology a gateway runs, and its way from the supervising
 * process to the hosts: all of them read one copy in the run directory, so that an
 * edited file changes nothing until the next start.
 */
#ifndef EDGE_CLI_GATEWAY_TOPOLOGY_H
#define EDGE_CLI_GATEWAY_TOPOLOGY_H

#include "bus/json.h"
#include "bus/topology.h"

/* One process runs everything; deploy/topologies/single.json5 is the same for people. */
extern const char gateway_topology_default[];

enum {
    GATEWAY_TOPOLOGY_E_REFUSED = 1,
};

/* Reads `path`, or the default when NULL, and parses it. The text is appended to `text`. */
int gateway_topology_load(const char *path, struct text_buf *text, struct topology *ret_topology,
                          struct topology_error *error);

/* A sealed copy in memory, which hosts inherit: nobody can remove or change it. */
int gateway_topology_publish(struct span text, int *ret_fd);

#endif
