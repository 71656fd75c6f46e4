/*
 * config_rules: what the keys that this gateway reads must hold, one row per path.
 */
#ifndef SCHEMA_BASE_CONFIG_RULES_H
#define SCHEMA_BASE_CONFIG_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_rule_kind {
    CONFIG_RULE_OBJECT,
    CONFIG_RULE_LIST,
    CONFIG_RULE_TEXT,
    CONFIG_RULE_BOOL,
    CONFIG_RULE_INT,
    CONFIG_RULE_CHOICE,
    CONFIG_RULE_SECRET, /* a text, or a reference { source, provider, id } */
    CONFIG_RULE_MODEL,  /* a text, or { primary, … } */
    CONFIG_RULE_EVERY,  /* a text like "30m"; that it is a text is the shape's to say, here and below */
    CONFIG_RULE_CLOCK,  /* a text like "08:00", with max also "24:00" */
};

struct config_rule {
    /* Names joined by dots; "*" stands for every key of an object, "[]" for every element of a list. */
    const char *path;
    enum config_rule_kind kind;
    int64_t min; /* INT: the least; TEXT: bytes */
    int64_t max; /* INT: the greatest; TEXT: bytes; OBJECT, LIST: entries. 0: any */
    const char *const *choices;
    const char *example; /* of a value that would do, when nothing nearer can be told; NULL: by kind */
    bool is_required;    /* where the object around it is */
    bool is_secret;      /* never quoted */
};

/* Rows of objects stand before the rows of what they hold. */
extern const struct config_rule config_rules[];
extern const size_t config_rules_n;

#endif
