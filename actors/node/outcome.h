/*
 * outcome: what came of commands that nodes were asked for, kept for a while, so that who
 * repeats a request gets the first result and the command does not run twice.
 */
#ifndef ACTORS_NODE_OUTCOME_H
#define ACTORS_NODE_OUTCOME_H

#include "actors/node/node_state.h"

#define OUTCOME_TTL_MS 300000U
#define OUTCOMES_MAX 1000U
#define OUTCOME_BYTES_MAX 8388608U

/* Borrowed. With a failure the body is empty. */
struct result {
    int code; /* 0: it went well */
    bool retryable;
    struct span message;
    struct span details; /* packed, or empty */
    struct span body;    /* packed */
};

/* Key of a request: on whose behalf, on which node, and its idempotency key. Heap; NULL without memory. */
char *outcome_key(struct span principal, struct span node_id, struct span idempotency_key);
/* False when there is none, or it is too old at `now_ms` of the loop's clock. */
bool outcome_find(struct node *self, const char *key, uint64_t now_ms, struct result *ret_result);
/* Keeps a copy; the oldest give way. One that is too large, or for which there is no
 * memory, is not kept. */
void outcome_keep(struct node *self, const char *key, uint64_t now_ms, const struct result *result);
void outcomes_free(struct node *self);

#endif
