/*
 * tls: TLS on connections of the edge (OpenSSL), as bytes in and bytes out. It has no socket
 * and no clock: conn.c gives it what arrived and sends what comes out, so that coalescing,
 * limits and endings are the same with it as without.
 */
#ifndef EDGE_LISTENER_TLS_H
#define EDGE_LISTENER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/gateway_tls.h"

#define TLS_OVERHEAD 1024U /* more than the records around one write add to it */

struct bio_method_st;
struct ssl_st;
struct ssl_ctx_st;

/* What new connections are served with. Those that exist keep what they began with. */
struct tls_server {
    struct ssl_ctx_st *ctx;       /* NULL: none */
    struct bio_method_st *method; /* outlives every connection, so only the last deinit frees it */
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX];
    int64_t expires_s; /* wall time */
};

enum {
    TLS_E_WANT = 1,   /* all that was fed is read */
    TLS_E_CLOSED = 2, /* the peer says that no more comes */
    TLS_E_BROKEN = 3, /* no TLS, none that we accept, or tampered with; what is to be sent tells the peer */
};

struct tls {
    struct ssl_st *ssl;
    struct span input;    /* fed and not yet taken; borrowed */
    struct text_buf wire; /* to be sent */
    bool is_begun;        /* something was fed */
    bool is_open;         /* the handshake is over */
    bool is_ended;        /* our side has said that no more comes */
};

/* Reads the files and makes ready to serve with them. On success `ret_server` is replaced,
 * otherwise it stays. 0 or GATEWAY_TLS_E_REFUSED. */
int tls_server_load(const struct gateway_tls_files *files, struct tls_server *ret_server, struct config_error *error);
/* When no connection is left. */
void tls_server_deinit(struct tls_server *self);

/* NULL without memory. */
struct tls *tls_new(const struct tls_server *server);
void tls_destroy(struct tls **self_p);

/* Could a TLS connection begin with this byte? */
bool tls_is_hello(uint8_t first);

/* `input` stays valid until tls_read has said something other than 0. */
void tls_feed(struct tls *self, struct span input);
/* Reads up to `cap` bytes of what the peer said; goes on with the handshake on the way. 0
 * with something read, or an outcome. */
int tls_read(struct tls *self, uint8_t *buf, size_t cap, size_t *ret_len);
/* Did both sides agree on HTTP/2 (ALPN)? Known once the handshake is over. */
bool tls_is_for_http2(const struct tls *self);
/* Adds records with all of `bytes` to what is to be sent. 0 or TLS_E_BROKEN. */
int tls_write(struct tls *self, struct span bytes);
/* Adds the word that no more comes, once. */
void tls_end(struct tls *self);

#endif
