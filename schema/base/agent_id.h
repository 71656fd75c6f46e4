/*
 * agent_id: the id of an agent as the config means it.
 */
#ifndef SCHEMA_BASE_AGENT_ID_H
#define SCHEMA_BASE_AGENT_ID_H

#include <stdbool.h>

#include "bus/base/span.h"

#define AGENT_ID_MAX 64 /* bytes */

/*
 * Lowered, runs of other characters than [a-z0-9_-] become one dash, dashes at both ends
 * and what exceeds the limit fall off. False when nothing is left.
 */
bool agent_id_normalize(struct span text, char ret_id[AGENT_ID_MAX + 1]);

#endif
