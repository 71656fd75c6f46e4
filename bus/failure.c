#include "bus/failure.h"

#include <stddef.h>

const char *failure_name(int code)
{
    switch (code) {
    case FAIL_INVALID_REQUEST:
        return "INVALID_REQUEST";
    case FAIL_UNAVAILABLE:
        return "UNAVAILABLE";
    case FAIL_TIMEOUT:
        return "TIMEOUT";
    case FAIL_CANCELLED:
        return "CANCELLED";
    case FAIL_INTERNAL:
        return "INTERNAL";
    case FAIL_UNKNOWN_METHOD:
        return "UNKNOWN_METHOD";
    default:
        return NULL;
    }
}
