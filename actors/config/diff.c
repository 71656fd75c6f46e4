#include "actors/config/diff.h"

#include <stdbool.h>
#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "bus/value_index.h"

struct job {
    struct pack *out; /* NULL: only count */
    unsigned count;
};

static void compare(struct job *job, struct span before, struct span after, const char *path);

/* A path that does not fit is cut at its parent, which has changed as well. */
static void member_compare(struct job *job, struct span before, struct span after, const char *path, struct span key)
{
    char inner[DIFF_PATH_MAX + 1];
    int n = snprintf(inner, sizeof(inner), "%s%s%.*s", path, *path ? "." : "", SPAN_FMT(key));

    if (n >= (int)sizeof(inner)) {
        snprintf(inner, sizeof(inner), "%s", path);
    }
    compare(job, before, after, inner);
}

static void compare(struct job *job, struct span before, struct span after, const char *path)
{
    struct value_iter it = value_iter(before);
    struct span key;
    struct span item;

    if (span_is(before, after)) {
        return;
    }
    bool is_map = value_kind_of(before) == VALUE_MAP && value_kind_of(after) == VALUE_MAP;
    bool is_one_sided = (!before.len && value_count(after) && value_kind_of(after) == VALUE_MAP) ||
                        (!after.len && value_count(before) && value_kind_of(before) == VALUE_MAP);
    if (!is_map && !is_one_sided) {
        job->count++;
        if (job->out) {
            pack_text(job->out, path);
        }
        return;
    }
    CLEANUP(value_index_deinit) struct value_index old = value_index(before);
    CLEANUP(value_index_deinit) struct value_index fresh = value_index(after);
    while (value_next(&it, &key, &item)) {
        member_compare(job, item, value_index_find(&fresh, key), path, key);
    }
    it = value_iter(after);
    while (value_next(&it, &key, &item)) {
        if (!value_index_find(&old, key).len) {
            member_compare(job, (struct span){ 0 }, item, path, key);
        }
    }
}

void diff_pack(struct span before, struct span after, struct pack *out)
{
    struct job counted = { .out = NULL };
    struct job packed = { .out = out };

    compare(&counted, before, after, "");
    pack_array_begin(out);
    if (counted.count > DIFF_PATHS_MAX) {
        pack_text(out, "");
    } else {
        compare(&packed, before, after, "");
    }
    pack_array_end(out);
}
