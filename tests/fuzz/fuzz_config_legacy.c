/*
 * Keys of earlier config formats in a text of anybody's making: what comes out can be read, says
 * each thing that it moved, and has nothing left to move that is not said to stay.
 */
#include <stdlib.h>

#include "edge/cli/config_legacy.h"
#include "schema/base/config_file.h"
#include "tests/fuzz/fuzz.h"

static void on_says(void *arg, const char *says, bool is_done)
{
    unsigned *moved = arg;

    *moved += is_done && says[0];
}

static bool is_readable(struct span text)
{
    struct config_error error;
    struct pack doc;

    pack_init(&doc, 0);
    bool is_fine = !config_file_parse(text, "text", &doc, &error);
    pack_deinit(&doc);
    return is_fine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct text_buf once = { 0 };
    struct text_buf twice = { 0 };
    unsigned moved = 0;
    unsigned again = 0;

    if (!is_readable(text)) {
        return 0;
    }
    if (config_legacy_move(text, on_says, &moved, &once) == 0) {
        struct span now = { once.data ? once.data : "", once.len };

        FUZZ_HOLD(is_readable(now));
        FUZZ_HOLD(moved || span_is(now, text));
        FUZZ_HOLD(config_legacy_move(now, on_says, &again, &twice) == 0 && again == 0);
        text_buf_deinit(&twice);
    }
    text_buf_deinit(&once);
    return 0;
}
