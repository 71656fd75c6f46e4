/*
 * cli_profiles: the other profiles of this user, and the ports that their configs name, so
 * that two gateways do not want the same one.
 */
#ifndef EDGE_CLI_CLI_PROFILES_H
#define EDGE_CLI_CLI_PROFILES_H

#include <stddef.h>

#include "edge/cli/cli_paths.h"

#define CLI_PROFILES_MAX 64
#define CLI_PROFILES_APART 20U /* ports: the original derives more of them from one */

struct cli_profile {
    char name[CLI_PROFILE_MAX + 1]; /* "default" for the one without a name */
    unsigned port;
};

/* Those that have a config, as far as they lie where profiles lie by default. */
size_t cli_profiles_find(const struct cli_paths *paths, struct cli_profile ret[CLI_PROFILES_MAX]);
/* The first whose port is less than `apart` from that one; NULL: it is free. */
const struct cli_profile *cli_profiles_near(const struct cli_profile *all, size_t n, unsigned port, unsigned apart);

#endif
