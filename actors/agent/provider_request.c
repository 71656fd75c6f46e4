#include "actors/agent/provider_request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })
#define HEADERS_MAX 65536
#define NAME_MAX_LEN 256

struct reading {
    struct secret_arena *arena;
    struct provider_setup *setup;
    bool is_memory_out;
};

void provider_problem_set(struct provider_setup *setup, const char *path, const char *text)
{
    if (!setup->problem[0]) {
        (void)snprintf(setup->problem, sizeof(setup->problem), "models.providers.%s.%s %s", setup->id, path, text);
    }
}

/* --- secrets ---------------------------------------------------------------------------------------- */

/* Config lays the secrets into what we read; a reference that is still there has no value. */
static bool is_missing(struct reading *self, const char *path, struct span value)
{
    if (value_kind_of(value) == VALUE_MAP) {
        provider_problem_set(self->setup, path, "refers to a secret that is not available now");
        return true;
    }
    return false;
}

/* A terminated copy; NULL when there is none. */
static const char *text_keep(struct reading *self, const char *path, struct span value)
{
    struct span text = is_missing(self, path, value) ? NOTHING : value_str(value, NOTHING);
    const char *kept = text.len ? secret_arena_add(self->arena, text).ptr : NULL;

    self->is_memory_out |= text.len && !kept;
    if (text.len && memchr(text.ptr, 0, text.len)) {
        provider_problem_set(self->setup, path, "holds a zero byte");
    }
    return kept;
}

/* --- headers ------------------------------------------------------------------------------------------ */

static bool header_is_fit(struct span name, struct span value)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((unsigned char)name.ptr[i] <= 0x20 || name.ptr[i] == ':' || (unsigned char)name.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return name.len && name.len < NAME_MAX_LEN && !memchr(value.ptr, '\r', value.len) &&
           !memchr(value.ptr, '\n', value.len) && !memchr(value.ptr, 0, value.len);
}

static bool is_same_name(struct span a, struct span b)
{
    return a.len == b.len && !strncasecmp(a.ptr, b.ptr, a.len);
}

static bool has_header(struct span headers, struct span name)
{
    struct value_iter it = value_iter(headers);
    struct span key;
    struct span item;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (is_same_name(key, name)) {
            return true;
        }
    }
    return false;
}

/* Those of `headers` that `over` does not have as well. */
static void headers_add(struct reading *self, const char *path, struct span headers, struct span over, struct pack *out)
{
    struct value_iter it = value_iter(headers);
    struct span name;
    struct span item;

    while (it.is_map && value_next(&it, &name, &item)) {
        if (has_header(over, name) || is_missing(self, path, item)) {
            continue;
        }
        if (value_kind_of(item) != VALUE_STR) {
            provider_problem_set(self->setup, path, "hold a value that is no text");
        } else if (!header_is_fit(name, value_str(item, NOTHING))) {
            provider_problem_set(self->setup, path, "hold a name or a value that no header may have");
        } else {
            pack_key_span(out, name);
            pack_raw(out, item);
        }
    }
}

static void headers_read(struct reading *self, struct span entry)
{
    struct span own = value_get(entry, "headers");
    struct span more = value_path(entry, "request.headers");
    CLEANUP(pack_deinit) struct pack merged;

    pack_init_secret(&merged, 0);
    pack_map_begin(&merged);
    headers_add(self, "headers", own, more, &merged);
    headers_add(self, "request.headers", more, NOTHING, &merged);
    pack_map_end(&merged);
    if (pack_error(&merged) || pack_span(&merged).len > HEADERS_MAX) {
        provider_problem_set(self->setup, "headers", "are too many");
    } else if (value_count(pack_span(&merged))) {
        self->setup->headers = secret_arena_add(self->arena, pack_span(&merged));
        self->is_memory_out |= !self->setup->headers.ptr;
    }
}

/* --- another way to authenticate ------------------------------------------------------------------------ */

static void auth_keep(struct reading *self, struct span name, struct span front, struct span value)
{
    char *line = secret_arena_room(self->arena, name.len + front.len + value.len + 3);

    if (!line) {
        self->is_memory_out = true;
    } else if (!header_is_fit(name, front) || !header_is_fit(name, value)) {
        provider_problem_set(self->setup, "request.auth", "holds a name or a value that no header may have");
    } else {
        (void)snprintf(line, name.len + front.len + value.len + 3, "%.*s: %.*s%.*s", SPAN_FMT(name), SPAN_FMT(front),
                       SPAN_FMT(value)); /* fits */
        self->setup->auth_line = line;
        self->setup->auth_name_len = name.len;
        self->setup->secret = line + name.len + 2 + front.len;
    }
}

static void auth_read(struct reading *self, struct span auth)
{
    struct span mode = value_str(value_get(auth, "mode"), NOTHING);
    struct span token = value_get(auth, "token");
    struct span value = value_get(auth, "value");

    if (span_is_text(mode, "authorization-bearer") && !is_missing(self, "request.auth.token", token)) {
        auth_keep(self, SPAN_LIT("Authorization"), SPAN_LIT("Bearer "), span_trim(value_str(token, NOTHING)));
    } else if (span_is_text(mode, "header") && !is_missing(self, "request.auth.value", value)) {
        auth_keep(self, span_trim(value_str(value_get(auth, "headerName"), NOTHING)),
                  value_str(value_get(auth, "prefix"), NOTHING), span_trim(value_str(value, NOTHING)));
    }
}

/* --- TLS and the proxy ------------------------------------------------------------------------------------ */

static void tls_read(struct reading *self, const char *front, struct span tls, struct http_tls *out)
{
    const struct {
        const char *key;
        const char **to;
    } parts[] = {
        { "ca", &out->ca }, { "cert", &out->cert }, { "key", &out->key }, { "passphrase", &out->passphrase }
    };
    char path[64];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        (void)snprintf(path, sizeof(path), "%s.%s", front, parts[i].key);
        *parts[i].to = text_keep(self, path, value_get(tls, parts[i].key));
    }
    if (value_get(tls, "serverName").len) {
        (void)snprintf(path, sizeof(path), "%s.serverName", front);
        provider_problem_set(self->setup, path, "is not served by this release");
    }
    if (value_bool(value_get(tls, "insecureSkipVerify"), false)) {
        (void)snprintf(path, sizeof(path), "%s.insecureSkipVerify", front);
        provider_problem_set(self->setup, path, "must not be true: a key goes to nobody who cannot prove who he is");
    }
}

static void proxy_read(struct reading *self, struct span proxy)
{
    tls_read(self, "request.proxy.tls", value_get(proxy, "tls"), &self->setup->proxy_tls);
    if (span_is_text(value_str(value_get(proxy, "mode"), NOTHING), "explicit-proxy")) {
        self->setup->proxy = text_keep(self, "request.proxy.url", value_get(proxy, "url"));
    }
}

void provider_request_read(struct secret_arena *arena, struct span entry, struct provider_setup *setup)
{
    struct reading self = { .arena = arena, .setup = setup };

    headers_read(&self, entry);
    auth_read(&self, value_path(entry, "request.auth"));
    tls_read(&self, "request.tls", value_path(entry, "request.tls"), &setup->tls);
    proxy_read(&self, value_path(entry, "request.proxy"));
    if (self.is_memory_out) {
        provider_problem_set(setup, "request", "cannot be held: out of memory");
    }
}
