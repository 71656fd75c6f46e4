#include "actors/config/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "schema/base/config_merge.h"
#include "actors/config/models.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "schema/base/gateway_check.h"

#define NOTHING ((struct span){ 0 })

/* What a config that says nothing means. Port, bind and auth are added by overrides_pack. */
static const char defaults_text[] =
    "{ agents: { defaults: { maxConcurrent: 4, subagents: { maxConcurrent: 8 } } },"
    "  commands: { native: 'auto', nativeSkills: 'auto', restart: true, ownerDisplay: 'raw' },"
    "  gateway: { mode: 'local', bind: 'loopback', auth: { mode: 'token' } },"
    "  messages: { ackReactionScope: 'group-mentions' } }";

void snapshot_init(struct snapshot *self)
{
    *self = (struct snapshot){ 0 };
    config_document_init(&self->document);
    pack_init_secret(&self->effective, 0);
}

void snapshot_deinit(struct snapshot *self)
{
    config_document_deinit(&self->document);
    pack_deinit(&self->effective);
    secret_set_deinit(&self->secrets);
}

static bool is_any_origin(struct span ui)
{
    struct value_iter it = value_iter(value_get(ui, "allowedOrigins"));
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (value_str(item, NOTHING).len) {
            return true;
        }
    }
    return value_bool(value_get(ui, "dangerouslyAllowHostHeaderOriginFallback"), false);
}

