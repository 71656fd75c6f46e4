#include "edge/cli/cli_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/config_file.h"

#define PEM_MAX 1024

static void bio_destroy(BIO **bio_p)
{
    BIO_free(*bio_p);
}

static void base64url(const unsigned char *bytes, size_t len, char *out)
{
    int n = EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);

    for (int i = 0; i < n; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    while (n > 0 && out[n - 1] == '=') {
        out[--n] = '\0';
    }
}

/* Takes the key; fills in what follows from it. */
static int identity_of_key(EVP_PKEY *key, struct cli_identity *ret_identity)
{
    struct cli_identity identity = { .key = key };
    unsigned char raw[32];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char encoded[64];
    size_t len = sizeof(raw);

    if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1 || len != sizeof(raw)) {
        EVP_PKEY_free(key);
        return CLI_IDENTITY_E_BROKEN;
    }
    SHA256(raw, sizeof(raw), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)snprintf(identity.device_id + 2 * i, 3, "%02x", digest[i]);
    }
    base64url(raw, sizeof(raw), encoded);
    memcpy(identity.public_key, encoded, sizeof(identity.public_key));
    *ret_identity = identity;
    return 0;
}

int cli_identity_from_seed(const unsigned char seed[32], struct cli_identity *ret_identity)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);

    return key ? identity_of_key(key, ret_identity) : FAULT(-EPROTO);
}

void cli_identity_deinit(struct cli_identity *self)
{
    EVP_PKEY_free(self->key);
    *self = (struct cli_identity){ 0 };
}

static int path_make(const char *state_dir, const char *file, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/identity%s", state_dir, file) < PATH_MAX ? 0 : FAULT(-ENAMETOOLONG);
}

static int directory_make(const char *state_dir)
{
    char path[PATH_MAX];
    int r = path_make(state_dir, "", path);

    if (r) {
        return r;
    }
    if ((mkdir(state_dir, 0700) && errno != EEXIST) || (mkdir(path, 0700) && errno != EEXIST)) {
        return FAULT(-errno);
    }
    return 0;
}

/* Whole or not at all: a key file cut in half would lock us out of every gateway. */
static int file_replace(const char *path, struct span bytes)
{
    char temp[PATH_MAX + 16];
    int fd;
    ssize_t n;

    (void)snprintf(temp, sizeof(temp), "%s.%ld", path, (long)getpid());
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return FAULT(-errno);
    }
    n = write(fd, bytes.ptr, bytes.len);
    if (n != (ssize_t)bytes.len || fsync(fd) || close(fd) || rename(temp, path)) {
        int code = n >= 0 && n != (ssize_t)bytes.len ? ENOSPC : errno;

        (void)unlink(temp); /* half of a file helps nobody */
        return FAULT(-code);
    }
    return 0;
}

static int json_file_write(const char *path, const struct pack *doc)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r = pack_error(doc);

    r = r ? r : json_from_value_pretty(pack_span(doc), &text);
    r = r ? r : text_buf_add(&text, SPAN_LIT("\n"));
    r = r ? r : file_replace(path, (struct span){ text.data, text.len });
    mem_wipe(text.data, text.len);
    return r;
}

static int json_file_read(const char *path, struct pack *doc)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error;
    int r = config_file_read(path, &text, &error);

    if (r == CONFIG_FILE_E_ABSENT) {
        return CLI_IDENTITY_E_ABSENT;
    }
    if (r > 0 && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) && errno != ENOENT) {
        return FAULT(-errno);
    }
    r = r ? r : config_file_parse((struct span){ text.data, text.len }, path, doc, &error);
    mem_wipe(text.data, text.len);
    return r > 0 ? CLI_IDENTITY_E_BROKEN : r;
}

