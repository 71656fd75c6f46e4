/* The body of POST /v1/responses: refused with a reason, or messages and tools that can go on the bus. */
#include <string.h>

#include "bus/value.h"
#include "edge/http/openresponses.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openresponses_request request;
    struct openai_error error = { 0 };
    struct endpoints endpoints = { 0 };
    struct pack raw;
    struct pack made;
    int r;

    pack_init(&raw, 1 << 20);
    pack_init(&made, 1 << 20);
    FUZZ_HOLD(endpoints_read(&endpoints, (struct span){ NULL, 0 }) == 0);
    r = openresponses_parse((struct span){ (const char *)data, size }, &endpoints.responses, &raw, &made, &request,
                            &error);
    if (r == OPENAI_E_REFUSED) {
        FUZZ_HOLD(error.status == 400 && error.message[0]);
    } else {
        FUZZ_HOLD(r == 0);
        FUZZ_HOLD(wire_check(request.messages.ptr, request.messages.len, 64) && value_count(request.messages) >= 1);
        FUZZ_HOLD(!request.tools.len || wire_check(request.tools.ptr, request.tools.len, 64));
        FUZZ_HOLD(!request.tool_choice.len || wire_check(request.tool_choice.ptr, request.tool_choice.len, 64));
        FUZZ_HOLD(!request.response_format.len ||
                  wire_check(request.response_format.ptr, request.response_format.len, 64));
        FUZZ_HOLD(request.agent_id.len <= 64 && request.user.len <= 256 && request.previous_id.len <= 512);
    }
    pack_deinit(&raw);
    pack_deinit(&made);
    endpoints_deinit(&endpoints);
    return 0;
}
