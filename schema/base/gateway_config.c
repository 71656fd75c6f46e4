#include "schema/base/gateway_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_document.h"
#include "schema/base/config_error.h"
#include "schema/base/gateway_auth_guard.h"
#include "schema/base/secret_ref.h"

#define NOTHING ((struct span){ 0 })

const char *gateway_auth_mode_name(enum gateway_auth_mode mode)
{
    switch (mode) {
    case GATEWAY_AUTH_NONE:
        return "none";
    case GATEWAY_AUTH_PASSWORD:
        return "password";
    case GATEWAY_AUTH_TRUSTED_PROXY:
        return "trusted-proxy";
    case GATEWAY_AUTH_TOKEN:
        break;
    }
    return "token";
}

static const char *nonempty(struct config_lookup lookup, const char *name)
{
    const char *value = lookup.find(lookup.arg, name);

    return value && *value ? value : NULL;
}

static bool is_on(struct config_lookup lookup, const char *name)
{
    const char *value = nonempty(lookup, name);

    return value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}

struct gateway_overrides gateway_overrides_from(struct config_lookup lookup)
{
    return (struct gateway_overrides){
        .port = nonempty(lookup, "OPENCLAW_GATEWAY_PORT"),
        .bind = nonempty(lookup, "OPENCLAW_GATEWAY_BIND"),
        .token = nonempty(lookup, "OPENCLAW_GATEWAY_TOKEN"),
        .password = nonempty(lookup, "OPENCLAW_GATEWAY_PASSWORD"),
        .auth = nonempty(lookup, "OPENCLAW_GATEWAY_AUTH"),
        .is_unconfigured_allowed = is_on(lookup, "OPENCLAW_ALLOW_UNCONFIGURED"),
        .is_dev = is_on(lookup, "OPENCLAW_DEV"),
    };
}

void gateway_config_deinit(struct gateway_config *self)
{
    mem_wipe(self->token, sizeof(self->token));
    mem_wipe(self->password, sizeof(self->password));
}

/* Port 0 (any free one) is for overrides alone: a config that moves at each start helps nobody. */
static int port_resolve(struct span gateway, const struct gateway_overrides *overrides, struct gateway_config *self,
                        struct config_error *error)
{
    struct span value = value_get(gateway, "port");

    self->port = overrides->is_dev ? GATEWAY_CONFIG_PORT_DEV : GATEWAY_CONFIG_PORT;
    if (overrides->port) {
        char *end = NULL;
        unsigned long port = strtoul(overrides->port, &end, 10);
        if (*end || overrides->port[0] < '0' || overrides->port[0] > '9' || port > UINT16_MAX) {
            return config_error_say(error, GATEWAY_CONFIG_E_REFUSED, "port \"%.32s\" is not a number from 0 to 65535",
                                    overrides->port);
        }
        self->port = (uint16_t)port;
        return 0;
    }
    if (!value.len) {
        return 0;
    }
    int64_t port = value_kind_of(value) == VALUE_INT ? value_i64(value, 0) : 0;
    if (port < 1 || port > UINT16_MAX) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED, "gateway.port must be a whole number from 1 to 65535");
    }
    self->port = (uint16_t)port;
    return 0;
}

static bool is_ip(const char *text)
{
    struct in6_addr addr;

    return inet_pton(AF_INET, text, &addr) == 1 || inet_pton(AF_INET6, text, &addr) == 1;
}

static int custom_host_resolve(struct span gateway, struct gateway_config *self, struct config_error *error)
{
    struct span host = value_str(value_get(gateway, "customBindHost"), NOTHING);

    snprintf(self->host, sizeof(self->host), "%.*s", SPAN_FMT(host));
    if (!host.len || host.len >= sizeof(self->host) || !is_ip(self->host)) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.bind is \"custom\", so gateway.customBindHost must be an IP address");
    }
    return 0;
}

static int bind_resolve(struct span gateway, const struct gateway_overrides *overrides, struct gateway_config *self,
                        struct config_error *error)
{
    static const struct {
        const char *name;
        const char *host;
        enum gateway_bind bind;
    } modes[] = {
        { "loopback", "127.0.0.1", GATEWAY_BIND_LOOPBACK },
        { "lan", "0.0.0.0", GATEWAY_BIND_LAN },
        { "tailnet", "", GATEWAY_BIND_TAILNET },
        { "auto", "127.0.0.1", GATEWAY_BIND_AUTO },
        { "custom", "", GATEWAY_BIND_CUSTOM },
    };
    struct span value = value_get(gateway, "bind");
    struct span name = overrides->bind ? span_from(overrides->bind) : value_str(value, NOTHING);

