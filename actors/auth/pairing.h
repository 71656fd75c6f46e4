/*
 * pairing: may a device whose signature is good do what it asks for, must an operator
 * say so first, or is there somebody whose word is approval enough? Pure.
 */
#ifndef ACTORS_AUTH_PAIRING_H
#define ACTORS_AUTH_PAIRING_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/auth/refusal.h"

/* How the client has shown that it may talk to this gateway. */
enum pairing_proof {
    PAIRING_PROOF_NOTHING,
    PAIRING_PROOF_OWNER,        /* the owner of the state directory, by the kernel's word */
    PAIRING_PROOF_SECRET,       /* the gateway's token or password */
    PAIRING_PROOF_NONE_NEEDED,  /* auth mode none */
    PAIRING_PROOF_IDENTITY,     /* what a trusted proxy or tailscaled says */
    PAIRING_PROOF_DEVICE_TOKEN, /* what it was given when it was paired */
    PAIRING_PROOF_BOOTSTRAP,    /* a setup code */
};

struct pairing_facts {
    enum pairing_proof proof;
    bool is_local;
    bool has_origin;
    bool is_ui;
    bool is_node;      /* asks for the role of a node */
    bool is_node_net;  /* from an address whose nodes the config approves */
    bool is_paired;    /* known device */
    bool has_role;     /* … approved for the role it asks for */
    bool was_revoked;  /* … whose token in that role an operator took away */
    bool is_meta_same; /* … on the same platform and device family as before */
    uint32_t approved; /* … with these scopes */
    uint32_t asked;
};

struct pairing_verdict {
    enum refusal reason; /* REFUSAL_NONE: nothing to approve */
    bool is_silent;      /* approve without asking anybody */
};

/*
 * Silent approval needs the gateway's secret (or mode none) on this very machine, or its
 * owner: whoever has that can read the config anyway. A page of the browser must be our own
 * control page, and may not change what a device is. A setup code, and a network that the
 * config names, approve a node that is seen for the first time, and nothing else.
 */
struct pairing_verdict pairing_decide(const struct pairing_facts *facts);

#endif
