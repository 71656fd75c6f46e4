/* Topology files: read or refused with a reason; what was read places its own entries. */
#include <string.h>

#include "bus/topology.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology topology;
    struct topology_error error;

    if (topology_parse((struct span){ (const char *)data, size }, &topology, &error)) {
        FUZZ_HOLD(error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
        return 0;
    }
    FUZZ_HOLD(topology.hosts_n >= 1 && topology.hosts_n <= TOPOLOGY_HOSTS_MAX);
    for (size_t i = 0; i < topology.hosts_n; i++) {
        struct topology_host *host = &topology.hosts[i];

        FUZZ_HOLD(host->actors_n >= 1 && host->actors_n <= TOPOLOGY_ACTORS_MAX);
        FUZZ_HOLD(topology_host_find(&topology, host->name) == host);
        for (size_t k = 0; k < host->actors_n; k++) {
            FUZZ_HOLD(strchr(host->actors[k], '*') || topology_place(&topology, host->actors[k]) == host);
        }
    }
    topology_deinit(&topology);
    return 0;
}
