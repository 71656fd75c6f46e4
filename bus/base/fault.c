#include "bus/base/fault.h"

#include <stdio.h>
#include <uv.h>
#include <zmq.h>

/* libuv keeps its own numbers (end of file, address errors) outside errno's range. */
#define UV_NUMBERS_FIRST 3000

static _Thread_local char place[96] = "unknown place";

int fault_born(int code, const char *file, int line)
{
    (void)snprintf(place, sizeof(place), "%s:%d", file, line); /* cut is fine */
    return code;
}

const char *fault_place(void)
{
    return place;
}

const char *fault_text(int fault)
{
    int number = fault < 0 ? -fault : fault;

    if (number >= UV_NUMBERS_FIRST && number < ZMQ_HAUSNUMERO) {
        return uv_strerror(-number);
    }
    return zmq_strerror(number);
}
