#include "bus/codec.h"

#include "bus/base/utf8.h"
#include "bus/codec_explain.h"
#include "bus/codec_fit.h"
#include "bus/codec_take.h"
#include "bus/value_direct.h"

static bool take_table(const struct schema_type *type, struct span *cursor, unsigned depth, char *out);
static bool take_value(const struct schema_field *field, struct span *cursor, unsigned depth, char *out);

static void store(char *out, const void *value, size_t size)
{
    if (out) {
        memcpy(out, value, size);
    }
}

static bool take_list(const struct schema_field *field, struct span *cursor, unsigned depth)
{
    struct value_head head;

    if (!value_head_read(cursor, &head) || head.kind != VALUE_ARRAY || head.count > cursor->len ||
        !fit_length(field, head.count)) {
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        if (!take_value(field->item, cursor, depth, NULL)) {
            return false;
        }
    }
    return true;
}

static bool take_map(const struct schema_field *field, struct span *cursor, unsigned depth)
{
    struct value_head head;

    if (!value_head_read(cursor, &head) || head.kind != VALUE_MAP || head.count > cursor->len ||
        !fit_length(field, head.count)) {
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        struct value_head key;

        if (!value_head_read(cursor, &key) || key.kind != VALUE_STR) {
            return false;
        }
        if (field->item ? !take_value(field->item, cursor, depth, NULL) : !value_scan(cursor, depth)) {
            return false;
        }
    }
    return true;
}

bool codec_take_raw(const struct schema_field *field, struct span *cursor, unsigned depth, char *out)
{
    struct span start = *cursor;
    bool is_good;

    if (depth == 0) {
        return false;
    }
    if (field->kind == SCHEMA_LIST) {
        is_good = take_list(field, cursor, depth - 1);
    } else if (field->kind == SCHEMA_MAP) {
        is_good = take_map(field, cursor, depth - 1);
    } else {
        is_good = value_scan(cursor, depth);
    }
    if (is_good) {
        start.len -= cursor->len;
        store(out, &start, sizeof(start));
    }
    return is_good;
}

static bool take_int(const struct schema_field *field, struct value_head *head, char *out)
{
    uint32_t narrow;

    if (!fit_int(field, head)) {
        return false;
    }
    if (field->kind == SCHEMA_U32) {
        narrow = (uint32_t)head->i64;
        store(out, &narrow, sizeof(narrow));
    } else if (head->kind == VALUE_UINT) {
        store(out, &head->u64, sizeof(head->u64));
    } else {
        store(out, &head->i64, sizeof(head->i64)); /* same bytes as a uint64_t that fits */
    }
    return true;
}

static bool take_scalar(const struct schema_field *field, struct span *cursor, char *out)
{
    struct value_head head = { 0 }; /* gcc 12 cannot see that each kind sets its own member */
    double number;

    if (!value_head_read(cursor, &head)) {
        return false;
    }
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_STR:
        if (head.kind != VALUE_STR || !fit_text(field, head.bytes) || !utf8_is_valid(head.bytes)) {
            return false;
        }
        store(out, &head.bytes, sizeof(head.bytes));
        return true;
    case SCHEMA_BIN:
        if (head.kind != VALUE_BIN || !fit_length(field, head.bytes.len)) {
            return false;
        }
        store(out, &head.bytes, sizeof(head.bytes));
        return true;
    case SCHEMA_BOOL:
        if (head.kind != VALUE_BOOL) {
            return false;
        }
        store(out, &head.boolean, sizeof(head.boolean));
        return true;
    case SCHEMA_F64:
        if (!head_f64(&head, &number) || !fit_f64(field, number)) {
            return false;
        }
        store(out, &number, sizeof(number));
        return true;
    default:
        return take_int(field, &head, out);
    }
}

static bool take_value(const struct schema_field *field, struct span *cursor, unsigned depth, char *out)
{
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_STRUCT:
        return depth > 0 && take_table(field->type, cursor, depth - 1, out);
    case SCHEMA_ANY:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        return codec_take_raw(field, cursor, depth, out);
    default:
        return take_scalar(field, cursor, out);
    }
}

static bool is_nil(struct span cursor)
{
    return cursor.len && (uint8_t)*cursor.ptr == 0xc0;
}

static void has_set(const struct schema_field *field, char *out)
{
    static const bool has = true;

    if (out && field->has_offset != UINT32_MAX) {
        memcpy(out + field->has_offset, &has, sizeof(has));
    }
}

static bool take_field(const struct schema_field *field, struct span *cursor, unsigned depth, char *out)
{
    if ((field->flags & SCHEMA_NULLABLE) && is_nil(*cursor)) {
        return value_skip(cursor); /* `out` is zero already */
    }
    has_set(field, out);
    return take_value(field, cursor, depth, out ? out + field->offset : NULL);
}

static bool has_required(const struct schema_type *type, uint64_t seen)
{
    for (unsigned i = 0; i < type->fields_n; i++) {
        if ((type->fields[i].flags & SCHEMA_REQUIRED) && !(seen & UINT64_C(1) << i)) {
            return false;
        }
    }
    return true;
}

/* `depth` is what may still be nested inside this map. */
static bool take_table(const struct schema_type *type, struct span *cursor, unsigned depth, char *out)
{
    struct value_head head;
    uint64_t seen = 0; /* the generator allows 64 fields */
    unsigned hint = 0;

    if (!value_head_read(cursor, &head) || head.kind != VALUE_MAP || head.count > cursor->len) {
        return false;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        const struct schema_field *field;
        struct value_head key;
        uint64_t bit;

        if (!value_head_read(cursor, &key) || key.kind != VALUE_STR) {
            return false;
        }
        field = fit_find(type, key.bytes, &hint);
        if (!field) {
            if (!value_scan(cursor, depth)) {
                return false;
            }
            continue;
        }
        bit = UINT64_C(1) << (field - type->fields);
        if ((seen & bit) || !take_field(field, cursor, depth, out)) {
            return false;
        }
        seen |= bit;
    }
    return has_required(type, seen);
}

int codec_take_refuse(struct codec_error *error, const struct schema_type *type, struct span body)
{
    struct explain explain = { .first = error };

    if (error) {
        *error = (struct codec_error){ 0 };
        if (!wire_check(body.ptr, body.len, CODEC_DEPTH_MAX)) {
            codec_explain_add(&explain, "must be one well-formed msgpack value");
        } else {
            codec_explain(&explain, type, body);
        }
        if (explain.errors_n == 0) {
            codec_explain_add(&explain, "does not fit '%s'", type->name);
        }
    }
    return CODEC_E_REFUSED;
}

int codec_decode(const struct schema_type *type, struct span body, void *out, struct codec_error *error)
{
    struct span cursor = body;

    memset(out, 0, type->size);
    if (take_table(type, &cursor, CODEC_DEPTH_MAX - 1, out) && cursor.len == 0) {
        return 0;
    }
    memset(out, 0, type->size);
    return codec_take_refuse(error, type, body);
}

int codec_decode_item(const struct schema_field *item, struct span value, void *out, struct codec_error *error)
{
    return codec_decode(item->type, value, out, error);
}
