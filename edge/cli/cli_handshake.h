/*
 * cli_handshake: the connect request, and what hello-ok leaves behind.
 *
 * On this machine the shared secret of the gateway is enough to be trusted with every
 * scope, as backend "gateway-client". Anywhere else, or without a secret, a gateway
 * wants to know the device, so the request is signed with this installation's identity.
 * On its owner's socket a gateway wants neither.
 */
#ifndef EDGE_CLI_CLI_HANDSHAKE_H
#define EDGE_CLI_CLI_HANDSHAKE_H

#include "bus/pack.h"
#include "edge/cli/cli_identity.h"
#include "edge/cli/cli_session.h"

struct cli_handshake {
    const struct cli_session_opts *opts; /* borrowed */
    bool is_owner;
    bool has_identity;
    struct cli_identity identity;
    char gateway[CLI_TARGET_GATEWAY_MAX];      /* by which the device token is kept */
    char device_token[CLI_IDENTITY_TOKEN_MAX]; /* issued earlier by this gateway; empty: none */
};

/* Loads or makes the identity when one is needed. 0 or CLI_SESSION_E_PROBLEM. */
int cli_handshake_init(struct cli_handshake *self, const struct cli_session_opts *opts, struct cli_problem *problem);
/* After a refusal: true when the gateway wants to know the device, which it now will. So is
 * one that was started with another auth mode than its config says. */
bool cli_handshake_identify(struct cli_handshake *self, struct cli_problem *problem);
/* It is the owner who asks, by the kernel's word: no secret, no device. Instead of cli_handshake_init. */
void cli_handshake_owner(struct cli_handshake *self, const struct cli_session_opts *opts);
void cli_handshake_deinit(struct cli_handshake *self);

/* Where neither the config nor the caller has a secret, what an earlier pairing left is the one sent. */
bool cli_handshake_is_by_device_token(const struct cli_handshake *self);

/* Appends the params of `connect` as one msgpack map. 0 or a fault. */
int cli_handshake_params(const struct cli_handshake *self, struct span nonce, struct pack *out);

/* Keeps what the gateway issued to this device. A failure to store only costs the next pairing. */
void cli_handshake_accept(const struct cli_handshake *self, struct span hello);

#endif
