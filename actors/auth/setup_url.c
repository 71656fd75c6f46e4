#include "actors/auth/setup_url.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"

#define HOST_MAX 256
#define REQUESTED "request.publicUrl"

static int refuse(char why[SETUP_URL_WHY_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char why[SETUP_URL_WHY_MAX], const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, SETUP_URL_WHY_MAX, fmt, args); /* a cut text still explains */
    va_end(args);
    return SETUP_URL_E_NONE;
}

/* --- addresses ----------------------------------------------------------------------------------- */

static bool is_private_v4(uint32_t ip)
{
    return ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 || ip >> 16 == 0xa9fe;
}

static bool is_tailnet_v4(uint32_t ip)
{
    return ip >> 22 == 0x191; /* 100.64.0.0/10 */
}

/* Nobody but the home network is on the way. 10.0.2.2, how an Android emulator calls its machine, is private anyway. */
static bool is_near(const char *host)
{
    size_t len = strlen(host);
    struct in_addr v4;
    struct in6_addr v6;

    if (strcasecmp(host, "localhost") == 0 || (len > 6 && strcasecmp(host + len - 6, ".local") == 0)) {
        return true;
    }
    if (inet_pton(AF_INET, host, &v4) == 1) {
        uint32_t ip = ntohl(v4.s_addr);
        return ip >> 24 == 127 || is_private_v4(ip);
    }
    return inet_pton(AF_INET6, host, &v6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) || (v6.s6_addr[0] & 0xfe) == 0xfc);
}

void setup_url_local(char ret_lan[SETUP_URL_ADDRESS_MAX], char ret_tailnet[SETUP_URL_ADDRESS_MAX])
{
    struct ifaddrs *all = NULL;

    ret_lan[0] = '\0';
    ret_tailnet[0] = '\0';
    if (getifaddrs(&all)) {
        return; /* then there is none to name */
    }
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        struct sockaddr_in addr;

        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || !(one->ifa_flags & IFF_UP) ||
            (one->ifa_flags & IFF_LOOPBACK)) {
            continue;
        }
        memcpy(&addr, one->ifa_addr, sizeof(addr));
        char *out = is_tailnet_v4(ntohl(addr.sin_addr.s_addr))   ? ret_tailnet
                    : is_private_v4(ntohl(addr.sin_addr.s_addr)) ? ret_lan
                                                                 : NULL;
        if (out && !out[0]) {
            (void)inet_ntop(AF_INET, &addr.sin_addr, out, SETUP_URL_ADDRESS_MAX); /* it has the room */
        }
    }
    freeifaddrs(all);
}

/* --- reading what people write ------------------------------------------------------------------------ */

static const struct {
    const char *written;
    const char *meant;
} schemes[] = { { "ws://", "ws" }, { "wss://", "wss" }, { "http://", "ws" }, { "https://", "wss" } };

static struct span trimmed(struct span text)
{
    while (text.len && text.ptr[0] == ' ') {
        text.ptr++;
        text.len--;
    }
    while (text.len && text.ptr[text.len - 1] == ' ') {
        text.len--;
    }
    return text;
}

