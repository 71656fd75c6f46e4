/*
 * json_split: a light look at the outermost object, for whoever must know one member
 * before it can read the others.
 */
#include "bus/base/fault.h"
#include "bus/json_reader.h"

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
    struct span raw = { 0 };

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

    json_reader_init(&r, text, &opts, NULL);
    for (size_t i = 0; i < members_n; i++) {
        members[i].raw = (struct span){ 0 };
    }
    if (split(&r, members, members_n)) {
        return 0;
    }
    if (error) {
        json_reader_place(&r, error);
    }
    return r.outcome;
}

int json_unquote(struct span raw, struct text_buf *out)
{
    struct json_opts opts = { 0 };
    struct json_literal literal;
    struct json_reader r;
    size_t len;

    json_reader_init(&r, raw, &opts, NULL);
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
