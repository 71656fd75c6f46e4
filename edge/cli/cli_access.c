#include "edge/cli/cli_access.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LEN 64

static void name_of(uid_t uid, char name[NAME_LEN])
{
    const struct passwd *user = getpwuid(uid); /* NOLINT(concurrency-mt-unsafe): one thread */

    if (user) {
        (void)snprintf(name, NAME_LEN, "%s", user->pw_name);
    } else {
        (void)snprintf(name, NAME_LEN, "user %u", (unsigned)uid);
    }
}

static bool is_refused(const char *path, const struct stat *st)
{
    int wanted = S_ISDIR(st->st_mode) ? X_OK : S_ISSOCK(st->st_mode) ? R_OK | W_OK : R_OK;

    return faccessat(AT_FDCWD, path, wanted, AT_EACCESS) && errno == EACCES;
}

/* The first on the way to `path`, which is shortened to it, that lets nobody like us through. */
static bool obstacle_find(char *path, struct stat *ret_st)
{
    for (char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
        if (end) {
            *end = '\0';
        }
        if (stat(path, ret_st)) {
            return false;
        }
        if (is_refused(path, ret_st)) {
            return true;
        }
        if (!end) {
            return false;
        }
        *end = '/';
    }
}

/* Does the directory that it is in belong to this user? */
static bool is_in_own(const char *path)
{
    char dir[PATH_MAX];
    struct stat st;

    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    return dir[0] && !stat(dir, &st) && st.st_uid == geteuid();
}

bool cli_access_advice(const char *path, char *out, size_t out_size)
{
    char at[PATH_MAX];
    char owner[NAME_LEN];
    char self[NAME_LEN];
    struct stat st;

    if (path[0] != '/' || snprintf(at, sizeof(at), "%s", path) >= (int)sizeof(at) || !obstacle_find(at, &st)) {
        return false;
    }
    name_of(st.st_uid, owner);
    name_of(geteuid(), self);
    if (st.st_uid == geteuid()) {
        (void)snprintf(out, out_size, "%s is yours, but its mode keeps you out: `chmod u+rw%s %s`", at,
                       S_ISDIR(st.st_mode) ? "x" : "", at);
    } else if (is_in_own(at)) {
        (void)snprintf(out, out_size, "%s belongs to %s: `sudo chown -R %s %s` gives it to you", at, owner, self, at);
    } else {
        (void)snprintf(out, out_size,
                       "%s belongs to %s, and you are %s: run this as %s, or have a state of your own with"
                       " OPENCLAW_STATE_DIR",
                       at, owner, self, owner);
    }
    return true;
}
