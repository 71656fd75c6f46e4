/* The JSON readers: the first byte chooses a table, or none. jansson is the second opinion. */
#include <jansson.h>
#include <string.h>

#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema_gen.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH 64

static void decodes(const struct schema_type *type, struct span body)
{
    struct codec_error error;
    void *decoded = malloc(type->size);

    FUZZ_HOLD(decoded);
    FUZZ_HOLD(codec_decode(type, body, decoded, &error) == 0);
    free(decoded);
}

static void typed(struct span text, const struct schema_type *type)
{
    struct json_opts opts = { .type = type, .tail = SPAN_LIT("\xa5_tail\x01"), .tail_n = 1 };
    struct json_error error;
    struct pack pack;
    int r;

    pack_init(&pack, 0);
    r = json_to_pack(text, &opts, &pack, &error);
    if (r == 0) {
        FUZZ_HOLD(wire_check(pack.data, pack.len, DEPTH));
        FUZZ_HOLD(value_i64(value_get(pack_span(&pack), "_tail"), 0) == 1);
        decodes(type, pack_span(&pack));
    } else {
        FUZZ_HOLD(r > 0 && pack.len == 0);
        FUZZ_HOLD(r != JSON_E_SCHEMA || (error.message[0] && error.schema.text[0]));
        FUZZ_HOLD(r == JSON_E_SCHEMA || (error.line > 0 && error.column > 0 && error.expected[0]));
    }
    pack_deinit(&pack);
}

/* jansson passes over a zero byte after a number, which is no JSON; it is not asked about those. */
static bool jansson_reads(struct span text)
{
    json_t *value = json_loadb(text.len ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool reads = value != NULL && !memchr(text.ptr, '\0', text.len);

    json_decref(value);
    return reads;
}

static void split(struct span text, bool is_object)
{
    struct json_member members[] = { { .key = "id" }, { .key = "params" }, { .key = NULL } };
    struct json_opts opts = { 0 };
    struct text_buf key = { 0 };
    struct pack pack;
    int r = json_split(text, 0, members, 3, NULL);

    FUZZ_HOLD(!is_object || r == 0);
    if (is_object && members[1].raw.len) {
        pack_init(&pack, 0);
        FUZZ_HOLD(json_to_pack(members[1].raw, &opts, &pack, NULL) == 0);
        pack_deinit(&pack);
    }
    if (is_object && members[2].raw.len) {
        FUZZ_HOLD(json_unquote(members[2].raw, &key) == 0);
    }
    text_buf_deinit(&key);
}

/* What is JSON is JSON5 as well, and means the same. */
static void untyped(struct span text)
{
    struct json_opts strict = { 0 };
    struct json_opts json5 = { .json5 = true };
    struct json_error error;
    struct pack first;
    struct pack second;
    int r;

    pack_init(&first, 0);
    pack_init(&second, 0);
    r = json_to_pack(text, &strict, &first, &error);
    split(text, r == 0 && value_kind_of(pack_span(&first)) == VALUE_MAP);
    FUZZ_HOLD(r == 0 || r == JSON_E_DEPTH || strstr(error.expected, "1024 characters") || !jansson_reads(text));
    if (json_to_pack(text, &json5, &second, &error) == 0) {
        FUZZ_HOLD(wire_check(second.data, second.len, DEPTH));
        FUZZ_HOLD(r != 0 || span_is(pack_span(&first), pack_span(&second)));
    } else {
        FUZZ_HOLD(r != 0);
        FUZZ_HOLD(error.offset <= text.len && error.expected[0]);
    }
    pack_deinit(&first);
    pack_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text;

    if (size < 1) {
        return 0;
    }
    text = (struct span){ (const char *)data + 1, size - 1 };
    untyped(text);
    typed(text, schema_registry.msgs[data[0] % schema_registry.msgs_n]->type);
    return 0;
}
