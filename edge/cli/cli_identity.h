/*
 * cli_identity: the key pair by which a gateway knows this installation again.
 *
 * Files, shared with the original client: <state>/identity/device.json (Ed25519 keys)
 * and <state>/identity/device-auth.json (tokens that gateways issued), both 0600. The
 * original keeps one token for each role, "tokens"; beside it "gateways" keeps those of
 * each gateway apart, as a token is of use, and no secret, only where it was issued.
 */
#ifndef EDGE_CLI_CLI_IDENTITY_H
#define EDGE_CLI_CLI_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define CLI_IDENTITY_TOKEN_MAX 256

struct cli_identity {
    void *key;           /* EVP_PKEY, owned */
    char device_id[65];  /* lowercase hex of SHA-256 of the public key */
    char public_key[44]; /* base64url without padding */
};

/* What a signature vouches for; see the payload of protocol version 3. */
struct cli_identity_claim {
    const char *client_id;
    const char *client_mode;
    const char *role;
    const char *scopes; /* joined by "," in the order sent */
    int64_t signed_at_ms;
    const char *token; /* "" for none */
    struct span nonce;
    const char *platform;
};

enum {
    CLI_IDENTITY_E_ABSENT = 1, /* no identity yet, and none was to be made */
    CLI_IDENTITY_E_BROKEN = 2, /* the file is there and is none; never overwritten */
};

/* Loads the identity of a state directory; makes one when `may_create`. */
int cli_identity_load(const char *state_dir, bool may_create, struct cli_identity *ret_identity);
void cli_identity_deinit(struct cli_identity *self);

/* From a raw private key of 32 bytes (tests). */
int cli_identity_from_seed(const unsigned char seed[32], struct cli_identity *ret_identity);

/* Writes the signature, base64url without padding (86 characters). */
int cli_identity_sign(const struct cli_identity *self, const struct cli_identity_claim *claim, char out[96]);

/* Whose token for whom. */
struct cli_identity_token {
    const char *device_id;
    const char *role;
    const char *gateway; /* "wss://host:port", where pinned with the certificate's fingerprint */
    bool is_configured;  /* it is the one of the config, so a token that names no gateway is its */
};

/* The token that this gateway issued to this device for the role; CLI_IDENTITY_E_ABSENT when none. */
int cli_identity_token_load(const char *state_dir, const struct cli_identity_token *which,
                            char out[CLI_IDENTITY_TOKEN_MAX]);
/* Keeps a newly issued token beside those of other roles and gateways. `scopes` is a msgpack array. */
int cli_identity_token_store(const char *state_dir, const struct cli_identity_token *which, struct span token,
                             struct span scopes);

#endif
