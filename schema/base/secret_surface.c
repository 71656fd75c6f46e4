#include "schema/base/secret_surface.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

struct judge {
    struct span doc;
    struct config_lookup lookup;
    const struct secret_target *target;
    struct secret_surface *surface;
};

static void say(struct judge *self, bool is_active, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void say(struct judge *self, bool is_active, const char *fmt, ...)
{
    va_list args;

    self->surface->is_active = is_active;
    va_start(args, fmt);
    (void)vsnprintf(self->surface->reason, sizeof(self->surface->reason), fmt, args);
    va_end(args);
}

static bool is_set_in_env(const struct judge *self, const char *name)
{
    const char *value = self->lookup.find(self->lookup.arg, name);

    return value && *value;
}

static bool is_configured(const struct judge *self, const char *path)
{
    struct span value = value_path(self->doc, path);
    struct secret_ref ref;

    return value_str(value, NOTHING).len > 0 || secret_ref_read(value, self->doc, &ref);
}

static struct span text_at(struct span value, const char *path)
{
    return value_str(value_path(value, path), NOTHING);
}

static bool is_on(struct span map)
{
    return value_bool(value_get(map, "enabled"), true);
}

/* --- the gateway's own --------------------------------------------------------------------------------- */

/* Who gets in with what: the mode that is set, or follows. */
struct credentials {
    struct span mode;
    bool has_env_token;
    bool has_env_password;
    bool has_token;
    bool has_password;
    bool is_token_first; /* a token is what counts, if there is one */
    bool may_password;   /* a password can be what counts */
};

static struct credentials credentials_read(const struct judge *self)
{
    const char *forced = self->lookup.find(self->lookup.arg, "OPENCLAW_GATEWAY_AUTH");
    struct credentials it = { .mode = text_at(self->doc, "gateway.auth.mode") };

    it.mode = forced && *forced ? span_from(forced) : it.mode;
    it.has_env_token = is_set_in_env(self, "OPENCLAW_GATEWAY_TOKEN");
    it.has_env_password = is_set_in_env(self, "OPENCLAW_GATEWAY_PASSWORD");
    it.has_token = is_configured(self, "gateway.auth.token");
    it.has_password = is_configured(self, "gateway.auth.password");
    it.is_token_first = span_is_text(it.mode, "token") || (!it.mode.len && !it.has_env_password && !it.has_password);
    it.may_password = span_is_text(it.mode, "password") || (!it.mode.len && !it.has_env_token && !it.has_token);
    return it;
}

static void token_judge(struct judge *self)
{
    struct credentials it = credentials_read(self);

    if (it.has_env_token) {
        say(self, false, "OPENCLAW_GATEWAY_TOKEN is set and counts before it");
    } else if (it.mode.len) {
        say(self, span_is_text(it.mode, "token"), "gateway.auth.mode is \"%.*s\"", SPAN_FMT(it.mode));
    } else {
        /* With both configured and no mode the gateway refuses to choose, so both must be there. */
        say(self, !it.has_env_password,
            it.has_env_password ? "OPENCLAW_GATEWAY_PASSWORD is set and counts before it"
                                : "no mode is set, so a token counts");
    }
}

static void password_judge(struct judge *self)
{
    struct credentials it = credentials_read(self);

    if (it.has_env_password) {
        say(self, false, "OPENCLAW_GATEWAY_PASSWORD is set and counts before it");
    } else if (span_is_text(it.mode, "trusted-proxy")) {
        say(self, true, "gateway.auth.mode is \"trusted-proxy\", which takes a password on this machine");
    } else if (it.mode.len) {
        say(self, span_is_text(it.mode, "password"), "gateway.auth.mode is \"%.*s\"", SPAN_FMT(it.mode));
    } else {
        say(self, !it.has_env_token,
            it.has_env_token ? "OPENCLAW_GATEWAY_TOKEN is set and counts before it"
                             : "no mode is set, so a password counts");
    }
}

static const char *remote_use(const struct judge *self)
{
    struct span tailscale = text_at(self->doc, "gateway.tailscale.mode");

    if (span_is_text(text_at(self->doc, "gateway.mode"), "remote")) {
        return "gateway.mode is \"remote\"";
    }
    if (text_at(self->doc, "gateway.remote.url").len) {
        return "gateway.remote.url is set";
    }
    return span_is_text(tailscale, "serve") || span_is_text(tailscale, "funnel") ? "gateway.tailscale.mode exposes it"
                                                                                 : NULL;
}

static void remote_judge(struct judge *self, bool is_token)
{
    struct credentials it = credentials_read(self);
    const char *use = remote_use(self);

    if (use) {
        say(self, true, "%s", use);
    } else if (is_token) {
        say(self, it.is_token_first && !it.has_env_token && !it.has_token,
            "this gateway is local, and gateway.auth %s a token of its own",
            it.has_env_token || it.has_token ? "has" : "has not");
    } else {
        say(self, it.may_password && !it.has_env_password && !it.has_password,
            "this gateway is local, and gateway.auth %s a password of its own",
            it.has_env_password || it.has_password ? "has" : "has not");
    }
}

static void gateway_judge(struct judge *self)
{
    const char *path = self->target->row->path;

    if (!strcmp(path, "gateway.auth.token")) {
        token_judge(self);
    } else if (!strcmp(path, "gateway.auth.password")) {
        password_judge(self);
    } else {
        remote_judge(self, !strcmp(path, "gateway.remote.token"));
    }
}

/* --- agents ------------------------------------------------------------------------------------------------ */

static struct span entry_of(const struct judge *self)
{
    struct value_iter it = value_iter(value_path(self->doc, "agents.list"));
    struct span key;
    struct span item;

    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        if (self->target->steps_n > 2 && i == self->target->steps[2].index) {
            return item;
        }
    }
    return NOTHING;
}

