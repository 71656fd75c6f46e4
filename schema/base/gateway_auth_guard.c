#include "schema/base/gateway_auth_guard.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_edit.h"
#include "schema/base/config_error.h"
#include "schema/base/hooks_config.h"

#define NOTHING ((struct span){ 0 })

/* Published in documentation and example files, so everybody knows them; and what programs write for nothing. */
static bool is_worthless(const char *secret)
{
    static const char *const known[] = {
        "change-me-to-a-long-random-token",
        "change-me-now",
        "change-me-to-a-strong-password",
        "undefined",
        "null",
        "[object Object]",
        CONFIG_REDACTED, /* hides a secret where a config is shown */
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(secret, known[i]) == 0) {
            return true;
        }
    }
    return secret[0] && secret[strspn(secret, " \t\r\n")] == '\0';
}

const char *gateway_secret_problem(struct span secret)
{
    char text[GATEWAY_CONFIG_SECRET_MAX];

    if (secret.len >= sizeof(text)) {
        return "it is too long for a secret of the gateway";
    }
    if (memchr(secret.ptr, '\0', secret.len)) {
        return "it holds a zero byte";
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(secret));
    bool is_bad = is_worthless(text);
    mem_wipe(text, sizeof(text));
    return is_bad ? "it is blank or an example that everybody knows" : NULL;
}

static int secret_check(const struct gateway_config *self, struct config_error *error)
{
    const char *name = gateway_auth_mode_name(self->auth);
    const char *secret = self->auth == GATEWAY_AUTH_PASSWORD ? self->password : self->token;

    if (self->is_auth_ambiguous) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.auth.token and gateway.auth.password are both set: say which one counts with "
                                "gateway.auth.mode \"token\" or \"password\"");
    }
    if (self->auth == GATEWAY_AUTH_PASSWORD ? self->is_password_ref : self->is_token_ref) {
        return 0; /* looked at once it is resolved */
    }
    if (!secret[0]) {
        config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                         "gateway.auth.mode is %s but no %s is configured: set gateway.auth.%s or %s", name, name, name,
                         self->auth == GATEWAY_AUTH_PASSWORD ? "OPENCLAW_GATEWAY_PASSWORD" : "OPENCLAW_GATEWAY_TOKEN");
        return GATEWAY_CONFIG_E_NO_SECRET;
    }
    if (is_worthless(secret)) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.auth.%s is blank or an example that everybody knows: make a secret with "
                                "\"openssl rand -hex 32\"",
                                name);
    }
    return 0;
}

static int proxy_check(const struct gateway_config *self, struct span gateway, struct config_error *error)
{
    struct span header = value_str(value_path(gateway, "auth.trustedProxy.userHeader"), NOTHING);

    if (self->token[0] || self->is_token_ref) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.auth.mode is trusted-proxy and a gateway token is set as well: remove "
                                "gateway.auth.token and OPENCLAW_GATEWAY_TOKEN, or set gateway.auth.mode to \"token\"");
    }
    if (!header.len) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.auth.mode is trusted-proxy, so gateway.auth.trustedProxy.userHeader must name "
                                "the header that holds the user");
    }
    if (!value_count(value_get(gateway, "trustedProxies"))) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.auth.mode is trusted-proxy, so gateway.trustedProxies must list the addresses "
                                "of the proxy");
    }
    if (is_worthless(self->password)) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.auth.password is blank or an example that everybody knows: make a secret with "
                                "\"openssl rand -hex 32\"");
    }
    return 0;
}

static int mode_check(const struct gateway_config *self, struct span gateway, struct config_error *error)
{
    switch (self->auth) {
    case GATEWAY_AUTH_NONE:
        return 0;
    case GATEWAY_AUTH_TRUSTED_PROXY:
        return proxy_check(self, gateway, error);
    case GATEWAY_AUTH_TOKEN:
    case GATEWAY_AUTH_PASSWORD:
        break;
    }
    return secret_check(self, error);
}

int gateway_auth_guard(const struct gateway_config *self, struct span doc, struct config_error *error)
{
    struct span gateway = value_get(doc, "gateway");
    struct span hook = hooks_token(value_get(doc, "hooks"));
    bool is_funnel = span_is_text(value_str(value_path(gateway, "tailscale.mode"), NOTHING), "funnel");
    int r = mode_check(self, gateway, error);

    if (r) {
        return r;
    }
    if (is_funnel && self->auth != GATEWAY_AUTH_PASSWORD) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "gateway.tailscale.mode is funnel, which is public: set gateway.auth.mode to "
                                "\"password\"");
    }
    if (hook.len && self->auth != GATEWAY_AUTH_NONE &&
        (span_is_text(hook, self->token) || span_is_text(hook, self->password))) {
        return config_error_say(error, GATEWAY_CONFIG_E_REFUSED,
                                "hooks.token must differ from the gateway's own secret: whoever holds a hook token "
                                "would be an operator");
    }
    return 0;
}
