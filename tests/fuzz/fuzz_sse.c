/* The splitter of event streams: however the bytes are cut, the events are the same. */
#include <string.h>

#include "actors/agent/sse.h"
#include "tests/fuzz/fuzz.h"

#define EVENT_MAX 512

struct seen {
    struct text_buf text;
};

static int on_event(void *arg, struct span data)
{
    struct seen *seen = arg;

    FUZZ_HOLD(data.len < EVENT_MAX);
    FUZZ_HOLD(text_buf_add(&seen->text, data) == 0);
    FUZZ_HOLD(text_buf_add(&seen->text, (struct span){ "", 1 }) == 0);
    return 0;
}

static int parse(struct seen *seen, const uint8_t *data, size_t size, size_t step)
{
    struct sse sse;
    int rc = 0;

    sse_init(&sse, EVENT_MAX, on_event, seen);
    for (size_t at = 0; at < size && !rc; at += step) {
        rc = sse_push(&sse, (struct span){ (const char *)data + at, size - at < step ? size - at : step });
    }
    if (!rc) {
        rc = sse_finish(&sse);
    }
    sse_deinit(&sse);
    FUZZ_HOLD(rc == 0 || rc == SSE_E_TOO_BIG);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { 0 };
    struct seen cut = { 0 };
    size_t step;

    if (size < 2) {
        return 0;
    }
    step = 3 + data[0] % 61; /* 3: the byte order mark may not be cut */
    if (parse(&whole, data + 1, size - 1, size) == 0 && parse(&cut, data + 1, size - 1, step) == 0) {
        FUZZ_HOLD(whole.text.len == cut.text.len);
        FUZZ_HOLD(!cut.text.len || memcmp(whole.text.data, cut.text.data, cut.text.len) == 0);
    }
    text_buf_deinit(&whole.text);
    text_buf_deinit(&cut.text);
    return 0;
}
