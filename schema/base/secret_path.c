#include "schema/base/secret_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/value.h"

static int refuse(struct secret_problem *problem, const char *text)
{
    (void)snprintf(problem->text, sizeof(problem->text), "%s", text);
    return -1;
}

const char *secret_path_home(void)
{
    return getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): nobody sets variables after the start */
}

bool secret_path_expand(struct span path, const char *home, char ret_path[PATH_MAX])
{
    bool is_home = path.len && path.ptr[0] == '~' && (path.len == 1 || path.ptr[1] == '/');
    int n = is_home && home ? snprintf(ret_path, PATH_MAX, "%s%.*s", home, (int)path.len - 1, path.ptr + 1)
                            : snprintf(ret_path, PATH_MAX, "%.*s", SPAN_FMT(path));

    return n > 0 && n < PATH_MAX && !memchr(path.ptr, '\0', path.len);
}

static bool is_inside(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    return strncmp(dir, path, len) == 0 && (path[len] == '/' || len == 1);
}

static bool is_trusted(struct span trusted, const char *path)
{
    struct value_iter it = value_iter(trusted);
    struct span key;
    struct span item;

    if (!value_count(trusted)) {
        return true;
    }
    while (value_next(&it, &key, &item)) {
        char given[PATH_MAX];
        char real[PATH_MAX];

        if (secret_path_expand(value_str(item, SPAN_LIT("")), secret_path_home(), given) && realpath(given, real) &&
            is_inside(real, path)) {
            return true;
        }
    }
    return false;
}

/* Whose it is and who may touch it. A file of root's is as good as one of ours: root could read everything anyway. */
static int mode_check(const struct stat *st, const struct secret_path_rules *rules, struct secret_problem *problem)
{
    if (rules->is_insecure_fine) {
        return 0;
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        return refuse(problem, "the file belongs to another user");
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        return refuse(problem, "others may write to the file: `chmod go-w` it");
    }
    if (!rules->is_run && st->st_nlink > 1) {
        return refuse(problem, "the file has another name as well (a hard link): put a copy in its place");
    }
    if (!rules->is_read_fine && (st->st_mode & (S_IRGRP | S_IROTH))) {
        return refuse(problem, "others may read the file: `chmod 600` it");
    }
    return 0;
}

/* What root lets a group do is root's decision; a directory of ours is for us alone. */
static bool is_open_to_others(const struct stat *st)
{
    return !(st->st_mode & S_ISVTX) && (st->st_mode & (st->st_uid == 0 ? S_IWOTH : S_IWGRP | S_IWOTH));
}

static bool is_of_stranger(const struct stat *st)
{
    return st->st_uid != geteuid() && st->st_uid != 0;
}

static int directory_check(const char *dir, struct secret_problem *problem)
{
    struct stat link;
    struct stat st;

    if (lstat(dir, &link) || stat(dir, &st)) {
        return refuse(problem, "a directory above the file cannot be looked at");
    }
    if (is_of_stranger(&link) || is_of_stranger(&st)) {
        (void)snprintf(problem->text, sizeof(problem->text), "the directory %.120s belongs to another user", dir);
        return -1;
    }
    if (is_open_to_others(&st)) {
        (void)snprintf(problem->text, sizeof(problem->text),
                       "others may write to the directory %.120s: `chmod go-w` it", dir);
        return -1;
    }
    return 0;
}

/* Every directory that the path passes, down from the root. */
static int chain_check(const char *path, struct secret_problem *problem)
{
    char dir[PATH_MAX];
    int r = directory_check("/", problem);

    for (const char *at = strchr(path + 1, '/'); !r && at; at = strchr(at + 1, '/')) {
        (void)snprintf(dir, sizeof(dir), "%.*s", (int)(at - path), path);
        r = directory_check(dir, problem);
    }
    return r;
}

/* The end of the path as it is, what is above it without links. */
static bool parent_real(const char *path, char ret_real[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    char real[PATH_MAX];

    (void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (!realpath(dir, real)) {
        return false;
    }
    int n = snprintf(ret_real, PATH_MAX, "%s%s", strcmp(real, "/") == 0 ? "" : real, slash);
    return n > 0 && n < PATH_MAX;
}

static int real_find(const char *path, const struct secret_path_rules *rules, char ret_real[PATH_MAX],
                     struct secret_problem *problem)
{
    struct stat st;

    if (path[0] != '/') {
        return refuse(problem, "its path is not absolute");
    }
    if (lstat(path, &st)) {
        return refuse(problem, errno == ENOENT ? "the file is not there" : "the file cannot be looked at");
    }
    if (S_ISLNK(st.st_mode) && !rules->is_link_fine) {
        return refuse(problem, "its path is a symbolic link");
    }
    if (S_ISLNK(st.st_mode) ? !realpath(path, ret_real) : !parent_real(path, ret_real)) {
        return refuse(problem, "its path leads nowhere");
    }
    return is_trusted(rules->trusted, ret_real) ? 0 : refuse(problem, "the file is in none of trustedDirs");
}

int secret_path_open(const char *path, const struct secret_path_rules *rules, char ret_real[PATH_MAX],
                     struct secret_problem *problem)
{
    struct stat st;

    if (real_find(path, rules, ret_real, problem)) {
        return -1;
    }
    if (rules->is_run && !rules->is_insecure_fine && (chain_check(path, problem) || chain_check(ret_real, problem))) {
        return -1;
    }
    /* O_NONBLOCK: a pipe in its place must not hold us up. */
    int fd = open(ret_real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return refuse(problem, errno == ELOOP ? "its path is a symbolic link" : "the file cannot be opened");
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return refuse(problem, "it is no regular file");
    }
    if (mode_check(&st, rules, problem)) {
        close(fd);
        return -1;
    }
    return fd;
}
