#include "bus/value_index.h"

#include <stdlib.h>
#include <string.h>

#include "bus/value.h"

#define WALK_MAX 16 /* so few are found sooner by walking */

void value_index_deinit(struct value_index *self)
{
    free(self->members);
    self->members = NULL;
}

static int key_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int r = len ? memcmp(a.ptr, b.ptr, len) : 0;

    return r ? r : (a.len > b.len) - (a.len < b.len);
}

/* Of equal keys the first comes first, as it is the one that value_find finds. */
static int member_order(const void *a, const void *b)
{
    const struct value_member *one = a;
    const struct value_member *other = b;
    int r = key_order(one->key, other->key);

    return r ? r : (one->item.ptr > other->item.ptr) - (one->item.ptr < other->item.ptr);
}

struct value_index value_index(struct span map)
{
    struct value_index self = { .map = map };
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    if (!it.is_map || it.left <= WALK_MAX || it.left > map.len) {
        return self;
    }
    self.members = calloc(it.left, sizeof(*self.members));
    while (self.members && value_next(&it, &key, &item)) {
        self.members[self.n++] = (struct value_member){ .key = key, .item = item };
    }
    if (self.members) {
        qsort(self.members, self.n, sizeof(*self.members), member_order);
    }
    return self;
}

struct span value_index_find(const struct value_index *self, struct span key)
{
    size_t lo = 0;
    size_t hi = self->n;

    if (!self->members) {
        return value_find(self->map, key);
    }
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (key_order(self->members[middle].key, key) < 0) {
            lo = middle + 1;
        } else {
            hi = middle;
        }
    }
    return lo < self->n && span_is(self->members[lo].key, key) ? self->members[lo].item : (struct span){ 0 };
}
