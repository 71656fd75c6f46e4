#include "schema/base/secret_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/secret_ref.h"

#define PROTOCOL_VERSION 1
#define TOKEN_MAX SECRET_ID_MAX
#define NOTHING ((struct span){ 0 })

static int unusable(struct secret_problem *problem, const char *text)
{
    (void)snprintf(problem->text, sizeof(problem->text), "%s", text);
    return SECRET_E_UNUSABLE;
}

static int missing(struct secret_problem *problem, const char *text)
{
    (void)snprintf(problem->text, sizeof(problem->text), "%s", text);
    return SECRET_E_MISSING;
}

/* --- JSON pointer --------------------------------------------------------------------------------- */

/* RFC 6901 §4: ~1 first, then ~0, which one pass from the left comes to as well. */
static size_t token_decode(struct span token, char out[TOKEN_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < token.len; i++, n++) {
        bool is_escape = token.ptr[i] == '~' && i + 1 < token.len;

        out[n] = is_escape ? (token.ptr[i + 1] == '1' ? '/' : '~') : token.ptr[i];
        i += is_escape;
    }
    return n;
}

static struct span element_of(struct span list, struct span token)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item = NOTHING;
    size_t wanted = 0;

    if (!token.len || token.len > 9 || (token.len > 1 && token.ptr[0] == '0')) {
        return NOTHING;
    }
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9') {
            return NOTHING;
        }
        wanted = wanted * 10 + (size_t)(token.ptr[i] - '0');
    }
    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        if (i == wanted) {
            return item;
        }
    }
    return NOTHING;
}

static struct span member_of(struct span map, struct span name)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;
    struct span found = NOTHING;

    while (value_next(&it, &key, &item)) {
        found = span_is(key, name) ? item : found;
    }
    return found;
}

struct span secret_pointer_find(struct span doc, struct span pointer)
{
    char token[TOKEN_MAX];

    if (pointer.len > TOKEN_MAX || (pointer.len && pointer.ptr[0] != '/')) {
        return NOTHING;
    }
    while (pointer.len && doc.len) {
        pointer = (struct span){ pointer.ptr + 1, pointer.len - 1 };
        const char *slash = pointer.len ? memchr(pointer.ptr, '/', pointer.len) : NULL;
        size_t len = slash ? (size_t)(slash - pointer.ptr) : pointer.len;
        struct span name = { token, token_decode((struct span){ pointer.ptr, len }, token) };
        enum value_kind kind = value_kind_of(doc);

        doc = kind == VALUE_MAP ? member_of(doc, name) : kind == VALUE_ARRAY ? element_of(doc, name) : NOTHING;
        pointer = (struct span){ pointer.ptr + len, pointer.len - len };
    }
    return doc;
}

/* --- files -------------------------------------------------------------------------------------------- */

static struct span mark_skip(struct span text)
{
    return span_starts(text, "\xef\xbb\xbf") ? (struct span){ text.ptr + 3, text.len - 3 } : text;
}

static int object_read(struct span text, struct pack *doc)
{
    struct json_opts opts = { .depth_max = SECRET_DEPTH_MAX };
    struct json_error error;
    int r = json_to_pack(text, &opts, doc, &error);

    return r > 0 ? SECRET_E_UNUSABLE : r;
}

int secret_payload_read(struct span text, struct pack *doc, struct secret_problem *problem)
{
    int r = object_read(mark_skip(text), doc);

    if (r) {
        return r > 0 ? unusable(problem, "the file is no JSON") : r;
    }
    return value_kind_of(pack_span(doc)) == VALUE_MAP ? 0 : unusable(problem, "the file is no JSON object");
}

struct span secret_payload_single(struct span text)
{
    text = mark_skip(text);
    if (text.len && text.ptr[text.len - 1] == '\n') {
        text.len--;
        text.len -= text.len && text.ptr[text.len - 1] == '\r';
    }
    return text;
}

/* --- programs ----------------------------------------------------------------------------------------- */

int secret_request_write(struct span provider, const struct span *ids, size_t ids_n, struct text_buf *out)
{
    struct pack pack;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "protocolVersion", PROTOCOL_VERSION);
    pack_kv_str(&pack, "provider", provider);
    pack_key(&pack, "ids");
    pack_array_begin(&pack);
    for (size_t i = 0; i < ids_n; i++) {
        pack_str(&pack, ids[i]);
    }
    pack_array_end(&pack);
    pack_map_end(&pack);
    int r = pack_error(&pack) ? pack_error(&pack) : json_from_value(pack_span(&pack), out);
    pack_deinit(&pack);
    return r;
}

int secret_answer_read(struct span text, bool is_plain_fine, struct pack *doc, struct secret_problem *problem)
{
    text = span_trim(text);
    if (!text.len) {
        return unusable(problem, "the program said nothing");
    }
    int r = object_read(text, doc);
    if (r < 0) {
        return r;
    }
    if (r > 0 && is_plain_fine) {
        pack_str(doc, text);
        return pack_error(doc);
    }
    if (r > 0) {
        return unusable(problem, "the program's answer is no JSON");
    }
    struct span answer = pack_span(doc);
    if (is_plain_fine && value_kind_of(answer) == VALUE_STR) {
        return 0;
    }
    if (value_kind_of(answer) != VALUE_MAP) {
        return unusable(problem, "the program's answer is no JSON object");
    }
    if (value_i64(value_get(answer, "protocolVersion"), 0) != PROTOCOL_VERSION) {
        return unusable(problem, "the program's answer is not of protocol version 1");
    }
    return value_kind_of(value_get(answer, "values")) == VALUE_MAP
               ? 0
               : unusable(problem, "the program's answer has no \"values\"");
}

/* What a program writes as its reason may hold anything, so only words we know are passed on. */
static int error_tell(struct span error, struct secret_problem *problem)
{
    struct span code = value_str(value_get(error, "code"), NOTHING);

    if (span_is_text(code, "NOT_FOUND")) {
        return missing(problem, "the program knows no such id (NOT_FOUND)");
    }
    if (span_is_text(code, "AMBIGUOUS_DUPLICATE_KEY")) {
        return missing(problem, "the program knows several of that id (AMBIGUOUS_DUPLICATE_KEY)");
    }
    return missing(problem, "the program reports an error for this id");
}

int secret_answer_value(struct span doc, struct span id, struct span *ret_value, struct secret_problem *problem)
{
    if (value_kind_of(doc) == VALUE_STR) {
        *ret_value = doc;
        return 0;
    }
    struct span error = member_of(value_get(doc, "errors"), id);
    struct span value = member_of(value_get(doc, "values"), id);

    if (error.len) {
        return error_tell(error, problem);
    }
    if (!value.len) {
        return missing(problem, "the program's answer lacks this id");
    }
    *ret_value = value;
    return 0;
}
