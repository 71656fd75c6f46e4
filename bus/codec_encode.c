#include "bus/base/utf8.h"
#include "bus/codec.h"
#include "bus/codec_fit.h"
#include "bus/codec_take.h"
#include "bus/pack_direct.h"
#include "bus/value_direct.h"

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
    is_good = self->is_checked ? codec_take_raw(field, &cursor, CODEC_DEPTH_MAX - 1, NULL)
                               : value_scan(&cursor, CODEC_DEPTH_MAX - 1);
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
        (void)codec_take_refuse(error, type,
                                (struct span){ pack->data + start, pack->len - start }); /* the outcome is known */
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
