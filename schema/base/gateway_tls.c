#include "schema/base/gateway_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_error.h"
#include "schema/base/gateway_tls_make.h"

#define FILE_BYTES_MAX 1048576
#define CERTS_MAX 512    /* of one file */
#define KEY_BITS_MIN 112 /* of security: RSA with 2048 bits has so much, P-256 more */
#define NOTHING ((struct span){ 0 })

/* What the library noted of it is no news to whoever calls it next. */
static int refuse(struct config_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct config_error *error, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)config_error_say_list(error, GATEWAY_TLS_E_REFUSED, fmt, args);
    va_end(args);
    ERR_clear_error();
    return GATEWAY_TLS_E_REFUSED;
}

/* --- where they are ---------------------------------------------------------------------- */

static int path_take(struct span value, const char *field, struct config_lookup lookup, char out[GATEWAY_TLS_PATH_MAX],
                     struct config_error *error)
{
    bool is_home = span_starts(value, "~/");
    const char *home = is_home ? lookup.find(lookup.arg, "HOME") : NULL;
    int len;

    if (memchr(value.ptr, '\0', value.len)) {
        return refuse(error, "gateway.tls.%s is no path: it holds a zero byte", field);
    }
    len = snprintf(out, GATEWAY_TLS_PATH_MAX, "%s%.*s", home ? home : "", (int)value.len - (home ? 1 : 0),
                   value.ptr + (home ? 1 : 0));
    return len < GATEWAY_TLS_PATH_MAX ? 0 : refuse(error, "gateway.tls.%s is too long", field);
}

static int path_own(struct config_lookup lookup, const char *name, char out[GATEWAY_TLS_PATH_MAX],
                    struct config_error *error)
{
    const char *state_dir = lookup.find(lookup.arg, "OPENCLAW_STATE_DIR");
    int len = snprintf(out, GATEWAY_TLS_PATH_MAX, "%s/gateway/tls/%s", state_dir ? state_dir : ".", name);

    return len < GATEWAY_TLS_PATH_MAX ? 0
                                      : refuse(error, "the path of the state directory is too long for gateway.tls");
}

int gateway_tls_resolve(struct span gateway, struct config_lookup lookup, struct gateway_tls_files *ret_files,
                        struct config_error *error)
{
    struct gateway_tls_files self = { .is_enabled = value_bool(value_path(gateway, "tls.enabled"), false) };
    struct span cert = value_str(value_path(gateway, "tls.certPath"), NOTHING);
    struct span key = value_str(value_path(gateway, "tls.keyPath"), NOTHING);
    struct span ca = value_str(value_path(gateway, "tls.caPath"), NOTHING);
    int r;

    self.is_own = !cert.len && !key.len;
    /* A path that is given and mistyped must not bring up a certificate that nobody expects. */
    self.may_be_made = value_bool(value_path(gateway, "tls.autoGenerate"), self.is_own);
    if (self.is_enabled && !self.is_own && (!cert.len || !key.len)) {
        return refuse(error, "gateway.tls.%s is given and gateway.tls.%s is not: they belong together",
                      cert.len ? "certPath" : "keyPath", cert.len ? "keyPath" : "certPath");
    }
    r = cert.len ? path_take(cert, "certPath", lookup, self.cert, error)
                 : path_own(lookup, "gateway-cert.pem", self.cert, error);
    r = r         ? r
        : key.len ? path_take(key, "keyPath", lookup, self.key, error)
                  : path_own(lookup, "gateway-key.pem", self.key, error);
    r = r ? r : ca.len ? path_take(ca, "caPath", lookup, self.ca, error) : 0;
    if (!r) {
        *ret_files = self;
    }
    return r;
}

/* --- reading ----------------------------------------------------------------------------- */

/* A file that is none (a device, a pipe) could keep us for ever. */
static int file_open(const char *path, const char *field, struct config_error *error, FILE **ret_file)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file;

    if (fd < 0) {
        return refuse(error, "gateway.tls.%s: cannot read %s: %s", field, path, strerror(errno));
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_BYTES_MAX) {
        (void)close(fd); /* only looked at */
        return refuse(error, "gateway.tls.%s: %s is no file of at most 1 MiB", field, path);
    }
    file = fdopen(fd, "r");
    if (!file) {
        (void)close(fd); /* only looked at */
        return refuse(error, "gateway.tls.%s: cannot read %s: %s", field, path, strerror(errno));
    }
    *ret_file = file;
    return 0;
}

