/*
 * gateway_ground: what a gateway, and a host that joins one, stand on: the state directory
 * under its lock, the run directory, the topology that their processes inherit, keys.
 *
 * Each returns an exit code, and has explained what is wrong.
 */
#ifndef EDGE_CLI_GATEWAY_GROUND_H
#define EDGE_CLI_GATEWAY_GROUND_H

#include "bus/curve.h"
#include "bus/json.h"
#include "bus/process.h"
#include "bus/trunk.h"
#include "edge/cli/cli_paths.h"

/* State and run directory, for this process and its children. The lock lasts while the descriptor is open. */
int gateway_ground_take(const struct cli_paths *paths, int *ret_lock_fd);
/* A copy of the topology that children find by the environment. */
int gateway_ground_topology(const struct text_buf *topology, int *ret_fd);
/* The directory of keys, and this machine's own. */
int gateway_ground_keys(const struct cli_paths *paths, char keys_dir[PATH_MAX], struct curve_pair *ret_pair);
/* Versions of the bus between machines: OPENCLAW_BUS_WIRE, else all that this release speaks. */
int gateway_ground_wire(struct trunk_range *ret_range);
/* Supervises until all has ended; `opts` lack what is the same for both: directories, messages, the command of
 * children, `topology_fd` to inherit, the log. Returns what process_run does. */
int gateway_ground_run(const struct cli_paths *paths, const int *topology_fd, struct process_opts *opts);

#endif
