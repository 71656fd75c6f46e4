/*
 * error: failure codes of the bus and of the application, and the code that clients see.
 * The protocol has fewer codes than we have reasons, so several share one.
 */
#ifndef SCHEMA_ERROR_H
#define SCHEMA_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct schema_error {
    const char *name; /* for logs and the tap */
    const char *wire; /* `error.code` of a response frame */
    int code;         /* FAIL_* */
    bool retryable;   /* unless the failure itself says otherwise */
};

/* Sorted by code; written by the generator from errors.json. */
extern const struct schema_error schema_errors[];
extern const size_t schema_errors_n;

/* Never NULL: an unknown code has the row of FAIL_INTERNAL. */
const struct schema_error *schema_error_find(int code);

#endif
