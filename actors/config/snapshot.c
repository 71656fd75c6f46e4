#include "actors/config/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/config/merge.h"
#include "actors/config/models.h"
#include "actors/config/secrets.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_check.h"

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
    pack_init(&self->source, 0);
    pack_init(&self->resolved, 0);
    pack_init(&self->effective, 0);
    pack_init(&self->unresolved, 0);
}

static void wipe(struct pack *pack)
{
    if (pack->data) {
        mem_wipe(pack->data, pack->cap);
    }
    pack_deinit(pack);
}

void snapshot_deinit(struct snapshot *self)
{
    wipe(&self->source);
    wipe(&self->resolved);
    wipe(&self->effective);
    wipe(&self->unresolved);
    if (self->text.data) {
        mem_wipe(self->text.data, self->text.cap);
    }
    text_buf_deinit(&self->text);
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
    merge_pack(pack_span(&plain), pack_span(&places), out);
    return pack_error(out);
}

static int effective_build(struct snapshot *self, const struct gateway_config *gateway,
                           const struct snapshot_opts *opts)
{
    CLEANUP(pack_deinit) struct pack defaults;
    CLEANUP(wipe) struct pack plain; /* secrets resolved */
    CLEANUP(wipe) struct pack based; /* over the defaults */
    CLEANUP(wipe) struct pack overrides;

    pack_init(&defaults, 0);
    pack_init(&plain, 0);
    pack_init(&based, 0);
    pack_init(&overrides, 0);
    int fault = defaults_pack(opts, &defaults);
    if (fault) {
        return fault;
    }
    pack_array_begin(&self->unresolved);
    secrets_resolve(pack_span(&self->resolved), opts->lookup, &plain, &self->unresolved);
    pack_array_end(&self->unresolved);
    merge_pack(pack_span(&defaults), pack_span(&plain), &based);
    overrides_pack(gateway, pack_span(&self->resolved), &overrides);
    if (pack_error(&plain) || pack_error(&based) || pack_error(&overrides)) {
        return pack_error(&based) ? pack_error(&based) : pack_error(&overrides);
    }
    merge_pack(pack_span(&based), pack_span(&overrides), &self->effective);
    fault = pack_error(&self->effective);
    return fault ? fault : pack_error(&self->unresolved);
}

static int text_parse(struct snapshot *self, const struct snapshot_opts *opts, struct config_error *error)
{
    struct span text = { self->text.data, self->text.len };

    if (!self->is_file_present) {
        pack_map_begin(&self->source);
        pack_map_end(&self->source);
        return pack_error(&self->source);
    }
    int r = config_file_hash(text, self->hash);
    return r ? r : config_file_parse(text, opts->path, &self->source, error);
}

int snapshot_build(struct snapshot *self, struct text_buf *text, const struct snapshot_opts *opts,
                   struct config_error *error)
{
    struct gateway_overrides overrides = gateway_overrides_from(opts->lookup);
    struct gateway_config gateway = { 0 };

    self->is_file_present = text->data != NULL;
    self->text = *text;
    *text = (struct text_buf){ 0 };
    int r = text_parse(self, opts, error);
    if (!r) {
        r = config_env_substitute(pack_span(&self->source), opts->lookup, &self->resolved, error);
    }
    if (!r) {
        r = config_check(pack_span(&self->resolved), error);
    }
    if (!r) {
        r = gateway_config_resolve(pack_span(&self->resolved), &overrides, opts->lookup, &gateway, error);
    }
    if (!r) {
        r = gateway_config_guard(&gateway, pack_span(&self->resolved), &overrides, error);
    }
    if (!r) {
        r = effective_build(self, &gateway, opts);
    }
    gateway_config_deinit(&gateway);
    return r > 0 ? SNAPSHOT_E_REFUSED : r;
}
