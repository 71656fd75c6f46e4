#include "edge/cli/cli_handshake.h"

#include <stdio.h>
#include <limits.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_access.h"
#include "edge/cli/cli_uuid.h"

#define PROTOCOL 3
#define ROLE "operator"
#define PLATFORM "linux"
#define SCOPES_PROBE "operator.read"
/* All at once: a gateway never grants a further scope to a known device without its owner's approval. */
#define SCOPES_COMMAND "operator.admin,operator.read,operator.write,operator.approvals,operator.pairing"

static const char *scopes_of(const struct cli_handshake *self)
{
    return self->opts->role == CLI_SESSION_PROBE ? SCOPES_PROBE : SCOPES_COMMAND;
}

static bool wants_identity(const struct cli_target *target)
{
    bool has_secret = target->token[0] || target->password[0];

    /* Where no secret counts, one left over in the config proves nothing. */
    return !target->url.is_loopback || !has_secret ||
           (!target->is_elsewhere && target->has_config && target->config.auth == GATEWAY_AUTH_NONE);
}

static struct cli_identity_token token_which(const struct cli_handshake *self)
{
    return (struct cli_identity_token){ .device_id = self->identity.device_id,
                                        .role = ROLE,
                                        .gateway = self->gateway,
                                        .is_configured = self->opts->target->is_configured };
}

static int identity_take(struct cli_handshake *self, bool may_create, struct cli_problem *problem)
{
    const char *state_dir = self->opts->cli->paths.state_dir;
    int r = cli_identity_load(state_dir, may_create, &self->identity);

    if (r == CLI_IDENTITY_E_ABSENT) {
        return 0;
    }
    if (r) {
        char path[PATH_MAX + 32];
        char advice[256];

        (void)snprintf(path, sizeof(path), "%s/identity/device.json", state_dir);
        problem->kind = CLI_PROBLEM_FAULT;
        (void)snprintf(problem->what, sizeof(problem->what), "device identity");
        (void)snprintf(problem->message, sizeof(problem->message), "%.256s: %s", path,
                       r > 0 ? "holds no Ed25519 key; move it away to have a new one made" : fault_text(r));
        if (r < 0 && cli_access_advice(path, advice, sizeof(advice))) {
            size_t len = strlen(problem->message);

            (void)snprintf(problem->message + len, sizeof(problem->message) - len, "; %s", advice);
        }
        return CLI_SESSION_E_PROBLEM;
    }
    self->has_identity = true;
    cli_target_gateway(self->opts->target, self->gateway);
    struct cli_identity_token which = token_which(self);
    /* Without one the gateway asks its owner, which is what has to happen then. */
    (void)cli_identity_token_load(state_dir, &which, self->device_token);
    return 0;
}

void cli_handshake_deinit(struct cli_handshake *self)
{
    if (self->has_identity) {
        cli_identity_deinit(&self->identity);
    }
    mem_wipe(self->device_token, sizeof(self->device_token));
}

int cli_handshake_init(struct cli_handshake *self, const struct cli_session_opts *opts, struct cli_problem *problem)
{
    *self = (struct cli_handshake){ .opts = opts };
    return wants_identity(opts->target) ? identity_take(self, opts->role == CLI_SESSION_COMMAND, problem) : 0;
}

void cli_handshake_owner(struct cli_handshake *self, const struct cli_session_opts *opts)
{
    cli_handshake_deinit(self);
    *self = (struct cli_handshake){ .opts = opts, .is_owner = true };
}

bool cli_handshake_identify(struct cli_handshake *self, struct cli_problem *problem)
{
    return !self->has_identity && !self->is_owner && strcmp(problem->detail, "DEVICE_IDENTITY_REQUIRED") == 0 &&
           identity_take(self, true, problem) == 0;
}

