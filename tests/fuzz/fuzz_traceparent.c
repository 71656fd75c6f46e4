/* W3C traces that clients bring along: what is read is written again as the same text, and is never zero with a half.
 */
#include <ctype.h>
#include <string.h>

#include "edge/listener/traceparent.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct trace_id trace = traceparent_parse(text);
    char written[64];

    if (!trace.hi && !trace.lo) {
        return 0;
    }
    FUZZ_HOLD(size >= 55 && memcmp(data, "ff", 2) != 0 && memcmp(data + 36, "0000000000000000", 16) != 0);
    FUZZ_HOLD(size == 55 || (memcmp(data, "00", 2) != 0 && data[55] == '-'));
    for (size_t i = 0; i < 55; i++) {
        FUZZ_HOLD(!isupper(data[i]));
    }
    (void)snprintf(written, sizeof(written), "-%016llx%016llx-", (unsigned long long)trace.hi,
                   (unsigned long long)trace.lo); /* fits */
    FUZZ_HOLD(memcmp(data + 2, written, 34) == 0);
    /* One more byte, or one less, makes version 00 invalid. */
    text.len = 54;
    trace = traceparent_parse(text);
    FUZZ_HOLD(!trace.hi && !trace.lo);
    return 0;
}
