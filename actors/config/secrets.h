/*
 * secrets: references to secrets become the secrets. Pure; the caller brings the look-up.
 */
#ifndef ACTORS_CONFIG_SECRETS_H
#define ACTORS_CONFIG_SECRETS_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/config_env.h"

/*
 * Appends a copy of `doc` in which every { source: "env", provider, id } whose variable
 * is set is that variable's value. What cannot be resolved stays a reference, so that
 * whoever needs it fails by itself and nobody else does; its dotted path is appended to
 * `unresolved` (strings of an open array).
 */
void secrets_resolve(struct span doc, struct config_lookup lookup, struct pack *out, struct pack *unresolved);

#endif
