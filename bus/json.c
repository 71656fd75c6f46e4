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

static void reader_deinit(struct json_reader *r)
{
    if (r->keys != r->keys_inline) {
        free(r->keys);
    }
}

void json_reader_init(struct json_reader *r, struct span text, const struct json_opts *opts, struct pack *out)
{
    unsigned depth = opts->depth_max ? opts->depth_max : DEPTH_DEFAULT;

    r->start = text.len ? text.ptr : "";
    r->at = r->start;
    r->end = r->start + text.len;
    r->out = out;
    r->json5 = opts->json5;
    r->keys_once = opts->keys_once;
    r->depth_max = depth < DEPTH_MOST ? depth : DEPTH_MOST;
    r->depth_left = r->depth_max;
    r->is_violated = false;
    r->outcome = 0;
    r->expected = NULL;
    r->twice = (struct span){ "", 0 };
    r->keys = r->keys_inline;
    r->keys_n = 0;
    r->keys_cap = JSON_KEYS_INLINE;
}

void json_reader_place(const struct json_reader *r, struct json_error *error)
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
    struct span expected = r->outcome == JSON_E_TWICE ? r->twice : span_from(r->expected ? r->expected : "");
    memcpy(error->expected, expected.ptr,
           expected.len < sizeof(error->expected) ? expected.len : sizeof(error->expected) - 1);
}

/* One try. 0, an outcome or a fault; JSON_E_SCHEMA says nothing about why yet. */
static int read_once(struct span text, const struct json_opts *opts, const struct schema_type *type, struct pack *out,
                     struct json_error *error)
{
    struct json_reader r;
    int outcome;

    json_reader_init(&r, text, opts, out);
    if (json_read_top(&r, type, opts->tail, opts->tail_n)) {
        outcome = 0;
    } else if (r.is_violated) {
        outcome = JSON_E_SCHEMA;
    } else {
        outcome = r.outcome;
        if (outcome > 0 && error) {
            json_reader_place(&r, error);
        }
    }
    reader_deinit(&r);
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
