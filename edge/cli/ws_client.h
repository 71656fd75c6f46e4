/*
 * ws_client: one outgoing WebSocket connection on a libuv loop, text messages only.
 *
 * Everything happens on the loop's thread. The owner runs the loop; after the
 * connection has ended, or to end it, the owner calls ws_client_destroy.
 */
#ifndef EDGE_CLI_WS_CLIENT_H
#define EDGE_CLI_WS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "bus/base/span.h"
#include "edge/cli/ws_url.h"
#include "schema/base/gateway_tls.h"

#define WS_CLIENT_MESSAGE_MAX (64U * 1024 * 1024)

/* How a connection ended, or why it never began. */
struct ws_client_end {
    bool was_open;   /* the WebSocket upgrade had succeeded */
    bool is_served;  /* never open, although something accepts connections there */
    int sys_error;   /* errno of a failed connect, or 0 */
    int http_status; /* of a refused upgrade, or 0 */
    uint16_t code;   /* close code of the peer; 1005: none given; 1006: no close frame */
    char text[128];  /* the peer's close reason, or the library's word for the failure */

    bool is_untrusted;                             /* its certificate was refused, ... */
    char why[128];                                 /* ... for this; empty: it is not the pinned one */
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX]; /* that it showed; empty: none */
};

struct ws_client_opts {
    uv_loop_t *loop;
    const struct ws_url *url; /* a host that begins with "+" is the path of a Unix socket behind it */
    const char *fingerprint;  /* the only certificate that will do; NULL: one that an authority vouches for */
    void *arg;
    void (*on_open)(void *arg);
    void (*on_text)(void *arg, struct span text);
    void (*on_end)(void *arg, const struct ws_client_end *end); /* once, unless we ended it */
};

struct ws_client;

/* Starts to connect; 0 or a fault. on_end may run before this returns. */
int ws_client_new(const struct ws_client_opts *opts, struct ws_client **ret_client);

/* Queues one text message; copied. 0 or a fault. */
int ws_client_send(struct ws_client *self, struct span text);

/* Says goodbye if there is someone to say it to, and runs the loop briefly to clean up. */
void ws_client_destroy(struct ws_client **self_p);

#endif
