/* The filter of the tap: any text is read or refused at a place inside it, and what was read can be asked. */
#include "bus/tap_filter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct tap_filter filter;
    struct tap_filter_error error;
    enum tap_filter_verdict verdict;
    struct tap_filter_subject subject = { .bytes = (double)size, .latency_ms = 1.5, .has_latency = size % 2 };

    if (tap_filter_parse(text, &filter, &error)) {
        FUZZ_HOLD(error.column >= 1 && error.column <= size + 1 && error.text[0]);
        return 0;
    }
    FUZZ_HOLD(filter.nodes_n >= 1 && filter.nodes_n <= TAP_FILTER_NODES_MAX && filter.values_len <= size);
    for (size_t i = 0; i < TAP_FILTER_TEXTS_N; i++) {
        subject.texts[i] = i % 3 ? text : (struct span){ NULL, 0 };
    }
    verdict = tap_filter_verdict(&filter, &subject);
    FUZZ_HOLD(verdict != TAP_FILTER_MAYBE && tap_filter_fits(&filter, &subject) == (verdict == TAP_FILTER_YES));
    /* Who knows less may say maybe, but never the contrary. */
    subject.unknown = (unsigned)size * 2654435761U;
    FUZZ_HOLD(tap_filter_verdict(&filter, &subject) == TAP_FILTER_MAYBE ||
              tap_filter_verdict(&filter, &subject) == verdict);
    return 0;
}