/* The host of "host", "host:port" or "[::1]:port"; false when the rest is no port. */
static bool host_read(struct span authority, char out[HOST_MAX])
{
    bool is_v6 = authority.len && authority.ptr[0] == '[';
    const char *end = memchr(authority.ptr, is_v6 ? ']' : ':', authority.len);
    size_t len = end ? (size_t)(end - authority.ptr) : authority.len;
    size_t at = len + (is_v6 && end);

    if (len <= (size_t)is_v6 || len >= HOST_MAX || (is_v6 && !end)) {
        return false;
    }
    (void)snprintf(out, HOST_MAX, "%.*s", (int)(len - is_v6), authority.ptr + is_v6);
    if (at == authority.len) {
        return true;
    }
    bool is_port = authority.ptr[at] == ':' && authority.len - at <= 6;
    unsigned port = 0;
    for (size_t i = at + 1; is_port && i < authority.len; i++) {
        is_port = authority.ptr[i] >= '0' && authority.ptr[i] <= '9';
        port = port * 10 + (unsigned)(authority.ptr[i] - '0');
    }
    return is_port && port > 0 && port <= UINT16_MAX;
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= ' ' || (unsigned char)text.ptr[i] > '~' || strchr("@\\\"<>", text.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool setup_url_normalize(struct span text, const char *scheme, char out[SETUP_URL_MAX])
{
    struct span rest = trimmed(text);
    struct span authority;
    char host[HOST_MAX];
    size_t path = 0;
    size_t end = 0;

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t len = strlen(schemes[i].written);
        if (rest.len > len && strncasecmp(rest.ptr, schemes[i].written, len) == 0) {
            scheme = schemes[i].meant;
            rest = (struct span){ rest.ptr + len, rest.len - len };
            break;
        }
    }
    while (path < rest.len && !strchr("/?#", rest.ptr[path])) {
        path++;
    }
    for (end = path; end < rest.len && !strchr("?#", rest.ptr[end]);) {
        end++;
    }
    authority = (struct span){ rest.ptr, path };
    if (!path || !is_plain(rest) || !host_read(authority, host)) {
        return false;
    }
    bool has_path = end - path > 1;
    int n = snprintf(out, SETUP_URL_MAX, "%s://%.*s%.*s", scheme, SPAN_FMT(authority), has_path ? (int)(end - path) : 0,
                     rest.ptr + path);
    return n > 0 && n < SETUP_URL_MAX;
}

bool setup_url_is_here(const char *url)
{
    const char *start = strstr(url, "://");
    struct span authority = span_from(start ? start + 3 : url);
    char host[HOST_MAX];
    struct in_addr v4;
    struct in6_addr v6;

    authority.len = strcspn(authority.ptr, "/");
    if (!host_read(authority, host)) {
        return false;
    }
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    return strcasecmp(host, "localhost") == 0 || (inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

/* --- the choice -------------------------------------------------------------------------------------------- */

/* A source as operators know it. */
static const char *source_words(const char *source)
{
    return strcmp(source, REQUESTED) == 0 ? "the address that was asked for (publicUrl, --public-url)" : source;
}

static int take(struct span text, const char *scheme, const char *source, struct setup_url *url,
                char why[SETUP_URL_WHY_MAX])
{
    url->source = source;
    return setup_url_normalize(text, scheme, url->url)
               ? 0
               : refuse(why,
                        "%s is no address of a gateway: write wss://<host>, or ws://<host>:<port> within a "
                        "private network",
                        source_words(source));
}

static int own_take(const struct setup_url_facts *facts, const char *host, const char *source, struct setup_url *url)
{
    bool is_v6 = strchr(host, ':') != NULL;

    *url = (struct setup_url){ .source = source, .is_own = true };
    (void)snprintf(url->url, sizeof(url->url), "%s://%s%.*s%s:%u", facts->is_tls ? "wss" : "ws", is_v6 ? "[" : "",
                   HOST_MAX, host, is_v6 ? "]" : "", facts->port);
    return 0;
}

static int bound_take(const struct setup_url_facts *facts, struct setup_url *url, char why[SETUP_URL_WHY_MAX])
{
    char host[HOST_MAX];

    if (span_is_text(facts->bind, "custom") && facts->custom_host.len && facts->custom_host.len < HOST_MAX &&
        !span_is_text(facts->custom_host, "0.0.0.0") && !span_is_text(facts->custom_host, "::")) {
        (void)snprintf(host, sizeof(host), "%.*s", SPAN_FMT(facts->custom_host));
        return own_take(facts, host, "gateway.bind=custom", url);
    }
    if (span_is_text(facts->bind, "tailnet")) {
        return facts->tailnet_address ? own_take(facts, facts->tailnet_address, "gateway.bind=tailnet", url)
                                      : refuse(why, "gateway.bind=tailnet is set, but no tailnet IP was found.");
    }
    if (span_is_text(facts->bind, "lan") || span_is_text(facts->bind, "custom")) {
        return facts->lan_address ? own_take(facts, facts->lan_address, "gateway.bind=lan", url)
                                  : refuse(why, "gateway.bind=lan is set, but no private LAN IP was found.");
    }
    return refuse(why, "Gateway is only bound to loopback. Set gateway.bind=lan, or name the address by which the "
                       "device reaches it: --public-url wss://<host>");
}

static int find(const struct setup_url_facts *facts, const struct setup_url_ask *ask, struct setup_url *url,
                char why[SETUP_URL_WHY_MAX])
{
    const char *scheme = facts->is_tls ? "wss" : "ws";
    bool has_remote = facts->remote_url.len && (ask->prefers_remote || !facts->is_remote_mode);

    *url = (struct setup_url){ .source = NULL };
    if (ask->public_url.len) {
        return take(ask->public_url, scheme, REQUESTED, url, why);
    }
    if (facts->public_url.len && !ask->prefers_remote) {
        return take(facts->public_url, scheme, "plugins.entries.device-pair.config.publicUrl", url, why);
    }
    if (has_remote && ask->prefers_remote) {
        return take(facts->remote_url, scheme, "gateway.remote.url", url, why);
    }
    if (span_is_text(facts->tailscale_mode, "serve") || span_is_text(facts->tailscale_mode, "funnel")) {
        return refuse(why,
                      "gateway.tailscale.mode is %.*s, and this gateway does not know its name in the tailnet: "
                      "--public-url wss://<machine>.<tailnet>.ts.net",
                      SPAN_FMT(facts->tailscale_mode));
    }
    if (has_remote) {
        return take(facts->remote_url, scheme, "gateway.remote.url", url, why);
    }
    return bound_take(facts, url, why);
}

int setup_url_choose(const struct setup_url_facts *facts, const struct setup_url_ask *ask, struct setup_url *ret_url,
                     char why[SETUP_URL_WHY_MAX])
{
    struct span rest;
    char host[HOST_MAX];
    int r = find(facts, ask, ret_url, why);

    if (r || strncmp(ret_url->url, "wss://", 6) == 0) {
        return r;
    }
    rest = span_from(ret_url->url + 5);
    rest.len = strcspn(rest.ptr, "/");
    if (host_read(rest, host) && is_near(host)) {
        return 0;
    }
    return refuse(why,
                  "Tailscale and public mobile pairing require a secure gateway URL (wss://); resolved source: %s. "
                  "ws:// is only valid for localhost, private LAN addresses and .local hosts.",
                  source_words(ret_url->source));
}
