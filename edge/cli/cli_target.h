/*
 * cli_target: the gateway a command talks to, and the credentials for it.
 *
 * Address: --url; --port; OPENCLAW_GATEWAY_URL; gateway.remote.url when gateway.mode is
 * "remote"; else this machine at OPENCLAW_GATEWAY_PORT, where the gateway of the state
 * directory listens, gateway.port, 18789.
 * Credentials: --token, --password; OPENCLAW_GATEWAY_TOKEN, _PASSWORD; then
 * gateway.auth (this machine) or gateway.remote. An address from --url or
 * OPENCLAW_GATEWAY_URL never gets credentials of the config, and one from --url none of
 * the environment: they belong to another gateway.
 * The owner of the gateway of this state directory needs none: where neither address nor
 * credential was named, owner_path leads in when the config has no credential that works, or
 * cannot be used at all.
 * Certificate: --tls-fingerprint; gateway.remote.tlsFingerprint; for the gateway of this
 * machine what its own file holds.
 */
#ifndef EDGE_CLI_CLI_TARGET_H
#define EDGE_CLI_CLI_TARGET_H

#include <stdbool.h>

#include "edge/cli/cli.h"
#include "edge/cli/ws_url.h"
#include "schema/base/gateway_config.h"

#define CLI_TARGET_GATEWAY_MAX (256 + 16 + 8 + GATEWAY_TLS_FINGERPRINT_MAX)

struct cli_target {
    struct ws_url url;
    char address[1024];                       /* "ws://127.0.0.1:18789" */
    char source[PATH_MAX + 64];               /* where the address comes from, for errors */
    char token[GATEWAY_CONFIG_SECRET_MAX];    /* empty: none */
    char password[GATEWAY_CONFIG_SECRET_MAX]; /* empty: none */
    const char *token_source;                 /* "--token", … ; NULL without a token */
    const char *password_source;
    bool has_config;                  /* the file is there */
    char config_problem[768];         /* why it could not be used; empty when it could */
    char secret_problem[768];         /* why a secret of the config cannot be had; empty when it can */
    char owner_path[108];             /* the socket on which the gateway of this state directory knows its owner, when
                                         that gateway is meant and no secret was named; empty: not to be used */
    bool is_elsewhere;                /* named by --url, OPENCLAW_GATEWAY_URL or gateway.remote */
    bool is_configured;               /* the gateway of this state directory, or the one that its config names */
    char log_file[PATH_MAX];          /* of the gateway on this machine */
    char words[CLI_PROFILE_MAX + 16]; /* what a line to type needs to mean it; empty for one elsewhere */
    struct gateway_config config;     /* set when has_config and without a problem */
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX]; /* the certificate it must show; empty: a trusted one */
    const char *fingerprint_source;                /* "--tls-fingerprint", …; NULL without one */
};

enum {
    CLI_TARGET_E_USAGE = 1,  /* the address given is wrong; explained on standard error */
    CLI_TARGET_E_CONFIG = 2, /* the address depends on a config that cannot be used; explained there too */
};

enum {
    CLI_TARGET_TOLERANT = 1U << 0, /* go on with defaults when the config is broken: for diagnosis */
    CLI_TARGET_LOCAL = 1U << 1,    /* this machine, whatever else is named */
};

/* Returns 0 or an outcome. */
int cli_target_resolve(const struct cli *cli, unsigned flags, struct cli_target *ret_target);

/* What tells this gateway from others, where something is kept for one: scheme, host and port, and the certificate that
 * was pinned for one elsewhere (this machine's own may change it). */
void cli_target_gateway(const struct cli_target *self, char out[CLI_TARGET_GATEWAY_MAX]);

/* Wipes the secrets. */
void cli_target_deinit(struct cli_target *self);

#endif
