/*
 * tap_trace: what became of one request, out of the records that bear its trace: each
 * message once, with the time on the way, in the mailbox and in its handler, and within
 * which other it was sent. Pure.
 *
 * A request may begin a run and be answered at once; the events of the run come later and
 * belong to it. That one has begun and ended is said in bodies: {runId, status: "started"} of
 * an answer, and the event `chat` with a state that is none of "delta".
 */
#ifndef EDGE_CLI_TAP_TRACE_H
#define EDGE_CLI_TAP_TRACE_H

#include "bus/json.h"
#include "bus/pack.h"
#include "bus/tap_record.h"

#define TAP_TRACE_ROWS_MAX 10000U
#define TAP_TRACE_RUNS_MAX 16U /* those beyond are not waited for */
#define TAP_TRACE_RUN_ID_MAX 129U

/* One message. Texts are the row's own. */
struct tap_trace_row {
    struct tap_trace_row *next; /* in the order in which they were sent */
    int64_t sent_us;
    bool is_handled;    /* the three below are known */
    int64_t wire_us;    /* from its sender to the mailbox; below 0 when the clocks of two machines differ */
    uint64_t waited_us; /* in the mailbox */
    uint64_t busy_us;   /* in the handler */
    int64_t answer_us;  /* of a call: until its answer was sent; -1: none was seen */
    unsigned depth;
    uint64_t id;
    uint64_t corr;
    uint64_t bytes;
    enum envelope_kind kind;
    char sender[ACTOR_ADDRESS_MAX]; /* whoever sent it: for a call that was handed on not `from` */
    char from[ACTOR_ADDRESS_MAX];
    char to[ACTOR_ADDRESS_MAX];
    char name[ENVELOPE_NAME_MAX];
    char host[64]; /* of the sender */
    char note[160];
};

struct tap_trace {
    struct tap_trace_row *rows;
    struct tap_trace_row **tail;
    unsigned rows_n;
    char runs[TAP_TRACE_RUNS_MAX][TAP_TRACE_RUN_ID_MAX]; /* that have begun and not ended */
    unsigned runs_n;
    unsigned left_out; /* beyond TAP_TRACE_ROWS_MAX */
    char id[TAP_TRACE_TEXT];
};

void tap_trace_init(struct tap_trace *self, const char *id);
void tap_trace_deinit(struct tap_trace *self);
/* A record of this trace, in the order of time; any other is ignored. */
void tap_trace_add(struct tap_trace *self, const struct tap_record *record);
/* What of its body says how runs fare, if anything: enough to keep of a record that is added later. */
void tap_trace_essence(const struct tap_record *record, struct pack *out);
/* Finds out what belongs within what, and when calls were answered. */
void tap_trace_finish(struct tap_trace *self);
/* From the first message sent to the end of the last handler. */
int64_t tap_trace_span_us(const struct tap_trace *self);
/* Is every call answered, every message handled that must be, and every run over? */
bool tap_trace_is_over(const struct tap_trace *self);

/* Appends a table with a picture of `columns` for people, or one JSON object and a line feed. 0 or -ENOMEM. */
int tap_trace_text(const struct tap_trace *self, size_t columns, struct text_buf *out);
int tap_trace_json(const struct tap_trace *self, struct text_buf *out);

#endif
