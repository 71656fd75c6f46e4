/*
 * gateway_port: who listens on a TCP port of this machine, and how to end them.
 *
 * Found through /proc, so only processes that we may look into are seen.
 */
#ifndef EDGE_CLI_GATEWAY_PORT_H
#define EDGE_CLI_GATEWAY_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/pack.h"

#define GATEWAY_PORT_HOLDERS_MAX 64

/* Processes that hold a listening socket on `port`, the lowest pid first; at most `max`. */
size_t gateway_port_holders(uint16_t port, pid_t *ret_pids, size_t max);

/* The program a process runs, for people; "" when it cannot be read. Never its arguments:
 * there may be a secret among them. */
void gateway_port_program(pid_t pid, char *ret_text, size_t len);

/* Appends who runs it, {user, ppid}, to an open map; what cannot be read is left out. */
void gateway_port_owner_pack(pid_t pid, struct pack *out);

/*
 * Ends every holder but ourselves: SIGTERM, then SIGKILL for those still alive after
 * `term_ms`. Tells how many were ended; false when one of them could not be.
 */
bool gateway_port_force(uint16_t port, int term_ms, size_t *ret_ended_n);

#endif
