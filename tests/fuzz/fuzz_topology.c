/* Topology files: read or refused with a reason; what was read places its own entries. Behind a zero byte stand the
 * actors of a guest, one a line: it is refused with a reason, or has its place and loses it again. */
#include <string.h>

#include "bus/topology.h"
#include "tests/fuzz/fuzz.h"

static void guest_try(struct topology *topology, const char *text, size_t len)
{
    static char actors[TOPOLOGY_GUEST_ACTORS_MAX][TOPOLOGY_PATTERN_MAX];
    struct topology_guest guest = { .name = "guest", .actors = actors };
    struct topology_error error = { "" };

    while (len > 0 && guest.actors_n < TOPOLOGY_GUEST_ACTORS_MAX) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) : len;
        size_t kept = line < TOPOLOGY_PATTERN_MAX ? line : TOPOLOGY_PATTERN_MAX - 1;

        memcpy(actors[guest.actors_n], text, kept);
        actors[guest.actors_n++][kept] = '\0';
        text += line + (end != NULL);
        len -= line + (end != NULL);
    }
    if (topology_guest_check(topology, &guest, &error)) {
        FUZZ_HOLD(error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
        return;
    }
    const struct topology_host *host = topology_guest_set(topology, &guest);
    for (size_t i = 0; i < host->actors_n; i++) {
        FUZZ_HOLD(topology_covers(topology, host, host->actors[i]));
        FUZZ_HOLD(strchr(host->actors[i], '*') || topology_place(topology, host->actors[i]) == host);
    }
    (void)topology_guest_set(topology, &(struct topology_guest){ .name = "guest" });
    FUZZ_HOLD(!topology_host_find(topology, "guest"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology topology;
    struct topology_error error;

    const char *text = (const char *)data;
    const char *end = size ? memchr(text, '\0', size) : NULL;
    size_t len = end ? (size_t)(end - text) : size;

    if (topology_parse((struct span){ text, len }, &topology, &error)) {
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
    if (end) {
        guest_try(&topology, end + 1, size - len - 1);
    }
    topology_deinit(&topology);
    return 0;
}
