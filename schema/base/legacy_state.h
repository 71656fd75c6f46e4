/*
 * legacy_state: the database in which the later generation of the original keeps its state
 * (state/openclaw.sqlite), read as the records that the earlier generation kept in JSON files.
 * Read only, and whole before anybody uses any of it: a damaged database yields nothing.
 */
#ifndef SCHEMA_BASE_LEGACY_STATE_H
#define SCHEMA_BASE_LEGACY_STATE_H

#include "bus/pack.h"

#define LEGACY_STATE_ROWS_MAX 4096
#define LEGACY_STATE_BYTES_MAX (16U << 20)
#define LEGACY_STATE_WHY_MAX 256

enum {
    LEGACY_STATE_E_ABSENT = 1,   /* there is no such database, or no such table in it */
    LEGACY_STATE_E_UNUSABLE = 2, /* it cannot be read, or what is in it cannot be understood */
};

enum legacy_state_part {
    LEGACY_STATE_DEVICES,         /* as in devices/paired.json */
    LEGACY_STATE_DEVICE_REQUESTS, /* as in devices/pending.json */
    LEGACY_STATE_NODES,           /* as in nodes/paired.json, but nodes have no tokens any more */
    LEGACY_STATE_NODE_REQUESTS,   /* as in nodes/pending.json */
    LEGACY_STATE_CODES,           /* as in devices/bootstrap.json */
};

/*
 * The rows of a part, as a packed map by their ids; of `id` alone, unless it is empty. On 0 the
 * caller ends with pack_deinit, which wipes: there may be tokens in it. `why` says on UNUSABLE,
 * in words for the operator, what is wrong. 0, an outcome or a fault.
 */
int legacy_state_read(const char *path, enum legacy_state_part part, struct span id, struct pack *ret_rows,
                      char why[LEGACY_STATE_WHY_MAX]);

#endif
