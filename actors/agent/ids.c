#include "actors/agent/ids.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void ids_uuid(char out[IDS_UUID_MAX])
{
    uint8_t b[16] = { 0 };

    if (getentropy(b, sizeof(b)) != 0) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, IDS_UUID_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void ids_short(char out[IDS_SHORT_MAX])
{
    uint32_t number = 0;

    if (getentropy(&number, sizeof(number)) != 0) {
        abort(); /* as above */
    }
    (void)snprintf(out, IDS_SHORT_MAX, "%08x", number);
}
