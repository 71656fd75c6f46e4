/*
 * proof: has a client shown that it may talk to this gateway at all? By being its owner, by
 * the gateway's secret, by what a proxy says of it, or because nothing is asked for.
 */
#ifndef ACTORS_AUTH_PROOF_H
#define ACTORS_AUTH_PROOF_H

#include "actors/auth/judge.h"

struct proof_ask {
    const struct connect_peer *peer;
    struct span token; /* offered; a bearer is both */
    struct span password;
    const char *device_id; /* of a paired device that has signed, else NULL */
    bool is_device_token;  /* `token` is the device's own: no guess at the gateway's */
    bool is_page;          /* a control page, for which Tailscale may speak */
    const struct judge_whois *whois;
    uint64_t now_ms;
};

struct proof {
    enum refusal refusal; /* REFUSAL_NONE: shown */
    enum pairing_proof kind;
    const char *method;
    uint32_t wait_ms;
    char user[PROXY_USER_MAX];
    char header[PROXY_NAME_MAX];
};

void proof_judge(struct judge *self, const struct proof_ask *ask, struct proof *ret_proof);
/* A process of the owner (or of root) on a Unix socket, and no page in a browser. */
bool proof_is_owner(const struct judge *self, const struct connect_peer *peer);

#endif
