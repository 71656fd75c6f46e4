/*
 * tap_record: one envelope as a watcher receives it. Pure: no sockets, no clock.
 *
 * Batches come from the hosts of our own gateway, but are checked like any bytes.
 */
#ifndef BUS_TAP_RECORD_H
#define BUS_TAP_RECORD_H

#include "bus/envelope.h"
#include "bus/tap_subject.h"

#define TAP_CALLS_N 16384U /* calls whose answer is awaited, to tell the latency */

/* One envelope; everything borrowed from the batch. */
struct tap_record {
    int64_t ts_us;
    struct span host;
    struct span address; /* of the actor that sent it */
    struct envelope env;
    uint64_t bytes;      /* of the body */
    struct span body;    /* one value, empty when not shown */
    struct span note;    /* why it was not delivered, or empty */
    struct span session; /* that the body is about, when somebody asked for it, or empty */
    bool is_handled;     /* not sent but handled, by `address` */
    uint64_t waited_us;  /* in the mailbox until then */
    uint64_t busy_us;    /* in the handler */
    bool has_latency;
    double latency_ms; /* of a reply or failure, since its call */
    char trace[TAP_TRACE_TEXT];
};

/* Remembers when calls were sent. Zeroed memory is ready; an old call makes room for a new one. */
struct tap_calls {
    struct tap_call_slot {
        uint64_t key; /* of asker and number; 0 free */
        int64_t ts_us;
    } slots[TAP_CALLS_N];
};

enum {
    TAP_RECORD_E_MALFORMED = 1,
};

/* Reads one packed record, which passed wire_check; host and address are left alone. False when it is malformed. */
bool tap_record_read(struct span value, struct tap_record *record);

/* Notes a call, or gives its answer the time since. To be told of every record, in order of time. */
void tap_record_pair(struct tap_record *self, struct tap_calls *calls);

/* A copy with its own texts and body; free() it. */
struct tap_record *tap_record_copy(const struct tap_record *self);

/* The fields that a filter sees. */
struct tap_filter_subject tap_record_subject(const struct tap_record *self);

#endif
