/*
 * account: how one account of a channel is, and what happened last. Pure: time is given.
 *
 * Three things are told apart, because a transport that looks alive may carry nothing:
 * the state of the transport, the last message admitted, the last message that the far
 * side acknowledged.
 */
#ifndef ACTORS_CHANNEL_ACCOUNT_H
#define ACTORS_CHANNEL_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

enum account_state {
    ACCOUNT_STOPPED,
    ACCOUNT_CONNECTING,
    ACCOUNT_UP,
    ACCOUNT_DEGRADED,   /* connected, but the far side refuses or does not answer */
    ACCOUNT_LOGGED_OUT, /* nothing helps but a new login by the operator */
};
const char *account_state_name(enum account_state state);

enum account_event {
    ACCOUNT_START,
    ACCOUNT_STOP,
    ACCOUNT_CONNECTED,
    ACCOUNT_LOST,     /* the transport broke or could not connect; it is tried again */
    ACCOUNT_EXPELLED, /* the far side voided the login */
    ACCOUNT_ADMITTED, /* an inbound message was taken in durably */
    ACCOUNT_ACKED,    /* the far side acknowledged an outbound message */
    ACCOUNT_REFUSED,  /* it refused one, or did not answer in time */
    ACCOUNT_PROBED,   /* it answered a probe */
    ACCOUNT_PROBE_FAILED,
};

#define ACCOUNT_REFUSALS_MAX 3 /* in a row, until it counts as degraded */

/* Times are Unix milliseconds; 0: never. */
struct account {
    enum account_state state;
    int64_t since;
    int64_t last_start_at;
    int64_t last_stop_at;
    int64_t last_connected_at;
    int64_t last_inbound_at;
    int64_t last_outbound_at;
    int64_t last_probe_at;
    int64_t last_error_at;
    char last_error[512];
    uint32_t attempts_n; /* to connect, since it last worked */
    uint32_t refusals_n; /* in a row */
    uint64_t inbound_n;
    uint64_t outbound_n;
};

/* Applies an event; `why` explains the bad ones. True when the state is another now. An
 * event that does not fit the state (an acknowledgement after the stop) changes counters
 * at most. */
bool account_apply(struct account *self, enum account_event event, struct span why, int64_t now_ms);

/* Time to wait before the next attempt to connect: doubles from one second to five
 * minutes, less up to a quarter by `random`. */
uint32_t account_retry_ms(const struct account *self, uint32_t random);

#endif
