/*
 * secrets_known: what `openclaw secrets` knows of the world without asking: in which variables
 * credentials usually stand, which provider ids mean the same, which texts in a generated
 * models.json only look like a key. Pure.
 */
#ifndef EDGE_CLI_SECRETS_KNOWN_H
#define EDGE_CLI_SECRETS_KNOWN_H

#include <stdbool.h>

#include "bus/base/span.h"

#define SECRETS_KNOWN_PROVIDER_LEN 128

/* Does a credential usually stand in this environment variable? */
bool secrets_known_is_variable(struct span name);
/* The usual variable of a provider (as secrets_known_provider writes it); empty when there is none. */
struct span secrets_known_variable_of(struct span provider);

/* The one spelling of a provider's id: trimmed, lowered, other names of the same replaced. Returns `out`. */
const char *secrets_known_provider(struct span id, char out[SECRETS_KNOWN_PROVIDER_LEN]);

/* A text in place of a key that is none: the name of a variable, or a word that says where the key is. */
bool secrets_known_is_marker(struct span text);
/* The same in place of the value of a header. */
bool secrets_known_is_header_marker(struct span text);
/* Does the value of such a header have to be taken for a secret? */
bool secrets_known_is_secret_header(struct span name);

/* Without blanks and line ends at both ends. */
struct span secrets_known_trimmed(struct span text);

#endif