    if (!overrides->bind && !value.len) {
        name = SPAN_LIT("loopback");
    }
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (span_is_text(name, modes[i].name)) {
            self->bind = modes[i].bind;
            snprintf(self->host, sizeof(self->host), "%s", modes[i].host);
            return self->bind == GATEWAY_BIND_CUSTOM ? custom_host_resolve(gateway, self, error) : 0;
        }
    }
    return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                            "%s \"%.*s\" is none of loopback, lan, tailnet, auto, custom",
                            overrides->bind ? "bind mode" : "gateway.bind", SPAN_FMT(name));
}

/* `override` wins; else the field of the config. A reference is left to the config actor; a client, to whom nothing is
 * told (`error` NULL), takes what it can. */
static int secret_resolve(struct span value, const char *field, const char *override, struct config_lookup lookup,
                          char out[GATEWAY_CONFIG_SECRET_MAX], bool *ret_is_ref, struct config_error *error)
{
    struct secret_ref ref;
    bool is_set = false;

    *ret_is_ref = !override && secret_ref_read(value, NOTHING, &ref);
    if (*ret_is_ref && error) {
        out[0] = '\0';
        return 0;
    }
    const char *secret =
        override ? override : config_secret_resolve(value, lookup, out, GATEWAY_CONFIG_SECRET_MAX, &is_set);

    if (!secret && is_set && error) {
        return config_error_say(
            error, GATEWAY_CONFIG_E_REFUSED,
            "%s cannot be used: give a string of less than %d bytes, or a reference like { source: \"env\", "
            "provider: \"default\", id: \"NAME\" }",
            field, GATEWAY_CONFIG_SECRET_MAX);
    }
    if (!secret) {
        out[0] = '\0';
        return 0;
    }
    if (strlen(secret) >= GATEWAY_CONFIG_SECRET_MAX && !error) {
        out[0] = '\0';
        return 0;
    }
    if (strlen(secret) >= GATEWAY_CONFIG_SECRET_MAX) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED, "%s is longer than %d bytes", field,
                                GATEWAY_CONFIG_SECRET_MAX - 1);
    }
    if (secret != out) {
        (void)snprintf(out, GATEWAY_CONFIG_SECRET_MAX, "%s", secret); /* it fits, as was checked */
    }
    return 0;
}

static int auth_mode_resolve(struct span auth, const struct gateway_overrides *overrides, struct gateway_config *self,
                             struct config_error *error)
{
    struct span value = value_get(auth, "mode");
    struct span mode = overrides->auth ? span_from(overrides->auth) : value_str(value, NOTHING);

    if (!value.len && !overrides->auth) {
        /* Unsaid, it follows from what is configured, or from the one that is given for this run. */
        bool has_token = self->token[0] || self->is_token_ref;
        bool has_password = self->password[0] || self->is_password_ref;
        bool is_both = has_password && has_token;
        bool is_by_override = (overrides->token != NULL) != (overrides->password != NULL);
        bool is_password = is_both && is_by_override ? overrides->password != NULL : has_password && !has_token;
        self->auth = is_password ? GATEWAY_AUTH_PASSWORD : GATEWAY_AUTH_TOKEN;
        self->is_auth_ambiguous = is_both && !is_by_override;
    } else if (span_is_text(mode, "token")) {
        self->auth = GATEWAY_AUTH_TOKEN;
    } else if (span_is_text(mode, "password")) {
        self->auth = GATEWAY_AUTH_PASSWORD;
    } else if (span_is_text(mode, "none")) {
        self->auth = GATEWAY_AUTH_NONE;
    } else if (span_is_text(mode, "trusted-proxy")) {
        self->auth = GATEWAY_AUTH_TRUSTED_PROXY;
    } else {
        return config_error_say(
            error, GATEWAY_CONFIG_E_REFUSED, "%s must be one of token, password, trusted-proxy, none",
            overrides->auth ? "the auth mode (--auth, OPENCLAW_GATEWAY_AUTH)" : "gateway.auth.mode");
    }
    return 0;
}

static int auth_resolve(struct span auth, const struct gateway_overrides *overrides, struct config_lookup lookup,
                        struct gateway_config *self, struct config_error *error)
{
    struct config_error *told = overrides->is_client ? NULL : error;
    int r = secret_resolve(value_get(auth, "token"), "gateway.auth.token", overrides->token, lookup, self->token,
                           &self->is_token_ref, told);

    if (!r) {
        r = secret_resolve(value_get(auth, "password"), "gateway.auth.password", overrides->password, lookup,
                           self->password, &self->is_password_ref, told);
    }
    return r ? r : auth_mode_resolve(auth, overrides, self, error);
}

