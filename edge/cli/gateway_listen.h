/*
 * gateway_listen: the sockets that outlive every crash of the processes behind them.
 */
#ifndef EDGE_CLI_GATEWAY_LISTEN_H
#define EDGE_CLI_GATEWAY_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#define GATEWAY_LISTEN_MAX 2

struct gateway_listen {
    int fds[GATEWAY_LISTEN_MAX];
    char hosts[GATEWAY_LISTEN_MAX][64]; /* numeric; the first is the one that was asked for */
    size_t n;
    uint16_t port; /* the one that was given, or that was chosen for 0 */
};

struct gateway_listen_error {
    char text[448]; /* what stands in the way */
    char fix[160];  /* what whoever starts the gateway can do; may be empty */
};

enum {
    GATEWAY_LISTEN_E_BUSY = 1,    /* someone listens there */
    GATEWAY_LISTEN_E_REFUSED = 2, /* no such address here, or no right to it */
};

/*
 * Listens on `host` (numeric) and `port`; with 127.0.0.1 on ::1 as well where there is IPv6.
 * `ours` (may be NULL) is open and stays so: it does not count as someone who listens there.
 */
int gateway_listen_open(const char *host, uint16_t port, const struct gateway_listen *ours,
                        struct gateway_listen *ret_self, struct gateway_listen_error *error);
/* On a Unix socket, in a folder of ours alone; who connects there is known by the kernel's word. What stood there
 * is removed. */
int gateway_listen_local(const char *path, int *ret_fd, struct gateway_listen_error *error);
void gateway_listen_close(struct gateway_listen *self);

#endif
