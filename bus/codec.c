#include "bus/codec.h"

#include <stdio.h>

#include "bus/base/fault.h"
#include "bus/base/utf8.h"
#include "bus/codec_explain.h"
#include "bus/codec_fit.h"
#include "bus/pack_direct.h"
#include "bus/value_direct.h"

#define DEPTH_MAX 128 /* of a body; twice what clients may nest, since bodies wrap their values */

#define REDACTED SPAN_LIT("[redacted]")

/* --- msgpack to struct -------------------------------------------------------------- */

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

/* The kinds that stay raw: proved well-formed, kept as a span. */
static bool take_raw(const struct schema_field *field, struct span *cursor, unsigned depth, char *out)
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
        return take_raw(field, cursor, depth, out);
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

static int refuse(struct codec_error *error, const struct schema_type *type, struct span body)
{
    struct explain explain = { .first = error };

    if (error) {
        *error = (struct codec_error){ 0 };
        if (!wire_check(body.ptr, body.len, DEPTH_MAX)) {
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
    if (take_table(type, &cursor, DEPTH_MAX - 1, out) && cursor.len == 0) {
        return 0;
    }
    memset(out, 0, type->size);
    return refuse(error, type, body);
}

int codec_decode_item(const struct schema_field *item, struct span value, void *out, struct codec_error *error)
{
    return codec_decode(item->type, value, out, error);
}

/* --- struct to msgpack -------------------------------------------------------------- */

struct encoder {
    struct pack *pack;
    bool is_checked; /* false while it writes what is to be explained */
    bool is_refused;
};

static void put_table(struct encoder *self, const struct schema_type *type, const char *in);

static bool refuse_if(struct encoder *self, bool is_wrong)
{
    if (is_wrong && self->is_checked) {
        self->is_refused = true;
        return true;
    }
    return false;
}

static struct span span_load(const char *in)
{
    struct span value;

    memcpy(&value, in, sizeof(value));
    return value;
}

static uint64_t u64_load(const char *in)
{
    uint64_t value;

    memcpy(&value, in, sizeof(value));
    return value;
}

static void put_int(struct encoder *self, const struct schema_field *field, const char *in)
{
    struct value_head head = { .kind = VALUE_INT };
    uint32_t narrow;

    if (field->kind == SCHEMA_U32) {
        memcpy(&narrow, in, sizeof(narrow));
        head.i64 = narrow;
    } else {
        head.u64 = u64_load(in);
        head.i64 = (int64_t)head.u64;
        if (field->kind == SCHEMA_U64 && head.u64 > INT64_MAX) {
            head.kind = VALUE_UINT;
        }
    }
    if (refuse_if(self, !fit_int(field, &head))) {
        return;
    }
    if (head.kind == VALUE_UINT) {
        put_u64(self->pack, head.u64);
    } else {
        put_i64(self->pack, head.i64);
    }
}

static void put_f64_field(struct encoder *self, const struct schema_field *field, const char *in)
{
    double number;

    memcpy(&number, in, sizeof(number));
    if (!refuse_if(self, !fit_f64(field, number))) {
        put_f64(self->pack, number);
    }
}

static void put_bool_field(struct encoder *self, const char *in)
{
    put_byte(self->pack, *in ? 0xc3 : 0xc2);
}

static void put_text(struct encoder *self, const struct schema_field *field, struct span text)
{
    bool is_str = field->kind == SCHEMA_STR;

    if (refuse_if(self, is_str ? !fit_text(field, text) || !utf8_is_valid(text) : !fit_length(field, text.len))) {
        return;
    }
    if (text.len > UINT32_MAX || !pack_reserve(self->pack, text.len + PACK_HEAD_MAX)) {
        return;
    }
    if (is_str) {
        put_str_head(self->pack, text.len);
    } else {
        put_bin_head(self->pack, text.len);
    }
    put_bytes(self->pack, text);
}

/* An absent value of a required field: an empty list or map, nil for anything. */
static uint8_t empty_head(const struct schema_field *field)
{
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_LIST:
        return 0x90;
    case SCHEMA_MAP:
        return 0x80;
    default:
        return 0xc0;
    }
}

static void put_raw(struct encoder *self, const struct schema_field *field, struct span raw)
{
    struct span cursor = raw;
    bool is_good;

    if (raw.len == 0) {
        if (!refuse_if(self, field->kind != SCHEMA_ANY && !fit_length(field, 0))) {
            put_byte(self->pack, empty_head(field));
        }
        return;
    }
    is_good = self->is_checked ? take_raw(field, &cursor, DEPTH_MAX - 1, NULL) : value_scan(&cursor, DEPTH_MAX - 1);
    is_good = is_good && cursor.len == 0;
    if (refuse_if(self, !is_good)) {
        return;
    }
    if (!is_good) {
        put_byte(self->pack, 0xc0); /* what is malformed cannot be explained further */
    } else if (pack_reserve(self->pack, raw.len)) {
        put_bytes(self->pack, raw);
    }
}

static void put_value(struct encoder *self, const struct schema_field *field, const char *in)
{
    if (!pack_reserve(self->pack, PACK_HEAD_MAX)) {
        return;
    }
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_BOOL:
        put_bool_field(self, in);
        return;
    case SCHEMA_U32:
    case SCHEMA_U64:
    case SCHEMA_I64:
        put_int(self, field, in);
        return;
    case SCHEMA_F64:
        put_f64_field(self, field, in);
        return;
    case SCHEMA_STR:
    case SCHEMA_BIN:
        put_text(self, field, span_load(in));
        return;
    case SCHEMA_ANY:
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        put_raw(self, field, span_load(in));
        return;
    case SCHEMA_STRUCT:
        put_table(self, field->type, in);
        return;
    }
}

