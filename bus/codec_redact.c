#include "bus/codec.h"
#include "bus/codec_fit.h"
#include "bus/codec_take.h"

#define REDACTED SPAN_LIT("[redacted]")

static void redact_table(const struct schema_type *type, struct span value, struct pack *out);

static void redact_value(const struct schema_field *field, struct span value, struct pack *out)
{
    struct value_iter it;
    struct span name;
    struct span item;

    if (field->flags & SCHEMA_SENSITIVE) {
        pack_str(out, REDACTED);
    } else if (field->kind == SCHEMA_STRUCT) {
        redact_table(field->type, value, out);
    } else if (field->kind == SCHEMA_LIST && value_kind_of(value) == VALUE_ARRAY) {
        it = value_iter(value);
        pack_array_begin(out);
        while (value_next(&it, &name, &item)) {
            redact_value(field->item, item, out);
        }
        pack_array_end(out);
    } else if (field->kind == SCHEMA_MAP && field->item && value_kind_of(value) == VALUE_MAP) {
        it = value_iter(value);
        pack_map_begin(out);
        while (value_next(&it, &name, &item)) {
            pack_key_span(out, name);
            redact_value(field->item, item, out);
        }
        pack_map_end(out);
    } else {
        pack_raw(out, value);
    }
}

static void redact_table(const struct schema_type *type, struct span value, struct pack *out)
{
    struct value_iter it = value_iter(value);
    struct span name;
    struct span item;
    unsigned hint = 0;

    if (!it.is_map) {
        pack_raw(out, value);
        return;
    }
    pack_map_begin(out);
    while (value_next(&it, &name, &item)) {
        const struct schema_field *field = fit_find(type, name, &hint);

        pack_key_span(out, name);
        if (field) {
            redact_value(field, item, out);
        } else {
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

int codec_redact(const struct schema_type *type, struct span body, struct pack *out)
{
    if (!wire_check(body.ptr, body.len, CODEC_DEPTH_MAX)) {
        return CODEC_E_REFUSED;
    }
    if (type) {
        redact_table(type, body, out);
    } else {
        pack_raw(out, body);
    }
    return out->fault;
}
