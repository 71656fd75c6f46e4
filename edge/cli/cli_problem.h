/*
 * cli_problem: what went wrong between this client and a gateway, and how to say it:
 * what failed, why, what to do next, and which exit code scripts get.
 */
#ifndef EDGE_CLI_CLI_PROBLEM_H
#define EDGE_CLI_CLI_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/pack.h"

struct cli_target;

enum cli_problem_kind {
    CLI_PROBLEM_NONE,
    CLI_PROBLEM_UNREACHABLE, /* no connection: refused, no such host, no WebSocket there */
    CLI_PROBLEM_REFUSED,     /* the gateway answered the handshake with an error */
    CLI_PROBLEM_CLOSED,      /* the connection ended before the answer */
    CLI_PROBLEM_TIMEOUT,
    CLI_PROBLEM_ANSWER,      /* the answer to a request is an error */
    CLI_PROBLEM_PROTOCOL,    /* what came is not the protocol */
    CLI_PROBLEM_INTERRUPTED, /* Ctrl-C, or told to end */
    CLI_PROBLEM_FAULT,       /* we broke */
    CLI_PROBLEM_DOWN,        /* a part of the gateway that everybody needs has crashed; message says which */
};

struct cli_problem {
    enum cli_problem_kind kind;
    char what[96];       /* "connect", or the method that was called */
    char message[512];   /* the gateway's or the system's words */
    char code[48];       /* error.code of an answer: "INVALID_REQUEST" */
    char detail[64];     /* error.details.code: "AUTH_TOKEN_MISMATCH" */
    char request_id[64]; /* of a pairing request that waits for approval */
    bool retryable;
    uint32_t retry_after_ms;
    bool is_served;          /* something accepts connections there, but speaks no WebSocket */
    int sys_error;           /* errno of a failed connect, or 0 */
    int http_status;         /* of a refused upgrade, or 0 */
    bool is_untrusted;       /* the certificate was refused; message says why, empty: it is not the pinned one */
    char fingerprint[65];    /* that it has */
    bool is_by_device_token; /* REFUSED: the credential was the one of an earlier pairing */
    bool was_open;
    bool is_unasked;     /* CLOSED: there was no question that could have been answered */
    uint16_t close_code; /* 0: the connection did not end */
    char close_reason[128];
    uint64_t timeout_ms;
    int signal_number; /* INTERRUPTED: by which signal; 0 counts as SIGINT */
};

/* One line that says what happened, without advice: "connection refused (127.0.0.1:1)". */
void cli_problem_text(const struct cli_problem *self, const struct cli_target *target, char *out, size_t out_size);

/* What to do next, or NULL when there is nothing to say beyond the text. */
const char *cli_problem_advice(const struct cli_problem *self, const struct cli_target *target, char *buf,
                               size_t buf_size);

/* What a gateway that is started again brings about, so that it is over when it is asked again. */
bool cli_problem_is_passing(const struct cli_problem *self);

/* Whoever answers on this machine has another secret, and may be another gateway than the one that is meant. */
bool cli_problem_may_be_stranger(const struct cli_problem *self, const struct cli_target *target);

/* Explains on standard error; returns the exit code. */
int cli_problem_explain(const struct cli_problem *self, const struct cli_target *target);
int cli_problem_exit_code(const struct cli_problem *self);

/* The last problem that was explained, for programs: type, code?, message, retryable? into an open map. False, and
 * nothing, when there was none. */
bool cli_problem_pack_last(struct pack *out);

#endif
