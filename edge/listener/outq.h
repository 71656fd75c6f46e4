/*
 * outq: what waits to be sent on one connection. Small frames are bytes of its own, in one
 * buffer that writers append to in place; a text that goes to many is queued as a reference,
 * with the few bytes before and behind it that differ. Pure: no socket, no clock.
 */
#ifndef EDGE_LISTENER_OUTQ_H
#define EDGE_LISTENER_OUTQ_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

/* A text that several queues hold. `live` counts the bytes of all texts that exist. */
struct outq_text;

/* Bytes that lie together; a library wants them writable, though it only reads. */
struct outq_run {
    char *ptr;
    size_t len;
};

/* One reference, for the caller; NULL without memory. `live` must outlive the text. */
struct outq_text *outq_text_new(struct span text, size_t *live);
void outq_text_drop(struct outq_text **text_p);

struct outq_piece;

struct outq {
    struct text_buf own;      /* whole frames, in order; references lie between them */
    size_t sent;              /* of `own` */
    uint64_t base;            /* position in the stream of own.data[0] */
    uint64_t frame_end;       /* a boundary between frames of our own, as of the last look */
    struct outq_piece *first; /* references, in order */
    struct outq_piece *last;
    size_t piece_sent;   /* bytes of `first` */
    size_t pieces_bytes; /* of all references, not yet sent */
    size_t pieces_cost;  /* memory of the references themselves */
};

/* Frees everything. */
void outq_deinit(struct outq *self);

bool outq_is_empty(const struct outq *self);
/* Bytes that wait, shared ones included. */
size_t outq_pending(const struct outq *self);
/* Memory that this queue alone keeps busy. */
size_t outq_cost(const struct outq *self);

/* What stands in `own` up to now is no WebSocket frame; all that follows is. */
void outq_frames_begin(struct outq *self);
/* Gives up room in `own` that is no longer needed, before something is appended. */
void outq_tidy(struct outq *self);

/* Queues head, shared text and tail as one frame. With a `key` (not 0) it takes the place of
 * an earlier one of that key that has not begun to be sent and is not far back. 0 or
 * -ENOMEM. */
int outq_share(struct outq *self, struct span head, struct outq_text *text, struct span tail, uint64_t key);

/* The next bytes to send, at most `max`: as they lie, or gathered in `stage` (`max` bytes). */
struct outq_run outq_peek(struct outq *self, char *stage, size_t max);
/* So many of them are gone. */
void outq_consume(struct outq *self, size_t len);

/* All is sent: gives the buffer away, for somebody who has something to say. */
struct text_buf outq_release(struct outq *self);

/* Takes back every frame that has not begun to be sent, and the memory with it. Only after
 * outq_frames_begin. */
void outq_cut(struct outq *self);

#endif
