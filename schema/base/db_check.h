/*
 * db_check: is a database whole? For whoever looks while its owner does not run.
 */
#ifndef SCHEMA_BASE_DB_CHECK_H
#define SCHEMA_BASE_DB_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Reads it all and changes nothing in it. False: `why` says what is wrong. */
bool db_check(const char *path, char *why, size_t why_size);

#endif
