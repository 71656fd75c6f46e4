#include "actors/auth/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"

static int random_fill(void *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : FAULT(-EIO);
}

int secret_key_init(struct secret_key *self)
{
    return random_fill(self->bytes, sizeof(self->bytes));
}

int secret_digest(const struct secret_key *self, struct span text, unsigned char ret_digest[SECRET_DIGEST])
{
    unsigned len = 0;
    const char *bytes = text.len ? text.ptr : "";

    if (!HMAC(EVP_sha256(), self->bytes, sizeof(self->bytes), (const unsigned char *)bytes, text.len, ret_digest,
              &len) ||
        len != SECRET_DIGEST) {
        return FAULT(-ENOMEM);
    }
    return 0;
}

bool secret_match(const struct secret_key *self, struct span given, struct span expected)
{
    unsigned char a[SECRET_DIGEST];
    unsigned char b[SECRET_DIGEST];

    if (!expected.len || secret_digest(self, given, a) || secret_digest(self, expected, b)) {
        return false;
    }
    bool is_same = CRYPTO_memcmp(a, b, sizeof(a)) == 0;
    mem_wipe(a, sizeof(a));
    mem_wipe(b, sizeof(b));
    return is_same;
}

int secret_fingerprint(struct span token, unsigned char ret_digest[SECRET_DIGEST])
{
    const char *bytes = token.len ? token.ptr : "";

    return EVP_Digest(bytes, token.len, ret_digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : FAULT(-ENOMEM);
}

/* base64url of 32 bytes; the 33rd is zero and pads the last group. */
static void token_encode(const unsigned char bytes[33], char ret_token[SECRET_TOKEN_LEN])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < SECRET_TOKEN_LEN - 1; i++) {
        size_t bit = i * 6;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        ret_token[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    ret_token[SECRET_TOKEN_LEN - 1] = '\0';
}

int secret_token_derive(const struct secret_key *self, struct span label, char ret_token[SECRET_TOKEN_LEN])
{
    unsigned char bytes[33] = { 0 };
    int fault = secret_digest(self, label, bytes);

    if (!fault) {
        token_encode(bytes, ret_token);
    }
    mem_wipe(bytes, sizeof(bytes));
    return fault;
}

int secret_token_generate(char ret_token[SECRET_TOKEN_LEN])
{
    unsigned char bytes[33] = { 0 };
    int fault = random_fill(bytes, 32);

    if (!fault) {
        token_encode(bytes, ret_token);
    }
    mem_wipe(bytes, sizeof(bytes));
    return fault;
}

/* Appears whole or not at all, and never over another one. */
static int key_create(struct secret_key *self, const char *path)
{
    char draft[PATH_MAX];
    int fault = secret_key_init(self);

    if (!fault && snprintf(draft, sizeof(draft), "%s.new", path) >= PATH_MAX) {
        fault = FAULT(-ENAMETOOLONG);
    }
    if (fault) {
        return fault;
    }
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return FAULT(-errno);
    }
    if (fchmod(fd, 0600) || write(fd, self->bytes, sizeof(self->bytes)) != (ssize_t)sizeof(self->bytes) || fsync(fd)) {
        fault = FAULT(errno ? -errno : -EIO);
    }
    close(fd);
    return fault ? fault : rename(draft, path) ? FAULT(-errno) : 0;
}

int secret_key_load(struct secret_key *self, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return errno == ENOENT ? key_create(self, path) : FAULT(-errno);
    }
    ssize_t n = read(fd, self->bytes, sizeof(self->bytes));
    close(fd);
    /* A file of another length is no key of ours: tokens made with it are known by their digests still. */
    return n == (ssize_t)sizeof(self->bytes) ? 0 : key_create(self, path);
}

int secret_uuid_generate(char ret_uuid[37])
{
    uint8_t b[16];
    int fault = random_fill(b, sizeof(b));

    if (fault) {
        return fault;
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret_uuid, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}
