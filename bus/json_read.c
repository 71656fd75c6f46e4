#include <stdio.h>

#include "bus/base/fault.h"
#include "bus/codec_fit.h"
#include "bus/json_reader.h"
#include "bus/pack_direct.h"

#define HEAD_ARRAY32 0xdd
#define HEAD_MAP32 0xdf
#define HEAD_LEN 5

static bool any_read(struct json_reader *r);
static bool typed_read(struct json_reader *r, const struct schema_field *field);
static bool table_read(struct json_reader *r, const struct schema_type *type);

static bool violate(struct json_reader *r)
{
    r->is_violated = true;
    return false;
}

static bool room(struct json_reader *r, size_t len)
{
    return pack_reserve(r->out, len) || json_reader_stop(r, r->out->fault);
}

/* Writes the literal as a msgpack string; `ret_text` is where it stands in the output. */
static bool string_put(struct json_reader *r, const struct json_literal *literal, struct span *ret_text)
{
    struct pack *out = r->out;
    size_t head_at = out->len;
    size_t len = literal->raw.len;

    if (len > UINT32_MAX) {
        return json_reader_stop(r, FAULT(-E2BIG));
    }
    if (!room(r, len + PACK_HEAD_MAX)) {
        return false;
    }
    if (literal->has_escape) {
        /* Its length is known only afterwards: write behind the longest head, then move up. */
        char *dst = out->data + head_at + HEAD_LEN;

        if (!json_token_unescape(r, literal->raw, dst, &len)) {
            return false;
        }
        memmove(out->data + head_at + str_head_len(len), dst, len);
        put_str_head(out, len);
        out->len += len;
    } else {
        put_str_head(out, len);
        put_bytes(out, literal->raw);
    }
    *ret_text = (struct span){ out->data + out->len - len, len };
    return true;
}

static bool string_read(struct json_reader *r, struct span *ret_text)
{
    struct json_literal literal = { 0 };

    return json_token_string(r, &literal) && string_put(r, &literal, ret_text);
}

static bool is_quote(const struct json_reader *r)
{
    return r->at < r->end && (*r->at == '"' || (r->json5 && *r->at == '\''));
}

static bool number_put(struct json_reader *r, const struct value_head *number)
{
    if (!room(r, PACK_HEAD_MAX)) {
        return false;
    }
    switch (number->kind) {
    case VALUE_INT:
        put_i64(r->out, number->i64);
        return true;
    case VALUE_UINT:
        put_u64(r->out, number->u64);
        return true;
    default:
        put_f64(r->out, number->f64);
        return true;
    }
}

static bool byte_put(struct json_reader *r, uint8_t byte)
{
    if (!room(r, 1)) {
        return false;
    }
    put_byte(r->out, byte);
    return true;
}

/* --- what objects and arrays have in common ------------------------------------------ */

static bool is_at(const struct json_reader *r, char byte)
{
    return r->at < r->end && *r->at == byte;
}

/* `ret_more`: it is not empty; the end of an empty one is taken. */
static bool container_enter(struct json_reader *r, uint8_t head, char end, size_t *ret_at, bool *ret_more)
{
    if (r->depth_left == 0) {
        r->expected = "fewer levels of nesting";
        return json_reader_stop(r, JSON_E_DEPTH);
    }
    if (!room(r, HEAD_LEN)) {
        return false;
    }
    r->depth_left--;
    r->at++;
    *ret_at = r->out->len;
    put_be32(r->out, head, 0);
    if (!json_space(r)) {
        return false;
    }
    *ret_more = !is_at(r, end);
    r->at += !*ret_more;
    return true;
}

static void container_leave(struct json_reader *r, size_t at, uint32_t count)
{
    r->depth_left++;
    patch_be32(r->out, at, count);
}

/* After an element: a comma and another one (`*ret_more`), or the end, which is taken. */
static bool separator_take(struct json_reader *r, char end, bool *ret_more)
{
    if (!json_space(r)) {
        return false;
    }
    *ret_more = is_at(r, ',');
    if (*ret_more) {
        r->at++;
        if (!json_space(r)) {
            return false;
        }
        *ret_more = !(r->json5 && is_at(r, end)); /* a trailing comma */
    }
    if (*ret_more) {
        return true;
    }
    if (!is_at(r, end)) {
        return json_reader_fail(r, end == '}' ? "',' or '}' after a property" : "',' or ']' after an element");
    }
    r->at++;
    return true;
}

