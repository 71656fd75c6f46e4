/*
 * gateway_listen: the sockets that outlive every crash of the processes behind them.
 */
#ifndef EDGE_CLI_GATEWAY_LISTEN_H
#define EDGE_CLI_GATEWAY_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#define GATEWAY_LISTEN_MAX 3

struct gateway_listen {
    int fds[GATEWAY_LISTEN_MAX];
    char hosts[GATEWAY_LISTEN_MAX][64]; /* numeric; empty for a Unix socket */
    size_t n;
    uint16_t port; /* the one that was given, or that was chosen for 0 */
};

struct gateway_listen_error {
    char text[512]; /* what stands in the way, and what to do */
};

enum {
    GATEWAY_LISTEN_E_BUSY = 1,    /* someone listens there */
    GATEWAY_LISTEN_E_REFUSED = 2, /* no such address here, or no right to it */
};

/* Listens on `host` (numeric) and `port`; with 127.0.0.1 on ::1 as well where there is IPv6. */
int gateway_listen_open(const char *host, uint16_t port, struct gateway_listen *ret_self,
                        struct gateway_listen_error *error);
/* On a Unix socket too, in a folder of ours alone; who connects there is known by the kernel's word. What stood there
 * is removed. */
int gateway_listen_local(struct gateway_listen *self, const char *path, struct gateway_listen_error *error);
void gateway_listen_close(struct gateway_listen *self);
/* "3,4": for OPENCLAW_LISTEN_FDS. */
void gateway_listen_names(const struct gateway_listen *self, char *ret_text, size_t len);

#endif
