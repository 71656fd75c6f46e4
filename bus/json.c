#include "bus/json.h"

#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/codec_explain.h"
#include "bus/json_reader.h"
#include "bus/pack_direct.h"

#define DEPTH_DEFAULT 64
#define DEPTH_MOST 256 /* as deep as wire_check goes */

bool json_reader_stop(struct json_reader *r, int outcome)
{
    r->outcome = outcome;
    return false;
}

bool json_reader_fail(struct json_reader *r, const char *expected)
{
    r->expected = expected;
    return json_reader_stop(r, JSON_E_SYNTAX);
}

void json_reader_deinit(struct json_reader *r)
{
    if (r->keys != r->keys_inline) {
        free(r->keys);
    }
}

static void reader_init(struct json_reader *r, struct span text, const struct json_opts *opts, struct pack *out)
{
    unsigned depth = opts->depth_max ? opts->depth_max : DEPTH_DEFAULT;

    r->start = text.len ? text.ptr : "";
    r->at = r->start;
    r->end = r->start + text.len;
    r->out = out;
    r->json5 = opts->json5;
    r->depth_max = depth < DEPTH_MOST ? depth : DEPTH_MOST;
    r->depth_left = r->depth_max;
    r->is_violated = false;
    r->outcome = 0;
    r->expected = NULL;
    r->keys = r->keys_inline;
    r->keys_n = 0;
    r->keys_cap = JSON_KEYS_INLINE;
}

/* Line and column are counted here, once, and not while reading. */
static void place_set(const struct json_reader *r, struct json_error *error)
{
    const char *line = r->start;

    *error = (struct json_error){ .offset = (size_t)(r->at - r->start), .line = 1 };
    for (const char *at = r->start; at < r->at; at++) {
        if (*at == '\n' || (*at == '\r' && !(at + 1 < r->end && at[1] == '\n'))) {
            error->line++;
            line = at + 1;
        }
    }
    error->column = (unsigned)(r->at - line) + 1;
    (void)strncpy(error->expected, r->expected ? r->expected : "", sizeof(error->expected) - 1);
}

/* One try. 0, an outcome or a fault; JSON_E_SCHEMA says nothing about why yet. */
static int read_once(struct span text, const struct json_opts *opts, const struct schema_type *type, struct pack *out,
                     struct json_error *error)
{
    struct json_reader r;
    int outcome;

    reader_init(&r, text, opts, out);
    if (json_read_top(&r, type, opts->tail, opts->tail_n)) {
        outcome = 0;
    } else if (r.is_violated) {
        outcome = JSON_E_SCHEMA;
    } else {
        outcome = r.outcome;
        if (outcome > 0 && error) {
            place_set(&r, error);
        }
    }
    json_reader_deinit(&r);
    return outcome;
}

static bool explain(const struct schema_type *type, struct span value, struct json_error *error)
{
    struct json_error unused;
    struct explain explain = { .is_closed = true };

    if (!error) {
        error = &unused;
    }
    *error = (struct json_error){ 0 };
    explain.first = &error->schema;
    explain.text = error->message;
    explain.text_cap = sizeof(error->message);
    if (type) {
        codec_explain(&explain, type, value);
    } else if (value_kind_of(value) != VALUE_MAP) {
        codec_explain_add(&explain, "must be object");
    }
    return explain.errors_n > 0;
}

/* The text fits no table as it stands, or only once the last of equal keys is taken. Reads it
 * again without one, to say what is wrong; if nothing is, the equal keys are gone by then. */
static int read_slow(struct span text, const struct json_opts *opts, struct pack *out, struct json_error *error)
{
    struct json_opts plain = { .depth_max = opts->depth_max, .json5 = opts->json5 };
    struct text_buf settled = { 0 };
    struct pack value;
    int outcome;

    pack_init(&value, out->limit);
    outcome = read_once(text, &plain, NULL, &value, error);
    if (outcome == 0 && explain(opts->type, pack_span(&value), error)) {
        outcome = JSON_E_SCHEMA;
    } else if (outcome == 0) {
        outcome = json_from_value(pack_span(&value), &settled);
        if (outcome == 0) {
            outcome = read_once((struct span){ settled.data, settled.len }, opts, opts->type, out, error);
        }
    }
    text_buf_deinit(&settled);
    pack_deinit(&value);
    return outcome;
}

int json_to_pack(struct span text, const struct json_opts *opts, struct pack *out, struct json_error *error)
{
    size_t start = out->len;
    int outcome;

    if (!pack_value_place(out)) {
        return out->fault;
    }
    outcome = read_once(text, opts, opts->type, out, error);
    if (outcome == JSON_E_SCHEMA) {
        out->len = start;
        outcome = read_slow(text, opts, out, error);
    }
    if (outcome) {
        out->len = start;
        if (out->depth) {
            out->open[out->depth - 1].count--;
        }
    }
    return outcome;
}

/* --- json_split: a light look at the outermost object --------------------------------- */

/* Moves behind an object or array. Strings are respected and brackets counted; what is
 * between them is checked by whoever reads it in earnest. */