/* Is there an agent that has nothing of its own at this path (or at a part of it)? Without a list there is one. */
static bool is_inherited(const struct judge *self, const char *path)
{
    struct value_iter it = value_iter(value_path(self->doc, "agents.list"));
    struct span key;
    struct span item;

    if (!value_count(value_path(self->doc, "agents.list"))) {
        return true;
    }
    while (value_next(&it, &key, &item)) {
        if (is_on(item) && is_on(value_get(item, "memorySearch")) && !value_path(item, path).len) {
            return true;
        }
    }
    return false;
}

static void memory_judge(struct judge *self, bool is_default)
{
    struct span entry = entry_of(self);

    if (!is_default) {
        bool is_used = is_on(entry) && is_on(value_get(entry, "memorySearch"));
        say(self, is_used, is_used ? "the agent searches its memory" : "the agent or its memory search is off");
    } else if (!is_on(value_path(self->doc, "agents.defaults.memorySearch"))) {
        say(self, false, "agents.defaults.memorySearch is off");
    } else {
        bool is_used = is_inherited(self, "memorySearch.remote.apiKey");
        say(self, is_used, is_used ? "an agent inherits it" : "every agent has one of its own");
    }
}

static bool is_ssh(struct span sandbox, struct span defaults)
{
    struct span backend = text_at(sandbox, "backend");
    struct span mode = text_at(sandbox, "mode");

    backend = backend.len ? backend : text_at(defaults, "backend");
    mode = mode.len ? mode : text_at(defaults, "mode");
    return backend.len == 3 && !strncasecmp(backend.ptr, "ssh", 3) && mode.len && !span_is_text(mode, "off");
}

static void sandbox_judge(struct judge *self, bool is_default)
{
    struct span defaults = value_path(self->doc, "agents.defaults.sandbox");
    struct value_iter it = value_iter(value_path(self->doc, "agents.list"));
    struct span entry = entry_of(self);
    struct span key;
    struct span item;
    bool is_used =
        is_default ? is_ssh(defaults, NOTHING) : is_on(entry) && is_ssh(value_get(entry, "sandbox"), defaults);

    while (is_default && !is_used && value_next(&it, &key, &item)) {
        is_used = is_on(item) && is_ssh(value_get(item, "sandbox"), defaults);
    }
    say(self, is_used, is_used ? "the sandbox is reached by ssh" : "no sandbox is reached by ssh");
}

static void agents_judge(struct judge *self)
{
    const char *path = self->target->row->path;
    bool is_default = !strncmp(path, "agents.defaults.", 16);

    if (strstr(path, ".memorySearch.")) {
        memory_judge(self, is_default);
    } else if (strstr(path, ".sandbox.")) {
        sandbox_judge(self, is_default);
    } else {
        say(self, is_on(entry_of(self)), "of an agent");
    }
}

/* --- models --------------------------------------------------------------------------------------------------- */

static struct span provider_of(const struct judge *self)
{
    struct value_iter it = value_iter(value_path(self->doc, "models.providers"));
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (self->target->steps_n > 2 && span_is(key, self->target->steps[2].key)) {
            return item;
        }
    }
    return NOTHING;
}

void secret_surface_judge(struct span doc, const struct secret_target *target, struct config_lookup lookup,
                          struct secret_surface *ret_surface)
{
    struct judge self = { .doc = doc, .lookup = lookup, .target = target, .surface = ret_surface };
    const char *path = target->row->path;

    if (!target->row->is_served) {
        say(&self, false, "this gateway does not serve the section");
    } else if (!strncmp(path, "gateway.", 8)) {
        gateway_judge(&self);
    } else if (!strncmp(path, "agents.", 7)) {
        agents_judge(&self);
    } else {
        bool is_used = is_on(provider_of(&self));
        say(&self, is_used, is_used ? "the provider is in use" : "the provider is off");
    }
}
