/*
 * setup_url: the address that a setup code names: one that a phone can reach, and over which
 * nobody listens in. Pure but for setup_url_local, which looks at the interfaces.
 */
#ifndef ACTORS_AUTH_SETUP_URL_H
#define ACTORS_AUTH_SETUP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define SETUP_URL_MAX 512
#define SETUP_URL_WHY_MAX 320

/* What the config says of where this gateway can be found; borrowed. */
struct setup_url_facts {
    bool is_tls;
    bool is_remote_mode; /* gateway.mode is "remote": gateway.remote is somebody else's address */
    uint16_t port;
    struct span bind; /* gateway.bind */
    struct span custom_host;
    struct span remote_url;
    struct span public_url; /* plugins.entries.device-pair.config.publicUrl */
    struct span tailscale_mode;
    const char *lan_address;     /* an address of this machine in a private network, or NULL */
    const char *tailnet_address; /* … in its tailnet, or NULL */
};

struct setup_url_ask {
    struct span public_url; /* what the caller wants it to be, or empty */
    bool prefers_remote;
};

struct setup_url {
    char url[SETUP_URL_MAX];
    const char *source; /* which setting it comes from */
    bool is_own;        /* this gateway's own listener is meant, so its certificate is known */
};

enum {
    SETUP_URL_E_NONE = 1, /* see `why`: what stands in the way, and what to do */
};

int setup_url_choose(const struct setup_url_facts *facts, const struct setup_url_ask *ask, struct setup_url *ret_url,
                     char why[SETUP_URL_WHY_MAX]);

/* "wss://host:port/path" of what a person writes, `scheme` where he names none; false when it is no address. */
bool setup_url_normalize(struct span text, const char *scheme, char out[SETUP_URL_MAX]);

/* The address, as setup_url_normalize writes it, leads back to the machine it is used on. */
bool setup_url_is_here(const char *url);

#define SETUP_URL_ADDRESS_MAX 16
/* The first IPv4 address of this machine in a private network, and in a tailnet; empty when there is none. */
void setup_url_local(char ret_lan[SETUP_URL_ADDRESS_MAX], char ret_tailnet[SETUP_URL_ADDRESS_MAX]);

#endif
