/*
 * gateway_auth_guard: can the configured way of letting people in hold? Pure.
 */
#ifndef SCHEMA_BASE_GATEWAY_AUTH_GUARD_H
#define SCHEMA_BASE_GATEWAY_AUTH_GUARD_H

#include "schema/base/gateway_config.h"

/*
 * Refuses, with the reason and the way out in `error`: a token and a password with nobody
 * saying which counts; a secret that is blank or stands in an example; a hook token equal to
 * a secret; trusted-proxy without a proxy or a user header, or with a token beside it; a
 * public Tailscale Funnel without a password. GATEWAY_CONFIG_E_NO_SECRET when there is
 * nothing to compare a client's secret with.
 */
int gateway_auth_guard(const struct gateway_config *self, struct span doc, struct config_error *error);

/* Why this cannot be the gateway's token or password, in words; NULL when it can. */
const char *gateway_secret_problem(struct span secret);

#endif
