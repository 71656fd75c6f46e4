/*
 * config_shape: may a config look like this? Every section that is served is checked to
 * the leaf against the tables of schema/config/; sections that are known and not served
 * are left alone. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_SHAPE_H
#define SCHEMA_BASE_CONFIG_SHAPE_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/config_file.h"
#include "schema/base/json5_scan.h"
#include "schema/config_table.h"

#define CONFIG_SHAPE_STEPS_MAX 64U

struct config_shape_issue {
    const struct json5_step *steps; /* where; borrowed for the call */
    size_t steps_n;
    size_t where_n; /* steps to what stands in the text: one more when a key is the problem */
    char message[384];
    const struct config_shape *shape; /* whose `words` would be accepted, or NULL */
};

enum {
    CONFIG_SHAPE_E_REFUSED = 1, /* there were issues */
};

/* Calls `on` (may be NULL) for each issue. */
int config_shape_check(struct span doc, void (*on)(void *arg, const struct config_shape_issue *issue), void *arg);

/* Calls `on` for each section of `doc` that is known but not served. */
void config_shape_unserved(struct span doc, void (*on)(void *arg, const struct config_section *section), void *arg);

/* "a.b[0].c" of steps; keys that hold dots stand in quotes: a["b.c"]. Dotted only, as issues have it, with
 * `is_dotted`: a.b.0.c. Always terminated. */
void config_shape_place(const struct json5_step *steps, size_t steps_n, bool is_dotted, char *out, size_t out_size);

/*
 * The shape at a path such as "gateway.auth.token", "agents.list[].id", "agents.list.0.id" or "models.providers.*";
 * NULL when there is none. `ret_is_required` tells whether its object must have it; may be NULL.
 */
const struct config_shape *config_shape_find(struct span path, bool *ret_is_required);

/* Appends the JSON Schema (draft-07) of one shape: whole, or without what is below it. */
void config_shape_schema_pack(const struct config_shape *shape, bool is_shallow, struct pack *out);
/* The same for the whole config. */
void config_shape_root_pack(struct pack *out);
/* Appends { label, sensitive? } for the key at the end of a path. */
void config_shape_hint_pack(struct span path, const struct config_shape *shape, struct pack *out);
/* Appends the children of a shape as config.schema.lookup tells them. */
void config_shape_children_pack(struct span path, const struct config_shape *shape, struct pack *out);

/* Is this the name of something secret? */
bool config_shape_is_secret_name(struct span name);

#endif
