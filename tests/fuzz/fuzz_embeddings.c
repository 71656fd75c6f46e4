/* POST /v1/embeddings: its body, and what a provider answers; either is refused or fits. */
#include <string.h>

#include "actors/agent/embed_wire.h"
#include "bus/value.h"
#include "edge/http/embeddings.h"
#include "tests/fuzz/fuzz.h"

static void request_read(struct span text)
{
    struct embeddings_request request;
    struct openai_error error = { 0 };
    struct pack raw;
    struct pack made;
    int r;

    pack_init(&raw, 1 << 20);
    pack_init(&made, 1 << 20);
    r = embeddings_parse(text, &raw, &made, &request, &error);
    FUZZ_HOLD(r == 0 || (r == OPENAI_E_REFUSED && error.status == 400 && error.message[0]));
    FUZZ_HOLD(r || (value_count(request.inputs) >= 1 && value_count(request.inputs) <= EMBEDDINGS_INPUTS_MAX));
    pack_deinit(&raw);
    pack_deinit(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct text_buf out = { 0 };
    struct pack vectors;
    uint64_t tokens;

    request_read(text);
    pack_init(&vectors, 1 << 20);
    if (embed_answer_read(text, 2, &vectors, &tokens) == 0) {
        FUZZ_HOLD(value_count(pack_span(&vectors)) == 2);
        FUZZ_HOLD(embeddings_write(pack_span(&vectors), SPAN_LIT("m"), true, tokens, &out) == 0);
        FUZZ_HOLD(embeddings_write(pack_span(&vectors), SPAN_LIT("m"), false, tokens, &out) == 0);
    }
    pack_deinit(&vectors);
    text_buf_deinit(&out);
    return 0;
}
