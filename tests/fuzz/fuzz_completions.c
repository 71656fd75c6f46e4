/* The body of POST /v1/chat/completions: refused with a reason, or every value within its limits. */
#include <string.h>

#include "bus/value.h"
#include "edge/http/openai.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openai_request request;
    struct openai_error error = { 0 };
    struct pack pack;
    int r;

    pack_init(&pack, 1 << 20);
    r = openai_request_parse((struct span){ (const char *)data, size }, &pack, &request, &error);
    if (r == OPENAI_E_REFUSED) {
        struct text_buf text = { NULL, 0, 0 };

        FUZZ_HOLD(error.status == 400 && error.message[0]);
        FUZZ_HOLD(openai_error_write(&error, &text) == 0);
        text_buf_deinit(&text);
    } else {
        FUZZ_HOLD(r == 0);
        FUZZ_HOLD(value_count(request.messages) >= 1 && request.model.len > 0 && request.model.len <= 256);
        FUZZ_HOLD(request.agent_id.len <= 64 && request.user.len <= 256);
        FUZZ_HOLD(!request.has_max_tokens || (request.max_tokens >= 1 && request.max_tokens <= 10000000));
    }
    pack_deinit(&pack);
    return 0;
}
