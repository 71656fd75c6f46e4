/*
 * cli_paths: which gateway is meant, as profile, state directory and config file.
 *
 * Environment before profile before home: OPENCLAW_STATE_DIR and OPENCLAW_CONFIG_PATH
 * win; else --profile NAME (or OPENCLAW_PROFILE) means ~/.openclaw-NAME; else
 * ~/.openclaw. OPENCLAW_HOME replaces the home directory. Profile "default" is none.
 */
#ifndef EDGE_CLI_CLI_PATHS_H
#define EDGE_CLI_CLI_PATHS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define CLI_PROFILE_MAX 64
#define CLI_PORT_DEFAULT 18789
#define CLI_PORT_DEV 19001

struct cli_paths {
    char profile[CLI_PROFILE_MAX + 1]; /* empty: none */
    bool is_dev;
    char state_dir[PATH_MAX];   /* absolute */
    char config_path[PATH_MAX]; /* absolute */
    char run_dir[PATH_MAX];     /* sockets of this gateway; short enough for sun_path */
    char control_path[PATH_MAX];
    char clients_path[PATH_MAX]; /* where the owner's programs find the gateway without a secret */
};

struct cli_paths_error {
    char text[256];
};

enum {
    CLI_PATHS_E_REFUSED = 1,
};

/* Reads the environment through `env` (getenv in the program). `profile` may be NULL. */
int cli_paths_resolve(const char *profile, bool is_dev, char *(*env)(const char *name), struct cli_paths *ret_paths,
                      struct cli_paths_error *error);

/* The sockets of the gateway of that state directory; nothing else is set. */
void cli_paths_of_state(const char *state_dir, struct cli_paths *ret_paths);

/* What a line to type needs so that it means the same gateway: " --dev", " --profile work" or "". */
const char *cli_paths_words(const struct cli_paths *self, char out[CLI_PROFILE_MAX + 16]);

/* Puts what was resolved into the environment, for this process and its children. */
int cli_paths_export(const struct cli_paths *self);

#endif
