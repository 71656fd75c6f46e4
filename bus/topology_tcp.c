/*
 * topology_tcp: where hosts on other machines join the gateway, and the key by which they
 * know it. There is no way between machines without CURVE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "bus/topology_internal.h"
#include "bus/value.h"

static bool is_host_char(char c, bool is_bracketed)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           (is_bracketed && c == ':');
}

static bool is_port(struct span text)
{
    uint32_t port = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || port > 65535) {
            return false;
        }
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return text.len > 0 && text.ptr[0] != '0' && port <= 65535;
}

static bool is_host(struct span host, bool may_be_any)
{
    bool is_bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    if (may_be_any && span_is_text(host, "*")) {
        return true;
    }
    if (is_bracketed) {
        host = (struct span){ host.ptr + 1, host.len - 2 };
    }
    for (size_t i = 0; i < host.len; i++) {
        if (!is_host_char(host.ptr[i], is_bracketed)) {
            return false;
        }
    }
    return host.len > 0;
}

static int endpoint_read(struct walk *self, const char *key, struct span item, bool may_be_any,
                         char out[TOPOLOGY_ENDPOINT_MAX])
{
    static const char scheme[] = "tcp://";
    struct span text = value_str(item, (struct span){ "", 0 });
    size_t colon = text.len;

    self->tokens_n++;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (!span_starts(text, scheme) || colon < sizeof(scheme) + 1 || text.len >= TOPOLOGY_ENDPOINT_MAX ||
        !is_host((struct span){ text.ptr + sizeof(scheme) - 1, colon - sizeof(scheme) }, may_be_any) ||
        !is_port((struct span){ text.ptr + colon, text.len - colon })) {
        return topology_refuse(self, "\"%s\" is written as \"tcp://HOST:PORT\"%s", key,
                               may_be_any ? ", where HOST may be *" : "; HOST is what other machines connect to");
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return 0;
}

static int curve_read(struct walk *self, struct span item)
{
    struct span text = value_str(item, (struct span){ "", 0 });
    uint8_t key[32];

    self->tokens_n++;
    if (text.len == TOPOLOGY_KEY_LEN) {
        memcpy(self->topology->tcp.curve, text.ptr, text.len);
        self->topology->tcp.curve[text.len] = '\0';
    }
    if (text.len != TOPOLOGY_KEY_LEN || strlen(self->topology->tcp.curve) != TOPOLOGY_KEY_LEN ||
        !zmq_z85_decode(key, self->topology->tcp.curve)) {
        return topology_refuse(self,
                               "\"curve\" is the public key of the gateway, %d characters: what `openclaw bus "
                               "keygen` prints there",
                               TOPOLOGY_KEY_LEN);
    }
    return 0;
}

static int key_read(struct walk *self, struct span key, struct span item)
{
    static const char *const keys[] = { "endpoint", "curve", "listen", NULL };
    struct topology_tcp *tcp = &self->topology->tcp;

    self->tokens_n++;
    if (span_is_text(key, "endpoint")) {
        return endpoint_read(self, "endpoint", item, false, tcp->endpoint);
    }
    if (span_is_text(key, "listen")) {
        return endpoint_read(self, "listen", item, true, tcp->listen);
    }
    if (span_is_text(key, "curve")) {
        return curve_read(self, item);
    }
    return topology_refuse_key(self, key, "\"gateway\"", keys);
}

int topology_tcp_read(struct walk *self, struct span map)
{
    struct topology_tcp *tcp = &self->topology->tcp;
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    if (value_kind_of(map) != VALUE_MAP) {
        return topology_refuse(self,
                               "\"gateway\" must be an object: { endpoint: \"tcp://HOST:PORT\", curve: \"<key>\" }");
    }
    while (value_next(&it, &key, &item)) {
        int r = key_read(self, key, item);

        if (r) {
            return r;
        }
    }
    if (!tcp->endpoint[0]) {
        return topology_refuse(self, "\"gateway\" has no \"endpoint\": say where hosts join, as \"tcp://HOST:PORT\"");
    }
    if (!tcp->curve[0]) {
        return topology_refuse(self,
                               "\"%s\" has no \"curve\": nothing goes between machines unencrypted; give the key that "
                               "`openclaw bus keygen` prints on the gateway",
                               tcp->endpoint);
    }
    if (!tcp->listen[0]) {
        memcpy(tcp->listen, tcp->endpoint, sizeof(tcp->listen));
    }
    return 0;
}
