/*
 * gateway_check: may a gateway start from this config? One answer for a start, a reload, a
 * write, `config validate` and the doctor.
 */
#ifndef SCHEMA_BASE_GATEWAY_CHECK_H
#define SCHEMA_BASE_GATEWAY_CHECK_H

#include "schema/base/config_issues.h"
#include "schema/base/gateway_config.h"

enum {
    GATEWAY_CHECK_E_REFUSED = GATEWAY_CONFIG_E_REFUSED,     /* see error and issues */
    GATEWAY_CHECK_E_NO_SECRET = GATEWAY_CONFIG_E_NO_SECRET, /* likewise; whoever starts one may make one up */
    GATEWAY_CHECK_E_ELSEWHERE = 3, /* gateway.mode is "remote": it is for clients, and is fine as such */
};

/*
 * Looks at everything that needs no file but those of the document. `ret_config` is set but for
 * E_REFUSED and faults. Everything that is wrong goes to `issues` (may be NULL); `error` tells the first,
 * with file and line, and how many more there are. 0, an outcome, or a fault.
 */
int gateway_check(const struct config_document *document, const struct gateway_overrides *overrides,
                  struct config_lookup lookup, struct gateway_config *ret_config, struct config_error *error,
                  struct config_issues *issues);

/* Reads the file (absent is no error here) and checks it; for bind "tailnet" the address is looked up as well. */
int gateway_check_load(const char *path, const struct gateway_overrides *overrides, struct gateway_config *ret_config,
                       struct config_error *error);

#endif
