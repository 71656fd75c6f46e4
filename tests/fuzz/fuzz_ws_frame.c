/* The reader of WebSocket frames: however the bytes are cut, the messages are the same, and none is too long. */
#include <string.h>

#include "edge/listener/ws_frame.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGE_MAX 300

struct seen {
    struct text_buf text; /* opcode, payload, terminator of every event */
    unsigned code;        /* of the refusal; 0: none */
};

static void note(struct seen *seen, const struct ws_event *event)
{
    char opcode = (char)event->opcode;

    FUZZ_HOLD(event->data.len <= MESSAGE_MAX);
    FUZZ_HOLD(event->opcode != WS_TEXT || ws_is_utf8(event->data));
    FUZZ_HOLD(text_buf_add(&seen->text, (struct span){ &opcode, 1 }) == 0);
    FUZZ_HOLD(text_buf_add(&seen->text, event->data) == 0);
    FUZZ_HOLD(text_buf_add(&seen->text, (struct span){ "", 1 }) == 0);
}

/* Feeds `step` more bytes at a time, as a connection does with what is left over. */
static void read_all(struct seen *seen, const uint8_t *data, size_t size, size_t step)
{
    struct ws_reader reader = { .message_max = MESSAGE_MAX };
    struct text_buf in = { 0 };
    int r = WS_E_MORE;

    for (size_t at = 0; at < size && r != WS_E_REFUSED; at += step) {
        size_t len = size - at < step ? size - at : step;

        FUZZ_HOLD(text_buf_add(&in, (struct span){ (const char *)data + at, len }) == 0);
        do {
            struct ws_event event = { 0 };
            size_t used = 0;
            size_t need = 0;

            r = ws_reader_next(&reader, (uint8_t *)in.data, in.len, &used, &need, &event);
            FUZZ_HOLD(used <= in.len);
            FUZZ_HOLD(r != WS_E_MORE || need > in.len - used || need <= 14);
            if (r == WS_E_EVENT) {
                note(seen, &event);
            } else if (r == WS_E_REFUSED) {
                seen->code = event.code;
            }
            memmove(in.data, in.data + used, in.len - used);
            in.len -= used;
        } while (r == WS_E_EVENT);
    }
    text_buf_deinit(&in);
    ws_reader_deinit(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { 0 };
    struct seen cut = { 0 };

    if (size < 2) {
        return 0;
    }
    read_all(&whole, data + 1, size - 1, size);
    read_all(&cut, data + 1, size - 1, 1 + data[0] % 17);
    FUZZ_HOLD(whole.code == cut.code);
    FUZZ_HOLD(whole.text.len == cut.text.len);
    FUZZ_HOLD(!cut.text.len || memcmp(whole.text.data, cut.text.data, cut.text.len) == 0);
    text_buf_deinit(&whole.text);
    text_buf_deinit(&cut.text);
    return 0;
}
