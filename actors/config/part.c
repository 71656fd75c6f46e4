#include "actors/config/part.h"

#include <stdio.h>
#include <string.h>

#include "actors/config/diff.h"
#include "bus/value.h"
#include "schema/base/config_follow.h"

const struct config_follower *part_row(struct span address)
{
    for (const struct config_follower *row = config_followers; row->actor; row++) {
        size_t len = strlen(row->actor);
        bool is_family = row->actor[len - 1] == '*';

        if (is_family ? address.len >= len && !memcmp(address.ptr, row->actor, len - 1)
                      : span_is_text(address, row->actor)) {
            return row;
        }
    }
    return NULL;
}

/* Is `path` the same as `other`, or within it? */
static bool is_within(struct span path, struct span other)
{
    return path.len >= other.len && !memcmp(path.ptr, other.ptr, other.len) &&
           (path.len == other.len || path.ptr[other.len] == '.');
}

/* Does a change of `path` ("" for everything) change what the row names? */
static bool row_has(const struct config_follower *row, struct span path)
{
    for (const char *const *name = row->paths; *name; name++) {
        if (!path.len || is_within(path, span_from(*name)) || is_within(span_from(*name), path)) {
            return true;
        }
    }
    return false;
}

size_t part_paths_pack(const struct config_follower *row, struct span paths, struct pack *out)
{
    struct value_iter it = value_iter(paths);
    struct span key;
    struct span item;
    size_t n = 0;

    while (value_next(&it, &key, &item)) {
        if (row_has(row, value_str(item, SPAN_LIT("")))) {
            pack_raw(out, item);
            n++;
        }
    }
    return n;
}

enum reach {
    REACH_NONE,
    REACH_BELOW, /* something within it is named */
    REACH_ALL,
};

static enum reach reach_of(const struct config_follower *row, struct span path)
{
    enum reach reach = REACH_NONE;

    for (const char *const *name = row->paths; *name; name++) {
        if (span_is_text(path, *name)) {
            return REACH_ALL;
        }
        reach = is_within(span_from(*name), path) ? REACH_BELOW : reach;
    }
    return reach;
}

static void level_pack(const struct config_follower *row, struct span map, const char *above, struct pack *out);

/* Depth is that of the deepest path of the table. */
static void members_pack(const struct config_follower *row, struct span map, const char *above, struct pack *out)
{
    struct value_iter it = value_iter(map);
    char path[DIFF_PATH_MAX];
    struct span key;
    struct span item;

    while (value_kind_of(map) == VALUE_MAP && value_next(&it, &key, &item)) {
        int len = snprintf(path, sizeof(path), "%s%s%.*s", above, *above ? "." : "", SPAN_FMT(key));
        enum reach reach = len > 0 && len < (int)sizeof(path) ? reach_of(row, span_from(path)) : REACH_NONE;

        if (reach == REACH_ALL) {
            pack_key_span(out, key);
            pack_raw(out, item);
        } else if (reach == REACH_BELOW) {
            pack_key_span(out, key);
            level_pack(row, item, path, out);
        }
    }
}

static void level_pack(const struct config_follower *row, struct span map, const char *above, struct pack *out)
{
    pack_map_begin(out);
    members_pack(row, map, above, out);
    pack_map_end(out);
}

void part_pack(const struct config_follower *row, struct span config, struct span credentials, struct pack *out)
{
    pack_map_begin(out);
    members_pack(row, config, "", out);
    if (credentials.len) {
        pack_kv_raw(out, CONFIG_FOLLOW_CREDENTIALS, credentials);
    }
    pack_map_end(out);
}
