/* The filter of the tap: any text is read or refused at a place inside it, and what was read can be asked. */
#include "edge/cli/bus_filter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct bus_filter filter;
    struct bus_filter_error error;
    struct bus_filter_subject subject = { .bytes = (double)size, .latency_ms = 1.5, .has_latency = size % 2 };

    if (bus_filter_parse(text, &filter, &error)) {
        FUZZ_HOLD(error.column >= 1 && error.column <= size + 1 && error.text[0]);
        return 0;
    }
    FUZZ_HOLD(filter.nodes_n >= 1 && filter.nodes_n <= BUS_FILTER_NODES_MAX && filter.values_len <= size);
    for (size_t i = 0; i < BUS_FILTER_TEXTS_N; i++) {
        subject.texts[i] = i % 3 ? text : (struct span){ NULL, 0 };
    }
    FUZZ_HOLD(bus_filter_fits(&filter, &subject) == bus_filter_fits(&filter, &subject));
    return 0;
}
