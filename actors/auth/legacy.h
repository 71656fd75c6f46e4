/*
 * legacy: what the original kept in the folder "devices" of the state directory, and its
 * later generation in a database. Read only.
 */
#ifndef ACTORS_AUTH_LEGACY_H
#define ACTORS_AUTH_LEGACY_H

#include <stdint.h>

#include "actors/auth/store.h"
#include "bus/pack.h"

enum {
    LEGACY_E_ABSENT = 1,   /* there is no such database, or no such entry */
    LEGACY_E_UNUSABLE = 2, /* the entry is not JSON */
};

struct legacy_counts {
    uint32_t files;
    uint32_t devices;
    uint32_t requests;
    uint32_t left; /* entries that could not be understood */
};

/*
 * The later generation of the original keeps setup codes in a database of its own. The
 * entry of `token` there, shaped as in bootstrap.json; ends with json_file_done. LEGACY_E_ABSENT
 * also for a database that cannot be read.
 */
int legacy_code_read(const char *path, struct span token, struct pack *ret_entry);

/* Takes paired.json and pending.json of `folder` over, once in the life of the database:
 * when they are found for the first time. STORE_E_FULL as usual. */
int legacy_import(struct store *store, const char *folder, int64_t now_ms, struct legacy_counts *ret_counts);

#endif
