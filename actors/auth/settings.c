#include "actors/auth/settings.h"

#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"

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
};

void settings_init(struct settings *self)
{
    *self = (struct settings){ .rules = rules_default, .is_loopback_exempt = true };
    pack_init(&self->origins, 1U << 20);
    pack_init(&self->headers, 1U << 16);
}

void settings_deinit(struct settings *self)
{
    pack_deinit(&self->origins);
    pack_deinit(&self->headers);
    mem_wipe(self->token, sizeof(self->token));
    mem_wipe(self->password, sizeof(self->password));
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

static void text_copy(char out[SETTINGS_SECRET_MAX], struct span text)
{
    mem_wipe(out, SETTINGS_SECRET_MAX);
    if (text.len) {
        memcpy(out, text.ptr, text.len);
    }
}

static void header_add(struct settings *self, struct span name)
{
    char lower[SETTINGS_HEADER_MAX];

    if (!name.len || name.len >= sizeof(lower)) {
        return;
    }
    for (size_t i = 0; i < name.len; i++) {
        lower[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
    }
    pack_str(&self->headers, (struct span){ lower, name.len });
}

static void headers_collect(struct settings *self, struct span auth)
{
    struct value_iter it = value_iter(value_path(auth, "trustedProxy.requiredHeaders"));
    struct span key;
    struct span item;

    pack_reset(&self->headers);
    pack_array_begin(&self->headers);
    for (size_t i = 0; i < ARRAY_LEN(header_names); i++) {
        pack_text(&self->headers, header_names[i]);
    }
    header_add(self, value_str(value_path(auth, "trustedProxy.userHeader"), NOTHING));
    for (size_t n = 0; n < SETTINGS_HEADERS_MAX && !it.is_map && value_next(&it, &key, &item); n++) {
        header_add(self, value_str(item, NOTHING));
    }
    pack_array_end(&self->headers);
}

int settings_apply(struct settings *self, struct span gateway)
{
    struct span auth = value_get(gateway, "auth");
    struct span limit = value_get(auth, "rateLimit");
    struct span token = value_str(value_get(auth, "token"), NOTHING);
    struct span password = value_str(value_get(auth, "password"), NOTHING);
    struct span origins = value_path(gateway, "controlUi.allowedOrigins");
    enum settings_mode mode;

    if (!mode_find(value_str(value_get(auth, "mode"), SPAN_LIT("token")), &mode) || token.len >= SETTINGS_SECRET_MAX ||
        password.len >= SETTINGS_SECRET_MAX) {
        return SETTINGS_E_REFUSED;
    }
    pack_reset(&self->origins);
    if (value_kind_of(origins) == VALUE_ARRAY) {
        pack_raw(&self->origins, origins);
    }
    headers_collect(self, auth);
    self->mode = mode;
    text_copy(self->token, token);
    text_copy(self->password, password);
    self->rules.attempts_max = number(limit, "maxAttempts", rules_default.attempts_max);
    self->rules.window_ms = number(limit, "windowMs", rules_default.window_ms);
    self->rules.lockout_ms = number(limit, "lockoutMs", rules_default.lockout_ms);
    self->is_loopback_exempt = value_bool(value_get(limit, "exemptLoopback"), true);
    return pack_error(&self->origins) ? pack_error(&self->origins) : pack_error(&self->headers);
}

struct span settings_describe(const struct settings *self, struct pack *out)
{
    pack_reset(out);
    pack_array_begin(out);
    pack_text(out, mode_names[self->mode]);
    pack_text(out, self->mode == SETTINGS_TOKEN ? self->token : "");
    pack_text(out, self->mode == SETTINGS_PASSWORD ? self->password : "");
    pack_str(out, pack_span(&self->origins));
    pack_array_end(out);
    return pack_error(out) ? NOTHING : pack_span(out);
}
