#include "actors/config/merge.h"

#include "bus/value.h"

/* Keys are not terminated, so value_get does not fit. */
static struct span find(struct span map, struct span wanted)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is(key, wanted)) {
            return item;
        }
    }
    return (struct span){ 0 };
}

void merge_pack(struct span low, struct span high, struct pack *out)
{
    struct value_iter it = value_iter(low);
    struct span key;
    struct span item;

    if (!high.len || value_kind_of(low) != VALUE_MAP || value_kind_of(high) != VALUE_MAP) {
        pack_raw(out, high.len ? high : low);
        return;
    }
    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(out, key);
        merge_pack(item, find(high, key), out);
    }
    it = value_iter(high);
    while (value_next(&it, &key, &item)) {
        if (!find(low, key).len) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}
