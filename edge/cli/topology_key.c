#include "edge/cli/topology_key.h"

#include <stdio.h>
#include <string.h>

/* In place of a key in deploy/topologies; as long as one, so that the file reads as it will. */
#define EXAMPLE "the-public-key-that-bus-keygen-prints-00"

int topology_key_fit(const struct topology *topology, const char *own, struct topology_error *error)
{
    const struct topology_tcp *tcp = &topology->tcp;

    if (!tcp->endpoint[0]) {
        return 0;
    }
    if (own && strcmp(own, tcp->curve) != 0) {
        (void)snprintf(error->text, sizeof(error->text),
                       "the topology says that this gateway's key is %s, but it is %s", tcp->curve, own);
        return TOPOLOGY_KEY_E_OTHER;
    }
    if (!own && strcmp(tcp->curve, EXAMPLE) == 0) {
        (void)snprintf(error->text, sizeof(error->text),
                       "\"curve\" is still the example's: put in the key that `openclaw bus keygen` prints on the "
                       "gateway's machine");
        return TOPOLOGY_KEY_E_OTHER;
    }
    return 0;
}
