#include "edge/cli/cli_profiles.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "schema/base/gateway_config.h"

#define BASE ".openclaw"

/* False when no gateway starts there: there is no config, none that can be read, or one for clients alone. */
static bool port_read(const char *home, const char *dir, struct cli_profile *profile)
{
    CLEANUP(gateway_config_deinit) struct gateway_config config = { 0 };
    struct gateway_overrides none = { .is_client = true, .is_dev = strcmp(profile->name, "dev") == 0 };
    struct config_error ignored;
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s/openclaw.json", home, dir) >= (int)sizeof(path) || access(path, R_OK) ||
        gateway_config_load(path, &none, &config, &ignored) || !config.is_mode_local) {
        return false;
    }
    profile->port = config.port;
    return true;
}

size_t cli_profiles_find(const struct cli_paths *paths, struct cli_profile ret[CLI_PROFILES_MAX])
{
    const char *own = strrchr(paths->state_dir, '/');
    char home[PATH_MAX];
    const struct dirent *entry;
    size_t n = 0;

    if (!own || strncmp(own + 1, BASE, sizeof(BASE) - 1) != 0) {
        return 0; /* a place of its own */
    }
    (void)snprintf(home, sizeof(home), "%.*s", (int)(own - paths->state_dir), paths->state_dir);
    DIR *all = opendir(home[0] ? home : "/");
    while (all && n < CLI_PROFILES_MAX &&
           (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        const char *rest = entry->d_name + sizeof(BASE) - 1;
        bool is_one = strncmp(entry->d_name, BASE, sizeof(BASE) - 1) == 0 && (!*rest || *rest == '-');
        struct cli_profile profile = { .port = 0 };

        if (is_one && strcmp(entry->d_name, own + 1) != 0 &&
            snprintf(profile.name, sizeof(profile.name), "%s", *rest ? rest + 1 : "default") <
                (int)sizeof(profile.name) &&
            port_read(home, entry->d_name, &profile)) {
            ret[n++] = profile;
        }
    }
    if (all) {
        (void)closedir(all);
    }
    return n;
}

const struct cli_profile *cli_profiles_near(const struct cli_profile *all, size_t n, unsigned port, unsigned apart)
{
    for (size_t i = 0; i < n; i++) {
        unsigned between = all[i].port > port ? all[i].port - port : port - all[i].port;

        if (between < apart) {
            return &all[i];
        }
    }
    return NULL;
}
