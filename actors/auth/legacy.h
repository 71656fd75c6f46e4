/*
 * legacy: what the original kept of devices in the state directory: in the folder "devices",
 * and in its later generation in a database. Read only.
 */
#ifndef ACTORS_AUTH_LEGACY_H
#define ACTORS_AUTH_LEGACY_H

#include <stdint.h>

#include "actors/auth/store.h"
#include "schema/base/legacy_state.h"

#define LEGACY_WHY_MAX LEGACY_STATE_WHY_MAX

enum {
    LEGACY_E_UNUSABLE = 2, /* what is there cannot be read: nothing was taken over, and the next call tries again */
};

struct legacy_counts {
    uint32_t sources; /* that were found */
    uint32_t devices;
    uint32_t requests;
    uint32_t left; /* entries that name no device, or whose id is not that of their key */
};

/*
 * Each of the two takes devices and requests over once in the life of our database: when what
 * it reads is found for the first time. All of it is taken over, or nothing. A device that is
 * known here already stays as it is, so nothing that was revoked comes back. STORE_E_FULL as
 * usual; `why` says on UNUSABLE what is wrong.
 */

/* paired.json and pending.json of `folder`. */
int legacy_import_files(struct store *store, const char *folder, int64_t now_ms, struct legacy_counts *ret_counts,
                        char why[LEGACY_WHY_MAX]);
/* The database of the later generation at `path`. */
int legacy_import_state(struct store *store, const char *path, int64_t now_ms, struct legacy_counts *ret_counts,
                        char why[LEGACY_WHY_MAX]);

#endif
