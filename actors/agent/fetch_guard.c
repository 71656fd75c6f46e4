#include "actors/agent/fetch_guard.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

/* --- addresses --------------------------------------------------------------------------- */

struct range4 {
    uint32_t net;
    unsigned bits;
};

/* RFC 6890 and its registry: what is not of the public network. */
static const struct range4 ranges4[] = {
    { 0x00000000, 8 },  /* this network */
    { 0x0a000000, 8 },  /* private */
    { 0x64400000, 10 }, /* shared address space */
    { 0x7f000000, 8 },  /* loopback */
    { 0xa83f8110, 32 }, /* 168.63.129.16, the host of a virtual machine at Azure */
    { 0xa9fe0000, 16 }, /* link local, with the metadata of most clouds */
    { 0xac100000, 12 }, /* private */
    { 0xc0000000, 24 }, /* protocol assignments */
    { 0xc0000200, 24 }, /* documentation */
    { 0xc0586300, 24 }, /* 6to4 relays */
    { 0xc0a80000, 16 }, /* private */
    { 0xc6120000, 15 }, /* benchmarks */
    { 0xc6336400, 24 }, /* documentation */
    { 0xcb007100, 24 }, /* documentation */
    { 0xe0000000, 4 },  /* multicast */
    { 0xf0000000, 4 },  /* reserved, broadcast */
};

static bool is_public4(uint32_t address)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges4); i++) {
        if ((address ^ ranges4[i].net) >> (32 - ranges4[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t word_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is_public6(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    uint32_t head = word_at(bytes);

    if (memcmp(bytes, mapped, sizeof(mapped)) == 0 || memcmp(bytes, nat64, sizeof(nat64)) == 0) {
        return is_public4(word_at(bytes + 12));
    }
    if (head >> 29 != 1) {
        return false; /* 2000::/3 is all that was ever given out */
    }
    return head >> 9 != 0x20010000U >> 9 && /* 2001::/23: Teredo, ORCHID and others */
           head != 0x20010db8U &&           /* documentation */
           head >> 16 != 0x2002U &&         /* 6to4, which leads to any IPv4 address */
           head >> 12 != 0x3fff0000U >> 12; /* documentation */
}

bool fetch_guard_address(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        return is_public4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        return is_public6(in6.sin6_addr.s6_addr);
    }
    return false;
}

/* --- names -------------------------------------------------------------------------------- */

/* The host of a URL in lower case, without the brackets of IPv6 and a dot at the end. */
static bool host_of(struct span url, char host[FETCH_GUARD_HOST_MAX])
{
    size_t scheme = url.len > 8 && strncasecmp(url.ptr, "https://", 8) == 0  ? 8
                    : url.len > 7 && strncasecmp(url.ptr, "http://", 7) == 0 ? 7
                                                                             : 0;
    struct span rest = { url.ptr + scheme, url.len - scheme };
    size_t len = 0;
    bool is_bracketed = rest.len && rest.ptr[0] == '[';

    for (size_t i = is_bracketed; scheme && i < rest.len; i++) {
        char c = rest.ptr[i];

        if (c == '/' || c == '?' || c == '#' || (is_bracketed ? c == ']' : c == ':')) {
            break;
        }
        if ((unsigned char)c <= ' ' || c == '@' || c == '\\' || c == '%' || c == 0x7f ||
            len == FETCH_GUARD_HOST_MAX - 1) {
            return false;
        }
        host[len++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    while (len && host[len - 1] == '.') {
        len--;
    }
    host[len] = '\0';
    return len > 0;
}

/* Name and password would stand before an @ of the authority, which begins behind the two slashes of the scheme. */
static bool has_login(struct span url)
{
    for (size_t i = 8; i < url.len && url.ptr[i] != '/' && url.ptr[i] != '?' && url.ptr[i] != '#'; i++) {
        if (url.ptr[i] == '@') {
            return true;
        }
    }
    return url.len > 7 && url.ptr[7] == '@';
}

static bool ends_in(const char *host, struct span end)
{
    size_t len = strlen(host);

    return len > end.len && strncasecmp(host + len - end.len, end.ptr, end.len) == 0;
}

static bool is_local_name(const char *host)
{
    static const char *const ends[] = { ".localhost", ".local", ".localdomain", ".internal", ".home.arpa", ".lan" };

    if (strcmp(host, "localhost") == 0 || strcmp(host, "metadata") == 0) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_in(host, span_from(ends[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const char *host, struct span hosts)
{
    struct value_iter it = value_iter(hosts);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct span name = value_str(item, SPAN_LIT(""));

        if (span_starts(name, "*.") ? ends_in(host, (struct span){ name.ptr + 1, name.len - 1 })
                                    : name.len == strlen(host) && strncasecmp(name.ptr, host, name.len) == 0) {
            return true;
        }
    }
    return false;
}

int fetch_guard_url(struct span url, struct span hosts)
{
    char host[FETCH_GUARD_HOST_MAX];

    if (!host_of(url, host) || has_login(url)) {
        return FETCH_GUARD_E_URL;
    }
    if (is_local_name(host)) {
        return FETCH_GUARD_E_LOCAL;
    }
    return value_count(hosts) && !is_listed(host, hosts) ? FETCH_GUARD_E_HOST : 0;
}
