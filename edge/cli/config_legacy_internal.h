/*
 * config_legacy_internal: the text in hand as the parts of config_legacy see it.
 * config_legacy.c follows the rules, config_legacy_rules.c holds them,
 * config_legacy_change.c makes single changes, config_legacy_shapes.c does what no rule
 * says. Only they include this.
 */
#ifndef EDGE_CLI_CONFIG_LEGACY_INTERNAL_H
#define EDGE_CLI_CONFIG_LEGACY_INTERNAL_H

#include "bus/pack.h"
#include "edge/cli/config_legacy.h"
#include "schema/base/config_path.h"

#define LEGACY_PLACE_MAX 320

struct legacy {
    struct text_buf text; /* so far */
    struct pack doc;      /* what it says */
    void (*on)(void *arg, const char *says, bool is_done);
    void *arg;
    unsigned moved_n;
    struct legacy_places *places; /* one for each star that a place may have */
};

/* --- config_legacy_change.c: 0, or a fault; what cannot be done stays, and is told --------------------- */

/* What the text says, after a change. */
int legacy_parse(struct legacy *self);

/* The value at a place; empty when there is none. `path` is set in any case. */
struct span legacy_at(const struct legacy *self, const char *place, struct config_path *path);
bool legacy_has(const struct legacy *self, const char *place);
/* Puts a value there. 0, an outcome of json5_set, or a fault. Nothing is told. */
int legacy_set(struct legacy *self, const char *place, struct span value);
int legacy_set_text(struct legacy *self, const char *place, const char *value);
int legacy_set_bool(struct legacy *self, const char *place, bool value);
int legacy_remove(struct legacy *self, const char *place);
void legacy_say(struct legacy *self, bool is_done, const char *from, const char *becomes, const char *to);
/* Of two objects the new one gets what it lacks; anything else stays where the new place is taken by something else. */
int legacy_move(struct legacy *self, const char *from, const char *to);

/* --- config_legacy.c --------------------------------------------------------------------------------------- */

/* Calls `on` for each place that a pattern with stars fits, with the names that the stars stood for. */
int legacy_each(struct legacy *self, const char *pattern, int (*on)(struct legacy *self, const char *place, void *arg),
                void *arg);

/* --- config_legacy_rules.c ------------------------------------------------------------------------------ */

enum legacy_kind {
    LEGACY_MOVE,   /* the value goes to `to` */
    LEGACY_REMOVE, /* nothing reads it any more */
    LEGACY_WORD,   /* the text `old` becomes `fresh` */
    LEGACY_TRUTH,  /* true and false become the texts `old` and `fresh` at `to` */
    LEGACY_WRAP,   /* a text, or true and false as the texts `old` and `fresh`, becomes the object { to: text } */
    LEGACY_SHELL,  /* an object that a change has emptied goes */
};

/* A "*" is each key of an object, or each element of a list, and the same one in `to`. */
struct legacy_rule {
    enum legacy_kind kind;
    const char *from;
    const char *to;
    const char *old; /* of MOVE and REMOVE: only this text; NULL: whatever it is */
    const char *fresh;
    const char *needs;    /* of MOVE: without this place nobody reads the value, and it is removed; NULL: none */
    const char *text_key; /* of MOVE: a text goes to this key of `to`; NULL: it goes where anything else goes */
    const char *enables;  /* of MOVE: a plugin that has to be on from then on; NULL: none */
};

/* In order: parts before the rest of an object. Both places of a rule are below each of the bases. */
struct legacy_group {
    const char *const *bases; /* NULL-ended; "" is the whole config */
    const struct legacy_rule *rules;
    size_t rules_n;
};
extern const struct legacy_group legacy_groups[];
extern const size_t legacy_groups_n;

/* --- config_legacy_shapes.c ----------------------------------------------------------------------------- */

/* Before the rules, and after them. */
int legacy_shapes_first(struct legacy *self);
int legacy_shapes_last(struct legacy *self);

#endif
