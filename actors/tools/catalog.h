/*
 * catalog: the tools that this gateway has, and the names by which policies speak of tools. A
 * fixed table.
 */
#ifndef ACTORS_TOOLS_CATALOG_H
#define ACTORS_TOOLS_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"

#define CATALOG_NAME_MAX 129U /* with terminator */

enum {
    CATALOG_MINIMAL = 1,
    CATALOG_CODING = 2,
    CATALOG_MESSAGING = 4,
};

struct invocation;

struct tool {
    const char *name;
    const char *label;
    const char *section; /* "sessions": also the group "group:sessions" */
    const char *summary; /* one line, for people */
    const char *help;    /* for models */
    unsigned profiles;   /* that have it */
    bool is_owners;      /* nobody but an administrator may run it */
    bool has_action;     /* it has an argument `action` */
    /* Begins; ends by invocation_done or invocation_fail, now or later. 0 or a fault. */
    int (*run)(struct invocation *self);
};

extern const struct tool catalog[];
extern const size_t catalog_n;

struct catalog_section {
    const char *id;
    const char *label;
};
extern const struct catalog_section catalog_sections[];
extern const size_t catalog_sections_n;

/* NULL when this gateway has none of that name. */
const struct tool *catalog_find(struct span name);

/* Lowered, without space around it, and by its usual name ("bash" is "exec"). Cut when it is longer. */
struct span catalog_name(struct span written, char buf[CATALOG_NAME_MAX]);

/* Is the (usual) name of one of our tools part of a group such as "group:sessions" or "group:openclaw"? */
bool catalog_group_has(struct span group, struct span name);

#endif
