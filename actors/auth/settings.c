#include "actors/auth/settings.h"

#include <errno.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "schema/base/hooks_config.h"

#define NOTHING ((struct span){ 0 })

static const struct limiter_rules rules_default = { .attempts_max = 10, .window_ms = 60000, .lockout_ms = 300000 };

/* Every header by which a proxy, or somebody who plays one, may speak of the client. */
static const char *const header_names[] = {
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "tailscale-user-login",
    "tailscale-user-name",
    "tailscale-user-profile-pic",
    "x-openclaw-scopes",
};

static const char *const mode_names[] = {
    [SETTINGS_TOKEN] = "token",
    [SETTINGS_PASSWORD] = "password",
    [SETTINGS_NONE] = "none",
    [SETTINGS_TRUSTED_PROXY] = "trusted-proxy",
};

void settings_init(struct settings *self)
{
    *self = (struct settings){
        .token = "", .password = "", .hook_token = "", .rules = rules_default, .is_loopback_exempt = true
    };
    pack_init(&self->origins, SETTINGS_PACK_MAX);
    pack_init(&self->users, SETTINGS_PACK_MAX);
    pack_init(&self->headers, SETTINGS_PACK_MAX);
}

void settings_deinit(struct settings *self)
{
    pack_deinit(&self->origins);
    pack_deinit(&self->users);
    pack_deinit(&self->headers);
    secret_arena_deinit(&self->secrets);
}

const char *settings_mode_name(enum settings_mode mode)
{
    return mode_names[mode];
}

static bool mode_find(struct span name, enum settings_mode *ret_mode)
{
    for (size_t i = 0; i < ARRAY_LEN(mode_names); i++) {
        if (span_is_text(name, mode_names[i])) {
            *ret_mode = (enum settings_mode)i;
            return true;
        }
    }
    return false;
}

static uint32_t number(struct span map, const char *key, uint32_t fallback)
{
    int64_t value = value_i64(value_get(map, key), fallback);

    return value >= 1 && value <= UINT32_MAX ? (uint32_t)value : fallback;
}

/* All or, when there is no memory, none: then those of before stay. */
static int secrets_take(struct settings *self, struct span token, struct span password, struct span hook)
{
    struct secret_arena fresh = { 0 };
    struct span kept_token = secret_arena_add(&fresh, token);
    struct span kept_password = secret_arena_add(&fresh, password);
    struct span kept_hook = secret_arena_add(&fresh, hook);

    if (!kept_token.ptr || !kept_password.ptr || !kept_hook.ptr) {
        secret_arena_deinit(&fresh);
        return FAULT(-ENOMEM);
    }
    secret_arena_deinit(&self->secrets);
    self->secrets = fresh;
    self->token = kept_token.ptr;
    self->password = kept_password.ptr;
    self->hook_token = kept_hook.ptr;
    return 0;
}

static void name_lower(struct span name, char out[PROXY_NAME_MAX])
{
    size_t len = name.len < PROXY_NAME_MAX ? name.len : 0; /* no header has such a name */

    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
    }
    out[len] = '\0';
}

static void list_copy(struct pack *out, struct span list)
{
    pack_reset(out);
    if (value_kind_of(list) == VALUE_ARRAY) {
        pack_raw(out, list);
    }
}

static void proxy_read(struct settings *self, struct span gateway, struct span auth)
{
    struct span rules = value_get(auth, "trustedProxy");
    struct value_iter it = value_iter(value_get(rules, "requiredHeaders"));
    struct span key;
    struct span item;
    uint32_t bad = 0;

    self->proxy = (struct proxy_rules){ .is_loopback_allowed = value_bool(value_get(rules, "allowLoopback"), false) };
    name_lower(value_str(value_get(rules, "userHeader"), NOTHING), self->proxy.user_header);
    while (!it.is_map && self->proxy.required_n < ARRAY_LEN(self->proxy.required) && value_next(&it, &key, &item)) {
        name_lower(value_str(item, NOTHING), self->proxy.required[self->proxy.required_n++]);
    }
    list_copy(&self->users, value_get(rules, "allowUsers"));
    self->proxy.users = pack_span(&self->users);
    proxy_nets_read(value_get(gateway, "trustedProxies"), &self->proxies, &self->bad_nets_n);
    proxy_nets_read(value_path(gateway, "nodes.pairing.autoApproveCidrs"), &self->node_nets, &bad);
    self->bad_nets_n += bad;
    self->is_real_ip_allowed = value_bool(value_get(gateway, "allowRealIpFallback"), false);
}

