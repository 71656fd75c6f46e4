/*
 * ids: names and secrets that nobody can guess.
 */
#ifndef ACTORS_NODE_IDS_H
#define ACTORS_NODE_IDS_H

#include <stdbool.h>

#include "bus/base/span.h"

#define IDS_UUID_MAX 37  /* with terminator */
#define IDS_TOKEN_MAX 44 /* 32 bytes as base64url, with terminator */

void ids_uuid(char out[IDS_UUID_MAX]);
void ids_token(char out[IDS_TOKEN_MAX]);
/* In a time that depends on the lengths alone. */
bool ids_same_secret(struct span a, struct span b);

#endif
