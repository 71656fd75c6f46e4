/*
 * session_list: see session_list.h.
 */
#include "actors/router/session_list.h"

#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/value.h"

void session_list_init(struct session_list *self, const struct session_list_filter *filter)
{
    *self = (struct session_list){ .filter = *filter };
}

void session_list_deinit(struct session_list *self)
{
    free(self->rows);
    *self = (struct session_list){ 0 };
}

static bool row_passes(const struct session_list_filter *filter, struct span row)
{
    struct span key = value_str(value_get(row, "key"), (struct span){ 0 });

    if (value_kind_of(row) != VALUE_MAP || !key.len) {
        return false;
    }
    if ((!filter->with_global && span_is_text(key, "global")) ||
        (!filter->with_unknown && span_is_text(key, "unknown"))) {
        return false;
    }
    return !filter->spawned_by.len ||
           span_is(value_str(value_get(row, "spawnedBy"), (struct span){ 0 }), filter->spawned_by);
}

static int reserve(struct session_list *self, size_t more)
{
    size_t cap = self->rows_n + more;

    if (cap <= self->rows_cap) {
        return 0;
    }

    void *grown = realloc(self->rows, cap * sizeof(*self->rows));

    if (!grown) {
        return FAULT(-ENOMEM);
    }
    self->rows = grown;
    self->rows_cap = cap;
    return 0;
}

int session_list_add(struct session_list *self, struct span rows, uint32_t total)
{
    struct value_iter it = value_iter(rows);
    struct span key;
    struct span row;
    int r = reserve(self, value_count(rows));

    if (r) {
        return r;
    }
    self->total += total;
    while (value_next(&it, &key, &row)) {
        if (row_passes(&self->filter, row)) {
            self->rows[self->rows_n++] = (struct session_list_row){ value_i64(value_get(row, "updatedAt"), 0), row };
        } else if (self->total) {
            self->total--;
        }
    }
    return 0;
}

static int row_compare(const void *left, const void *right)
{
    const struct session_list_row *a = left;
    const struct session_list_row *b = right;

    if (a->updated_at != b->updated_at) {
        return a->updated_at > b->updated_at ? -1 : 1;
    }

    struct span x = value_str(value_get(a->row, "key"), (struct span){ 0 });
    struct span y = value_str(value_get(b->row, "key"), (struct span){ 0 });
    size_t least = x.len < y.len ? x.len : y.len;
    int order = least ? memcmp(x.ptr, y.ptr, least) : 0;

    return order ? order : (x.len > y.len) - (x.len < y.len);
}

void session_list_sort(struct session_list *self)
{
    if (self->rows_n > 1) {
        qsort(self->rows, self->rows_n, sizeof(*self->rows), row_compare);
    }
    if (self->rows_n > self->filter.limit) {
        self->rows_n = self->filter.limit;
    }
}

void session_list_pack(const struct session_list *self, struct pack *out)
{
    pack_kv_u64(out, "count", self->rows_n);
    pack_kv_u64(out, "totalCount", self->total);
    pack_kv_u64(out, "limitApplied", self->filter.limit);
    pack_kv_bool(out, "hasMore", self->rows_n < self->total);
    pack_key(out, "sessions");
    pack_array_begin(out);
    for (size_t i = 0; i < self->rows_n; i++) {
        pack_raw(out, self->rows[i].row);
    }
    pack_array_end(out);
}
