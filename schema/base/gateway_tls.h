/*
 * gateway_tls: the certificate of the gateway and its key: where they are, and whether they
 * can be used. For the supervising process before it starts, the edge that serves with
 * them, and the command line, which pins what the gateway of this machine shows.
 */
#ifndef SCHEMA_BASE_GATEWAY_TLS_H
#define SCHEMA_BASE_GATEWAY_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "bus/base/span.h"
#include "schema/base/config_env.h"
#include "schema/base/config_file.h"

#define GATEWAY_TLS_PATH_MAX 1024
#define GATEWAY_TLS_FINGERPRINT_MAX 65 /* SHA-256 of the certificate in lowercase hex, with terminator */

/* What gateway.tls says. */
struct gateway_tls_files {
    bool is_enabled;
    bool is_own;      /* neither file is given: the pair in the state directory */
    bool may_be_made; /* a self-signed pair, where there is none */
    char cert[GATEWAY_TLS_PATH_MAX];
    char key[GATEWAY_TLS_PATH_MAX];
    char ca[GATEWAY_TLS_PATH_MAX]; /* certificates that complete the chain; empty: none */
};

struct gateway_tls_pair {
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* what follows the certificate in its file */
    STACK_OF(X509) * ca;    /* what `ca` holds */
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX];
    int64_t expires_s; /* wall time */
    bool is_early;     /* it is not valid yet */
};

enum {
    GATEWAY_TLS_E_REFUSED = 1, /* see the error */
};

/* Reads `gateway.tls` of the section `gateway`. A leading "~/" is the home directory; the
 * pair of our own is gateway-cert.pem and gateway-key.pem in gateway/tls of the directory
 * that OPENCLAW_STATE_DIR names. 0 or an outcome. */
int gateway_tls_resolve(struct span gateway, struct config_lookup lookup, struct gateway_tls_files *ret_files,
                        struct config_error *error);

/* Makes the pair where it is missing and may be made. `ret_is_made` tells whether. 0, an
 * outcome or a fault. */
int gateway_tls_ensure(const struct gateway_tls_files *files, bool *ret_is_made, struct config_error *error);

/* Reads both files and checks that they can be used together. 0 or an outcome. */
int gateway_tls_load(const struct gateway_tls_files *files, struct gateway_tls_pair *ret_pair,
                     struct config_error *error);
void gateway_tls_pair_deinit(struct gateway_tls_pair *self);

/* Of the certificate alone: the key need not be readable. 0 or an outcome. */
int gateway_tls_fingerprint_of(const struct gateway_tls_files *files, char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX],
                               struct config_error *error);
/* 0 or -ENOMEM. */
int gateway_tls_fingerprint_read(const X509 *cert, char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX]);
/* "sha256:AB:CD…", "AB:CD…" and "abcd…" become the last; false when it is no SHA-256. */
bool gateway_tls_fingerprint_parse(const char *text, char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX]);

#endif
