/*
 * secret_target: the places of a document where secrets may stand, by the table of
 * schema/config/credentials.json. Pure.
 */
#ifndef SCHEMA_BASE_SECRET_TARGET_H
#define SCHEMA_BASE_SECRET_TARGET_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/json5_scan.h"
#include "schema/base/secret_ref.h"
#include "schema/config_table.h"

#define SECRET_TARGET_STEPS_MAX 16U
#define SECRET_TARGET_PATH_MAX 512U

/* One place that holds something. Borrows from the document. */
struct secret_target {
    const struct config_credential *row;
    struct json5_step steps[SECRET_TARGET_STEPS_MAX];
    size_t steps_n;
    char path[SECRET_TARGET_PATH_MAX]; /* "agents.list.0.memorySearch.remote.apiKey" */
    struct span value;                 /* empty when only its neighbour `ref_path` is there */
    struct span ref_value;             /* of the neighbour; empty when there is none */
};

/* Calls `on` for each place of `doc` (a whole openclaw.json or auth-profiles.json) that holds something. */
void secret_target_each(struct span doc, const char *file, void (*on)(void *arg, const struct secret_target *target),
                        void *arg);
/* The same of one row. */
void secret_target_each_of(struct span doc, const struct config_credential *row,
                           void (*on)(void *arg, const struct secret_target *target), void *arg);

/* The reference that counts at this place: the neighbour's before the one that stands there itself. */
bool secret_target_ref(const struct secret_target *target, struct span doc, struct secret_ref *ret_ref);

/* The row whose place these steps are; NULL when no secret may stand there. */
const struct config_credential *secret_target_find(const struct json5_step *steps, size_t steps_n, const char *file);
/* Do the steps lead to a place of this row? */
bool secret_target_fits(const struct config_credential *row, const struct json5_step *steps, size_t steps_n);
/* The row of that id (as secrets.resolve knows it); NULL when there is none. */
const struct config_credential *secret_target_of_id(struct span id);
/* Rows of that type (as plans know it), one after the other: `from` is NULL at first, then what came before. */
const struct config_credential *secret_target_of_type(struct span type, const struct config_credential *from);

/* May this stand for a resolved secret of that row? A text that is not empty, or an object where that is fine. */
bool secret_target_takes(const struct config_credential *row, struct span value);

/* Appends the steps as an array of texts. */
void secret_target_segments_pack(const struct secret_target *target, struct pack *out);

#endif
