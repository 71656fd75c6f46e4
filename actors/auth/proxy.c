#include "actors/auth/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

struct span proxy_header(struct span headers, const char *name)
{
    return value_str(value_get(headers, name), NOTHING);
}

bool proxy_is_hinted(struct span headers)
{
    static const char *const names[] = {
        "forwarded", "x-forwarded-for",  "x-forwarded-host",     "x-forwarded-proto",
        "x-real-ip", "cf-connecting-ip", "tailscale-user-login",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (value_get(headers, names[i]).len) {
            return true;
        }
    }
    return false;
}

/* --- networks ------------------------------------------------------------------------ */

/* "[::1]:80", "1.2.3.4:80", "fe80::1%eth0" → the address alone. */
static struct span bare_address(struct span text)
{
    const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;

    if (text.len && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        return end ? (struct span){ text.ptr + 1, (size_t)(end - text.ptr) - 1 } : NOTHING;
    }
    if (colon && !memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.ptr))) {
        return (struct span){ text.ptr, (size_t)(colon - text.ptr) };
    }
    const char *zone = text.len ? memchr(text.ptr, '%', text.len) : NULL;
    return zone ? (struct span){ text.ptr, (size_t)(zone - text.ptr) } : text;
}

/* Sixteen bytes and how many bits stand before the ones that a prefix of the text counts. */
static bool address_parse(struct span text, unsigned char bytes[16], unsigned *ret_base)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    char buf[INET6_ADDRSTRLEN];

    if (!text.len || text.len >= sizeof(buf)) {
        return false;
    }
    snprintf(buf, sizeof(buf), "%.*s", SPAN_FMT(text));
    memcpy(bytes, mapped, sizeof(mapped));
    *ret_base = 96;
    if (inet_pton(AF_INET, buf, bytes + 12) == 1) {
        return true;
    }
    *ret_base = 0;
    return inet_pton(AF_INET6, buf, bytes) == 1;
}

bool proxy_net_parse(struct span text, struct proxy_net *ret_net)
{
    struct proxy_net net;
    unsigned base = 0;

    text = span_trim(text);
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    struct span address = slash ? (struct span){ text.ptr, (size_t)(slash - text.ptr) } : text;
    if (!address_parse(address, net.bytes, &base)) {
        return false;
    }
    net.bits = 128;
    if (slash) {
        char digits[8];
        char *end = NULL;
        size_t len = text.len - address.len - 1;
        snprintf(digits, sizeof(digits), "%.*s", (int)(len < sizeof(digits) ? len : sizeof(digits) - 1), slash + 1);
        unsigned long bits = strtoul(digits, &end, 10);
        if (!len || len > 3 || *end || digits[0] < '0' || digits[0] > '9' || bits + base > 128) {
            return false;
        }
        net.bits = (unsigned)bits + base;
    }
    *ret_net = net;
    return true;
}

void proxy_nets_read(struct span list, struct proxy_nets *ret_nets, uint32_t *ret_bad)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    ret_nets->n = 0;
    *ret_bad = 0;
    while (!it.is_map && value_next(&it, &key, &item)) {
        if (ret_nets->n < PROXY_NETS_MAX && proxy_net_parse(value_str(item, NOTHING), &ret_nets->at[ret_nets->n])) {
            ret_nets->n++;
        } else {
            ++*ret_bad;
        }
    }
}

static bool net_holds(const struct proxy_net *net, const unsigned char bytes[16])
{
    unsigned whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    unsigned mask = 0xff00U >> rest & 0xff;

    return memcmp(net->bytes, bytes, whole) == 0 && (!rest || ((net->bytes[whole] ^ bytes[whole]) & mask) == 0);
}

bool proxy_nets_hold(const struct proxy_nets *nets, struct span address)
{
    unsigned char bytes[16];
    unsigned base;

    if (!address_parse(bare_address(address), bytes, &base)) {
        return false;
    }
    for (uint32_t i = 0; i < nets->n; i++) {
        if (net_holds(&nets->at[i], bytes)) {
            return true;
        }
    }
    return false;
}

bool proxy_is_loopback(struct span address)
{
    static const struct proxy_nets loopback = {
        .n = 2,
        .at = { { .bytes = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 }, .bits = 104 },
                { .bytes = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, .bits = 128 } },
    };

    return proxy_nets_hold(&loopback, address);
}

/* --- whose address --------------------------------------------------------------------- */

static bool is_address(struct span text)
{
    unsigned char bytes[16];
    unsigned base;

    return address_parse(text, bytes, &base);
}

