#include "edge/http/header_limits.h"

#include <string.h>
#include <strings.h>

#include "bus/base/utf8.h"

#define NAME_SHOWN 64U

static const struct {
    const char *name;
    size_t max;
} rows[] = {
    { "x-openclaw-agent-id", 64 },
    { "x-openclaw-model", 256 },
    { "x-openclaw-session-key", 512 },
    { "x-openclaw-message-channel", 64 },
    { "x-openclaw-account-id", 128 },
    { "x-openclaw-scopes", 1024 },
    { "idempotency-key", 256 },
    { "authorization", 4096 },
    { "x-openclaw-token", 4096 },
    { "origin", 512 },
    { "host", 512 },
};

static bool row_find(struct span name, size_t *ret_max)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strlen(rows[i].name) == name.len && strncasecmp(rows[i].name, name.ptr, name.len) == 0) {
            *ret_max = rows[i].max;
            return true;
        }
    }
    *ret_max = HEADER_LIMITS_OTHER;
    return false;
}

int header_limits_check(const struct request *request, struct openai_error *error)
{
    for (size_t i = 0; i < request->headers_n; i++) {
        const struct request_header *header = &request->headers[i];
        int name_len = (int)(header->name.len < NAME_SHOWN ? header->name.len : NAME_SHOWN);
        size_t max;
        bool is_ours = row_find(header->name, &max);

        if (header->value.len > max) {
            return openai_refuse(error, "The header %.*s is %zu bytes long; at most %zu are taken.", name_len,
                                 header->name.ptr, header->value.len, max);
        }
        if (is_ours && !utf8_is_valid(header->value)) {
            return openai_refuse(error, "The header %.*s is not text in UTF-8.", name_len, header->name.ptr);
        }
    }
    return 0;
}
