#include "edge/listener/quota.h"

#include <stdlib.h>
#include <string.h>

static struct quota **bucket_of(struct quota_table *self, struct span principal)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < principal.len; i++) {
        hash = (hash ^ (uint8_t)principal.ptr[i]) * 16777619U;
    }
    return &self->buckets[hash % QUOTA_BUCKETS];
}

struct quota *quota_take(struct quota_table *self, struct span principal)
{
    struct quota **bucket = bucket_of(self, principal);
    struct quota *row = *bucket;

    while (row && !span_is_text(principal, row->principal)) {
        row = row->next;
    }
    if (!row) {
        row = calloc(1, sizeof(*row) + principal.len + 1);
        if (!row) {
            return NULL;
        }
        memcpy(row->principal, principal.ptr, principal.len);
        row->next = *bucket;
        *bucket = row;
    }
    row->refs++;
    return row;
}

void quota_drop(struct quota_table *self, struct quota **quota_p)
{
    struct quota *row = *quota_p;
    struct quota **at;

    *quota_p = NULL;
    if (!row || --row->refs > 0) {
        return;
    }
    at = bucket_of(self, span_from(row->principal));
    while (*at != row) {
        at = &(*at)->next;
    }
    *at = row->next;
    free(row);
}
