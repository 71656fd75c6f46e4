#include "schema/later.h"

static int order(struct span name, const struct schema_later *row)
{
    struct span other = span_from(schema_later_text + row->name);
    int r = memcmp(name.ptr, other.ptr, name.len < other.len ? name.len : other.len);

    if (r == 0 && name.len != other.len) {
        return name.len < other.len ? -1 : 1;
    }
    return r;
}

const struct schema_later *schema_later_find(struct span name)
{
    size_t low = 0;
    size_t high = name.len ? schema_laters_n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int r = order(name, &schema_laters[middle]);

        if (r == 0) {
            return &schema_laters[middle];
        }
        if (r < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const char *schema_later_scope(const struct schema_later *self)
{
    return self->scope ? schema_later_text + self->scope : NULL;
}

const char *schema_later_capability(const struct schema_later *self)
{
    return schema_later_text + self->capability;
}
