/*
 * The database of another program: whatever it holds, reading it ends, and what comes of it is one
 * well-formed map of maps, or nothing and a reason.
 */
#include <stdio.h>
#include <unistd.h>

#include "bus/value.h"
#include "schema/base/legacy_state.h"
#include "tests/fuzz/fuzz.h"

static char path[64];

static void put(const uint8_t *data, size_t size)
{
    if (!path[0]) {
        (void)snprintf(path, sizeof(path), "/tmp/openclaw-fuzz-legacy-XXXXXX");
        int fd = mkstemp(path);
        FUZZ_HOLD(fd >= 0 && close(fd) == 0);
    }
    FILE *file = fopen(path, "we");
    FUZZ_HOLD(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void part_read(enum legacy_state_part part, struct span id)
{
    char why[LEGACY_STATE_WHY_MAX];
    struct pack rows;
    struct span key;
    struct span row;
    int r = legacy_state_read(path, part, id, &rows, why);

    FUZZ_HOLD(r == 0 || r == LEGACY_STATE_E_ABSENT || r == LEGACY_STATE_E_UNUSABLE);
    FUZZ_HOLD((r == LEGACY_STATE_E_UNUSABLE) == (why[0] != '\0'));
    if (r) {
        return;
    }
    FUZZ_HOLD(wire_check(rows.data, rows.len, 64));
    struct value_iter it = value_iter(pack_span(&rows));
    while (value_next(&it, &key, &row)) {
        FUZZ_HOLD(value_kind_of(row) == VALUE_MAP);
    }
    pack_deinit(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    put(data, size);
    for (enum legacy_state_part part = LEGACY_STATE_DEVICES; part <= LEGACY_STATE_CODES; part++) {
        part_read(part, (struct span){ 0 });
    }
    part_read(LEGACY_STATE_CODES, SPAN_LIT("CODE"));
    return 0;
}
