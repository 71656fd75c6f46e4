/*
 * joins: links with which a machine pairs itself as a node. Whoever asks for what is behind one gets
 * a setup code, once. The token in that is derived from the link, so the database holds neither.
 */
#ifndef ACTORS_AUTH_JOINS_H
#define ACTORS_AUTH_JOINS_H

#include "actors/auth/setup_url.h"
#include "actors/auth/store.h"
#include "schema/base/gateway_tls.h"

#define JOINS_CODE_LEN 23 /* 132 random bits in base64url, with terminator */

/* What is behind a link. */
struct join {
    char url[SETUP_URL_MAX];
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX]; /* empty: an authority vouches for the certificate */
    char token[SECRET_TOKEN_LEN];
    int64_t expires_ms;
};

/* The address of the page of a link, "https://house.example/j/", which lacks the code. False when the gateway's address
 * is neither under TLS nor on this machine. */
bool joins_page(const char *gateway_url, char ret_page[SETUP_URL_MAX]);

/* A new code, and the token that belongs to it. 0 or a fault. */
int joins_code(const struct store *self, char ret_code[JOINS_CODE_LEN], char ret_token[SECRET_TOKEN_LEN]);
/* Keeps what is behind it. 0, STORE_E_FULL or a fault. */
int joins_put(struct store *self, const char *code, const struct join *join, int64_t now_ms);
/* Uses it up. Not found also when it has expired. The same. */
int joins_redeem(struct store *self, struct span code, int64_t now_ms, bool *ret_is_found, struct join *ret_join);

#endif