static bool is_present(const struct schema_field *field, const char *in)
{
    return field->has_offset == UINT32_MAX || in[field->has_offset];
}

/* A required field may still be nil, when it is nullable; only spans can be both. */
static bool is_null(const struct schema_field *field, const char *in)
{
    return (field->flags & SCHEMA_REQUIRED) && (field->flags & SCHEMA_NULLABLE) && !span_load(in + field->offset).ptr;
}

static void put_map_head(struct pack *pack, unsigned count)
{
    if (count < 16) {
        put_byte(pack, (uint8_t)(0x80 | count));
    } else {
        put_be16(pack, 0xde, (uint16_t)count);
    }
}

static void put_table(struct encoder *self, const struct schema_type *type, const char *in)
{
    unsigned count = 0;

    for (unsigned i = 0; i < type->fields_n; i++) {
        count += is_present(&type->fields[i], in);
    }
    if (!pack_reserve(self->pack, PACK_HEAD_MAX)) {
        return;
    }
    put_map_head(self->pack, count);
    for (unsigned i = 0; i < type->fields_n && !self->is_refused; i++) {
        const struct schema_field *field = &type->fields[i];

        if (!is_present(field, in)) {
            continue;
        }
        if (!pack_reserve(self->pack, field->name_len + 2U * PACK_HEAD_MAX)) {
            return;
        }
        put_str_head(self->pack, field->name_len);
        put_bytes(self->pack, (struct span){ field->name, field->name_len });
        if (is_null(field, in)) {
            put_byte(self->pack, 0xc0);
        } else {
            put_value(self, field, in + field->offset);
        }
    }
}

/* Takes back what was written since `len`, and its place in the open container. */
static void pack_rewind(struct pack *pack, size_t len)
{
    pack->len = len;
    if (pack->depth) {
        pack->open[pack->depth - 1].count--;
    }
}

static void encode_explain(const struct schema_type *type, const void *in, struct pack *pack, struct codec_error *error)
{
    struct encoder encoder = { .pack = pack };
    size_t start = pack->len;

    put_table(&encoder, type, in);
    if (!pack->fault) {
        (void)refuse(error, type, (struct span){ pack->data + start, pack->len - start }); /* the outcome is known */
    }
}

int codec_encode(const struct schema_type *type, const void *in, struct pack *pack, struct codec_error *error)
{
    struct encoder encoder = { .pack = pack, .is_checked = true };
    size_t start = pack->len;

    if (!pack_value_place(pack)) {
        return pack->fault;
    }
    put_table(&encoder, type, in);
    if (pack->fault) {
        return pack->fault;
    }
    if (!encoder.is_refused) {
        return 0;
    }
    pack->len = start;
    if (error) {
        encode_explain(type, in, pack, error);
    }
    pack_rewind(pack, start);
    return pack->fault ? pack->fault : CODEC_E_REFUSED;
}

/* --- redaction ------------------------------------------------------------------------ */

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
    if (!wire_check(body.ptr, body.len, DEPTH_MAX)) {
        return CODEC_E_REFUSED;
    }
    if (type) {
        redact_table(type, body, out);
    } else {
        pack_raw(out, body);
    }
    return out->fault;
}
