#include "edge/listener/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "bus/base/cleanup.h"

#define RECORD_HANDSHAKE 0x16

/* Forward secrecy and authenticated encryption alone; TLS 1.3 has nothing else. */
#define CIPHERS                                                                                                        \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                         \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* --- bytes for and from OpenSSL ------------------------------------------------------------ */

static int on_bio_read(BIO *bio, char *buf, size_t cap, size_t *ret_len)
{
    struct tls *self = BIO_get_data(bio);
    size_t len = self->input.len < cap ? self->input.len : cap;

    BIO_clear_retry_flags(bio);
    if (len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(buf, self->input.ptr, len);
    self->input.ptr += len;
    self->input.len -= len;
    *ret_len = len;
    return 1;
}

static int on_bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
    struct tls *self = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (text_buf_add(&self->wire, (struct span){ bytes, len })) {
        return 0;
    }
    *ret_len = len;
    return 1;
}

static long on_bio_ctrl(BIO *bio, int what, long number, void *ptr)
{
    (void)bio;
    (void)number;
    (void)ptr;
    return what == BIO_CTRL_FLUSH; /* conn.c sends by itself */
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "edge");

    if (method && BIO_meth_set_read_ex(method, on_bio_read) && BIO_meth_set_write_ex(method, on_bio_write) &&
        BIO_meth_set_ctrl(method, on_bio_ctrl)) {
        return method;
    }
    BIO_meth_free(method);
    return NULL;
}

/* --- what connections are served with ---------------------------------------------------- */

/* Who offers protocols and none of ours would not understand us (RFC 7301 §3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1"; /* what we like best comes first */
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int library_refuse(struct config_error *error, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    (void)snprintf(error->text, sizeof(error->text), "gateway.tls: %s cannot be used: %s", what,
                   reason ? reason : "unknown reason"); /* a cut text still explains */
    ERR_clear_error();
    return GATEWAY_TLS_E_REFUSED;
}

/* What of `ca` belongs between the certificate and a root goes out with it. */
static bool chain_complete(SSL_CTX *ctx, const struct gateway_tls_pair *pair)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);

    for (int i = 0; i < sk_X509_num(pair->chain); i++) {
        if (!SSL_CTX_add1_chain_cert(ctx, sk_X509_value(pair->chain, i))) {
            return false;
        }
    }
    if (!pair->ca) {
        return true;
    }
    for (int i = 0; i < sk_X509_num(pair->ca); i++) {
        if (!X509_STORE_add_cert(store, sk_X509_value(pair->ca, i))) {
            return false;
        }
    }
    return SSL_CTX_build_cert_chain(ctx, SSL_BUILD_CHAIN_FLAG_UNTRUSTED | SSL_BUILD_CHAIN_FLAG_NO_ROOT |
                                             SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR) > 0;
}

static int pair_use(SSL_CTX *ctx, const struct gateway_tls_pair *pair, struct config_error *error)
{
    if (SSL_CTX_use_certificate(ctx, pair->cert) != 1) {
        return library_refuse(error, "the certificate");
    }
    if (SSL_CTX_use_PrivateKey(ctx, pair->key) != 1) {
        return library_refuse(error, "the key");
    }
    return chain_complete(ctx, pair) ? 0 : library_refuse(error, "the chain of certificates");
}

static SSL_CTX *ctx_new(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro takes no constant */

    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || !SSL_CTX_set_cipher_list(ctx, CIPHERS) ||
        !SSL_CTX_set1_groups_list(ctx, groups)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);         /* an idle connection has none */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets need no memory of ours */
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return ctx;
}

int tls_server_load(const struct gateway_tls_files *files, struct tls_server *ret_server, struct config_error *error)
{
    CLEANUP(gateway_tls_pair_deinit) struct gateway_tls_pair pair = { 0 };
    SSL_CTX *ctx;
    int r = gateway_tls_load(files, &pair, error);

    if (r) {
        return r;
    }
    ctx = ctx_new();
    ret_server->method = ret_server->method ? ret_server->method : method_new();
    r = ctx && ret_server->method ? pair_use(ctx, &pair, error) : library_refuse(error, "OpenSSL");
    if (r) {
        SSL_CTX_free(ctx);
        return r;
    }
    SSL_CTX_free(ret_server->ctx); /* connections hold on to theirs */
    ret_server->ctx = ctx;
    ret_server->expires_s = pair.expires_s;
    memcpy(ret_server->fingerprint, pair.fingerprint, sizeof(pair.fingerprint));
    return 0;
}

void tls_server_deinit(struct tls_server *self)
{
    SSL_CTX_free(self->ctx);
    BIO_meth_free(self->method);
    *self = (struct tls_server){ 0 };
}

/* --- one connection ------------------------------------------------------------------------ */

struct tls *tls_new(const struct tls_server *server)
{
    struct tls *self = calloc(1, sizeof(*self));
    BIO *bio = self ? BIO_new(server->method) : NULL;

    if (bio) {
        self->ssl = SSL_new(server->ctx);
        BIO_set_data(bio, self);
        BIO_set_init(bio, 1);
    }
    if (!bio || !self->ssl) {
        BIO_free(bio);
        free(self);
        return NULL;
    }
    SSL_set_bio(self->ssl, bio, bio);
    SSL_set_accept_state(self->ssl);
    return self;
}

void tls_destroy(struct tls **self_p)
{
    struct tls *self = TAKE(*self_p);

    if (self) {
        SSL_free(self->ssl);
        text_buf_deinit(&self->wire);
        free(self);
    }
}

bool tls_is_hello(uint8_t first)
{
    return first == RECORD_HANDSHAKE;
}

void tls_feed(struct tls *self, struct span input)
{
    self->input = input;
    self->is_begun = true;
}

int tls_read(struct tls *self, uint8_t *buf, size_t cap, size_t *ret_len)
{
    int r = 0;

    *ret_len = 0;
    while (r == 0 && *ret_len < cap) {
        size_t len = 0;

        ERR_clear_error(); /* what another connection left would be taken for ours */
        if (SSL_read_ex(self->ssl, buf + *ret_len, cap - *ret_len, &len)) {
            *ret_len += len;
            continue;
        }
        switch (SSL_get_error(self->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            r = TLS_E_WANT;
            break;
        case SSL_ERROR_ZERO_RETURN:
            r = TLS_E_CLOSED;
            break;
        default:
            r = TLS_E_BROKEN;
            break;
        }
    }
    self->is_open = self->is_open || SSL_is_init_finished(self->ssl);
    return *ret_len > 0 ? 0 : r;
}

bool tls_is_for_http2(const struct tls *self)
{
    const unsigned char *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(self->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

int tls_write(struct tls *self, struct span bytes)
{
    size_t done = 0;

    ERR_clear_error();
    return SSL_write_ex(self->ssl, bytes.ptr, bytes.len, &done) && done == bytes.len ? 0 : TLS_E_BROKEN;
}

void tls_end(struct tls *self)
{
    if (!self->is_ended) {
        self->is_ended = true;
        ERR_clear_error();
        (void)SSL_shutdown(self->ssl); /* the peer's answer is not waited for */
    }
}
