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
/* SHA-256: what is kept of a token of 32 random bytes, which nobody can guess. */
int secret_fingerprint(struct span token, unsigned char ret_digest[SECRET_DIGEST]);
/* The token that belongs to `label`: it need not be kept as long as the key is. 0 or a fault. */
int secret_token_derive(const struct secret_key *self, struct span label, char ret_token[SECRET_TOKEN_LEN]);
/* A random one. 0 or a fault. */
int secret_token_generate(char ret_token[SECRET_TOKEN_LEN]);
/* The key kept in a file (0600), made when there is none. 0 or a fault. */
int secret_key_load(struct secret_key *self, const char *path);
/* A random (version 4) UUID. 0 or a fault. */
int secret_uuid_generate(char ret_uuid[37]);

#endif
