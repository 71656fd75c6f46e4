/*
 * failure: a typed "no", carried to whoever asked.
 *
 * Numbers below 64 belong to the bus; those of the application come from
 * schema/errors.json and start at 64. Numbers are never reused.
 */
#ifndef BUS_FAILURE_H
#define BUS_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

enum {
    FAIL_INVALID_REQUEST = 1, /* the asker must change the request */
    FAIL_UNAVAILABLE = 2,     /* receiver absent, crashed, restarting or overloaded */
    FAIL_TIMEOUT = 3,         /* the deadline passed */
    FAIL_CANCELLED = 4,       /* the asker, or an operator, gave up */
    FAIL_INTERNAL = 5,        /* the receiver broke on this message */
    FAIL_UNKNOWN_METHOD = 6,  /* the receiver has no route for it */
    FAIL_APPLICATION = 64,
};

#define FAILURE_MESSAGE_MAX 512

/* Texts are borrowed from the envelope that carried them. */
struct failure {
    int code;
    struct span message;
    bool retryable;
    uint32_t retry_after_ms; /* 0: no advice */
    struct span details;     /* one msgpack value, or empty */
};

/* "UNAVAILABLE" and so on for the bus's own codes; NULL for others. */
const char *failure_name(int code);

#endif
