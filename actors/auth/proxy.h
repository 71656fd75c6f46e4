/*
 * proxy: what the headers of a proxy are worth. They count only when the socket leads to a
 * proxy that the config trusts; anybody else may write what he likes. Pure.
 */
#ifndef ACTORS_AUTH_PROXY_H
#define ACTORS_AUTH_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/auth/refusal.h"
#include "bus/base/span.h"

#define PROXY_NETS_MAX 64
#define PROXY_ADDRESS_MAX 64
#define PROXY_NAME_MAX 128
#define PROXY_LIST_MAX 64
#define PROXY_USER_MAX 256

/* An address, IPv4 as ::ffff:0:0/96, and how many of its bits count. */
struct proxy_net {
    unsigned char bytes[16];
    unsigned bits;
};

struct proxy_nets {
    uint32_t n;
    struct proxy_net at[PROXY_NETS_MAX];
};

/* "10.0.0.1", "10.0.0.0/8", "fd00::/8". False when it is none. */
bool proxy_net_parse(struct span text, struct proxy_net *ret_net);
/* From a packed array; what is no network is counted in *ret_bad and left out. */
void proxy_nets_read(struct span list, struct proxy_nets *ret_nets, uint32_t *ret_bad);
/* `address` as text, an IPv6 zone and brackets are looked over. */
bool proxy_nets_hold(const struct proxy_nets *nets, struct span address);
bool proxy_is_loopback(struct span address);

/* gateway.auth.trustedProxy */
struct proxy_rules {
    char user_header[PROXY_NAME_MAX]; /* lower case; empty: the mode cannot work */
    uint32_t required_n;
    char required[PROXY_LIST_MAX / 2][PROXY_NAME_MAX]; /* lower case */
    bool is_loopback_allowed;
    struct span users; /* packed array; empty: every user. Borrowed from the settings */
};

/*
 * The client's address: the last one in X-Forwarded-For that is no trusted proxy itself,
 * when the socket's is one. X-Real-IP only with `is_real_ip_allowed`. What is unclear is the
 * socket's own address.
 */
struct span proxy_client_address(const struct proxy_nets *trusted, struct span remote, struct span headers,
                                 bool is_real_ip_allowed);

struct proxy_verdict {
    enum refusal refusal;        /* REFUSAL_NONE: `user` is who it says */
    char header[PROXY_NAME_MAX]; /* PROXY_HEADER_MISSING: which */
    char user[PROXY_USER_MAX];
};
void proxy_judge(const struct proxy_rules *rules, const struct proxy_nets *trusted, struct span remote,
                 struct span headers, struct proxy_verdict *ret_verdict);

/*
 * Could the request have come through Tailscale Serve? Only the socket of this machine and
 * all of Serve's headers make it so. REFUSAL_NONE with the login it claims and the address to
 * ask tailscaled about, or what is missing.
 */
struct proxy_tailscale {
    char login[PROXY_USER_MAX];
    char address[PROXY_ADDRESS_MAX];
};
enum refusal proxy_tailscale_claim(bool is_loopback, struct span headers, struct proxy_tailscale *ret_claim);

/* Does anything look as if a proxy stood between? Whoever sends it is not simply on this machine. */
bool proxy_is_hinted(struct span headers);

/* A header as auth_connect brings it; empty when absent. */
struct span proxy_header(struct span headers, const char *name);

#endif
