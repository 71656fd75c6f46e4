/*
 * topology_key: hosts of other machines know a gateway by the key that stands in their topology. Is it the one of the
 * gateway that is to run with it?
 */
#ifndef EDGE_CLI_TOPOLOGY_KEY_H
#define EDGE_CLI_TOPOLOGY_KEY_H

#include "bus/topology.h"

#define TOPOLOGY_KEY_ADVICE "put the latter in the topology, as `curve`, here and on every machine that joins"
#define TOPOLOGY_KEY_E_OTHER 1

/* `own` is NULL where this state directory has no key (yet): then all but the example's own would do. 0, or
 * TOPOLOGY_KEY_E_OTHER with what is wrong. */
int topology_key_fit(const struct topology *topology, const char *own, struct topology_error *error);

#endif