static int headers_check(struct span gateway, struct config_error *error)
{
    struct span value = value_str(value_path(gateway, "http.securityHeaders.strictTransportSecurity"), NOTHING);

    if (!gateway_config_is_header(value)) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.http.securityHeaders.strictTransportSecurity must be one line of at most %d "
                                "printable ASCII characters",
                                GATEWAY_CONFIG_HEADER_MAX);
    }
    return 0;
}

int gateway_config_resolve(struct span doc, const struct gateway_overrides *overrides, struct config_lookup lookup,
                           struct gateway_config *ret_config, struct config_error *error)
{
    struct span gateway = value_get(doc, "gateway");
    struct gateway_config self = { .is_file_present = doc.len > 0 };

    if (gateway.len && value_kind_of(gateway) != VALUE_MAP) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED, "gateway must be an object");
    }
    self.agents_n = value_count(value_path(doc, "agents.list"));
    self.agents_n = self.agents_n ? self.agents_n : 1;
    self.is_mode_local = span_is_text(value_str(value_get(gateway, "mode"), NOTHING), "local");
    int r = port_resolve(gateway, overrides, &self, error);
    r = r ? r : headers_check(gateway, error);
    if (!r && gateway_tls_resolve(gateway, lookup, &self.tls, error)) {
        r = GATEWAY_CONFIG_E_REFUSED;
    }
    if (!r) {
        r = bind_resolve(gateway, overrides, &self, error);
    }
    if (!r) {
        r = auth_resolve(value_get(gateway, "auth"), overrides, lookup, &self, error);
    }
    if (!r) {
        *ret_config = self;
    }
    gateway_config_deinit(&self);
    return r;
}

static bool is_loopback(const char *host)
{
    return !strncmp(host, "127.", 4) || !strcmp(host, "::1");
}

int gateway_config_mode_check(struct span doc, const struct gateway_overrides *overrides, struct config_error *error)
{
    struct span mode = value_str(value_path(doc, "gateway.mode"), SPAN_LIT("unset"));

    if (span_is_text(mode, "local") || overrides->is_unconfigured_allowed || overrides->is_dev) {
        return 0;
    }
    return config_error_say(
        error, GATEWAY_CONFIG_E_REFUSED,
        "gateway.mode is %.*s, so no gateway starts from %s: set gateway.mode to \"local\", or pass "
        "--allow-unconfigured for a trial",
        SPAN_FMT(mode), doc.len ? "this config" : "a missing config file");
}

int gateway_config_guard(const struct gateway_config *self, struct span doc, const struct gateway_overrides *overrides,
                         struct config_error *error)
{
    int r = gateway_config_mode_check(doc, overrides, error);

    if (r) {
        return r;
    }
    if (self->auth == GATEWAY_AUTH_NONE && !is_loopback(self->host)) {
        return config_error_say(
            error, GATEWAY_CONFIG_E_REFUSED,
            "%s no auth, so it is refused to listen beyond loopback (%s): set gateway.auth.mode to token or "
            "password, or gateway.bind to loopback",
            overrides->auth ? "there is" : "gateway.auth.mode says", self->host[0] ? self->host : "tailnet");
    }
    return gateway_auth_guard(self, doc, error);
}

/* In 100.64.0.0/10, where Tailscale puts its nodes. */
int gateway_config_tailnet(struct gateway_config *self, struct config_error *error)
{
    struct ifaddrs *all = NULL;
    bool is_found = false;

    if (getifaddrs(&all)) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.bind is tailnet, but the interfaces cannot be listed: %s", strerror(errno));
    }
    for (struct ifaddrs *it = all; it && !is_found; it = it->ifa_next) {
        struct sockaddr_in in;
        if (!it->ifa_addr || it->ifa_addr->sa_family != AF_INET) {
            continue;
        }
        memcpy(&in, it->ifa_addr, sizeof(in));
        is_found = (ntohl(in.sin_addr.s_addr) & 0xffc00000U) == 0x64400000U &&
                   inet_ntop(AF_INET, &in.sin_addr, self->host, sizeof(self->host));
    }
    freeifaddrs(all);
    return is_found ? 0
                    : config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                       "gateway.bind is tailnet, but no interface has a tailnet address "
                                       "(100.64.0.0/10)");
}

int gateway_config_load(const char *path, const struct gateway_overrides *overrides, struct gateway_config *ret_config,
                        struct config_error *error)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_lookup lookup = config_lookup_process();

    config_document_init(&document);
    int r = config_document_load(&document, path, lookup, error);
    if (r) {
        return r > 0 ? GATEWAY_CONFIG_E_REFUSED : r;
    }
    r = gateway_config_resolve(document.is_present ? pack_span(&document.resolved) : NOTHING, overrides, lookup,
                               ret_config, error);
    if (r > 0) {
        config_document_locate(&document, error);
    }
    return r;
}
