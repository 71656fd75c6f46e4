/*
 * large: payloads that were refused or left out for their size, counted and told in bursts:
 * what a peer can cause at will shall not flood anybody.
 */
#ifndef EDGE_LISTENER_LARGE_H
#define EDGE_LISTENER_LARGE_H

#include <stddef.h>
#include <stdint.h>

struct edge;

enum large_kind {
    LARGE_PREAUTH,
    LARGE_FRAME,
    LARGE_DROPPED,
    LARGE_CLOSED,
    LARGE_BODY,
    LARGE_INPUT,
    LARGE_KINDS,
};

struct large {
    uint64_t totals[LARGE_KINDS];
    uint64_t counts[LARGE_KINDS]; /* of them, not yet told */
    uint64_t bytes[LARGE_KINDS];  /* of the largest; 0: unknown */
};

const char *large_reason(enum large_kind kind);
/* `bytes` 0: unknown. */
void large_note(struct edge *edge, enum large_kind kind, uint64_t bytes);
/* Tells what was noted since the last time. */
void large_tell(struct edge *edge);

#endif
