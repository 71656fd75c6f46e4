#include "schema/base/picture.h"

#include <string.h>

const char *picture_type(const void *head, size_t len)
{
    const char *bytes = head;

    if (len >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) {
        return "image/jpeg";
    }
    if (len >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) {
        return "image/png";
    }
    if (len >= 4 && memcmp(bytes, "GIF8", 4) == 0) {
        return "image/gif";
    }
    if (len >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) {
        return "image/webp";
    }
    if (len >= 12 && memcmp(bytes + 4, "ftyphe", 6) == 0) {
        return "image/heic";
    }
    if (len >= 12 && (memcmp(bytes + 4, "ftypmif1", 8) == 0 || memcmp(bytes + 4, "ftypmsf1", 8) == 0)) {
        return "image/heif";
    }
    return NULL;
}
