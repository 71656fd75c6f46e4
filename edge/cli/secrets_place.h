/*
 * secrets_place: where credentials stand, by the table of schema/config/: is this path one of
 * them, and which of them does a document have. Pure.
 */
#ifndef EDGE_CLI_SECRETS_PLACE_H
#define EDGE_CLI_SECRETS_PLACE_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/json5_scan.h"
#include "schema/base/secret_ref.h"
#include "schema/config_table.h"

#define SECRETS_STEPS_MAX 16U
#define SECRETS_PLACE_LEN 1024U /* a dotted path for people and reports */

struct secrets_place {
    const struct config_credential *row;
    struct json5_step steps[SECRETS_STEPS_MAX]; /* keys borrowed */
    size_t n;
};

enum {
    SECRETS_PLACE_E_TYPE = 1, /* no place is of that type */
    SECRETS_PLACE_E_PATH = 2, /* no place of that type has such a path */
};

/* The place of a type (or id) at a path; digits become indexes where the table has a list. */
int secrets_place_find(struct span type, const struct span *segments, size_t n, struct secrets_place *ret_place);

/* The key that names the provider or the account; empty when the place has none. */
struct span secrets_place_provider(const struct secrets_place *self);
struct span secrets_place_account(const struct secrets_place *self);
/* The place of the reference, when that is a neighbour; else the place itself. */
struct secrets_place secrets_place_of_ref(const struct secrets_place *self);

/* "a.b.0.c"; always terminated. Returns `out`. */
const char *secrets_place_text(const struct secrets_place *self, char out[SECRETS_PLACE_LEN]);

bool secrets_place_is(const struct secrets_place *self, const struct secrets_place *other);

/* The value there; an empty span when there is none. */
struct span secrets_place_value(const struct secrets_place *self, struct span doc);

/* Calls `on` for each place of `file` ("openclaw.json") whose outer object `doc` has; there need not be a value. */
void secrets_places_walk(struct span doc, const char *file, void (*on)(void *arg, const struct secrets_place *place),
                         void *arg);

/* Appends { source, provider, id }. */
void secrets_place_ref_pack(const struct secret_ref *ref, struct pack *out);

#endif
