/*
 * ws_url: the parts of a WebSocket address.
 */
#ifndef EDGE_CLI_WS_URL_H
#define EDGE_CLI_WS_URL_H

#include <stdbool.h>
#include <stdint.h>

struct ws_url {
    bool is_tls;
    bool is_loopback; /* the host is this machine, by name or number */
    char host[256];   /* without brackets */
    uint16_t port;
    char path[512]; /* begins with "/" */
};

enum {
    WS_URL_E_REFUSED = 1, /* see the text */
};

/*
 * "ws://host[:port][/path]", also wss, and http(s) for people who paste those; ports
 * default to 80 and 443. Credentials in an address are refused: they end up in logs.
 * `ret_why` is a static text.
 */
int ws_url_parse(const char *text, struct ws_url *ret_url, const char **ret_why);

#endif
