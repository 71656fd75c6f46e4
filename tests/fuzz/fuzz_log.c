/* Any text becomes one line of JSON, and masking what is masked already changes nothing bad. */
#include <string.h>

#include "actors/log/line.h"
#include "actors/log/mask.h"
#include "actors/log/tail.h"
#include "bus/json.h"
#include "tests/fuzz/fuzz.h"

static void tail(struct span bytes)
{
    struct tail_ask ask = { .lines_max = 3, .bytes_max = 64 };
    struct tail_window window = { .is_from_cursor = bytes.len & 1, .has_partial = bytes.len & 2 };
    struct pack out;

    pack_init(&out, 0);
    pack_array_begin(&out);
    FUZZ_HOLD(tail_lines_pack(bytes, &window, &ask, &out) <= bytes.len);
    pack_array_end(&out);
    FUZZ_HOLD(pack_error(&out) == 0);
    pack_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct line line = { .ts_ms = (int64_t)size, .level = SPAN_LIT("info"), .event = SPAN_LIT("e"), .text = text };
    struct text_buf masked = { 0 };
    struct text_buf json = { 0 };

    FUZZ_HOLD(mask_text(text, &masked) == 0);
    FUZZ_HOLD(line_format(&line, &json) == 0);
    FUZZ_HOLD(json.len && json.data[json.len - 1] == '\n');
    FUZZ_HOLD(!memchr(json.data, '\n', json.len - 1));
    tail(text);
    text_buf_deinit(&masked);
    text_buf_deinit(&json);
    return 0;
}
