/*
 * settings: the part of the config that auth's decisions depend on. Pure.
 */
#ifndef ACTORS_AUTH_SETTINGS_H
#define ACTORS_AUTH_SETTINGS_H

#include <stdbool.h>

#include "actors/auth/limiter.h"
#include "actors/auth/proxy.h"
#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/secret_memory.h"

#define SETTINGS_SECRET_MAX 512
#define SETTINGS_PACK_MAX (1U << 20)

enum settings_mode {
    SETTINGS_TOKEN,
    SETTINGS_PASSWORD,
    SETTINGS_NONE,
    SETTINGS_TRUSTED_PROXY,
};

struct settings {
    enum settings_mode mode;
    struct secret_arena secrets; /* where these stand */
    const char *token;           /* "": none */
    const char *password;
    const char *hook_token; /* hooks.token; "": no hook is let in */
    struct limiter_rules rules;
    bool is_loopback_exempt;
    struct pack origins;             /* gateway.controlUi.allowedOrigins, a packed array; empty when absent */
    bool is_host_header_origin_fine; /* gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback */
    bool is_insecure_ui_fine;        /* gateway.controlUi.allowInsecureAuth */
    bool is_device_auth_off;         /* gateway.controlUi.dangerouslyDisableDeviceAuth */
    bool is_tailscale_fine;          /* gateway.auth.allowTailscale, or tailscale.mode "serve" */
    bool is_real_ip_allowed;         /* gateway.allowRealIpFallback */
    struct proxy_nets proxies;       /* gateway.trustedProxies */
    struct proxy_nets node_nets;     /* gateway.nodes.pairing.autoApproveCidrs */
    uint32_t bad_nets_n;             /* entries of both that are no addresses */
    struct proxy_rules proxy;        /* gateway.auth.trustedProxy; its users point into `users` */
    struct pack users;
    struct pack headers; /* names of the request headers that decisions depend on, a packed array */
};

enum {
    SETTINGS_E_REFUSED = 1, /* unknown mode or too long a secret; self is as it was */
};

/* Token mode without a token, which lets nobody in. */
void settings_init(struct settings *self);
void settings_deinit(struct settings *self);
/* From the packed `gateway` and `hooks` objects. 0, an outcome, or -ENOMEM. */
int settings_apply(struct settings *self, struct span gateway, struct span hooks);
const char *settings_mode_name(enum settings_mode mode);
/* Everything that makes an older decision void when it changes; borrowed from `out`, which
 * holds secrets: wipe it. Not the token of hooks: what it lets in is over with its answer. */
struct span settings_describe(const struct settings *self, struct pack *out);
/* The same for those who came from a web page, and nobody else. No secrets. */
struct span settings_describe_pages(const struct settings *self, struct pack *out);

#endif
