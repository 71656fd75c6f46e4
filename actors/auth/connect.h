/*
 * connect: what a client says about itself in its first request, and what the socket
 * says about the client. Pure; spans point into the message.
 */
#ifndef ACTORS_AUTH_CONNECT_H
#define ACTORS_AUTH_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/auth/refusal.h"
#include "bus/base/span.h"

enum connect_role {
    CONNECT_ROLE_OPERATOR,
    CONNECT_ROLE_NODE,
};
const char *connect_role_name(enum connect_role role);

struct connect_device {
    bool is_present;
    struct span id;
    struct span public_key;
    struct span signature;
    int64_t signed_at_ms;
    struct span nonce;
};

/* Absent texts are empty with a NULL pointer. */
struct connect_request {
    int64_t protocol_min;
    int64_t protocol_max;
    struct span client_id;
    struct span client_mode;
    struct span platform;
    struct span device_family;
    struct span display_name;
    struct span role;
    struct span scopes; /* packed array */
    struct span token;
    struct span password;
    struct span device_token;
    struct span bootstrap_token;
    struct connect_device device;
};

/* Where the connection comes from, as the socket and the upgrade request tell. */
struct connect_peer {
    struct span remote;  /* of the socket */
    struct span client;  /* the same, or what a trusted proxy tells; see proxy.h */
    struct span headers; /* packed map */
    bool has_uid;
    uint32_t uid;       /* of the process at the other end of a Unix socket */
    struct span origin; /* empty: no Origin header */
    struct span host;   /* Host header */
    bool is_loopback;   /* of the socket */
    bool has_proxy_header;
};

enum {
    CONNECT_E_MALFORMED = 1, /* a field is missing or of another type */
};

/* Any packed value. */
int connect_parse(struct span params, struct connect_request *ret_request);

/* Role of the request; REFUSAL_ROLE for an unknown one. */
enum refusal connect_role_of(const struct connect_request *request, enum connect_role *ret_role);

/* The control page or the web chat: clients that live in a browser. */
bool connect_is_ui(const struct connect_request *request);

/*
 * On this machine: the socket is loopback and nothing hints at a proxy in front. The
 * Host header can only take the privilege away, never give it.
 */
bool connect_is_local(const struct connect_peer *peer);

struct connect_origins {
    struct span allowed;      /* packed array */
    bool is_host_header_fine; /* dangerous: any page that was served under the name it connects to */
};

/*
 * A page may connect when it is listed ("*" allows all), when
 * it was served from an IP address that is also the Host (so no name can be rebound to
 * reach it), or when it is a page of this machine connecting over loopback. Clients that
 * live in a browser must send an Origin, others may.
 */
enum refusal connect_origin_check(const struct connect_request *request, const struct connect_peer *peer,
                                  const struct connect_origins *origins);

#endif