static void file_close(FILE **file_p)
{
    if (*file_p) {
        (void)fclose(*file_p); /* only read from */
    }
}

static void cert_destroy(X509 **cert_p)
{
    X509_free(*cert_p);
}

static void certs_destroy(STACK_OF(X509) * *certs_p)
{
    sk_X509_pop_free(*certs_p, X509_free);
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
    bool *was_asked = arg;

    (void)buf;
    (void)size;
    (void)is_writing;
    if (was_asked) {
        *was_asked = true;
    }
    return -1;
}

/* All certificates of a file, in order. */
static int certs_read(const char *path, const char *field, STACK_OF(X509) * *ret_certs, struct config_error *error)
{
    CLEANUP(file_close) FILE *file = NULL;
    CLEANUP(certs_destroy) STACK_OF(X509) *certs = sk_X509_new_null();
    X509 *cert;
    int r = file_open(path, field, error, &file);

    if (r) {
        return r;
    }
    while (certs && (cert = PEM_read_X509(file, NULL, no_passphrase, NULL)) != NULL) {
        if (sk_X509_num(certs) == CERTS_MAX || !sk_X509_push(certs, cert)) {
            X509_free(cert);
            return refuse(error, "gateway.tls.%s: %s holds more certificates than can be used", field, path);
        }
    }
    if (!certs || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return refuse(error, "gateway.tls.%s: a certificate in %s is damaged (%s)", field, path,
                      ERR_reason_error_string(ERR_peek_last_error()));
    }
    if (sk_X509_num(certs) == 0) {
        return refuse(error, "gateway.tls.%s: %s holds no certificate in PEM form", field, path);
    }
    ERR_clear_error();
    *ret_certs = TAKE(certs);
    return 0;
}

static int key_read(const char *path, EVP_PKEY **ret_key, struct config_error *error)
{
    CLEANUP(file_close) FILE *file = NULL;
    bool was_asked = false;
    int r = file_open(path, "keyPath", error, &file);
    EVP_PKEY *key;

    if (r) {
        return r;
    }
    key = PEM_read_PrivateKey(file, NULL, no_passphrase, &was_asked);
    if (!key && was_asked) {
        return refuse(error, "gateway.tls.keyPath: the key in %s needs a passphrase; give one without", path);
    }
    if (!key) {
        return refuse(error, "gateway.tls.keyPath: %s holds no private key in PEM form", path);
    }
    *ret_key = key;
    return 0;
}

/* --- fingerprints ------------------------------------------------------------------------ */

int gateway_tls_fingerprint_read(const X509 *cert, char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (!X509_digest(cert, EVP_sha256(), digest, &len) || len != 32) {
        return FAULT(-ENOMEM);
    }
    for (unsigned i = 0; i < len; i++) {
        (void)snprintf(ret_fingerprint + 2 * (size_t)i, 3, "%02x", digest[i]); /* it fits */
    }
    return 0;
}

bool gateway_tls_fingerprint_parse(const char *text, char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char out[GATEWAY_TLS_FINGERPRINT_MAX];
    size_t len = 0;

    for (text += strncasecmp(text, "sha256:", 7) == 0 ? 7 : 0; *text; text++) {
        char c = *text >= 'A' && *text <= 'F' ? (char)(*text + 'a' - 'A') : *text;

        if (c == ':' || c == ' ') {
            continue;
        }
        if (!strchr(digits, c) || len == sizeof(out) - 1) {
            return false;
        }
        out[len++] = c;
    }
    if (len != sizeof(out) - 1) {
        return false;
    }
    out[len] = '\0';
    memcpy(ret_fingerprint, out, sizeof(out));
    return true;
}

