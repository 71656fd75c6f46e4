/*
 * config_file: the bytes of the user's JSON5 file, and what they say.
 *
 * Pure but for config_file_read. Errors are for people: they name the file, the line,
 * the column and what was expected.
 */
#ifndef SCHEMA_BASE_CONFIG_FILE_H
#define SCHEMA_BASE_CONFIG_FILE_H

#include <stddef.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_error.h"

#define CONFIG_FILE_BYTES_MAX (4U * 1024 * 1024)
#define CONFIG_FILE_DEPTH_MAX 32U
#define CONFIG_FILE_HASH_LEN 65 /* SHA-256 in hex, with terminator */

enum {
    CONFIG_FILE_E_ABSENT = 1,  /* no such file */
    CONFIG_FILE_E_REFUSED = 2, /* unreadable, too large, or not a JSON5 object; see the error */
};

/* Appends the file to `text`. 0, an outcome above, or -ENOMEM. */
int config_file_read(const char *path, struct text_buf *text, struct config_error *error);

/* Appends the text as one msgpack map; `path` only names the file in errors. */
int config_file_parse(struct span text, const char *path, struct pack *out, struct config_error *error);

/* The same for a file that may hold any value. */
int config_file_parse_value(struct span text, const char *path, struct pack *out, struct config_error *error);

/* SHA-256 of the raw text in lowercase hex: the `hash` that config methods compare. */
int config_file_hash(struct span text, char ret_hash[CONFIG_FILE_HASH_LEN]);

#endif
