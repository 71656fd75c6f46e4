#include "schema/base/hooks_transform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/value.h"
#include "schema/base/program.h"

#define NOTHING ((struct span){ NULL, 0 })
#define SHOWN 160 /* bytes of a path in a problem */

/* Is `path` the directory itself, or below it? Both are absolute. */
static bool is_within(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    return strncmp(dir, path, len) == 0 && (path[len] == '/' || !path[len]);
}

/* "/a/./b//../c" as "/a/c", without a look at the disk. False when it is too long. */
static bool plain(const char *path, char out[PATH_MAX])
{
    size_t len = 0;

    while (*path) {
        size_t n = strcspn(path, "/");

        if (n == 2 && path[0] == '.' && path[1] == '.') {
            while (len && out[--len] != '/') {
            }
        } else if (n && !(n == 1 && path[0] == '.')) {
            if (len + n + 2 > PATH_MAX) {
                return false;
            }
            out[len++] = '/';
            memcpy(out + len, path, n);
            len += n;
        }
        path += n;
        path += *path == '/';
    }
    if (!len) {
        out[len++] = '/';
    }
    out[len] = '\0';
    return true;
}

/* hooks/transforms beside the config file. */
static bool root_of(const char *config_path, char out[PATH_MAX])
{
    char path[PATH_MAX];
    const char *slash = strrchr(config_path, '/');

    return slash && config_path[0] == '/' &&
           snprintf(path, sizeof(path), "%.*s/hooks/transforms", (int)(slash - config_path), config_path) <
               (int)sizeof(path) &&
           plain(path, out);
}

static bool dir_join(const char *root, struct span said, const char *home, char out[PATH_MAX])
{
    char path[PATH_MAX];
    bool is_home = home && (span_is_text(said, "~") || span_starts(said, "~/"));
    int len;

    if (is_home) {
        len = snprintf(path, sizeof(path), "%s%.*s", home, (int)said.len - 1, said.ptr + 1);
    } else if (span_starts(said, "/")) {
        len = snprintf(path, sizeof(path), "%.*s", SPAN_FMT(said));
    } else {
        len = snprintf(path, sizeof(path), "%s/%.*s", root, SPAN_FMT(said));
    }
    return len < (int)sizeof(path) && plain(path, out);
}

bool hooks_transform_dir(struct span hooks, const char *config_path, const char *home, char ret_dir[PATH_MAX],
                         char problem[HOOKS_TRANSFORM_PROBLEM_MAX])
{
    struct span said = span_trim(value_str(value_get(hooks, "transformsDir"), NOTHING));
    char root[PATH_MAX];
    char dir[PATH_MAX];
    char real_root[PATH_MAX];

    if (!root_of(config_path, root) || !dir_join(root, said, home, dir)) {
        (void)snprintf(problem, HOOKS_TRANSFORM_PROBLEM_MAX, "hooks.transformsDir makes no path that could be used");
        return false;
    }
    if (!realpath(root, real_root)) {
        (void)snprintf(real_root, sizeof(real_root), "%s", root); /* nothing is there: nothing leads out of it */
    }
    if (!is_within(root, dir) || (realpath(dir, ret_dir) && !is_within(real_root, ret_dir))) {
        (void)snprintf(problem, HOOKS_TRANSFORM_PROBLEM_MAX, "hooks.transformsDir leads to %.*s, outside of %.*s",
                       SHOWN, dir, SHOWN, root);
        return false;
    }
    if (!realpath(dir, ret_dir)) {
        (void)snprintf(ret_dir, PATH_MAX, "%s", dir); /* the module is looked for in there, and why not is told then */
    }
    return true;
}

bool hooks_transform_module(const char *dir, struct span name, char ret_path[PATH_MAX],
                            char problem[HOOKS_TRANSFORM_PROBLEM_MAX])
{
    char path[PATH_MAX];

    name = span_trim(name);
    if (snprintf(path, sizeof(path), "%s/%.*s", dir, SPAN_FMT(name)) >= (int)sizeof(path)) {
        (void)snprintf(problem, HOOKS_TRANSFORM_PROBLEM_MAX, "the path of the module is too long");
        return false;
    }
    if (!realpath(path, ret_path)) {
        (void)snprintf(problem, HOOKS_TRANSFORM_PROBLEM_MAX, "%.*s cannot be used: %s", SHOWN, path, strerror(errno));
        return false;
    }
    if (!is_within(dir, ret_path)) {
        (void)snprintf(problem, HOOKS_TRANSFORM_PROBLEM_MAX, "%.*s leads to %.*s, outside of %.*s", SHOWN / 2, path,
                       SHOWN / 2, ret_path, SHOWN / 2, dir);
        return false;
    }
    if (access(ret_path, R_OK)) {
        (void)snprintf(problem, HOOKS_TRANSFORM_PROBLEM_MAX, "%.*s cannot be read: %s", SHOWN, path, strerror(errno));
        return false;
    }
    return true;
}

bool hooks_transform_node(char ret_path[PATH_MAX])
{
    const char *own = getenv("OPENCLAW_NODE"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (own && own[0]) {
        return own[0] == '/' && snprintf(ret_path, PATH_MAX, "%s", own) < PATH_MAX && !access(ret_path, X_OK);
    }
    return program_find("node", ret_path);
}