struct span proxy_client_address(const struct proxy_nets *trusted, struct span remote, struct span headers,
                                 bool is_real_ip_allowed)
{
    struct span chain = proxy_header(headers, "x-forwarded-for");
    struct span real = bare_address(span_trim(proxy_header(headers, "x-real-ip")));

    if (!proxy_nets_hold(trusted, remote)) {
        return remote;
    }
    if (!span_trim(chain).len) {
        return is_real_ip_allowed && is_address(real) ? real : remote;
    }
    while (chain.len) {
        const char *comma = memrchr(chain.ptr, ',', chain.len);
        size_t skip = comma ? (size_t)(comma - chain.ptr) + 1 : 0;
        struct span hop = bare_address(span_trim((struct span){ chain.ptr + skip, chain.len - skip }));
        if (!is_address(hop)) {
            return remote; /* a chain that cannot be read proves nothing */
        }
        if (!proxy_nets_hold(trusted, hop) || !comma) {
            return hop;
        }
        chain.len = skip - 1;
    }
    return remote;
}

/* --- trusted-proxy ------------------------------------------------------------------------ */

static bool is_user_listed(struct span users, struct span user)
{
    struct value_iter it = value_iter(users);
    struct span key;
    struct span item;

    if (!value_count(users)) {
        return true;
    }
    while (!it.is_map && value_next(&it, &key, &item)) {
        if (span_is(value_str(item, NOTHING), user)) {
            return true;
        }
    }
    return false;
}

static const char *missing_header(const struct proxy_rules *rules, struct span headers)
{
    for (uint32_t i = 0; i < rules->required_n; i++) {
        if (!span_trim(proxy_header(headers, rules->required[i])).len) {
            return rules->required[i];
        }
    }
    return NULL;
}

static enum refusal trusted_judge(const struct proxy_rules *rules, const struct proxy_nets *trusted, struct span remote,
                                  struct span headers, struct proxy_verdict *verdict)
{
    struct span user = span_trim(proxy_header(headers, rules->user_header));

    if (!rules->user_header[0]) {
        return REFUSAL_PROXY_UNCONFIGURED;
    }
    if (!trusted->n) {
        return REFUSAL_PROXY_NONE;
    }
    if (!proxy_nets_hold(trusted, remote)) {
        return REFUSAL_PROXY_SOURCE;
    }
    if (proxy_is_loopback(remote) && !rules->is_loopback_allowed) {
        return REFUSAL_PROXY_LOOPBACK;
    }
    const char *missing = missing_header(rules, headers);
    if (missing) {
        snprintf(verdict->header, sizeof(verdict->header), "%s", missing);
        return REFUSAL_PROXY_HEADER;
    }
    if (!user.len || user.len >= sizeof(verdict->user)) {
        return REFUSAL_PROXY_USER_MISSING;
    }
    snprintf(verdict->user, sizeof(verdict->user), "%.*s", SPAN_FMT(user));
    return is_user_listed(rules->users, user) ? REFUSAL_NONE : REFUSAL_PROXY_USER;
}

void proxy_judge(const struct proxy_rules *rules, const struct proxy_nets *trusted, struct span remote,
                 struct span headers, struct proxy_verdict *ret_verdict)
{
    *ret_verdict = (struct proxy_verdict){ 0 };
    ret_verdict->refusal = trusted_judge(rules, trusted, remote, headers, ret_verdict);
}

/* --- Tailscale Serve ------------------------------------------------------------------------ */

enum refusal proxy_tailscale_claim(bool is_loopback, struct span headers, struct proxy_tailscale *ret_claim)
{
    struct span login = span_trim(proxy_header(headers, "tailscale-user-login"));
    struct span address = bare_address(span_trim(proxy_header(headers, "x-forwarded-for")));

    if (!login.len || login.len >= sizeof(ret_claim->login)) {
        return REFUSAL_TAILSCALE_USER_MISSING;
    }
    bool has_all = proxy_header(headers, "x-forwarded-proto").len && proxy_header(headers, "x-forwarded-host").len;
    if (!is_loopback || !has_all || !is_address(address) || proxy_is_loopback(address)) {
        return REFUSAL_TAILSCALE_PROXY_MISSING;
    }
    snprintf(ret_claim->login, sizeof(ret_claim->login), "%.*s", SPAN_FMT(login));
    snprintf(ret_claim->address, sizeof(ret_claim->address), "%.*s", SPAN_FMT(address));
    return REFUSAL_NONE;
}
