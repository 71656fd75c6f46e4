#include "actors/otel/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bus/value.h"

#define FLUSH_MS 60000U
#define ENDPOINT "http://localhost:4318"
#define PORT_PLAIN "80"

static const struct span nothing = { "", 0 };

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* http://host[:port][/path]; [::1] for IPv6. */
static bool url_split(struct span text, struct settings_url *ret)
{
    static const char scheme[] = "http://";
    const char *host = text.ptr + sizeof(scheme) - 1;
    const char *end = text.ptr + text.len;
    const char *slash;
    const char *colon;
    bool is_v6;

    if (!span_starts(text, scheme) || !is_plain(text)) {
        return false;
    }
    slash = memchr(host, '/', (size_t)(end - host));
    slash = slash ? slash : end;
    is_v6 = host < slash && *host == '[';
    colon = is_v6 ? memchr(host, ']', (size_t)(slash - host)) : memchr(host, ':', (size_t)(slash - host));
    if (is_v6 && !colon) {
        return false;
    }
    const char *host_end = colon ? colon : slash;
    const char *port = is_v6 ? colon + 1 : host_end;
    host += is_v6;
    size_t port_len = port < slash && *port == ':' ? (size_t)(slash - port - 1) : 0;
    int n = snprintf(ret->host, sizeof(ret->host), "%.*s", (int)(host_end - host), host);
    int m = port_len ? snprintf(ret->port, sizeof(ret->port), "%.*s", (int)port_len, port + 1)
                     : snprintf(ret->port, sizeof(ret->port), PORT_PLAIN);
    int k = snprintf(ret->path, sizeof(ret->path), "%.*s", (int)(end - slash), slash);

    return n > 0 && n < (int)sizeof(ret->host) && m < (int)sizeof(ret->port) &&
           strspn(ret->port, "0123456789") == strlen(ret->port) && k < (int)sizeof(ret->path);
}

/* The one of its own, or the common one with the path that OTLP has for it. */
static bool url_read(struct span otel, const char *own_key, const char *tail, struct settings_url *ret)
{
    struct span own = value_str(value_get(otel, own_key), nothing);
    struct span base = value_str(value_get(otel, "endpoint"), nothing);
    char text[SETTINGS_URL_MAX];
    int n;

    if (own.len) {
        return url_split(own, ret);
    }
    base = base.len ? base : SPAN_LIT(ENDPOINT);
    while (base.len && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    bool has_tail = base.len >= strlen(tail) && memcmp(base.ptr + base.len - strlen(tail), tail, strlen(tail)) == 0;
    n = snprintf(text, sizeof(text), "%.*s%s", (int)(base.len < sizeof(text) ? base.len : sizeof(text)), base.ptr,
                 has_tail ? "" : tail);
    return n < (int)sizeof(text) && url_split(span_from(text), ret);
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_') {
            return false;
        }
    }
    return name.len > 0;
}

static bool is_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool headers_read(struct span map, struct settings *self)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;
    size_t len = 0;

    while (value_next(&it, &key, &item)) {
        struct span value = value_str(item, nothing);
        size_t left = sizeof(self->headers) - len;

        if (!is_name(key) || !is_value(value)) {
            return false;
        }
        int n = snprintf(self->headers + len, left, "%.*s: %.*s\r\n", SPAN_FMT(key), SPAN_FMT(value));
        if (n < 0 || (size_t)n >= left) {
            return false;
        }
        len += (size_t)n;
    }
    return true;
}

static int refuse(char *out, size_t size, const char *why)
{
    (void)snprintf(out, size, "%s", why);
    return SETTINGS_E_REFUSED;
}

int settings_read(struct span config, struct settings *ret_settings, char *ret_why, size_t why_size)
{
    struct span otel = value_path(config, "diagnostics.otel");
    struct settings self = { .flush_ms = FLUSH_MS };
    bool is_on = value_bool(value_get(otel, "enabled"), false);
    struct span service = value_str(value_get(otel, "serviceName"), nothing);
    int64_t flush_ms = value_i64(value_get(otel, "flushIntervalMs"), FLUSH_MS);

    self.has_traces = is_on && value_bool(value_get(otel, "traces"), true);
    self.has_metrics = is_on && value_bool(value_get(otel, "metrics"), true);
    self.sample_rate = value_f64(value_get(otel, "sampleRate"), 1.0);
    self.flush_ms = flush_ms < SETTINGS_FLUSH_LEAST_MS ? SETTINGS_FLUSH_LEAST_MS
                    : flush_ms > UINT32_MAX            ? UINT32_MAX
                                                       : (uint32_t)flush_ms;
    (void)snprintf(self.service, sizeof(self.service), "%.*s",
                   (int)(service.len < sizeof(self.service) ? service.len : sizeof(self.service) - 1),
                   service.len ? service.ptr : "");
    if (!self.service[0]) {
        (void)snprintf(self.service, sizeof(self.service), "openclaw");
    }
    if (is_on && span_is_text(value_str(value_get(otel, "protocol"), nothing), "grpc")) {
        return refuse(ret_why, why_size,
                      "diagnostics.otel.protocol: grpc is not spoken here; collectors take http too");
    }
    if (is_on && (!url_read(otel, "tracesEndpoint", "/v1/traces", &self.traces) ||
                  !url_read(otel, "metricsEndpoint", "/v1/metrics", &self.metrics))) {
        return refuse(
            ret_why, why_size,
            "diagnostics.otel.endpoint: it must be http://host:port; for TLS put a collector beside the gateway");
    }
    if (is_on && !headers_read(value_get(otel, "headers"), &self)) {
        return refuse(ret_why, why_size, "diagnostics.otel.headers: a name or value cannot stand in a request");
    }
    *ret_settings = self;
    return 0;
}
