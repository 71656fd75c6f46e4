/*
 * plan: what a change of the config means, by the rules of schema/config/reload.json. Pure.
 */
#ifndef ACTORS_CONFIG_PLAN_H
#define ACTORS_CONFIG_PLAN_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "schema/config_table.h"

enum reload_mode {
    RELOAD_HYBRID,  /* apply what can be, start the edge again for the rest */
    RELOAD_HOT,     /* apply what can be; the rest waits for a restart that somebody asks for */
    RELOAD_RESTART, /* every change starts the edge again */
    RELOAD_OFF,     /* edits of the file count at the next start */
};

struct reload_plan {
    unsigned paths_n;
    unsigned none_n;    /* read anew by whoever needs it */
    unsigned hot_n;     /* the same, and something is started again by its owner */
    unsigned restart_n; /* the original would start again as a whole */
    bool is_edge_due;   /* the edge must be started again */
    bool is_edge_held;  /* it would have to be, and the mode says no */
    char why[256];      /* the first path of both, for the log */
};

/* The first rule whose prefix is the path or leads to it; NULL when none does: that means restart. */
const struct config_reload_rule *plan_rule(struct span path);
/* `paths` is what diff_pack makes: a packed array of dotted paths; one empty path means everything. */
void plan_make(struct span paths, enum reload_mode mode, struct reload_plan *ret_plan);
/* "hot" and so on; hybrid for anything else. */
enum reload_mode plan_mode(struct span name);

#endif
