/*
 * config_document: the config from its files to plain values: read, included, substituted.
 */
#ifndef SCHEMA_BASE_CONFIG_DOCUMENT_H
#define SCHEMA_BASE_CONFIG_DOCUMENT_H

#include <stdbool.h>

#include "bus/pack.h"
#include "schema/base/config_env.h"
#include "schema/base/config_file.h"
#include "schema/base/config_sources.h"

struct config_document {
    bool is_present;                 /* there is a config file */
    char hash[CONFIG_FILE_HASH_LEN]; /* of its text, or of all files when it includes some; empty without a file */
    struct config_sources sources;
    struct pack source;   /* as written, includes in their place */
    struct pack resolved; /* with ${NAME} replaced */
};

/* Where something stands in the files. */
struct config_where {
    char file[400]; /* empty: nowhere */
    unsigned line;
    unsigned column;
};

enum {
    CONFIG_DOCUMENT_E_REFUSED = 1, /* see the error */
};

void config_document_init(struct config_document *self);
/* Wipes everything. */
void config_document_deinit(struct config_document *self);

/* An absent file is an empty document. On a refusal `self` keeps the files read so far. */
int config_document_load(struct config_document *self, const char *path, struct config_lookup lookup,
                         struct config_error *error);
/* The same from a text (taken over) instead of the file at `path`. */
int config_document_build(struct config_document *self, const char *path, struct text_buf *text,
                          struct config_lookup lookup, struct config_error *error);

/* What a text says by itself: without what it includes, ${NAME} as written, and nothing has a place. */
int config_document_build_alone(struct config_document *self, struct span text, struct config_error *error);

/* The text of the config file itself. */
struct span config_document_text(const struct config_document *self);

/* Puts "file:line:column: " before an error that begins with the place it is about. */
void config_document_locate(const struct config_document *self, struct config_error *error);
/* Where a place stands, or the nearest thing above it. */
void config_document_where(const struct config_document *self, const struct json5_step *steps, size_t steps_n,
                           struct config_where *ret_where);
/* The same of "agents.list.0.id". */
void config_document_find(const struct config_document *self, struct span place, struct config_where *ret_where);

#endif