static int client_pack(const struct cli_handshake *self, struct pack *out)
{
    char instance[CLI_UUID_LEN + 1];
    int r = cli_uuid_new(instance);

    if (r) {
        return r;
    }
    pack_key(out, "client");
    pack_map_begin(out);
    pack_kv_text(out, "id", self->has_identity ? "cli" : "gateway-client");
    pack_kv_text(out, "displayName", self->opts->display_name);
    pack_kv_text(out, "version", OPENCLAW_VERSION);
    pack_kv_text(out, "platform", PLATFORM);
    pack_kv_text(out, "mode", self->has_identity ? "cli" : "backend");
    pack_kv_text(out, "instanceId", instance);
    pack_map_end(out);
    return 0;
}

/* The credential that the signature covers: a shared token before one issued to the device. */
static const char *token_signed(const struct cli_handshake *self)
{
    const struct cli_target *target = self->opts->target;

    return target->token[0] ? target->token : target->password[0] ? "" : self->device_token;
}

bool cli_handshake_is_by_device_token(const struct cli_handshake *self)
{
    return !self->is_owner && self->device_token[0] && token_signed(self) == self->device_token;
}

static void auth_pack(const struct cli_handshake *self, struct pack *out)
{
    const struct cli_target *target = self->opts->target;
    const char *token = token_signed(self);

    if (self->is_owner || (!token[0] && !target->password[0])) {
        return;
    }
    pack_key(out, "auth");
    pack_map_begin(out);
    if (token[0]) {
        pack_kv_text(out, "token", token);
    }
    if (target->password[0]) {
        pack_kv_text(out, "password", target->password);
    }
    pack_map_end(out);
}

static int device_pack(const struct cli_handshake *self, struct span nonce, struct pack *out)
{
    struct cli_identity_claim claim = {
        .client_id = "cli",
        .client_mode = "cli",
        .role = ROLE,
        .scopes = scopes_of(self),
        .signed_at_ms = clock_wall_ms(),
        .token = token_signed(self),
        .nonce = nonce,
        .platform = PLATFORM,
    };
    char signature[96];
    int r = cli_identity_sign(&self->identity, &claim, signature);

    if (r) {
        return r;
    }
    pack_key(out, "device");
    pack_map_begin(out);
    pack_kv_text(out, "id", self->identity.device_id);
    pack_kv_text(out, "publicKey", self->identity.public_key);
    pack_kv_text(out, "signature", signature);
    pack_kv_i64(out, "signedAt", claim.signed_at_ms);
    pack_kv_str(out, "nonce", nonce);
    pack_map_end(out);
    return 0;
}

int cli_handshake_params(const struct cli_handshake *self, struct span nonce, struct pack *out)
{
    int r;

    pack_map_begin(out);
    pack_kv_i64(out, "minProtocol", PROTOCOL);
    pack_kv_i64(out, "maxProtocol", PROTOCOL);
    r = client_pack(self, out);
    pack_key(out, "caps");
    pack_array_begin(out);
    pack_array_end(out);
    pack_kv_text(out, "role", ROLE);
    pack_key(out, "scopes");
    pack_array_begin(out);
    for (const char *at = scopes_of(self); *at;) {
        size_t len = strcspn(at, ",");

        pack_str(out, (struct span){ at, len });
        at += len + (at[len] == ',');
    }
    pack_array_end(out);
    auth_pack(self, out);
    if (r == 0 && self->has_identity) {
        r = device_pack(self, nonce, out);
    }
    pack_map_end(out);
    return r ? r : pack_error(out);
}

void cli_handshake_accept(const struct cli_handshake *self, struct span hello)
{
    struct span auth = value_get(hello, "auth");
    struct span token = value_str(value_get(auth, "deviceToken"), (struct span){ 0 });

    if (self->has_identity && token.len && token.len < CLI_IDENTITY_TOKEN_MAX &&
        !span_is_text(token, self->device_token)) {
        struct cli_identity_token which = token_which(self);

        (void)cli_identity_token_store(self->opts->cli->paths.state_dir, &which, token, value_get(auth, "scopes"));
    }
}
