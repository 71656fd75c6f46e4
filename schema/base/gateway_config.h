/*
 * gateway_config: where the gateway listens, who may talk to it, and whether it may
 * start at all. Used by the supervising process before it binds and by the command line
 * to find the gateway it shall talk to; pure but for gateway_config_load.
 *
 * Precedence everywhere: override (flag, else environment) > config file > default.
 */
#ifndef SCHEMA_BASE_GATEWAY_CONFIG_H
#define SCHEMA_BASE_GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/base/config_env.h"
#include "schema/base/config_file.h"
#include "schema/base/gateway_tls.h"

#define GATEWAY_CONFIG_PORT 18789U
#define GATEWAY_CONFIG_PORT_DEV 19001U
#define GATEWAY_CONFIG_SECRET_MAX 512

enum gateway_bind {
    GATEWAY_BIND_LOOPBACK,
    GATEWAY_BIND_LAN,
    GATEWAY_BIND_TAILNET,
    GATEWAY_BIND_AUTO, /* loopback */
    GATEWAY_BIND_CUSTOM,
};

enum gateway_auth_mode {
    GATEWAY_AUTH_NONE,
    GATEWAY_AUTH_TOKEN,
    GATEWAY_AUTH_PASSWORD,
    GATEWAY_AUTH_TRUSTED_PROXY,
};
const char *gateway_auth_mode_name(enum gateway_auth_mode mode);

/* NULL: not given. Borrowed. */
struct gateway_overrides {
    const char *port;
    const char *bind;
    const char *token;
    const char *password;
    const char *auth; /* the auth mode */
    bool is_unconfigured_allowed;
    bool is_dev;
    bool is_client; /* nothing is started: a secret that cannot be resolved is left out */
};
/* OPENCLAW_GATEWAY_PORT, _BIND, _TOKEN, _PASSWORD, _AUTH, OPENCLAW_ALLOW_UNCONFIGURED, OPENCLAW_DEV. */
struct gateway_overrides gateway_overrides_from(struct config_lookup lookup);

struct gateway_config {
    bool is_file_present;
    bool is_mode_local; /* gateway.mode is "local" */
    unsigned agents_n;  /* at least one */
    struct gateway_tls_files tls;
    enum gateway_bind bind;
    char host[64]; /* numeric address to bind; empty for TAILNET until it is looked up */
    uint16_t port;
    enum gateway_auth_mode auth;
    bool is_auth_ambiguous;                   /* token and password, and nobody says which */
    char token[GATEWAY_CONFIG_SECRET_MAX];    /* empty: none */
    char password[GATEWAY_CONFIG_SECRET_MAX]; /* empty: none */
    bool is_token_ref; /* a reference stands for it, which is not resolved here, but by clients those of source env */
    bool is_password_ref;
};
/* Wipes the secrets. */
void gateway_config_deinit(struct gateway_config *self);

#define GATEWAY_CONFIG_HEADER_MAX 200

/* May a text from the config be the value of an HTTP header? One line of printable ASCII. */
static inline bool gateway_config_is_header(struct span text)
{
    bool is_fine = text.len <= GATEWAY_CONFIG_HEADER_MAX;

    for (size_t i = 0; is_fine && i < text.len; i++) {
        is_fine = text.ptr[i] >= ' ' && text.ptr[i] <= '~';
    }
    return is_fine;
}

enum {
    GATEWAY_CONFIG_E_REFUSED = 1,   /* wrong or missing value; the text says which */
    GATEWAY_CONFIG_E_NO_SECRET = 2, /* the auth mode needs a token or password and none is configured */
};

/* `doc` is the substituted document; empty when there is no file. Checks values, not guards. */
int gateway_config_resolve(struct span doc, const struct gateway_overrides *overrides, struct config_lookup lookup,
                           struct gateway_config *ret_config, struct config_error *error);

/*
 * May a gateway start like this? Refuses a missing gateway.mode=local (unless allowed),
 * a bind beyond loopback without auth, a hook token equal to the gateway's secret, and auth
 * that could not hold (see gateway_auth_guard.h);
 * GATEWAY_CONFIG_E_NO_SECRET when there is nothing to compare a client's secret with (the
 * caller may then make one up and pass it as an override; ret_config is set).
 */
int gateway_config_guard(const struct gateway_config *self, struct span doc, const struct gateway_overrides *overrides,
                         struct config_error *error);

/* The first of these alone: does the document say that a gateway may start from it? 0 or GATEWAY_CONFIG_E_REFUSED. */
int gateway_config_mode_check(struct span doc, const struct gateway_overrides *overrides, struct config_error *error);

/* The address of this machine in the tailnet, as the host of a config whose bind is TAILNET. */
int gateway_config_tailnet(struct gateway_config *self, struct config_error *error);

/* Reads the file (absent is no error here), substitutes and resolves: for clients; a start has gateway_check_load. 0,
 * an outcome or a fault. */
int gateway_config_load(const char *path, const struct gateway_overrides *overrides, struct gateway_config *ret_config,
                        struct config_error *error);

#endif
