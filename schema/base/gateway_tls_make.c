#include "schema/base/gateway_tls_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "schema/base/config_error.h"

#define VALID_DAYS 3650
#define SERIAL_BITS 127
#define HOST_MAX 254

static void cert_destroy(X509 **cert_p)
{
    X509_free(*cert_p);
}

static void key_destroy(EVP_PKEY **key_p)
{
    EVP_PKEY_free(*key_p);
}

static int library_fault(void)
{
    ERR_clear_error();
    return FAULT(-ENOMEM);
}

/* --- what the certificate says ------------------------------------------------------------ */

static bool extension_add(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    int is_added;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    is_added = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return is_added;
}

/* Only letters, digits, dots and dashes: nothing that reads as more than a name. */
static bool is_plain_name(const char *host)
{
    return host[0] && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == strlen(host);
}

/* By what names it may be asked for; who pins the fingerprint does not look at them. */
static bool names_add(X509 *cert)
{
    char host[HOST_MAX] = "";
    char names[HOST_MAX + 96];

    if (gethostname(host, sizeof(host) - 1) || !is_plain_name(host)) {
        host[0] = '\0';
    }
    (void)snprintf(names, sizeof(names), "DNS:localhost,DNS:openclaw-gateway,IP:127.0.0.1,IP:::1%s%s",
                   host[0] ? ",DNS:" : "", host); /* it fits */
    return extension_add(cert, NID_subject_alt_name, names);
}

static bool serial_set(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool is_set = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

    BN_free(number);
    return is_set;
}

static int cert_new(EVP_PKEY *key, X509 **ret_cert)
{
    CLEANUP(cert_destroy) X509 *cert = X509_new();
    X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
    static const unsigned char common[] = "openclaw-gateway";

    /* A day back, for clients whose clock is behind. */
    if (!cert || !X509_set_version(cert, X509_VERSION_3) || !serial_set(cert) ||
        !X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, NULL) ||
        !X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL) ||
        !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0) || !X509_set_issuer_name(cert, name) ||
        !X509_set_pubkey(cert, key) || !extension_add(cert, NID_basic_constraints, "critical,CA:FALSE") ||
        !extension_add(cert, NID_key_usage, "critical,digitalSignature") ||
        !extension_add(cert, NID_ext_key_usage, "serverAuth") ||
        !extension_add(cert, NID_subject_key_identifier, "hash") || !names_add(cert) ||
        !X509_sign(cert, key, EVP_sha256())) {
        return library_fault();
    }
    *ret_cert = TAKE(cert);
    return 0;
}

/* --- writing ------------------------------------------------------------------------------ */

/* Makes `path` appear whole, with mode 0600; what is written is one of the two. */
static int pem_write(const char *path, X509 *cert, EVP_PKEY *key, struct config_error *error)
{
    char temp[GATEWAY_TLS_PATH_MAX + 8];
    FILE *file;
    int fd;
    bool is_written;

    (void)snprintf(temp, sizeof(temp), "%s.new", path); /* it fits */
    (void)unlink(temp);                                 /* of an attempt that was cut short */
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        return config_error_say(error, GATEWAY_TLS_E_REFUSED, "gateway.tls: cannot write %s: %s", path,
                                strerror(errno));
    }
    is_written = cert ? PEM_write_X509(file, cert) : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    is_written = is_written && fflush(file) == 0 && fsync(fd) == 0;
    is_written = fclose(file) == 0 && is_written;
    if (!is_written || rename(temp, path)) {
        int r =
            config_error_say(error, GATEWAY_TLS_E_REFUSED, "gateway.tls: cannot write %s: %s", path, strerror(errno));

        (void)unlink(temp); /* it is of no use */
        return r;
    }
    return 0;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

static int key_read(const char *path, EVP_PKEY **ret_key)
{
    FILE *file = fopen(path, "re");

    *ret_key = file ? PEM_read_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;
    if (file) {
        (void)fclose(file); /* only read from */
    }
    ERR_clear_error();
    return *ret_key ? 0 : -ENOENT;
}

int gateway_tls_make(const struct gateway_tls_files *files, struct config_error *error)
{
    CLEANUP(key_destroy) EVP_PKEY *key = NULL;
    CLEANUP(cert_destroy) X509 *cert = NULL;
    int r = 0;

    /* Who was cut short between the two has left a key. */
    if (access(files->key, F_OK) == 0 && key_read(files->key, &key)) {
        return config_error_say(error, GATEWAY_TLS_E_REFUSED,
                                "gateway.tls: %s holds no private key in PEM form; move it away to get a new one",
                                files->key);
    }
    if (!key) {
        key = EVP_EC_gen("P-256");
        if (!key) {
            return library_fault();
        }
        r = pem_write(files->key, NULL, key, error);
    }
    r = r ? r : cert_new(key, &cert);
    return r ? r : pem_write(files->cert, cert, NULL, error);
}