static bool key_read(struct json_reader *r, struct json_literal *ret_key)
{
    if (is_quote(r)) {
        if (!json_token_string(r, ret_key)) {
            return false;
        }
    } else if (!r->json5) {
        return json_reader_fail(r, "a property name in double quotes");
    } else if (!json_token_name(r, ret_key)) {
        return false;
    }
    if (!json_space(r)) {
        return false;
    }
    if (!is_at(r, ':')) {
        return json_reader_fail(r, "':' after a property name");
    }
    r->at++;
    return json_space(r);
}

/* One element or member: of a described one, or anything. */
static bool item_read(struct json_reader *r, const struct schema_field *item)
{
    return item ? typed_read(r, item) : any_read(r);
}

static bool object_read(struct json_reader *r, const struct schema_field *item, uint32_t *ret_count)
{
    size_t base = r->keys_n;
    uint32_t count = 0;
    bool more = false;
    size_t at = 0;

    if (!container_enter(r, HEAD_MAP32, '}', &at, &more)) {
        return false;
    }
    while (more) {
        struct json_literal literal = { 0 };
        size_t key_at = r->out->len;
        struct span key = SPAN_LIT("");

        if (!key_read(r, &literal) || !string_put(r, &literal, &key) || !json_keys_push(r, key_at, key) ||
            (r->keys_once && !json_keys_check_new(r, base, literal.raw)) || !item_read(r, item) ||
            !separator_take(r, '}', &more)) {
            return false;
        }
        count++;
    }
    if (!json_keys_settle(r, base, &count)) {
        return false;
    }
    container_leave(r, at, count);
    *ret_count = count;
    return true;
}

static bool array_read(struct json_reader *r, const struct schema_field *item, uint32_t *ret_count)
{
    uint32_t count = 0;
    bool more = false;
    size_t at = 0;

    if (!container_enter(r, HEAD_ARRAY32, ']', &at, &more)) {
        return false;
    }
    while (more) {
        if (!item_read(r, item) || !separator_take(r, ']', &more)) {
            return false;
        }
        count++;
    }
    container_leave(r, at, count);
    *ret_count = count;
    return true;
}

/* --- without a table ------------------------------------------------------------------- */

static bool number_read(struct json_reader *r)
{
    struct value_head number = { 0 };

    return json_number_read(r, &number) && number_put(r, &number);
}

static bool value_read5(struct json_reader *r)
{
    struct span text = { 0 };

    switch (*r->at) {
    case '\'':
        return string_read(r, &text);
    case '+':
    case '.':
    case 'I':
    case 'N':
        return number_read(r);
    default:
        return json_reader_fail(r, "a value");
    }
}

static bool any_read(struct json_reader *r)
{
    struct span text = { 0 };
    uint32_t count;

    if (r->at >= r->end) {
        return json_reader_fail(r, "a value");
    }
    switch (*r->at) {
    case '"':
        return string_read(r, &text);
    case '{':
        return object_read(r, NULL, &count);
    case '[':
        return array_read(r, NULL, &count);
    case 't':
        return json_token_word(r, "true") && byte_put(r, 0xc3);
    case 'f':
        return json_token_word(r, "false") && byte_put(r, 0xc2);
    case 'n':
        return json_token_word(r, "null") && byte_put(r, 0xc0);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return number_read(r);
    default:
        return r->json5 ? value_read5(r) : json_reader_fail(r, "a value");
    }
}

/* --- with a table ------------------------------------------------------------------------ */

static bool typed_string_read(struct json_reader *r, const struct schema_field *field)
{
    struct span text = { 0 };

    if (!is_quote(r)) {
        return violate(r);
    }
    return string_read(r, &text) && (fit_text(field, text) || violate(r));
}

static bool typed_number_read(struct json_reader *r, const struct schema_field *field)
{
    struct value_head number = { 0 };
    double wide;

    if (r->at >= r->end || !strchr("-+.0123456789IN", *r->at)) {
        return violate(r);
    }
    if (!json_number_read(r, &number)) {
        return false;
    }
    if (field->kind == SCHEMA_F64 ? !head_f64(&number, &wide) || !fit_f64(field, wide) : !fit_int(field, &number)) {
        return violate(r);
    }
    return number_put(r, &number);
}

static bool typed_list_read(struct json_reader *r, const struct schema_field *field)
{
    uint32_t count;

    if (!is_at(r, '[')) {
        return violate(r);
    }
    return array_read(r, field->item, &count) && (fit_length(field, count) || violate(r));
}

