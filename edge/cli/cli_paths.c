#include "edge/cli/cli_paths.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/fault.h"

/* sun_path holds 108 bytes; endpoints add a name of up to 48. */
#define RUN_DIR_MAX 60

static const char *env_text(char *(*env)(const char *), const char *name)
{
    const char *text = env(name);

    while (text && isspace((unsigned char)*text)) {
        text++;
    }
    return text && *text ? text : NULL;
}

static int refuse(struct cli_paths_error *error, const char *what, const char *value)
{
    (void)snprintf(error->text, sizeof(error->text), "%s: '%s'", what, value);
    return CLI_PATHS_E_REFUSED;
}

static bool profile_is_valid(const char *profile)
{
    size_t len = strspn(profile, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    return len > 0 && len <= CLI_PROFILE_MAX && !profile[len] && isalnum((unsigned char)profile[0]);
}

/* Absolute form of a path as people write it: "~" is home, the rest counts from here. */
static int path_absolute(const char *path, const char *home, char out[PATH_MAX], struct cli_paths_error *error)
{
    char here[PATH_MAX] = "";
    int n;

    if (path[0] == '~' && (path[1] == '/' || !path[1])) {
        n = snprintf(out, PATH_MAX, "%s%s", home, path + 1);
    } else if (path[0] == '/') {
        n = snprintf(out, PATH_MAX, "%s", path);
    } else if (getcwd(here, sizeof(here))) {
        n = snprintf(out, PATH_MAX, "%s/%s", strcmp(here, "/") == 0 ? "" : here, path);
    } else {
        return refuse(error, "no current directory for the relative path", path);
    }
    if (n < 0 || n >= PATH_MAX - 32) {
        return refuse(error, "path too long", path);
    }
    while (n > 1 && out[n - 1] == '/') {
        out[--n] = '\0';
    }
    return 0;
}

static uint64_t hash_fnv1a(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    }
    return hash;
}

static void run_dir_choose(struct cli_paths *paths)
{
    if (strlen(paths->state_dir) + strlen("/run") <= RUN_DIR_MAX) {
        (void)stpcpy(stpcpy(paths->run_dir, paths->state_dir), "/run");
    } else {
        (void)snprintf(paths->run_dir, sizeof(paths->run_dir), "/tmp/openclaw-%u-%016llx", (unsigned)getuid(),
                       (unsigned long long)hash_fnv1a(paths->state_dir));
    }
    (void)stpcpy(stpcpy(paths->control_path, paths->run_dir), "/control.sock");
    (void)stpcpy(stpcpy(paths->clients_path, paths->run_dir), "/clients.sock");
}

void cli_paths_of_state(const char *state_dir, struct cli_paths *ret_paths)
{
    *ret_paths = (struct cli_paths){ 0 };
    (void)snprintf(ret_paths->state_dir, sizeof(ret_paths->state_dir), "%s", state_dir); /* a path fits */
    run_dir_choose(ret_paths);
}

static int state_dir_choose(struct cli_paths *paths, const char *home, char *(*env)(const char *),
                            struct cli_paths_error *error)
{
    const char *given = env_text(env, "OPENCLAW_STATE_DIR");
    char path[PATH_MAX];
    int n;

    if (given) {
        return path_absolute(given, home, paths->state_dir, error);
    }
    n = snprintf(path, sizeof(path), "%s/.openclaw%s%s", home, paths->profile[0] ? "-" : "", paths->profile);
    if (n < 0 || n >= (int)sizeof(path)) {
        return refuse(error, "path too long", home);
    }
    return path_absolute(path, home, paths->state_dir, error);
}

int cli_paths_resolve(const char *profile, bool is_dev, char *(*env)(const char *name), struct cli_paths *ret_paths,
                      struct cli_paths_error *error)
{
    static const char *const home_names[] = { "OPENCLAW_HOME", "HOME" };
    struct cli_paths paths = { 0 };
    const char *home = env_text(env, home_names[0]) ? env_text(env, home_names[0]) : env_text(env, home_names[1]);
    const char *config = env_text(env, "OPENCLAW_CONFIG_PATH");
    int r;

    if (profile && is_dev && strcmp(profile, "dev") != 0) {
        return refuse(error, "--dev and --profile name different profiles", profile);
    }
    profile = profile ? profile : is_dev ? "dev" : env_text(env, "OPENCLAW_PROFILE");
    if (profile && strcmp(profile, "default") != 0) {
        if (!profile_is_valid(profile)) {
            return refuse(error, "a profile is 1 to 64 letters, digits, '-' or '_'", profile);
        }
        (void)strcpy(paths.profile, profile);
    }
    paths.is_dev = strcmp(paths.profile, "dev") == 0;
    home = home ? home : "/";
    r = state_dir_choose(&paths, home, env, error);
    if (r) {
        return r;
    }
    if (config) {
        r = path_absolute(config, home, paths.config_path, error);
    } else {
        (void)stpcpy(stpcpy(paths.config_path, paths.state_dir), "/openclaw.json");
    }
    run_dir_choose(&paths);
    *ret_paths = paths;
    return r;
}

const char *cli_paths_words(const struct cli_paths *self, char out[CLI_PROFILE_MAX + 16])
{
    (void)snprintf(out, CLI_PROFILE_MAX + 16, "%s%s", self->is_dev || !self->profile[0] ? "" : " --profile ",
                   self->is_dev ? " --dev" : self->profile);
    return out;
}

int cli_paths_export(const struct cli_paths *self)
{
    if (setenv("OPENCLAW_STATE_DIR", self->state_dir, 1) || setenv("OPENCLAW_CONFIG_PATH", self->config_path, 1) ||
        (self->profile[0] ? setenv("OPENCLAW_PROFILE", self->profile, 1) : unsetenv("OPENCLAW_PROFILE"))) {
        return FAULT(-errno);
    }
    if (self->is_dev && setenv("OPENCLAW_DEV", "1", 1)) {
        return FAULT(-errno);
    }
    return 0;
}