/* Control pages of this machine come in also where the gateway listens beyond it, when nobody says which pages may. */
static void origins_pack(const struct gateway_config *gateway, struct span resolved, struct pack *out)
{
    struct span ui = value_path(resolved, "gateway.controlUi");
    char origin[128];

    if (gateway->bind == GATEWAY_BIND_LOOPBACK || is_any_origin(ui) || !value_bool(value_get(ui, "enabled"), true)) {
        return;
    }
    pack_key(out, "controlUi");
    pack_map_begin(out);
    pack_key(out, "allowedOrigins");
    pack_array_begin(out);
    (void)snprintf(origin, sizeof(origin), "http://localhost:%u", (unsigned)gateway->port);
    pack_text(out, origin);
    (void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", (unsigned)gateway->port);
    pack_text(out, origin);
    if (gateway->bind == GATEWAY_BIND_CUSTOM) {
        (void)snprintf(origin, sizeof(origin), "http://%s:%u", gateway->host, (unsigned)gateway->port);
        pack_text(out, origin);
    }
    pack_array_end(out);
    pack_map_end(out);
}

/* What flags and environment say, and what the gateway section means in plain values. */
static void overrides_pack(const struct gateway_config *gateway, struct span resolved, struct pack *out)
{
    static const char *const binds[] = {
        [GATEWAY_BIND_LOOPBACK] = "loopback", [GATEWAY_BIND_LAN] = "lan",       [GATEWAY_BIND_TAILNET] = "tailnet",
        [GATEWAY_BIND_AUTO] = "auto",         [GATEWAY_BIND_CUSTOM] = "custom",
    };

    pack_map_begin(out);
    pack_key(out, "gateway");
    pack_map_begin(out);
    pack_kv_u64(out, "port", gateway->port);
    pack_kv_text(out, "bind", binds[gateway->bind]);
    pack_key(out, "auth");
    pack_map_begin(out);
    pack_kv_text(out, "mode", gateway_auth_mode_name(gateway->auth));
    if (gateway->token[0]) {
        pack_kv_text(out, "token", gateway->token);
    }
    if (gateway->password[0]) {
        pack_kv_text(out, "password", gateway->password);
    }
    pack_map_end(out);
    origins_pack(gateway, resolved, out);
    pack_map_end(out);
    pack_key(out, "agents");
    models_default_pack(resolved, out);
    pack_map_end(out);
}

/* A workspace that nobody named lies in the state directory. */
static int defaults_pack(const struct snapshot_opts *opts, struct pack *out)
{
    struct json_opts json = { .json5 = true };
    struct json_error where;
    CLEANUP(pack_deinit) struct pack plain;
    CLEANUP(pack_deinit) struct pack places;
    char workspace[4096];

    pack_init(&plain, 0);
    pack_init(&places, 0);
    int r = json_to_pack((struct span){ defaults_text, sizeof(defaults_text) - 1 }, &json, &plain, &where);
    if (r) {
        return FAULT_FOLD(r);
    }
    snprintf(workspace, sizeof(workspace), "%s/workspace", opts->state_dir);
    pack_map_begin(&places);
    pack_key(&places, "agents");
    pack_map_begin(&places);
    pack_key(&places, "defaults");
    pack_map_begin(&places);
    pack_kv_text(&places, "workspace", workspace);
    pack_map_end(&places);
    pack_map_end(&places);
    pack_map_end(&places);
    config_merge(pack_span(&plain), pack_span(&places), out);
    return pack_error(out);
}

static int effective_build(struct snapshot *self, const struct gateway_config *gateway,
                           const struct snapshot_opts *opts)
{
    CLEANUP(pack_deinit) struct pack defaults;
    CLEANUP(pack_deinit) struct pack based; /* over the defaults */
    CLEANUP(pack_deinit) struct pack overrides;

    pack_init(&defaults, 0);
    pack_init_secret(&based, 0);
    pack_init_secret(&overrides, 0);
    int fault = defaults_pack(opts, &defaults);
    if (fault) {
        return fault;
    }
    config_merge(pack_span(&defaults), pack_span(&self->document.resolved), &based);
    overrides_pack(gateway, pack_span(&self->document.resolved), &overrides);
    if (pack_error(&based) || pack_error(&overrides)) {
        return pack_error(&based) ? pack_error(&based) : pack_error(&overrides);
    }
    config_merge(pack_span(&based), pack_span(&overrides), &self->effective);
    return pack_error(&self->effective);
}

/* That the tailnet is away now is no fault of the config. */
static void place_set(struct snapshot *self, struct gateway_config *gateway)
{
    struct config_error ignored;

    if (gateway->bind == GATEWAY_BIND_TAILNET) {
        (void)gateway_config_tailnet(gateway, &ignored);
    }
    self->place.port = gateway->port;
    (void)snprintf(self->place.host, sizeof(self->place.host), "%s", gateway->host); /* it fits */
}

static int secrets_collect(struct snapshot *self, const struct snapshot_opts *opts, struct config_error *error)
{
    struct span doc = pack_span(&self->document.resolved);
    struct profiles profiles;

    profiles_load(&profiles, doc, opts->state_dir);
    if (!secret_set_collect(&self->secrets, doc, opts->lookup) &&
        !secret_set_collect_profiles(&self->secrets, &profiles, opts->before, clock_wall_ms())) {
        return 0;
    }
    profiles_deinit(&profiles);
    (void)snprintf(error->text, sizeof(error->text), "there are more than %u references to secrets", SECRETS_MAX);
    return SNAPSHOT_E_REFUSED;
}

/* The document is read; what follows needs no file. */
static int finish(struct snapshot *self, const struct snapshot_opts *opts, struct config_error *error)
{
    struct gateway_overrides overrides = gateway_overrides_from(opts->lookup);
    CLEANUP(gateway_config_deinit) struct gateway_config gateway = { 0 };
    int r = gateway_check(&self->document, &overrides, opts->lookup, &gateway, error, opts->issues);
    if (r) {
        return r > 0 ? SNAPSHOT_E_REFUSED : r;
    }
    place_set(self, &gateway);
    r = secrets_collect(self, opts, error);
    return r ? r : effective_build(self, &gateway, opts);
}

int snapshot_load(struct snapshot *self, const struct snapshot_opts *opts, struct config_error *error)
{
    int r = config_document_load(&self->document, opts->path, opts->lookup, error);

    return r ? r > 0 ? SNAPSHOT_E_REFUSED : r : finish(self, opts, error);
}
