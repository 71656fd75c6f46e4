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
#include "edge/cli/cli.h"
#include "edge/cli/gateway_handover.h"

/* State and run directory, for this process and its children. The lock lasts while the descriptor is open; the program
 * before this one may have left it. */
int gateway_ground_take(const struct cli_paths *paths, struct gateway_handover *left, int *ret_lock_fd);
/* A copy of the topology that children find by the environment. */
int gateway_ground_topology(const struct text_buf *topology, int *ret_fd);
/* The directory of keys, and this machine's own. */
int gateway_ground_keys(const struct cli_paths *paths, char keys_dir[PATH_MAX], struct curve_pair *ret_pair);
/* Versions of the bus between machines: OPENCLAW_BUS_WIRE, else all that this release speaks. */
int gateway_ground_wire(struct trunk_range *ret_range);
/* Supervises until all has ended; `opts` lack what is the same for both: directories, messages, the command of
 * children, `topology_fd` to inherit, the log, what the program before this one said in `left`. When the program is to
 * be exchanged, what `leave` of `opts` lists is left to the one that takes its place, which is executed with the words
 * of the command line. Returns an exit code. */
int gateway_ground_run(struct cli *cli, const struct gateway_handover *left, const int *topology_fd,
                       struct process_opts *opts);

#endif