static int pem_of_key(EVP_PKEY *key, bool is_private, char *out, size_t out_size)
{
    CLEANUP(bio_destroy) BIO *bio = BIO_new(BIO_s_mem());
    int n;

    if (!bio || (is_private ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                            : PEM_write_bio_PUBKEY(bio, key)) != 1) {
        return FAULT(-EPROTO);
    }
    n = BIO_read(bio, out, (int)out_size - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? 0 : FAULT(-EPROTO);
}

static int identity_create(const char *state_dir, const char *path, struct cli_identity *ret_identity)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct cli_identity identity = { .key = NULL };
    char private_pem[PEM_MAX];
    char public_pem[PEM_MAX];
    struct pack doc;
    int r = key ? identity_of_key(key, &identity) : FAULT(-EIO);

    if (r) {
        return r;
    }
    pack_init(&doc, 0);
    r = pem_of_key(key, true, private_pem, sizeof(private_pem));
    r = r ? r : pem_of_key(key, false, public_pem, sizeof(public_pem));
    r = r ? r : directory_make(state_dir);
    if (r == 0) {
        pack_map_begin(&doc);
        pack_kv_i64(&doc, "version", 1);
        pack_kv_text(&doc, "deviceId", identity.device_id);
        pack_kv_text(&doc, "publicKeyPem", public_pem);
        pack_kv_text(&doc, "privateKeyPem", private_pem);
        pack_kv_i64(&doc, "createdAtMs", clock_wall_ms());
        pack_map_end(&doc);
        r = json_file_write(path, &doc);
    }
    mem_wipe(private_pem, sizeof(private_pem));
    mem_wipe(doc.data, doc.len);
    pack_deinit(&doc);
    if (r) {
        cli_identity_deinit(&identity);
        return r;
    }
    *ret_identity = identity;
    return 0;
}

static int identity_read(struct span doc, struct cli_identity *ret_identity)
{
    struct span pem = value_str(value_get(doc, "privateKeyPem"), (struct span){ 0 });
    CLEANUP(bio_destroy) BIO *bio = pem.len && pem.len < PEM_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(key);
        return CLI_IDENTITY_E_BROKEN;
    }
    return identity_of_key(key, ret_identity);
}

int cli_identity_load(const char *state_dir, bool may_create, struct cli_identity *ret_identity)
{
    char path[PATH_MAX];
    struct pack doc;
    int r = path_make(state_dir, "/device.json", path);

    if (r) {
        return r;
    }
    pack_init(&doc, 0);
    r = json_file_read(path, &doc);
    if (r == 0) {
        r = identity_read(pack_span(&doc), ret_identity);
    } else if (r == CLI_IDENTITY_E_ABSENT && may_create) {
        r = identity_create(state_dir, path, ret_identity);
    }
    mem_wipe(doc.data, doc.len);
    pack_deinit(&doc);
    return r;
}

int cli_identity_sign(const struct cli_identity *self, const struct cli_identity_claim *claim, char out[96])
{
    char payload[2048];
    unsigned char signature[64];
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    /* The last field is the device family, which a command line does not have. */
    int n = snprintf(payload, sizeof(payload), "v3|%s|%s|%s|%s|%s|%lld|%s|%.*s|%s|", self->device_id, claim->client_id,
                     claim->client_mode, claim->role, claim->scopes, (long long)claim->signed_at_ms, claim->token,
                     SPAN_FMT(claim->nonce), claim->platform);
    bool is_signed = context && n > 0 && n < (int)sizeof(payload) &&
                     EVP_DigestSignInit(context, NULL, NULL, NULL, self->key) == 1 &&
                     EVP_DigestSign(context, signature, &len, (const unsigned char *)payload, (size_t)n) == 1;

    EVP_MD_CTX_free(context);
    mem_wipe(payload, sizeof(payload));
    if (!is_signed) {
        return FAULT(-EPROTO);
    }
    base64url(signature, len, out);
    return 0;
}

/* --- tokens --------------------------------------------------------------------------------- */

static struct span token_text(struct span item)
{
    struct span token = value_str(value_get(item, "token"), (struct span){ 0 });

    return token.len < CLI_IDENTITY_TOKEN_MAX ? token : (struct span){ 0 };
}