int gateway_tls_fingerprint_of(const struct gateway_tls_files *files, char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX],
                               struct config_error *error)
{
    CLEANUP(certs_destroy) STACK_OF(X509) *certs = NULL;
    int r = certs_read(files->cert, "certPath", &certs, error);

    if (r) {
        return r;
    }
    return gateway_tls_fingerprint_read(sk_X509_value(certs, 0), ret_fingerprint) ? refuse(error, "out of memory") : 0;
}

/* --- using ------------------------------------------------------------------------------- */

static int times_read(struct gateway_tls_pair *self, const char *path, struct config_error *error)
{
    struct tm end;

    if (!ASN1_TIME_to_tm(X509_get0_notAfter(self->cert), &end)) {
        return refuse(error, "gateway.tls.certPath: the certificate in %s has no readable dates", path);
    }
    self->expires_s = timegm(&end);
    self->is_early = X509_cmp_current_time(X509_get0_notBefore(self->cert)) > 0;
    return 0;
}

int gateway_tls_load(const struct gateway_tls_files *files, struct gateway_tls_pair *ret_pair,
                     struct config_error *error)
{
    CLEANUP(gateway_tls_pair_deinit) struct gateway_tls_pair self = { 0 };
    CLEANUP(cert_destroy) X509 *cert = NULL;
    int r = certs_read(files->cert, "certPath", &self.chain, error);

    r = r ? r : key_read(files->key, &self.key, error);
    r = r || !files->ca[0] ? r : certs_read(files->ca, "caPath", &self.ca, error);
    if (r) {
        return r;
    }
    cert = sk_X509_shift(self.chain);
    self.cert = TAKE(cert);
    if (!X509_check_private_key(self.cert, self.key)) {
        return refuse(error, "gateway.tls: the key in %s does not belong to the certificate in %s", files->key,
                      files->cert);
    }
    if (EVP_PKEY_get_security_bits(self.key) < KEY_BITS_MIN) {
        return refuse(error, "gateway.tls.keyPath: the key in %s is too weak: RSA needs 2048 bits or more", files->key);
    }
    r = times_read(&self, files->cert, error);
    if (!r && gateway_tls_fingerprint_read(self.cert, self.fingerprint)) {
        r = refuse(error, "out of memory");
    }
    if (!r) {
        *ret_pair = self;
        self = (struct gateway_tls_pair){ 0 };
    }
    return r;
}

void gateway_tls_pair_deinit(struct gateway_tls_pair *self)
{
    X509_free(self->cert);
    EVP_PKEY_free(self->key);
    sk_X509_pop_free(self->chain, X509_free);
    sk_X509_pop_free(self->ca, X509_free);
    *self = (struct gateway_tls_pair){ 0 };
}

/* --- making ------------------------------------------------------------------------------ */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

/* <state>/gateway and <state>/gateway/tls; the state directory itself is there. */
static int own_dir_make(const struct gateway_tls_files *files, struct config_error *error)
{
    char path[GATEWAY_TLS_PATH_MAX];
    char *end;

    (void)snprintf(path, sizeof(path), "%s", files->key); /* it is as large */
    end = strrchr(path, '/');
    *end = '\0'; /* …/gateway/tls */
    end = strrchr(path, '/');
    *end = '\0';
    if (mkdir(path, 0700) && errno != EEXIST) {
        return refuse(error, "gateway.tls: cannot make the directory %s: %s", path, strerror(errno));
    }
    *end = '/';
    if (mkdir(path, 0700) && errno != EEXIST) {
        return refuse(error, "gateway.tls: cannot make the directory %s: %s", path, strerror(errno));
    }
    return 0;
}

int gateway_tls_ensure(const struct gateway_tls_files *files, bool *ret_is_made, struct config_error *error)
{
    bool has_cert = is_there(files->cert);
    bool has_key = is_there(files->key);
    int r;

    *ret_is_made = false;
    if (has_cert || !files->may_be_made || (has_key && !files->is_own)) {
        return 0; /* what is there or not is told when it is loaded */
    }
    r = files->is_own ? own_dir_make(files, error) : 0;
    r = r ? r : gateway_tls_make(files, error);
    *ret_is_made = r == 0;
    return r;
}
