#include "actors/auth/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

#include "bus/base/fault.h"

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
    return CRYPTO_memcmp(a, b, sizeof(a)) == 0;
}

int secret_token_generate(char ret_token[SECRET_TOKEN_LEN])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[33] = { 0 }; /* the last one pads the last group */
    int fault = random_fill(bytes, 32);

    if (fault) {
        return fault;
    }
    for (size_t i = 0; i < SECRET_TOKEN_LEN - 1; i++) {
        size_t bit = i * 6;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        ret_token[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    ret_token[SECRET_TOKEN_LEN - 1] = '\0';
    return 0;
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
