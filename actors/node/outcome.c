#include "actors/node/outcome.h"

#include <stdio.h>
#include <stdlib.h>

struct outcome {
    struct outcome *next; /* older */
    uint64_t at_ms;
    size_t bytes;
    struct result result; /* its spans point behind this struct */
    char *key;
};

char *outcome_key(struct span principal, struct span node_id, struct span idempotency_key)
{
    size_t len = principal.len + node_id.len + idempotency_key.len + 3;
    char *key = malloc(len);

    if (key) {
        (void)snprintf(key, len, "%.*s\n%.*s\n%.*s", SPAN_FMT(principal), SPAN_FMT(node_id),
                       SPAN_FMT(idempotency_key)); /* fits */
    }
    return key;
}

bool outcome_find(struct node *self, const char *key, uint64_t now_ms, struct result *ret_result)
{
    for (struct outcome *at = self->outcomes; at && now_ms - at->at_ms <= OUTCOME_TTL_MS; at = at->next) {
        if (strcmp(at->key, key) == 0) {
            *ret_result = at->result;
            return true;
        }
    }
    return false;
}

static void outcomes_cut(struct node *self, struct outcome **from)
{
    while (*from) {
        struct outcome *outcome = *from;

        *from = outcome->next;
        self->outcomes_n--;
        self->outcome_bytes -= outcome->bytes;
        free(outcome);
    }
}

/* Lets go of what is too old, too much, or too many. */
static void outcomes_trim(struct node *self, uint64_t now_ms)
{
    struct outcome **at = &self->outcomes;
    size_t bytes = 0;
    size_t n = 0;

    while (*at && n < OUTCOMES_MAX && now_ms - (*at)->at_ms <= OUTCOME_TTL_MS &&
           bytes + (*at)->bytes <= OUTCOME_BYTES_MAX) {
        bytes += (*at)->bytes;
        n++;
        at = &(*at)->next;
    }
    outcomes_cut(self, at);
}

static struct span copy_to(char **at, struct span bytes)
{
    struct span copy = { *at, bytes.len };

    if (bytes.len) {
        memcpy(*at, bytes.ptr, bytes.len);
    }
    *at += bytes.len;
    return copy;
}

void outcome_keep(struct node *self, const char *key, uint64_t now_ms, const struct result *result)
{
    size_t bytes = result->message.len + result->details.len + result->body.len;
    size_t key_len = strlen(key) + 1;
    struct outcome *outcome;
    char *at;

    if (bytes > OUTCOME_BYTES_MAX / 8) {
        return;
    }
    outcome = malloc(sizeof(*outcome) + bytes + key_len);
    if (!outcome) {
        return;
    }
    at = (char *)(outcome + 1);
    *outcome = (struct outcome){ .next = self->outcomes, .at_ms = now_ms, .bytes = bytes, .result = *result };
    outcome->result.message = copy_to(&at, result->message);
    outcome->result.details = copy_to(&at, result->details);
    outcome->result.body = copy_to(&at, result->body);
    outcome->key = memcpy(at, key, key_len);
    self->outcomes = outcome;
    self->outcomes_n++;
    self->outcome_bytes += bytes;
    outcomes_trim(self, now_ms);
}

void outcomes_free(struct node *self)
{
    outcomes_cut(self, &self->outcomes);
}
