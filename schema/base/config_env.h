/*
 * config_env: `${NAME}` in strings of the config becomes the value of the environment
 * variable; `$${NAME}` stands for the literal text. Pure: the caller brings the look-up.
 */
#ifndef SCHEMA_BASE_CONFIG_ENV_H
#define SCHEMA_BASE_CONFIG_ENV_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/config_file.h"

/* The value of a variable, or NULL when it is not set. */
struct config_lookup {
    const char *(*find)(void *arg, const char *name);
    void *arg;
};

/* The environment of the process. */
struct config_lookup config_lookup_process(void);

enum {
    CONFIG_ENV_E_REFUSED = 1, /* a variable is unset or empty; the error names it and its place */
};

/*
 * Appends a copy of `doc` with every `${NAME}` (A-Z, 0-9 and _, not beginning with a
 * digit) replaced. What the environment lacks is taken from the document's own
 * `env.vars.NAME` or `env.NAME`. Where a secret may stand (schema/config/credentials.json) a
 * text that is `${NAME}` alone stays: it is a reference, see secret_ref.h.
 */
int config_env_substitute(struct span doc, struct config_lookup lookup, struct pack *out, struct config_error *error);

/* The same for whoever needs only a part: a value that refers to an unset variable becomes
 * null. `error` tells the first such, and is empty when there is none. 0 or a fault. */
int config_env_substitute_known(struct span doc, struct config_lookup lookup, struct pack *out,
                                struct config_error *error);

/*
 * A secret field as a client command reads it: a plain string, or a reference of source env. Returns the value,
 * or NULL with ret_is_set telling a secret that is configured but cannot be resolved.
 * A plain string is copied into `buf`.
 */
const char *config_secret_resolve(struct span value, struct config_lookup lookup, char *buf, size_t buf_len,
                                  bool *ret_is_set);

#endif
