/*
 * provider_id: the id of a model provider as credentials mean it.
 */
#ifndef SCHEMA_BASE_PROVIDER_ID_H
#define SCHEMA_BASE_PROVIDER_ID_H

#include "bus/base/span.h"

#define PROVIDER_ID_LEN 128 /* with terminator; longer ones are cut */

/* Trimmed, lowered, and by the one name of those that have several. Returns `out`. */
const char *provider_id_normalize(struct span id, char out[PROVIDER_ID_LEN]);

#endif
