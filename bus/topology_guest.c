/*
 * topology_guest: hosts of other machines that no file names: they come and go with what the operator allows, while the
 * gateway runs. A guest gets what nobody else has by that very pattern; a longer pattern, or an address, beats a
 * shorter one as it does in a file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"
#include "bus/topology.h"

static bool is_wildcard(const char *pattern)
{
    return pattern[0] && pattern[strlen(pattern) - 1] == '*';
}

int topology_guest_pattern(const char *pattern, struct topology_error *error)
{
    if (!topology_is_pattern(span_from(pattern))) {
        return topology_say(
            error,
            "\"%.64s\" is no address: use letters, digits, \"-\", \"_\" and \".\" between single slashes, and "
            "\"*\" only at the end",
            pattern);
    }
    if (strcmp(pattern, "supervisor") == 0 || strncmp(pattern, "host/", 5) == 0) {
        return topology_say(error, "\"%s\" belongs to the bus itself and is not placed", pattern);
    }
    /* "*" or "a*" would take in what the gateway itself may need one day. */
    if (is_wildcard(pattern) && !strchr(pattern, '/')) {
        return topology_say(error, "\"%s\" takes in too much: say of which kind, as in \"agent/*\"", pattern);
    }
    return 0;
}

static int pattern_check(const struct topology *self, const char *name, const char *pattern,
                         struct topology_error *error)
{
    int r = topology_guest_pattern(pattern, error);

    for (size_t i = 0; i < self->hosts_n && r == 0; i++) {
        const struct topology_host *host = &self->hosts[i];

        for (size_t k = 0; k < host->actors_n && r == 0 && strcmp(host->name, name) != 0; k++) {
            if (strcmp(host->actors[k], pattern) == 0) {
                r = topology_say(error, "\"%s\" is already on host \"%s\"%s; an address has one place", pattern,
                                 host->name, host->is_guest ? ", which was allowed it" : " of the topology");
            }
        }
    }
    return r;
}

static size_t hosts_count(const struct topology *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->hosts_n; i++) {
        n += self->hosts[i].name[0] != '\0';
    }
    return n;
}

int topology_guest_check(const struct topology *self, const struct topology_guest *guest, struct topology_error *error)
{
    const struct topology_host *host = topology_host_find(self, guest->name);

    if (host && !host->is_guest) {
        return topology_say(error, "host \"%s\" is in the topology, and that says what it runs", guest->name);
    }
    if (!host && hosts_count(self) >= TOPOLOGY_HOSTS_MAX) {
        return topology_say(error, "there are %d hosts already, and no more can be had", TOPOLOGY_HOSTS_MAX);
    }
    if (guest->actors_n == 0 || guest->actors_n > TOPOLOGY_GUEST_ACTORS_MAX) {
        return topology_say(error, "a host is allowed 1 to %d actors, or patterns of them", TOPOLOGY_GUEST_ACTORS_MAX);
    }
    for (size_t i = 0; i < guest->actors_n; i++) {
        int r = pattern_check(self, guest->name, guest->actors[i], error);

        for (size_t k = 0; k < i && r == 0; k++) {
            if (strcmp(guest->actors[i], guest->actors[k]) == 0) {
                r = topology_say(error, "\"%s\" is named twice", guest->actors[i]);
            }
        }
        if (r) {
            return r;
        }
    }
    return 0;
}

bool topology_guest_takes(const struct topology *self, const struct topology_guest *guest, const char *address)
{
    size_t best = 0;
    size_t own = 0;

    for (size_t i = 0; i < self->hosts_n; i++) {
        const struct topology_host *host = &self->hosts[i];

        for (size_t k = 0; k < host->actors_n && strcmp(host->name, guest->name) != 0; k++) {
            size_t fit = topology_fits(host->actors[k], address);

            best = fit > best ? fit : best;
        }
    }
    for (size_t i = 0; i < guest->actors_n; i++) {
        size_t fit = topology_fits(guest->actors[i], address);

        own = fit > own ? fit : own;
    }
    return own > best;
}

static struct topology_host *slot_of(struct topology *self, const char *name)
{
    struct topology_host *empty = NULL;

    for (size_t i = 0; i < self->hosts_n; i++) {
        if (strcmp(self->hosts[i].name, name) == 0) {
            return &self->hosts[i];
        }
        empty = !empty && !self->hosts[i].name[0] ? &self->hosts[i] : empty;
    }
    return empty ? empty : &self->hosts[self->hosts_n++];
}

struct topology_host *topology_guest_set(struct topology *self, const struct topology_guest *guest)
{
    struct topology_host *host = slot_of(self, guest->name);

    for (size_t i = 0; i < host->actors_n; i++) {
        free(host->actors[i]);
    }
    free(host->actors);
    *host = (struct topology_host){ .hang_ms = TOPOLOGY_HANG_MS, .is_remote = true, .is_guest = true };
    if (guest->actors_n == 0) {
        return host;
    }
    (void)snprintf(host->name, sizeof(host->name), "%s", guest->name);
    host->actors = mem_new(guest->actors_n * sizeof(*host->actors));
    for (size_t i = 0; i < guest->actors_n; i++) {
        host->actors[host->actors_n++] = mem_text(guest->actors[i], strlen(guest->actors[i]));
    }
    return host;
}

bool topology_covers(const struct topology *self, const struct topology_host *host, const char *pattern)
{
    if (!is_wildcard(pattern)) {
        return topology_place(self, pattern) == host;
    }
    for (size_t i = 0; i < host->actors_n; i++) {
        const char *own = host->actors[i];

        if (is_wildcard(own) && strncmp(own, pattern, strlen(own) - 1) == 0) {
            return true;
        }
    }
    return false;
}
