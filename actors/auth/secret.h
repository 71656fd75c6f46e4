/*
 * secret: comparison that tells nothing by its duration, not even a length.
 */
#ifndef ACTORS_AUTH_SECRET_H
#define ACTORS_AUTH_SECRET_H

#include <stdbool.h>

#include "bus/base/span.h"

#define SECRET_DIGEST 32
#define SECRET_TOKEN_LEN 44 /* 32 random bytes in base64url, with terminator */

/* SHA-256 HMACs under this key are what is compared. */
struct secret_key {
    unsigned char bytes[SECRET_DIGEST];
};

/* A random key. 0 or a fault. */
int secret_key_init(struct secret_key *self);
int secret_digest(const struct secret_key *self, struct span text, unsigned char ret_digest[SECRET_DIGEST]);
/* False also when `expected` is empty: nothing matches a secret that is not configured. */
bool secret_match(const struct secret_key *self, struct span given, struct span expected);
/* A new device token. 0 or a fault. */
int secret_token_generate(char ret_token[SECRET_TOKEN_LEN]);
/* A random (version 4) UUID. 0 or a fault. */
int secret_uuid_generate(char ret_uuid[37]);

#endif
