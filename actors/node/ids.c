#include "actors/node/ids.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void random_fill(void *out, size_t len)
{
    if (getentropy(out, len) != 0) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
}

void ids_uuid(char out[IDS_UUID_MAX])
{
    uint8_t b[16] = { 0 };

    random_fill(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0fU) | 0x40U);
    b[8] = (uint8_t)((b[8] & 0x3fU) | 0x80U);
    (void)snprintf(out, IDS_UUID_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void ids_token(char out[IDS_TOKEN_MAX])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t b[33] = { 0 }; /* 32 random ones: 43 letters, the last of which carries four bits */

    random_fill(b, 32);
    for (size_t i = 0; i + 1 < IDS_TOKEN_MAX; i++) {
        size_t bit = i * 6;
        unsigned pair = (unsigned)b[bit / 8] << 8 | b[bit / 8 + 1];

        out[i] = letters[pair >> (10 - bit % 8) & 63U];
    }
    out[IDS_TOKEN_MAX - 1] = '\0';
}

bool ids_same_secret(struct span a, struct span b)
{
    unsigned char difference = 0;

    if (a.len != b.len || a.len == 0) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        difference |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    }
    return difference == 0;
}
