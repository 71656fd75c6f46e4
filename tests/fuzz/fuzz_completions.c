/* The body of POST /v1/chat/completions: refused with a reason, or every value within its limits. */
#include <string.h>

#include "bus/value.h"
#include "edge/http/endpoints.h"
#include "edge/http/openai.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openai_request request;
    struct openai_error error = { 0 };
    struct endpoints endpoints = { 0 };
    struct pack raw;
    struct pack made;
    int r;

    pack_init(&raw, 1 << 20);
    pack_init(&made, 1 << 20);
    FUZZ_HOLD(endpoints_read(&endpoints, (struct span){ NULL, 0 }) == 0);
    r = openai_request_parse((struct span){ (const char *)data, size }, &endpoints.chat, &raw, &made, &request, &error);
    if (r == OPENAI_E_REFUSED) {
        struct text_buf text = { 0 };

        FUZZ_HOLD(error.status == 400 && error.message[0]);
        FUZZ_HOLD(openai_error_write(&error, &text) == 0);
        text_buf_deinit(&text);
    } else {
        FUZZ_HOLD(r == 0);
        FUZZ_HOLD(value_count(request.messages) >= 1 && request.model.len > 0 && request.model.len <= 256);
        FUZZ_HOLD(wire_check(request.messages.ptr, request.messages.len, 64));
        FUZZ_HOLD(!request.tools.len || wire_check(request.tools.ptr, request.tools.len, 64));
        FUZZ_HOLD(request.agent_id.len <= 64 && request.user.len <= 256);
        FUZZ_HOLD(!request.has_max_tokens || (request.max_tokens >= 1 && request.max_tokens <= 10000000));
    }
    pack_deinit(&raw);
    pack_deinit(&made);
    endpoints_deinit(&endpoints);
    return 0;
}
