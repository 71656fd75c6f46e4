/*
 * session_list: the rows of several agents merged into one sessions.list. Pure.
 *
 * Each agent answers its newest rows, at most `limit` of them, so the newest `limit` of
 * all are among what was added.
 */
#ifndef ACTORS_ROUTER_SESSION_LIST_H
#define ACTORS_ROUTER_SESSION_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"

#define SESSION_LIST_LIMIT_DEFAULT 100
#define SESSION_LIST_LIMIT_MAX 10000

struct session_list_filter {
    uint32_t limit;
    bool with_global;
    bool with_unknown;
    struct span spawned_by; /* empty: all */
};

struct session_list_row {
    int64_t updated_at;
    struct span row; /* borrowed from the agent's answer */
};

struct session_list {
    struct session_list_filter filter;
    struct session_list_row *rows; /* owned */
    size_t rows_n;
    size_t rows_cap;
    uint64_t total; /* matches, seen or not */
};

void session_list_init(struct session_list *self, const struct session_list_filter *filter);
void session_list_deinit(struct session_list *self);
/* Adds the rows (msgpack array of maps) of one agent that has `total` matches in all.
 * `rows` must outlive the list. 0 or -ENOMEM. */
int session_list_add(struct session_list *self, struct span rows, uint32_t total);
/* Newest first, equal times by key, and no more than the limit. */
void session_list_sort(struct session_list *self);
/* Appends count, totalCount, limitApplied, hasMore and sessions to an open map. */
void session_list_pack(const struct session_list *self, struct pack *out);

#endif
