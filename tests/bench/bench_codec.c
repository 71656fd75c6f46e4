/*
 * bench_codec: what one frame of 321 bytes costs between text and struct, on one core.
 *
 * Prints nanoseconds per frame, the best of several rounds, so that a noisy machine
 * shows what the code can do. msgpack-c and jansson do comparable work beside it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema_gen.h"

#define ROUNDS 9
#define PER_ROUND 200000U

#define FRAME_HEAD                                                                                                     \
    "{\"type\":\"req\",\"id\":\"5f3a0c1e-7b52-4c1d-9f60-2f9f3f2b8c11\",\"method\":\"chat.send\",\"params\":"
#define PARAMS                                                                                                         \
    "{\"sessionKey\":\"agent:main:main\",\"message\":\"What is on my calendar tomorrow, "                              \
    "and do I have to leave early for the first meeting?\",\"thinking\":\"low\","                                      \
    "\"deliver\":false,\"timeoutMs\":30000,\"idempotencyKey\":\"b8e8b1f0-3f35-4c0e-a9d4-3b1f77c2\"}"
#define FRAME FRAME_HEAD PARAMS "}"

struct bench {
    struct pack params;
    struct pack scratch;
    struct text_buf text;
    struct msg_chat_send decoded;
};

typedef bool (*bench_step)(struct bench *bench);

static bool step_split(struct bench *bench)
{
    struct json_member members[] = { { .key = "type" }, { .key = "id" }, { .key = "method" }, { .key = "params" } };

    (void)bench;
    return json_split(SPAN_LIT(FRAME), 0, members, 4, NULL) == 0 && members[3].raw.len > 0;
}

static bool step_to_pack(struct bench *bench)
{
    struct json_opts opts = { .type = MSG_CHAT_SEND->type };

    pack_reset(&bench->scratch);
    return json_to_pack(SPAN_LIT(PARAMS), &opts, &bench->scratch, NULL) == 0;
}

static bool step_frame_in(struct bench *bench)
{
    return step_split(bench) && step_to_pack(bench);
}

static bool step_untyped(struct bench *bench)
{
    struct json_opts opts = { 0 };

    pack_reset(&bench->scratch);
    return json_to_pack(SPAN_LIT(FRAME), &opts, &bench->scratch, NULL) == 0;
}

static bool step_from_value(struct bench *bench)
{
    bench->text.len = 0;
    return json_from_value(pack_span(&bench->params), &bench->text) == 0;
}

static bool step_decode(struct bench *bench)
{
    return codec_decode(MSG_CHAT_SEND->type, pack_span(&bench->params), &bench->decoded, NULL) == 0;
}

static bool step_encode(struct bench *bench)
{
    pack_reset(&bench->scratch);
    return codec_encode(MSG_CHAT_SEND->type, &bench->decoded, &bench->scratch, NULL) == 0;
}

static bool step_check(struct bench *bench)
{
    return wire_check(bench->params.data, bench->params.len, 64);
}

static bool step_jansson_load(struct bench *bench)
{
    json_t *value = json_loadb(FRAME, sizeof(FRAME) - 1, 0, NULL);

    (void)bench;
    json_decref(value);
    return value != NULL;
}

static bool step_msgpack_unpack(struct bench *bench)
{
    msgpack_unpacked result;
    size_t at = 0;
    bool is_good;

    msgpack_unpacked_init(&result);
    is_good = msgpack_unpack_next(&result, bench->params.data, bench->params.len, &at) == MSGPACK_UNPACK_SUCCESS;
    msgpack_unpacked_destroy(&result);
    return is_good;
}

static const struct {
    const char *name;
    bench_step step;
} steps[] = {
    { "json_split of the frame", step_split },
    { "json_to_pack of its params, with the table", step_to_pack },
    { "both: the way in", step_frame_in },
    { "json_to_pack of the frame, without a table", step_untyped },
    { "json_from_value of the params", step_from_value },
    { "codec_decode", step_decode },
    { "codec_encode", step_encode },
    { "wire_check", step_check },
    { "beside it: jansson, the frame to objects", step_jansson_load },
    { "beside it: msgpack-c, the params to objects", step_msgpack_unpack },
};

static int run(struct bench *bench, size_t which)
{
    uint64_t best = UINT64_MAX;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_mono_ns();
        uint64_t took;

        for (unsigned i = 0; i < PER_ROUND; i++) {
            if (!steps[which].step(bench)) {
                (void)fprintf(stderr, "%s: failed\n", steps[which].name);
                return 1;
            }
        }
        took = clock_mono_ns() - start;
        best = took < best ? took : best;
    }
    (void)printf("%-48s %7.1f ns\n", steps[which].name, (double)best / PER_ROUND);
    return 0;
}

int main(void)
{
    struct bench bench = { 0 };
    struct json_opts opts = { .type = MSG_CHAT_SEND->type };
    int r;

    pack_init(&bench.params, 0);
    pack_init(&bench.scratch, 0);
    r = json_to_pack(SPAN_LIT(PARAMS), &opts, &bench.params, NULL);
    if (r == 0) {
        r = codec_decode(MSG_CHAT_SEND->type, pack_span(&bench.params), &bench.decoded, NULL);
    }
    (void)printf("frame %zu bytes, params %zu bytes, packed %zu bytes\n", sizeof(FRAME) - 1, sizeof(PARAMS) - 1,
                 bench.params.len);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && r == 0; i++) {
        r = run(&bench, i);
    }
    pack_deinit(&bench.params);
    pack_deinit(&bench.scratch);
    text_buf_deinit(&bench.text);
    return r ? 1 : 0;
}
