/*
 * topology_fit: does a topology fit this program? One that is well written may still name
 * actors that nobody has, or leave out some that every gateway needs.
 */
#ifndef EDGE_CLI_TOPOLOGY_FIT_H
#define EDGE_CLI_TOPOLOGY_FIT_H

#include "bus/topology.h"

/* Of a gateway. 0, or TOPOLOGY_E_REFUSED and the reason. */
int topology_fit(const struct topology *topology, struct topology_error *error);
/* Of a host that joins one: its file need not know what the gateway runs. */
int topology_fit_host(const struct topology *topology, struct topology_error *error);
/* May actors like that be on another machine than the gateway's? */
bool topology_fit_may_leave(const char *pattern);

#endif
