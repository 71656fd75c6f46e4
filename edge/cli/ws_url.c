#include "edge/cli/ws_url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "edge/cli/cli_opts.h"

struct scheme {
    const char *prefix;
    bool is_tls;
};

static const struct scheme schemes[] = {
    { "ws://", false },
    { "wss://", true },
    { "http://", false },
    { "https://", true },
};

static int refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return WS_URL_E_REFUSED;
}

static const char *scheme_skip(const char *text, struct ws_url *url)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
            url->is_tls = schemes[i].is_tls;
            return text + strlen(schemes[i].prefix);
        }
    }
    return NULL;
}

static bool host_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static int port_read(const char *from, size_t len, struct ws_url *url, const char **ret_why)
{
    char digits[8] = "";
    uint64_t port = url->is_tls ? 443 : 80;

    if (len >= sizeof(digits)) {
        return refuse(ret_why, "the port is not a number from 1 to 65535");
    }
    memcpy(digits, from, len);
    if (len && !cli_opts_number(digits, 1, 65535, &port)) {
        return refuse(ret_why, "the port is not a number from 1 to 65535");
    }
    url->port = (uint16_t)port;
    return 0;
}

int ws_url_parse(const char *text, struct ws_url *ret_url, const char **ret_why)
{
    struct ws_url url = { .is_tls = false };
    const char *at = scheme_skip(text, &url);
    const char *end;
    const char *host_end;
    size_t authority_len;

    if (!at) {
        return refuse(ret_why, "an address begins with ws:// or wss://");
    }
    authority_len = strcspn(at, "/?#");
    end = at + authority_len;
    if (memchr(at, '@', authority_len)) {
        return refuse(ret_why, "no credentials in an address, use --token or --password");
    }
    if (*at == '[') {
        at++;
        host_end = memchr(at, ']', (size_t)(end - at));
        if (!host_end || (host_end[1] != ':' && host_end + 1 != end)) {
            return refuse(ret_why, "a '[' without its ']'");
        }
    } else {
        host_end = memchr(at, ':', authority_len);
        host_end = host_end ? host_end : end;
    }
    if (host_end == at || (size_t)(host_end - at) >= sizeof(url.host)) {
        return refuse(ret_why, "the host is missing or too long");
    }
    memcpy(url.host, at, (size_t)(host_end - at));
    host_end += *host_end == ']';
    host_end += host_end < end && *host_end == ':';
    if (strlen(end) >= sizeof(url.path) - 1 || strpbrk(text, " \t\r\n")) {
        return refuse(ret_why, "the path is too long or holds spaces");
    }
    (void)strcpy(url.path, *end == '/' ? "" : "/");
    (void)strcat(url.path, *end == '#' ? "" : end);
    url.is_loopback = host_is_loopback(url.host);
    if (port_read(host_end, (size_t)(end - host_end), &url, ret_why)) {
        return WS_URL_E_REFUSED;
    }
    *ret_url = url;
    return 0;
}
