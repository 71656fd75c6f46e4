#include "edge/http/media.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/utf8.h"
#include "edge/http/query.h"
#include "edge/http/site.h"

/* --- the question ----------------------------------------------------------------------- */

/* The last value of that name, decoded and terminated; false without one, or when it does not fit. */
static bool value_take(struct span query, const char *wanted, char *out, size_t size)
{
    bool is_found = false;
    struct span name;
    struct span value;

    while (query_next(&query, &name, &value)) {
        if (!span_is_text(name, wanted)) {
            continue;
        }
        is_found = false;
        if (value.len < size) {
            size_t len = query_decode(value, out);

            out[len] = '\0';
            is_found = len > 0 && strlen(out) == len && utf8_is_valid((struct span){ out, len });
        }
    }
    return is_found;
}

static void percent_decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        char code[3] = { at[0] == '%' ? at[1] : '\0', at[0] == '%' && at[1] ? at[2] : '\0', '\0' };
        char *end = code;
        long byte = code[0] && code[1] ? strtol(code, &end, 16) : 0;

        if (end == code + 2 && byte > 0) {
            *to++ = (char)byte;
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

/* Of "file:///x", "~/x" and "/x" it makes "/x"; anything else stays, and lies below no directory. */
static bool path_take(const char *source, const char *home, char path[MEDIA_PATH_MAX])
{
    char text[MEDIA_PATH_MAX];
    struct span given = span_trim(span_from(source));

    if (given.len == 0 || given.len >= sizeof(text)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(given));
    if (strncmp(text, "file://", 7) == 0) {
        char *at = strchr(text + 7, '/');

        if (!at || (at > text + 7 && strncmp(text + 7, "localhost/", 10) != 0)) {
            return false;
        }
        percent_decode(at);
        given = span_from(at);
    }
    _Static_assert(MEDIA_PATH_MAX == SITE_ROOT_MAX, "one limit of paths");
    return site_root_read(given, home, path);
}

bool media_ask_read(struct span query, const char *home, struct media_ask *ret_ask)
{
    char source[MEDIA_PATH_MAX];
    char meta[8];

    *ret_ask = (struct media_ask){ .is_meta = value_take(query, "meta", meta, sizeof(meta)) && strcmp(meta, "1") == 0 };
    if (!value_take(query, "agentId", ret_ask->agent_id, sizeof(ret_ask->agent_id))) {
        ret_ask->agent_id[0] = '\0';
    }
    ret_ask->has_ticket = value_take(query, "mediaTicket", ret_ask->ticket, sizeof(ret_ask->ticket));
    return value_take(query, "source", source, sizeof(source)) && path_take(source, home, ret_ask->path);
}

/* --- where it lies ------------------------------------------------------------------------ */

const struct media_refusal media_outside = { "outside-allowed-folders", "Outside allowed folders" };
const struct media_refusal media_blocked = { "blocked-local-file", "Blocked local file" };

const struct media_refusal *media_refusal_of(int r)
{
    static const struct media_refusal missing = { "file-not-found", "File not found" };
    static const struct media_refusal directory = { "not-a-file", "Not a file" };
    static const struct media_refusal other = { "attachment-unavailable", "Attachment unavailable" };

    if (r == -ENOENT || r == -ENODEV) {
        return &missing;
    }
    return r == -EISDIR ? &directory : &other;
}

int media_refusal_write(const struct media_refusal *self, struct text_buf *out)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "{\"available\":false,\"code\":\"%s\",\"reason\":\"%s\"}", self->code,
                   self->reason);
    return text_buf_add(out, span_from(text));
}

bool media_below(const char *path, const char *root, const char **ret_name)
{
    size_t len = strlen(root);

    while (len > 1 && root[len - 1] == '/') {
        len--;
    }
    if (len == 0 || root[0] != '/' || strncmp(path, root, len) != 0 || path[len] != '/') {
        return false;
    }
    *ret_name = path + len + 1;
    return true;
}

/* --- tickets ------------------------------------------------------------------------------ */

#define SIGN_TEXT_MAX 86U /* of 64 bytes in base64url, terminated */

/* Each part ends with a zero, which none of them holds. */
static void sign(const unsigned char key[MEDIA_KEY_LEN], const struct media_ask *ask, uint64_t generation,
                 int64_t expires_ms, char text[SIGN_TEXT_MAX])
{
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    char facts[80];
    int len = snprintf(facts, sizeof(facts), "assistant-media %llu %lld", (unsigned long long)generation,
                       (long long)expires_ms);

    (void)crypto_auth_hmacsha256_init(&state, key, MEDIA_KEY_LEN); /* none of these fails */
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)facts, (size_t)len + 1);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)ask->agent_id, strlen(ask->agent_id) + 1);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)ask->path, strlen(ask->path) + 1);
    (void)crypto_auth_hmacsha256_final(&state, mac);
    (void)sodium_bin2base64(text, SIGN_TEXT_MAX, mac, sizeof(mac), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(&state, sizeof(state));
}

void media_ticket_make(const unsigned char key[MEDIA_KEY_LEN], const struct media_ask *ask, uint64_t generation,
                       int64_t expires_ms, char ticket[MEDIA_TICKET_MAX])
{
    char text[SIGN_TEXT_MAX];

    sign(key, ask, generation, expires_ms, text);
    (void)snprintf(ticket, MEDIA_TICKET_MAX, "v1.%lld.%s", (long long)expires_ms, text); /* 43 characters: it fits */
}

bool media_ticket_is_good(const unsigned char key[MEDIA_KEY_LEN], const struct media_ask *ask, uint64_t generation,
                          int64_t now_ms)
{
    char wanted[MEDIA_TICKET_MAX] = "";
    char given[MEDIA_TICKET_MAX] = "";
    char *end = NULL;
    long long expires_ms;

    if (!ask->has_ticket || strncmp(ask->ticket, "v1.", 3) != 0) {
        return false;
    }
    expires_ms = strtoll(ask->ticket + 3, &end, 10);
    if (*end != '.' || expires_ms < now_ms || expires_ms > now_ms + MEDIA_TICKET_MS) {
        return false;
    }
    media_ticket_make(key, ask, generation, expires_ms, wanted);
    (void)snprintf(given, sizeof(given), "%s", ask->ticket);
    return sodium_memcmp(wanted, given, sizeof(wanted)) == 0; /* whole buffers, zeros behind the text */
}

int media_guard_write(struct text_buf *out)
{
    return text_buf_add(out, SPAN_LIT("Content-Security-Policy: default-src 'none'; img-src data:; media-src 'self'; "
                                      "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
                                      "frame-ancestors 'self'\r\n"));
}
