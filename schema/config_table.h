/*
 * config_table: what a config may hold and what a change of it means, as tables that
 * schema/generate.py makes of schema/config/. Read by schema/base/config_shape and by the
 * config actor.
 */
#ifndef SCHEMA_CONFIG_TABLE_H
#define SCHEMA_CONFIG_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum {
    CONFIG_KIND_NULL = 1U << 0,
    CONFIG_KIND_BOOL = 1U << 1,
    CONFIG_KIND_FALSE = 1U << 2, /* false alone */
    CONFIG_KIND_INT = 1U << 3,
    CONFIG_KIND_NUMBER = 1U << 4,
    CONFIG_KIND_TEXT = 1U << 5,
    CONFIG_KIND_LIST = 1U << 6,
    CONFIG_KIND_OBJECT = 1U << 7,
    CONFIG_KIND_ANY = 1U << 8,
    CONFIG_KIND_ONE_OF = 1U << 9, /* any of the alternatives */
};

enum {
    CONFIG_LIMIT_MIN = 1U << 0,
    CONFIG_LIMIT_MAX = 1U << 1,
    CONFIG_LIMIT_ABOVE = 1U << 2, /* more than `min`, not equal to it */
};

/* One shape; 0 as a number of another shape means none. */
struct config_shape {
    uint16_t kind;
    uint16_t limits;
    uint16_t rest;    /* object: shape of keys not listed; 0: there are none */
    uint16_t item;    /* list: shape of the elements */
    uint16_t keys_at; /* object: rows of config_shape_keys, sorted by name */
    uint16_t keys_n;
    uint16_t words_at; /* text: rows of config_shape_words, the only ones accepted */
    uint16_t words_n;
    uint16_t alts_at; /* one of: rows of config_shape_alts */
    uint16_t alts_n;
    const char *pattern; /* of a text, or of the keys of an object; POSIX extended, or NULL */
    double min;          /* of a number, the bytes of a text, the elements of a list */
    double max;
};

struct config_shape_key {
    const char *name;
    uint16_t shape;
    uint16_t is_required;
};

/* A section: one key of the outermost object. */
struct config_section {
    const char *name;
    const char *later; /* the capability that nobody serves yet; NULL: it is served, and checked to the leaf */
    uint16_t shape;
};

enum config_reload_kind {
    CONFIG_RELOAD_NONE,    /* whoever reads it reads it anew */
    CONFIG_RELOAD_HOT,     /* the same, and something is started again */
    CONFIG_RELOAD_RESTART, /* the edge is started again, unless `is_live` */
};

struct config_reload_rule {
    const char *prefix;
    enum config_reload_kind kind;
    const char *actions; /* comma-separated, "" for none */
    int is_live;         /* a restart in the original; here it applies where it is, connections stay */
    int is_listener;     /* changes the listening socket, which only a new start of the whole gateway can */
};

/* A place where a secret may stand: as it is, or as a reference to it. */
struct config_credential {
    const char *path;     /* "*" for any key, "[]" for any element: "models.providers.*.apiKey" */
    const char *id;       /* what secrets.resolve calls it */
    const char *type;     /* what a plan of `secrets apply` calls it; a plan may say `id` as well */
    const char *ref_path; /* a neighbour that holds the reference and counts before it, or NULL */
    const char *file;     /* "openclaw.json" or "auth-profiles.json" */
    const char *profile;  /* of a profile of this type alone, or NULL */
    const char *owner;    /* the kind of actor that gets the value; "": nobody here but secrets.resolve */
    const char *web;      /* the provider of web search or fetching whose key it is, or NULL */
    int is_served;        /* in a section that this gateway serves */
    int is_planned;       /* a plan may set it */
    int is_configured;    /* offered when plans are made */
    int is_object_fine;   /* the value may be an object as well as a text */
    int is_shadowing;     /* profiles of the same provider may stand before it */
    int provider_at;      /* which segment of the path names the provider, from 0; -1: none */
    int account_at;       /* the same of the account */
    int since;            /* the protocol that knows it first */
};

extern const struct config_credential config_credentials[]; /* in order of their paths, profiles last */
extern const size_t config_credentials_n;
/* Who works by which parts of the config. */
struct config_follower {
    const char *actor;        /* an address, or "agent/" and "*" for all below it; NULL ends the table */
    const char *const *paths; /* dotted, none within another; NULL-ended */
};

extern const struct config_shape config_shapes[];
extern const struct config_shape_key config_shape_keys[];
extern const char *const config_shape_words[];
extern const uint16_t config_shape_alts[];
extern const struct config_section config_sections[]; /* sorted by name */
extern const size_t config_sections_n;
extern const struct config_reload_rule config_reload_rules[]; /* in order: the first that fits counts */
extern const size_t config_reload_rules_n;
extern const struct config_follower config_followers[];

#endif
