/*
 * json_file: a JSON file that another program wrote, as a packed value. What is not a
 * regular file of a sane size is not read, and what was read is wiped: it may hold tokens.
 */
#ifndef SCHEMA_BASE_JSON_FILE_H
#define SCHEMA_BASE_JSON_FILE_H

#include "bus/pack.h"

#define JSON_FILE_MAX (8U << 20)

enum {
    JSON_FILE_E_ABSENT = 1,   /* there is no such file */
    JSON_FILE_E_UNUSABLE = 2, /* too large, not readable, or not JSON */
};

/* On 0 the caller ends with json_file_done. 0, an outcome or a fault. */
int json_file_read(const char *path, struct pack *ret_doc);
void json_file_done(struct pack *doc);

#endif
