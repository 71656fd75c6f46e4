/*
 * gateway_sockets: what the supervising process listens on for its hosts: now, and from the
 * next change on.
 */
#ifndef EDGE_CLI_GATEWAY_SOCKETS_H
#define EDGE_CLI_GATEWAY_SOCKETS_H

#include "bus/process.h"
#include "edge/cli/gateway_listen.h"

struct gateway_sockets {
    struct gateway_listen now;
    struct gateway_listen next; /* open, and not served yet; none: n is 0 */
    int local_fd;               /* for local clients; -1: none */
};

void gateway_sockets_init(struct gateway_sockets *self);
void gateway_sockets_deinit(struct gateway_sockets *self);

/* For process_opts. `self` outlives the process. */
struct process_sockets gateway_sockets_serve(struct gateway_sockets *self);

#endif
