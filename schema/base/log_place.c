#include "schema/base/log_place.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without links as far as it is there; what is not yet stays as written. False when too long. */
static bool place_real(const char *path, char ret_real[PATH_MAX])
{
    char above[PATH_MAX];
    size_t len = strlen(path);

    (void)snprintf(above, sizeof(above), "%s", path);
    while (!realpath(above, ret_real)) {
        while (len && path[len - 1] == '/') {
            len--;
        }
        while (len && path[len - 1] != '/') {
            len--;
        }
        (void)snprintf(above, sizeof(above), "%.*s", len ? (int)len : 1, len ? path : ".");
        if (!len) {
            break;
        }
    }
    if (!len && !realpath(above, ret_real)) {
        return false;
    }
    size_t n = strcmp(ret_real, "/") ? strlen(ret_real) : 0;
    int more = len < strlen(path) ? snprintf(ret_real + n, PATH_MAX - n, "/%s", path + len) : 0;
    return more >= 0 && (size_t)more < PATH_MAX - n;
}

/* The path below that directory; NULL when it is not in there. */
static const char *below(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    return strncmp(dir, path, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static bool is_source(const char *real, const char *const *sources, size_t sources_n)
{
    char source[PATH_MAX];

    for (size_t i = 0; i < sources_n; i++) {
        if (place_real(sources[i], source) && strcmp(real, source) == 0) {
            return true;
        }
    }
    return false;
}

const char *log_place_problem(struct span file, const char *home, const char *state_dir, const char *const *sources,
                              size_t sources_n)
{
    bool is_home = span_starts(file, "~/") && home;
    char path[PATH_MAX];
    char real[PATH_MAX];
    char state[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s%.*s", is_home ? home : "", (int)file.len - is_home, file.ptr + is_home);

    if (n <= 0 || n >= PATH_MAX || memchr(file.ptr, '\0', file.len) || !place_real(path, real)) {
        return "it is no path that a file can have";
    }
    if (is_source(real, sources, sources_n)) {
        return "it is a file of the config itself";
    }
    const char *inner = state_dir && realpath(state_dir, state) ? below(state, real) : NULL;
    if (inner && (strncmp(inner, "logs/", 5) != 0 || strstr(inner, "/../"))) {
        return "in the state directory only the folder logs is for logs";
    }
    return inner && !strncmp(inner + 5, "config-audit.", 13) ? "the record of changes of the config is there" : NULL;
}