static struct span token_find(struct span doc, const struct cli_identity_token *which)
{
    struct span of_gateway = value_get(value_get(value_get(doc, "gateways"), which->gateway), which->role);
    struct span plain = value_get(value_get(doc, "tokens"), which->role);
    struct span owner = value_get(plain, "gateway");
    bool is_its = owner.len ? span_is_text(value_str(owner, (struct span){ 0 }), which->gateway) : which->is_configured;

    if (!span_is_text(value_str(value_get(doc, "deviceId"), (struct span){ 0 }), which->device_id)) {
        return (struct span){ 0 };
    }
    return token_text(of_gateway).len ? token_text(of_gateway) : is_its ? token_text(plain) : (struct span){ 0 };
}

int cli_identity_token_load(const char *state_dir, const struct cli_identity_token *which,
                            char out[CLI_IDENTITY_TOKEN_MAX])
{
    char path[PATH_MAX];
    struct pack doc;
    struct span token;
    int r = path_make(state_dir, "/device-auth.json", path);

    if (r) {
        return r;
    }
    pack_init(&doc, 0);
    r = json_file_read(path, &doc);
    token = r ? (struct span){ 0 } : token_find(pack_span(&doc), which);
    r = r || token.len ? r : CLI_IDENTITY_E_ABSENT;
    if (r == 0) {
        memcpy(out, token.ptr, token.len);
        out[token.len] = '\0';
    }
    mem_wipe(doc.data, doc.len);
    pack_deinit(&doc);
    return r;
}

/* All of a map but one key. */
static void others_keep(struct span map, const char *but, struct pack *out)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (!span_is_text(key, but)) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
}

static void token_pack(const struct cli_identity_token *which, struct span token, struct span scopes, struct pack *out)
{
    pack_key(out, which->role);
    pack_map_begin(out);
    pack_kv_str(out, "token", token);
    pack_kv_text(out, "role", which->role);
    if (scopes.len) {
        pack_kv_raw(out, "scopes", scopes);
    }
    pack_kv_i64(out, "updatedAtMs", clock_wall_ms());
    pack_kv_text(out, "gateway", which->gateway);
    pack_map_end(out);
}

static void tokens_pack(struct span old, const struct cli_identity_token *which, struct span token, struct span scopes,
                        struct pack *out)
{
    struct span tokens = value_get(old, "tokens");
    struct span gateways = value_get(old, "gateways");

    pack_map_begin(out);
    pack_kv_i64(out, "version", 1);
    pack_kv_text(out, "deviceId", which->device_id);
    pack_key(out, "tokens");
    pack_map_begin(out);
    others_keep(tokens, which->is_configured ? which->role : "", out);
    if (which->is_configured) { /* where the original looks for it */
        token_pack(which, token, scopes, out);
    }
    pack_map_end(out);
    pack_key(out, "gateways");
    pack_map_begin(out);
    others_keep(gateways, which->gateway, out);
    pack_key(out, which->gateway);
    pack_map_begin(out);
    others_keep(value_get(gateways, which->gateway), which->role, out);
    token_pack(which, token, scopes, out);
    pack_map_end(out);
    pack_map_end(out);
    pack_map_end(out);
}

int cli_identity_token_store(const char *state_dir, const struct cli_identity_token *which, struct span token,
                             struct span scopes)
{
    char path[PATH_MAX];
    struct pack old;
    struct pack doc;
    bool is_ours;
    int r = path_make(state_dir, "/device-auth.json", path);

    r = r ? r : directory_make(state_dir);
    if (r) {
        return r;
    }
    pack_init(&old, 0);
    pack_init(&doc, 0);
    r = json_file_read(path, &old); /* absent or broken: it only caches, so it is written anew */
    is_ours =
        r == 0 && span_is_text(value_str(value_get(pack_span(&old), "deviceId"), (struct span){ 0 }), which->device_id);
    tokens_pack(is_ours ? pack_span(&old) : (struct span){ 0 }, which, token, scopes, &doc);
    r = json_file_write(path, &doc);
    mem_wipe(old.data, old.len);
    mem_wipe(doc.data, doc.len);
    pack_deinit(&old);
    pack_deinit(&doc);
    return r;
}
