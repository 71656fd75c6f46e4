/*
 * gateway_tls_make: a self-signed certificate for a gateway that was given none.
 */
#ifndef SCHEMA_BASE_GATEWAY_TLS_MAKE_H
#define SCHEMA_BASE_GATEWAY_TLS_MAKE_H

#include "schema/base/gateway_tls.h"

/* Writes key and certificate, both 0600 and each whole or not at all; a key that is there
 * already is used. The directory must exist. 0, GATEWAY_TLS_E_REFUSED or a fault. */
int gateway_tls_make(const struct gateway_tls_files *files, struct config_error *error);

#endif
