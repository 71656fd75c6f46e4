#include "actors/auth/connect.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

const char *connect_role_name(enum connect_role role)
{
    return role == CONNECT_ROLE_NODE ? "node" : "operator";
}

/* An absent text is fine, one of another type is not. */
static bool text_take(struct span map, const char *key, struct span *out)
{
    struct span value = value_get(map, key);

    if (!value.len || value_kind_of(value) == VALUE_NIL) {
        return true;
    }
    *out = value_str(value, NOTHING);
    return value_kind_of(value) == VALUE_STR;
}

static bool device_take(struct span params, struct connect_device *out)
{
    struct span device = value_get(params, "device");
    struct span signed_at = value_get(device, "signedAt");

    if (!device.len || value_kind_of(device) == VALUE_NIL) {
        return true;
    }
    out->is_present = true;
    out->signed_at_ms = value_i64(signed_at, -1);
    return value_kind_of(device) == VALUE_MAP && value_kind_of(signed_at) == VALUE_INT &&
           text_take(device, "id", &out->id) && text_take(device, "publicKey", &out->public_key) &&
           text_take(device, "signature", &out->signature) && text_take(device, "nonce", &out->nonce);
}

int connect_parse(struct span params, struct connect_request *ret_request)
{
    struct connect_request request = {
        .protocol_min = value_i64(value_get(params, "minProtocol"), -1),
        .protocol_max = value_i64(value_get(params, "maxProtocol"), -1),
        .scopes = value_get(params, "scopes"),
    };
    struct span client = value_get(params, "client");
    struct span auth = value_get(params, "auth");
    bool is_whole =
        request.protocol_min >= 0 && request.protocol_max >= 0 && text_take(client, "id", &request.client_id) &&
        text_take(client, "mode", &request.client_mode) && text_take(client, "platform", &request.platform) &&
        text_take(client, "deviceFamily", &request.device_family) &&
        text_take(client, "displayName", &request.display_name) && text_take(params, "role", &request.role) &&
        text_take(auth, "token", &request.token) && text_take(auth, "password", &request.password) &&
        text_take(auth, "deviceToken", &request.device_token) &&
        text_take(auth, "bootstrapToken", &request.bootstrap_token) && device_take(params, &request.device);

    if (!is_whole || !request.client_id.len || !request.client_mode.len) {
        return CONNECT_E_MALFORMED;
    }
    *ret_request = request;
    return 0;
}

enum refusal connect_role_of(const struct connect_request *request, enum connect_role *ret_role)
{
    if (!request->role.ptr || span_is_text(request->role, "operator")) {
        *ret_role = CONNECT_ROLE_OPERATOR;
    } else if (span_is_text(request->role, "node")) {
        *ret_role = CONNECT_ROLE_NODE;
    } else {
        return REFUSAL_ROLE;
    }
    return REFUSAL_NONE;
}

bool connect_is_ui(const struct connect_request *request)
{
    return span_is_text(request->client_id, "openclaw-control-ui") || span_is_text(request->client_id, "webchat-ui") ||
           span_is_text(request->client_mode, "webchat");
}

/* --- addresses --------------------------------------------------------------------- */

/* "[::1]:80" → "::1", "127.0.0.1:80" → "127.0.0.1", "name" → "name". */
static struct span host_of(struct span authority)
{
    const char *end;

    if (authority.len && authority.ptr[0] == '[') {
        end = memchr(authority.ptr, ']', authority.len);
        return end ? (struct span){ authority.ptr + 1, (size_t)(end - authority.ptr) - 1 } : NOTHING;
    }
    end = memchr(authority.ptr ? authority.ptr : "", ':', authority.len);
    return end ? (struct span){ authority.ptr, (size_t)(end - authority.ptr) } : authority;
}

struct address {
    bool is_ip;
    bool is_loopback;
    bool is_private;
};

static struct address address_of(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    struct address address = { 0 };

    if (!host.ptr || host.len >= sizeof(text)) {
        return address;
    }
    snprintf(text, sizeof(text), "%.*s", SPAN_FMT(host));
    if (!strcasecmp(text, "localhost")) {
        address.is_loopback = true;
    } else if (inet_pton(AF_INET, text, &v4) == 1) {
        uint32_t ip = ntohl(v4.s_addr);
        address.is_ip = true;
        address.is_loopback = ip >> 24 == 127;
        address.is_private = ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8;
    } else if (inet_pton(AF_INET6, text, &v6) == 1) {
        address.is_ip = true;
        address.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
        address.is_private = (v6.s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_LINKLOCAL(&v6);
    }
    return address;
}

bool connect_is_local(const struct connect_peer *peer)
{
    struct address host = address_of(host_of(peer->host));

    return peer->is_loopback && !peer->has_proxy_header && (!peer->host.len || host.is_loopback || host.is_private);
}

/* Empty, or ':' and digits alone. */
static bool is_port(struct span text)
{
    size_t i = 1;

    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9') {
        i++;
    }
    return !text.len || (text.ptr[0] == ':' && text.len > 1 && i == text.len);
}

/* The authority of "http://host:port" or "https://…"; empty when it is anything else: with a user,
 * a path, a query or a fragment, its first part may look like a host that it is not. */
static struct span origin_authority(struct span origin)
{
    size_t skip = span_starts(origin, "http://") ? 7 : span_starts(origin, "https://") ? 8 : 0;
    struct span authority;
    struct span host;
    size_t host_end;

    if (!skip || origin.len == skip) {
        return NOTHING;
    }
    authority = (struct span){ origin.ptr + skip, origin.len - skip };
    for (size_t i = 0; i < authority.len; i++) {
        if ((unsigned char)authority.ptr[i] <= ' ' || strchr("@/\\?#", authority.ptr[i])) {
            return NOTHING;
        }
    }
    host = host_of(authority);
    host_end = host.len + (authority.ptr[0] == '[' ? 2 : 0);
    return host.len && is_port((struct span){ authority.ptr + host_end, authority.len - host_end }) ? authority
                                                                                                    : NOTHING;
}

static bool is_same_nocase(struct span a, struct span b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static bool is_listed(struct span allowed, struct span origin)
{
    struct value_iter it = value_iter(allowed);
    struct span key;
    struct span item;

    while (!it.is_map && value_next(&it, &key, &item)) {
        struct span entry = value_str(item, NOTHING);
        if (entry.len && entry.ptr[entry.len - 1] == '/') {
            entry.len--;
        }
        if (span_is_text(entry, "*") || (entry.len && is_same_nocase(entry, origin))) {
            return true;
        }
    }
    return false;
}

enum refusal connect_origin_check(const struct connect_request *request, const struct connect_peer *peer,
                                  const struct connect_origins *origins)
{
    struct span authority = origin_authority(peer->origin);

    if (!peer->origin.len) {
        return connect_is_ui(request) ? REFUSAL_ORIGIN_MISSING : REFUSAL_NONE;
    }
    if (!authority.len) {
        return REFUSAL_ORIGIN_MISSING;
    }
    if (is_listed(origins->allowed, peer->origin)) {
        return REFUSAL_NONE;
    }
    struct address page = address_of(host_of(authority));
    if (page.is_loopback && connect_is_local(peer)) {
        return REFUSAL_NONE;
    }
    bool is_same = is_same_nocase(authority, peer->host);
    return is_same && (page.is_ip || origins->is_host_header_fine) ? REFUSAL_NONE : REFUSAL_ORIGIN;
}
