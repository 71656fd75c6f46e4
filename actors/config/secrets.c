#include "actors/config/secrets.h"

#include <stdio.h>
#include <string.h>

#include "bus/value.h"

#define PLACE_MAX 256
#define NOTHING ((struct span){ 0 })

struct job {
    struct config_lookup lookup;
    struct pack *out;
    struct pack *unresolved;
};

static bool is_reference(struct span value)
{
    return value_count(value) == 3 && value_str(value_get(value, "source"), NOTHING).len &&
           value_str(value_get(value, "provider"), NOTHING).len && value_str(value_get(value, "id"), NOTHING).len;
}

static void reference_copy(struct job *job, struct span value, const char *place)
{
    bool is_set = false;
    char unused[1];
    const char *secret = config_secret_resolve(value, job->lookup, unused, sizeof(unused), &is_set);

    if (secret) {
        pack_text(job->out, secret);
        return;
    }
    pack_raw(job->out, value);
    pack_text(job->unresolved, place);
}

/* `place` is the dotted path, for people: cutting a very long one does no harm. */
static void copy(struct job *job, struct span value, const char *place)
{
    struct value_iter it = value_iter(value);
    enum value_kind kind = value_kind_of(value);
    struct span key;
    struct span item;
    char inner[PLACE_MAX];
    unsigned index = 0;

    if (kind == VALUE_MAP && is_reference(value)) {
        reference_copy(job, value, place);
    } else if (kind == VALUE_MAP) {
        pack_map_begin(job->out);
        while (value_next(&it, &key, &item)) {
            snprintf(inner, sizeof(inner), "%s%s%.*s", place, *place ? "." : "", SPAN_FMT(key));
            pack_key_span(job->out, key);
            copy(job, item, inner);
        }
        pack_map_end(job->out);
    } else if (kind == VALUE_ARRAY) {
        pack_array_begin(job->out);
        while (value_next(&it, &key, &item)) {
            snprintf(inner, sizeof(inner), "%s.%u", place, index++);
            copy(job, item, inner);
        }
        pack_array_end(job->out);
    } else {
        pack_raw(job->out, value);
    }
}

void secrets_resolve(struct span doc, struct config_lookup lookup, struct pack *out, struct pack *unresolved)
{
    struct job job = { .lookup = lookup, .out = out, .unresolved = unresolved };

    copy(&job, doc, "");
}