static bool container_skip(struct json_reader *r)
{
    unsigned depth = 0;

    do {
        struct json_literal literal;

        if (r->at >= r->end) {
            return json_reader_fail(r, "a closing bracket");
        }
        switch (*r->at) {
        case '"':
            if (!json_token_string(r, &literal)) {
                return false;
            }
            continue;
        case '{':
        case '[':
            if (depth++ == r->depth_max) {
                r->expected = "fewer levels of nesting";
                return json_reader_stop(r, JSON_E_DEPTH);
            }
            break;
        case '}':
        case ']':
            depth--;
            break;
        default:
            break;
        }
        r->at++;
    } while (depth > 0);
    return true;
}

static bool scalar_skip(struct json_reader *r)
{
    struct json_literal literal;
    struct value_head number;

    switch (*r->at) {
    case '"':
        return json_token_string(r, &literal);
    case 't':
        return json_token_word(r, "true");
    case 'f':
        return json_token_word(r, "false");
    case 'n':
        return json_token_word(r, "null");
    default:
        return json_number_read(r, &number);
    }
}

static bool member_value(struct json_reader *r, struct span *ret_raw)
{
    const char *start = r->at;

    if (r->at >= r->end) {
        return json_reader_fail(r, "a value");
    }
    if (*r->at == '{' || *r->at == '[' ? !container_skip(r) : !scalar_skip(r)) {
        return false;
    }
    *ret_raw = (struct span){ start, (size_t)(r->at - start) };
    return true;
}

static bool key_is(struct json_reader *r, const struct json_literal *key, const char *wanted)
{
    char text[64];
    size_t len;

    if (!key->has_escape) {
        return span_is_text(key->raw, wanted);
    }
    if (key->raw.len > sizeof(text)) {
        return false; /* no key that anyone asks for is so long, written out or not */
    }
    return json_token_unescape(r, key->raw, text, &len) && span_is_text((struct span){ text, len }, wanted);
}

static bool member_store(struct json_reader *r, const struct json_literal *key, struct span raw,
                         struct json_member *members, size_t members_n)
{
    for (size_t i = 0; i < members_n; i++) {
        if (!members[i].key) {
            if (members[i].raw.len == 0) {
                members[i].raw = (struct span){ key->raw.ptr - 1, key->raw.len + 2 };
            }
            return true;
        }
        if (key_is(r, key, members[i].key)) {
            members[i].raw = raw;
            return true;
        }
        if (r->outcome) {
            return false;
        }
    }
    return true;
}

static bool member_read(struct json_reader *r, struct json_member *members, size_t members_n)
{
    struct json_literal key;
    struct span raw;

    if (!json_space(r)) {
        return false;
    }
    if (r->at >= r->end || *r->at != '"') {
        return json_reader_fail(r, "a property name in double quotes");
    }
    if (!json_token_string(r, &key) || !json_space(r)) {
        return false;
    }
    if (r->at >= r->end || *r->at != ':') {
        return json_reader_fail(r, "':' after a property name");
    }
    r->at++;
    return json_space(r) && member_value(r, &raw) && member_store(r, &key, raw, members, members_n) && json_space(r);
}

static bool split(struct json_reader *r, struct json_member *members, size_t members_n)
{
    (void)json_space(r); /* strict JSON: spaces never fail */
    if (r->at >= r->end || *r->at != '{') {
        return json_reader_fail(r, "an object");
    }
    r->at++;
    (void)json_space(r); /* as above */
    if (r->at < r->end && *r->at == '}') {
        r->at++;
    } else {
        for (;;) {
            if (!member_read(r, members, members_n)) {
                return false;
            }
            if (r->at >= r->end || (*r->at != ',' && *r->at != '}')) {
                return json_reader_fail(r, "',' or '}' after a property");
            }
            if (*r->at++ == '}') {
                break;
            }
        }
    }
    (void)json_space(r); /* as above */
    return r->at == r->end || json_reader_fail(r, "the end of the text");
}

int json_split(struct span text, unsigned depth_max, struct json_member *members, size_t members_n,
               struct json_error *error)
{
    struct json_opts opts = { .depth_max = depth_max };
    struct json_reader r;

    reader_init(&r, text, &opts, NULL);
    for (size_t i = 0; i < members_n; i++) {
        members[i].raw = (struct span){ 0 };
    }
    if (split(&r, members, members_n)) {
        return 0;
    }
    if (error) {
        place_set(&r, error);
    }
    return r.outcome;
}

int json_unquote(struct span raw, struct text_buf *out)
{
    struct json_opts opts = { 0 };
    struct json_literal literal;
    struct json_reader r;
    size_t len;

    reader_init(&r, raw, &opts, NULL);
    if (raw.len < 2 || *raw.ptr != '"' || !json_token_string(&r, &literal) || r.at != r.end) {
        return JSON_E_SYNTAX;
    }
    if (text_buf_reserve(out, literal.raw.len) < 0) {
        return FAULT(-ENOMEM);
    }
    if (!json_token_unescape(&r, literal.raw, out->data + out->len, &len)) {
        return JSON_E_SYNTAX;
    }
    out->len += len;
    return 0;
}
