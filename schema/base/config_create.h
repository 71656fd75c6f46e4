/*
 * config_create: the first config file of a fresh install (dev profile, quickstart).
 *
 * Never touches a file that exists; the new one appears whole, synced and with mode
 * 0600, or not at all.
 */
#ifndef SCHEMA_BASE_CONFIG_CREATE_H
#define SCHEMA_BASE_CONFIG_CREATE_H

#include <stdint.h>

#include "schema/base/config_file.h"

#define CONFIG_TOKEN_LEN 49 /* 48 hex digits and the terminator */

enum {
    CONFIG_CREATE_E_EXISTS = 1,  /* there is a file already; it was left alone */
    CONFIG_CREATE_E_REFUSED = 2, /* cannot be written; see the error */
};

/* 192 random bits in hex. 0 or a fault. */
int config_token_generate(char ret_token[CONFIG_TOKEN_LEN]);

/* Writes a config with gateway.mode local, this port, loopback and this token. The
 * directory is made (0700) when it is missing. */
int config_create(const char *path, uint16_t port, const char *token, struct config_error *error);

#endif
