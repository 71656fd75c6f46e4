#include "edge/cli/cli_uuid.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>

#include "bus/base/fault.h"

int cli_uuid_new(char out[CLI_UUID_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[16];
    size_t at = 0;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return FAULT(-EIO);
    }
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[at++] = '-';
        }
        out[at++] = hex[bytes[i] >> 4];
        out[at++] = hex[bytes[i] & 0x0f];
    }
    out[at] = '\0';
    return 0;
}
