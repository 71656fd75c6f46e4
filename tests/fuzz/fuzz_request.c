/*
 * A text frame of a client, from the envelope to the packed params and back: what the edge reads is
 * what its owner gets, and whatever is refused is refused in JSON.
 */
#include <jansson.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/listener/frame.h"
#include "schema_gen.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH 64

static void holds_json(const struct text_buf *text)
{
    json_error_t error;
    json_t *value = json_loadb(text->data, text->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

    /* jansson refuses to nest as deep as we do, and numbers that only a double can hold. */
    FUZZ_HOLD(value || strstr(error.text, "deep") || strstr(error.text, "real number"));
    json_decref(value);
}

static void refusal(struct span id, const char *message)
{
    struct failure failure = { .code = FAIL_INVALID_REQUEST, .message = span_from(message) };
    struct text_buf out = { 0 };

    for (unsigned protocol = 3; protocol <= 4; protocol++) {
        out.len = 0;
        FUZZ_HOLD(frame_refusal(id, &failure, protocol, &out) == 0);
        holds_json(&out);
    }
    text_buf_deinit(&out);
}

static void accepted(const struct schema_msg *msg, struct span id, struct span body)
{
    struct text_buf out = { 0 };
    struct pack again;
    void *decoded = malloc(msg->type->size);

    FUZZ_HOLD(decoded && wire_check(body.ptr, body.len, DEPTH + 2));
    FUZZ_HOLD(codec_decode(msg->type, body, decoded, NULL) == 0);
    pack_init(&again, 0);
    FUZZ_HOLD(codec_encode(msg->type, decoded, &again, NULL) == 0);
    FUZZ_HOLD(frame_answer_open(id, &out) == 0);
    FUZZ_HOLD(json_from_value(body, &out) == 0);
    FUZZ_HOLD(text_buf_add(&out, SPAN_LIT("}")) == 0);
    holds_json(&out);
    pack_deinit(&again);
    text_buf_deinit(&out);
    free(decoded);
}

static void params(const struct schema_msg *msg, struct span id, struct span raw, struct span tail)
{
    struct json_opts opts = { .depth_max = DEPTH, .type = msg->type, .tail = tail, .tail_n = 1 };
    struct json_error error;
    struct pack pack;
    int r;

    pack_init(&pack, 0);
    r = json_to_pack(raw.len ? raw : SPAN_LIT("{}"), &opts, &pack, &error);
    if (r == 0) {
        accepted(msg, id, pack_span(&pack));
    } else if (r == JSON_E_SCHEMA) {
        refusal(id, error.message);
    } else {
        FUZZ_HOLD(r > 0 && pack.len == 0);
    }
    pack_deinit(&pack);
}

static void envelope(struct span text, struct span tail)
{
    struct json_member members[] = { { .key = "type" }, { .key = "id" }, { .key = "method" }, { .key = "params" } };
    struct json_opts opts = { .depth_max = DEPTH, .type = TYPE_REQUEST_FRAME };
    struct text_buf name = { 0 };
    struct json_error error;
    struct pack pack;
    const struct schema_msg *msg;
    int r;

    pack_init(&pack, 0);
    r = json_to_pack(text, &opts, &pack, &error);
    if (json_split(text, DEPTH, members, ARRAY_LEN(members), NULL) || members[1].raw.len == 0 ||
        members[1].raw.ptr[0] != '"') {
        pack_deinit(&pack);
        return;
    }
    if (r == JSON_E_SCHEMA) {
        refusal(members[1].raw, error.message);
    } else if (r == 0 && json_unquote(members[2].raw, &name) == 0) {
        msg = schema_find(&schema_registry, (struct span){ name.data, name.len });
        FUZZ_HOLD(!msg || !schema_later_find((struct span){ name.data, name.len }));
        if (schema_method_of(msg) && !(schema_method_of(msg)->flags & SCHEMA_METHOD_HANDSHAKE)) {
            params(msg, members[1].raw, members[3].raw, tail);
        }
    }
    text_buf_deinit(&name);
    pack_deinit(&pack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct type_client client = { .conn_id = SPAN_LIT("c"), .role = SPAN_LIT("operator"), .principal = SPAN_LIT("p") };
    struct pack tail;

    pack_init(&tail, 0);
    pack_str(&tail, SPAN_LIT("_client"));
    FUZZ_HOLD(codec_encode(TYPE_CLIENT, &client, &tail, NULL) == 0);
    envelope((struct span){ (const char *)data, size }, pack_span(&tail));
    pack_deinit(&tail);
    return 0;
}
