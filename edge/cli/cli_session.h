/*
 * cli_session: one conversation with a gateway, seen from straight-line code.
 *
 * Each call runs the loop until its outcome is known: answered, refused, lost, timed
 * out or interrupted. Events that arrive meanwhile go to on_event.
 */
#ifndef EDGE_CLI_CLI_SESSION_H
#define EDGE_CLI_CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "edge/cli/cli_problem.h"
#include "edge/cli/cli_target.h"

/* Who we say we are. */
enum cli_session_role {
    CLI_SESSION_COMMAND, /* does what an operator asked for */
    CLI_SESSION_PROBE,   /* only looks, and creates a device identity only when asked for one */
    CLI_SESSION_INSPECT, /* the same, but may see what only an operator may */
};

struct cli_session_opts {
    const struct cli *cli;
    const struct cli_target *target;
    enum cli_session_role role;
    const char *display_name; /* "gateway:health"; shown in presence */
    uint64_t timeout_ms;      /* for the handshake, retries included */
    void *arg;
    /* `payload` is one msgpack value, valid during the call. May be NULL. */
    void (*on_event)(void *arg, struct span name, struct span payload);
};

enum {
    CLI_SESSION_E_PROBLEM = 1, /* see the problem */
};

struct cli_session;

/* Connects and shakes hands. 0 or CLI_SESSION_E_PROBLEM with `problem` set. */
int cli_session_open(const struct cli_session_opts *opts, struct cli_session **ret_session,
                     struct cli_problem *problem);

struct cli_call {
    const char *method;
    struct span params;  /* one msgpack map, or empty for none */
    uint64_t timeout_ms; /* 0: wait for ever */
    bool expect_final;   /* an answer with status "accepted" is not the last one */
};

/* Asks and waits. On 0 the answer's payload (one msgpack value) is appended to `ret_payload`. */
int cli_session_call(struct cli_session *self, const struct cli_call *call, struct pack *ret_payload,
                     struct cli_problem *problem);

/* Lets events arrive for so long; 0 when the time is over. */
int cli_session_wait(struct cli_session *self, uint64_t ms, struct cli_problem *problem);

/* In on_event: the wait has brought what it was for, and ends. */
void cli_session_wake(struct cli_session *self);

/* Lets time pass, connected or not; a problem only when interrupted. */
int cli_session_pause(struct cli_session *self, uint64_t ms, struct cli_problem *problem);
/* Connects anew after the connection ended. 0 or CLI_SESSION_E_PROBLEM. */
int cli_session_reopen(struct cli_session *self, struct cli_problem *problem);

/* After an interruption every call ends at once; this allows further ones, to tidy up. */
void cli_session_resume(struct cli_session *self);

/* Payload of hello-ok, one msgpack map. */
struct span cli_session_hello(const struct cli_session *self);
/* From the start of the connection to hello-ok. */
uint64_t cli_session_latency_ms(const struct cli_session *self);

void cli_session_destroy(struct cli_session **self_p);

#endif
