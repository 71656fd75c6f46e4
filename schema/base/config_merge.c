#include "schema/base/config_merge.h"

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "bus/value_index.h"

enum lists { LISTS_REPLACE, LISTS_JOIN, LISTS_BY_ID };

static void merge(struct span low, struct span high, enum lists lists, struct pack *out);

static void lists_join(struct span low, struct span high, struct pack *out)
{
    struct span lists[] = { low, high };
    struct span key;
    struct span item;

    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct value_iter it = value_iter(lists[i]);

        while (value_next(&it, &key, &item)) {
            pack_raw(out, item);
        }
    }
    pack_array_end(out);
}

static struct span id_of(struct span item)
{
    struct span id = value_kind_of(item) == VALUE_MAP ? value_get(item, "id") : (struct span){ 0 };

    return value_kind_of(id) == VALUE_STR ? id : (struct span){ 0 };
}

/* How many entries have that id; `ret_item` (may be NULL) is the last one. */
static size_t id_find(struct span list, struct span id, struct span *ret_item)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;
    size_t n = 0;

    while (value_next(&it, &key, &item)) {
        if (span_is(id_of(item), id)) {
            n++;
            if (ret_item) {
                *ret_item = item;
            }
        }
    }
    return n;
}

static bool is_by_id(struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    if (value_kind_of(list) != VALUE_ARRAY) {
        return false;
    }
    while (value_next(&it, &key, &item)) {
        struct span id = id_of(item);

        if (!id.len || id_find(list, id, NULL) != 1) {
            return false;
        }
    }
    return true;
}

static void lists_merge(struct span low, struct span high, struct pack *out)
{
    struct value_iter it = value_iter(low);
    struct span key;
    struct span item;

    pack_array_begin(out);
    while (value_next(&it, &key, &item)) {
        struct span over = { 0 };

        (void)id_find(high, id_of(item), &over);
        merge(item, over, LISTS_BY_ID, out);
    }
    it = value_iter(high);
    while (value_next(&it, &key, &item)) {
        if (!id_find(low, id_of(item), NULL)) {
            pack_raw(out, item);
        }
    }
    pack_array_end(out);
}

static void maps_merge(struct span low, struct span high, enum lists lists, struct pack *out)
{
    CLEANUP(value_index_deinit) struct value_index below = value_index(low);
    CLEANUP(value_index_deinit) struct value_index over = value_index(high);
    struct value_iter it = value_iter(low);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(out, key);
        merge(item, value_index_find(&over, key), lists, out);
    }
    it = value_iter(high);
    while (value_next(&it, &key, &item)) {
        if (!value_index_find(&below, key).len) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

static void merge(struct span low, struct span high, enum lists lists, struct pack *out)
{
    if (lists == LISTS_JOIN && value_kind_of(low) == VALUE_ARRAY && value_kind_of(high) == VALUE_ARRAY) {
        lists_join(low, high, out);
        return;
    }
    if (lists == LISTS_BY_ID && is_by_id(low) && is_by_id(high)) {
        lists_merge(low, high, out);
        return;
    }
    if (!high.len || value_kind_of(low) != VALUE_MAP || value_kind_of(high) != VALUE_MAP) {
        pack_raw(out, high.len ? high : low);
        return;
    }
    maps_merge(low, high, lists, out);
}

void config_merge(struct span low, struct span high, struct pack *out)
{
    merge(low, high, LISTS_REPLACE, out);
}

void config_merge_join(struct span low, struct span high, struct pack *out)
{
    merge(low, high, LISTS_JOIN, out);
}

void config_merge_ids(struct span low, struct span high, struct pack *out)
{
    merge(low, high, LISTS_BY_ID, out);
}

void config_merge_patch(struct span low, struct span patch, struct pack *out)
{
    CLEANUP(value_index_deinit) struct value_index below = value_index(low);
    CLEANUP(value_index_deinit) struct value_index changes = value_index(patch);
    struct value_iter it = value_iter(low);
    struct span key;
    struct span item;

    if (value_kind_of(patch) != VALUE_MAP) {
        pack_raw(out, patch);
        return;
    }
    pack_map_begin(out);
    while (value_kind_of(low) == VALUE_MAP && value_next(&it, &key, &item)) {
        struct span change = value_index_find(&changes, key);

        if (!change.len) {
            pack_key_span(out, key);
            pack_raw(out, item);
        } else if (value_kind_of(change) != VALUE_NIL) {
            pack_key_span(out, key);
            config_merge_patch(item, change, out);
        }
    }
    it = value_iter(patch);
    while (value_next(&it, &key, &item)) {
        if (value_kind_of(item) != VALUE_NIL && !value_index_find(&below, key).len) {
            pack_key_span(out, key);
            config_merge_patch((struct span){ 0 }, item, out);
        }
    }
    pack_map_end(out);
}
