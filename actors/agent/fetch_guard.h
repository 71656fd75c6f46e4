/*
 * fetch_guard: what may be fetched for somebody else: http and https, from addresses of the
 * public network alone, so that nobody reaches through the gateway what only the gateway
 * can reach. Pure.
 *
 * The address is judged where the connection is made, so a name that means another address
 * a moment later, a name that is a number in disguise and a redirect are all judged alike.
 */
#ifndef ACTORS_AGENT_FETCH_GUARD_H
#define ACTORS_AGENT_FETCH_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include "bus/base/span.h"

#define FETCH_GUARD_HOST_MAX 254 /* bytes, with terminator */

/* Is it an address of the public network? IPv4, mapped or translated, is judged as IPv4. */
bool fetch_guard_address(const struct sockaddr *address);

enum {
    FETCH_GUARD_E_URL = 1,   /* no http or https URL, or with a name and password in it */
    FETCH_GUARD_E_LOCAL = 2, /* the name is one of this machine or of the local network */
    FETCH_GUARD_E_HOST = 3,  /* it is not on the list */
};
/* `hosts`: packed list of "host" and "*.domain" (which is not the domain itself); empty: any. */
int fetch_guard_url(struct span url, struct span hosts);

#endif
