#include "edge/cli/topology_fit.h"

#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/compose.h"

/* What no definition fits would kill its host again and again until that is given up. */
static int actors_check(const struct topology *topology, struct topology_error *error)
{
    const char *arg;

    for (size_t i = 0; i < topology->hosts_n; i++) {
        const struct topology_host *host = &topology->hosts[i];

        for (size_t j = 0; !host->exec && j < host->actors_n; j++) {
            if (!strchr(host->actors[j], '*') && !compose_def_of(host->actors[j], &arg)) {
                return topology_say(error,
                                    "the topology puts \"%s\" on host \"%s\", and this program has no such actor",
                                    host->actors[j], host->name);
            }
        }
    }
    return 0;
}

/* Without one of these the gateway would listen and never answer. They own files of the gateway's state directory, or
 * its listening sockets, so their place is its own machine. */
static const char *const needed[] = { "config", "log", "auth", "health", "router", "edge" };

/* Is `pattern` `kind`, or does it begin with it and a slash? */
static bool is_like_kind(const char *pattern, const char *kind)
{
    size_t len = strlen(kind);

    return strncmp(pattern, kind, len) == 0 && (pattern[len] == '\0' || pattern[len] == '/');
}

static bool is_of_kind(const char *address, const char *kind)
{
    return !strchr(address, '*') && is_like_kind(address, kind);
}

/* The host that starts some actor of that kind; NULL when none does. */
static const struct topology_host *starter(const struct topology *topology, const char *kind)
{
    for (size_t i = 0; i < topology->hosts_n; i++) {
        for (size_t j = 0; j < topology->hosts[i].actors_n; j++) {
            if (is_of_kind(topology->hosts[i].actors[j], kind)) {
                return &topology->hosts[i];
            }
        }
    }
    return NULL;
}

static int complete_check(const struct topology *topology, struct topology_error *error)
{
    bool has_local = false;

    for (size_t i = 0; i < topology->hosts_n; i++) {
        has_local |= !topology->hosts[i].is_remote;
    }
    if (!has_local) {
        return topology_say(error,
                            "every host has link \"tcp\", so this is the file of a machine that joins; the gateway "
                            "itself needs a host without");
    }
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        const struct topology_host *host = starter(topology, needed[i]);

        if (!host) {
            return topology_say(
                error, "the topology starts no \"%s\", which every gateway needs: name it in the actors of a host%s",
                needed[i], strcmp(needed[i], "edge") == 0 ? ", as \"edge/0\"" : "");
        }
        if (host->is_remote) {
            return topology_say(
                error,
                "\"%s\" is on host \"%s\", whose link is \"tcp\"; its place is the gateway's own machine: move "
                "it to a host without \"link\"",
                needed[i], host->name);
        }
    }
    if (!topology_place(topology, "agent/main")) {
        return topology_say(error, "the topology has no place for agents: name \"agent/*\" in the actors of a host");
    }
    return 0;
}

int topology_fit_host(const struct topology *topology, struct topology_error *error)
{
    return actors_check(topology, error);
}

bool topology_fit_may_leave(const char *pattern)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if (is_like_kind(pattern, needed[i])) {
            return false;
        }
    }
    return true;
}

int topology_fit(const struct topology *topology, struct topology_error *error)
{
    int r = actors_check(topology, error);

    return r ? r : complete_check(topology, error);
}
