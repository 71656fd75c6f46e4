#include "edge/http/embeddings.h"

#include <stdio.h>
#include <string.h>

#include "bus/value.h"
#include "schema/base/base64.h"

#define NOTHING ((struct span){ NULL, 0 })
#define DIMENSIONS_MAX 8192

/* --- the request ------------------------------------------------------------------------ */

static size_t chars_of(struct span text)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++) {
        chars += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    }
    return chars;
}

static int input_take(struct span input, size_t *chars_all, struct pack *made, struct openai_error *error)
{
    struct span text = value_str(input, NOTHING);
    size_t chars = chars_of(text);

    if (value_kind_of(input) != VALUE_STR || !text.len) {
        return openai_refuse(error,
                             "`input` must be a text or a list of texts, none of them empty; lists of tokens are "
                             "not taken here.");
    }
    *chars_all += chars;
    if (chars > EMBEDDINGS_CHARS_MAX || *chars_all > EMBEDDINGS_CHARS_ALL_MAX) {
        return openai_refuse(error,
                             "One input must not be longer than %u characters, and all of them together not than "
                             "%u.",
                             EMBEDDINGS_CHARS_MAX, EMBEDDINGS_CHARS_ALL_MAX);
    }
    pack_raw(made, input);
    return 0;
}

static int inputs_take(struct span input, struct pack *made, struct openai_error *error)
{
    struct value_iter it = value_iter(input);
    struct span key;
    struct span item;
    size_t chars_all = 0;
    int r = 0;

    if (value_kind_of(input) == VALUE_ARRAY && (!it.left || it.left > EMBEDDINGS_INPUTS_MAX)) {
        return openai_refuse(error, "`input` must hold between 1 and %u texts.", EMBEDDINGS_INPUTS_MAX);
    }
    pack_array_begin(made);
    if (value_kind_of(input) != VALUE_ARRAY) {
        r = input_take(input, &chars_all, made, error);
    }
    while (!r && value_kind_of(input) == VALUE_ARRAY && value_next(&it, &key, &item)) {
        r = input_take(item, &chars_all, made, error);
    }
    pack_array_end(made);
    return r ? r : pack_error(made);
}

int embeddings_parse(struct span body, struct pack *raw, struct pack *made, struct embeddings_request *ret_request,
                     struct openai_error *error)
{
    struct span value = NOTHING;
    struct span format;
    struct span dimensions;
    int r = openai_body_read(body, raw, &value, error);

    *ret_request = (struct embeddings_request){ .model = value_str(value_get(value, "model"), NOTHING) };
    format = value_get(value, "encoding_format");
    dimensions = value_get(value, "dimensions");
    if (!r && !ret_request->model.len) {
        r = openai_refuse(error, "Missing `model`.");
    }
    if (!r && (ret_request->model.len > 256 || !openai_agent_of(ret_request->model, &ret_request->agent_id))) {
        r = openai_refuse(error, "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.");
    }
    ret_request->is_base64 = span_is(value_str(format, NOTHING), SPAN_LIT("base64"));
    if (!r && !openai_is_absent(format) && !ret_request->is_base64 &&
        !span_is(value_str(format, NOTHING), SPAN_LIT("float"))) {
        r = openai_refuse(error, "`encoding_format` must be `float` or `base64`.");
    }
    if (!r && !openai_is_absent(dimensions) &&
        (value_i64(dimensions, 0) < 1 || value_i64(dimensions, 0) > DIMENSIONS_MAX)) {
        r = openai_refuse(error, "`dimensions` must be between 1 and %d.", DIMENSIONS_MAX);
    }
    if (r) {
        return r;
    }
    ret_request->dimensions = (uint32_t)value_i64(dimensions, 0);
    r = inputs_take(value_get(value, "input"), made, error);
    ret_request->inputs = pack_span(made);
    return r;
}

/* --- the answer -------------------------------------------------------------------------- */

static int add(struct text_buf *out, const char *text)
{
    return text_buf_add(out, span_from(text));
}

/* Single precision, little endian, in base64. */
static int vector_base64(struct span vector, struct text_buf *out)
{
    struct value_iter it = value_iter(vector);
    struct text_buf bytes = { 0 };
    struct span key;
    struct span item;
    int r = add(out, "\"");

    while (!r && value_next(&it, &key, &item)) {
        float number = (float)value_f64(item, (double)value_i64(item, 0));
        uint32_t bits;

        memcpy(&bits, &number, sizeof(bits));
        r = text_buf_add(&bytes, (struct span){ (const char[]){ (char)(bits & 0xff), (char)(bits >> 8 & 0xff),
                                                                (char)(bits >> 16 & 0xff), (char)(bits >> 24) },
                                                4 });
    }
    r = r ? r : base64_encode((struct span){ bytes.data, bytes.len }, out);
    text_buf_deinit(&bytes);
    return r ? r : add(out, "\"");
}

int embeddings_write(struct span vectors, struct span model, bool is_base64, uint64_t tokens, struct text_buf *out)
{
    struct value_iter it = value_iter(vectors);
    struct span key;
    struct span vector;
    char text[96];
    int r = add(out, "{\"object\":\"list\",\"data\":[");

    for (unsigned i = 0; !r && value_next(&it, &key, &vector); i++) {
        (void)snprintf(text, sizeof(text), "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":", i ? "," : "", i);
        r = add(out, text); /* fits */
        r = r ? r : is_base64 ? vector_base64(vector, out) : json_from_value(vector, out);
        r = r ? r : add(out, "}");
    }
    r = r ? r : add(out, "],\"model\":");
    r = r ? r : json_from_text(model, out);
    (void)snprintf(text, sizeof(text), ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}",
                   (unsigned long long)tokens, (unsigned long long)tokens); /* fits */
    return r ? r : add(out, text);
}