static void headers_collect(struct settings *self)
{
    pack_reset(&self->headers);
    pack_array_begin(&self->headers);
    for (size_t i = 0; i < ARRAY_LEN(header_names); i++) {
        pack_text(&self->headers, header_names[i]);
    }
    if (self->proxy.user_header[0]) {
        pack_text(&self->headers, self->proxy.user_header);
    }
    for (uint32_t i = 0; i < self->proxy.required_n; i++) {
        if (self->proxy.required[i][0]) {
            pack_text(&self->headers, self->proxy.required[i]);
        }
    }
    pack_array_end(&self->headers);
}

static void pages_read(struct settings *self, struct span gateway, struct span auth)
{
    struct span ui = value_get(gateway, "controlUi");
    bool is_served = span_is_text(value_str(value_path(gateway, "tailscale.mode"), NOTHING), "serve");

    list_copy(&self->origins, value_get(ui, "allowedOrigins"));
    self->is_host_header_origin_fine = value_bool(value_get(ui, "dangerouslyAllowHostHeaderOriginFallback"), false);
    self->is_insecure_ui_fine = value_bool(value_get(ui, "allowInsecureAuth"), false);
    self->is_device_auth_off = value_bool(value_get(ui, "dangerouslyDisableDeviceAuth"), false);
    self->is_tailscale_fine = value_bool(value_get(auth, "allowTailscale"), is_served);
}

int settings_apply(struct settings *self, struct span gateway, struct span hooks)
{
    struct span auth = value_get(gateway, "auth");
    struct span limit = value_get(auth, "rateLimit");
    struct span token = value_str(value_get(auth, "token"), NOTHING);
    struct span password = value_str(value_get(auth, "password"), NOTHING);
    struct span hook = hooks_token(hooks);
    enum settings_mode mode;
    int fault;

    if (!mode_find(value_str(value_get(auth, "mode"), SPAN_LIT("token")), &mode) || token.len >= SETTINGS_SECRET_MAX ||
        password.len >= SETTINGS_SECRET_MAX || hook.len >= SETTINGS_SECRET_MAX) {
        return SETTINGS_E_REFUSED;
    }
    fault = secrets_take(self, token, password, hook);
    if (fault) {
        return fault;
    }
    pages_read(self, gateway, auth);
    proxy_read(self, gateway, auth);
    headers_collect(self);
    self->mode = mode;
    self->rules.attempts_max = number(limit, "maxAttempts", rules_default.attempts_max);
    self->rules.window_ms = number(limit, "windowMs", rules_default.window_ms);
    self->rules.lockout_ms = number(limit, "lockoutMs", rules_default.lockout_ms);
    self->is_loopback_exempt = value_bool(value_get(limit, "exemptLoopback"), true);
    fault = pack_error(&self->origins);
    fault = fault ? fault : pack_error(&self->users);
    return fault ? fault : pack_error(&self->headers);
}

static void proxy_describe(const struct settings *self, struct pack *out)
{
    pack_text(out, self->proxy.user_header);
    for (uint32_t i = 0; i < self->proxy.required_n; i++) {
        pack_text(out, self->proxy.required[i]);
    }
    pack_str(out, pack_span(&self->users));
    pack_bin(out, (struct span){ (const char *)self->proxies.at, self->proxies.n * sizeof(self->proxies.at[0]) });
    pack_bool(out, self->proxy.is_loopback_allowed);
}

struct span settings_describe(const struct settings *self, struct pack *out)
{
    bool has_password = self->mode == SETTINGS_PASSWORD || self->mode == SETTINGS_TRUSTED_PROXY;

    pack_reset(out);
    pack_array_begin(out);
    pack_text(out, mode_names[self->mode]);
    pack_text(out, self->mode == SETTINGS_TOKEN ? self->token : "");
    pack_text(out, has_password ? self->password : "");
    pack_bool(out, self->is_insecure_ui_fine);
    pack_bool(out, self->is_device_auth_off);
    pack_bool(out, self->is_tailscale_fine);
    pack_bool(out, self->is_real_ip_allowed);
    if (self->mode == SETTINGS_TRUSTED_PROXY) {
        proxy_describe(self, out);
    }
    pack_array_end(out);
    return pack_error(out) ? NOTHING : pack_span(out);
}

struct span settings_describe_pages(const struct settings *self, struct pack *out)
{
    pack_reset(out);
    pack_array_begin(out);
    pack_str(out, pack_span(&self->origins));
    pack_bool(out, self->is_host_header_origin_fine);
    pack_array_end(out);
    return pack_error(out) ? NOTHING : pack_span(out);
}
