/* What a provider says: chunks of a stream, bodies of errors. */
#include <string.h>

#include "actors/agent/openai_wire.h"
#include "bus/value.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "sk-key"

static void error_read(struct span body)
{
    char text[PROVIDER_TEXT_MAX];
    bool is_retryable;

    (void)openai_error_read(500, body, SECRET, text, sizeof(text), &is_retryable);
    FUZZ_HOLD(strlen(text) < sizeof(text));
    FUZZ_HOLD(!strstr(text, SECRET));
    for (const char *at = text; *at; at++) {
        FUZZ_HOLD((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = { (const char *)data, size };
    struct openai_chunk chunk;
    struct pack scratch;
    int rc;

    pack_init(&scratch, 0);
    rc = openai_chunk_parse(body, &scratch, &chunk);
    FUZZ_HOLD(rc == 0 || rc == OPENAI_WIRE_E_RUBBISH);
    if (rc == 0) {
        FUZZ_HOLD(chunk.text.len <= scratch.len && chunk.finish_reason.len <= scratch.len);
    }
    pack_deinit(&scratch);
    error_read(body);
    return 0;
}
