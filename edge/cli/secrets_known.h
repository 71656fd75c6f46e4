/*
 * secrets_known: what `openclaw secrets` knows of the world without asking: in which variables
 * credentials usually stand, which texts in a generated
 * models.json only look like a key. Pure.
 */
#ifndef EDGE_CLI_SECRETS_KNOWN_H
#define EDGE_CLI_SECRETS_KNOWN_H

#include <stdbool.h>

#include "bus/base/span.h"

/* Does a credential usually stand in this environment variable? */
bool secrets_known_is_variable(struct span name);
/* The usual variable of a provider (as provider_id_normalize writes it); empty when there is none. */
struct span secrets_known_variable_of(struct span provider);

/* A text in place of a key that is none: the name of a variable, or a word that says where the key is. */
bool secrets_known_is_marker(struct span text);
/* The same in place of the value of a header. */
bool secrets_known_is_header_marker(struct span text);
/* Does the value of such a header have to be taken for a secret? */
bool secrets_known_is_secret_header(struct span name);

/* Without blanks and line ends at both ends. */
struct span secrets_known_trimmed(struct span text);

#endif