static bool typed_map_read(struct json_reader *r, const struct schema_field *field)
{
    uint32_t count;

    if (!is_at(r, '{')) {
        return violate(r);
    }
    return object_read(r, field->item, &count) && (fit_length(field, count) || violate(r));
}

static bool typed_bool_read(struct json_reader *r)
{
    if (is_at(r, 't')) {
        return json_token_word(r, "true") && byte_put(r, 0xc3);
    }
    if (is_at(r, 'f')) {
        return json_token_word(r, "false") && byte_put(r, 0xc2);
    }
    return violate(r);
}

static bool typed_read(struct json_reader *r, const struct schema_field *field)
{
    if ((field->flags & SCHEMA_NULLABLE) && is_at(r, 'n')) {
        return json_token_word(r, "null") && byte_put(r, 0xc0);
    }
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_BOOL:
        return typed_bool_read(r);
    case SCHEMA_U32:
    case SCHEMA_U64:
    case SCHEMA_I64:
    case SCHEMA_F64:
        return typed_number_read(r, field);
    case SCHEMA_STR:
        return typed_string_read(r, field);
    case SCHEMA_BIN:
        return violate(r); /* JSON has no bytes */
    case SCHEMA_STRUCT:
        return is_at(r, '{') ? table_read(r, field->type) : violate(r);
    case SCHEMA_LIST:
        return typed_list_read(r, field);
    case SCHEMA_MAP:
        return typed_map_read(r, field);
    case SCHEMA_ANY:
        return any_read(r);
    }
    return violate(r);
}

/* A property that an open table does not know is read for its syntax and left out. */
static bool unknown_read(struct json_reader *r, const struct schema_type *type, size_t key_at)
{
    if (!(type->flags & SCHEMA_OPEN)) {
        return violate(r);
    }
    if (!any_read(r)) {
        return false;
    }
    r->out->len = key_at;
    return true;
}

static bool property_read(struct json_reader *r, const struct schema_type *type, unsigned *hint, uint64_t *seen,
                          uint32_t *count)
{
    const struct schema_field *field;
    struct json_literal literal = { 0 };
    size_t key_at = r->out->len;
    struct span key = SPAN_LIT("");
    uint64_t bit;

    if (!key_read(r, &literal) || !string_put(r, &literal, &key)) {
        return false;
    }
    field = fit_find(type, key, hint);
    if (!field) {
        return unknown_read(r, type, key_at);
    }
    bit = UINT64_C(1) << (field - type->fields);
    if ((field->flags & SCHEMA_INTERNAL) || (*seen & bit)) {
        return violate(r); /* a key that stands there twice is sorted out on the slow path */
    }
    *seen |= bit;
    ++*count;
    return typed_read(r, field);
}

static bool has_required(const struct schema_type *type, uint64_t seen)
{
    for (unsigned i = 0; i < type->fields_n; i++) {
        unsigned flags = type->fields[i].flags;

        if ((flags & SCHEMA_REQUIRED) && !(flags & SCHEMA_INTERNAL) && !(seen & UINT64_C(1) << i)) {
            return false;
        }
    }
    return true;
}

static bool table_read(struct json_reader *r, const struct schema_type *type)
{
    uint64_t seen = 0; /* the generator allows 64 fields */
    unsigned hint = 0;
    uint32_t count = 0;
    bool more = false;
    size_t at = 0;

    if (!container_enter(r, HEAD_MAP32, '}', &at, &more)) {
        return false;
    }
    while (more) {
        if (!property_read(r, type, &hint, &seen, &count) || !separator_take(r, '}', &more)) {
            return false;
        }
    }
    container_leave(r, at, count);
    return has_required(type, seen) || violate(r);
}

bool json_read_top(struct json_reader *r, const struct schema_type *type, struct span tail, uint32_t tail_n)
{
    size_t at = r->out->len;
    uint32_t count;

    if (!json_space(r)) {
        return false;
    }
    if ((type || tail_n) && !is_at(r, '{')) {
        return violate(r);
    }
    if (!(type ? table_read(r, type) : any_read(r)) || !json_space(r)) {
        return false;
    }
    if (r->at < r->end) {
        return json_reader_fail(r, "the end of the text");
    }
    if (tail_n == 0) {
        return true;
    }
    if (!room(r, tail.len)) {
        return false;
    }
    memcpy(&count, r->out->data + at + 1, sizeof(count));
    put_bytes(r->out, tail);
    patch_be32(r->out, at, be32toh(count) + tail_n);
    return true;
}
