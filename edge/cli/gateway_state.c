#include "edge/cli/gateway_state.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"

#define OTHER_PLACE "or name another directory with OPENCLAW_STATE_DIR or --profile"

static int refuse(struct gateway_state_error *error, const char *name, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* `fmt` is what follows "the NAME PATH". */
static int refuse(struct gateway_state_error *error, const char *name, const char *path, const char *fmt, ...)
{
    va_list args;
    int len = snprintf(error->what, sizeof(error->what), "the %s %s ", name, path);

    if (len > 0 && len < (int)sizeof(error->what)) {
        va_start(args, fmt);
        (void)vsnprintf(error->what + len, sizeof(error->what) - (size_t)len, fmt, args); /* cut */
        va_end(args);
    }
    return GATEWAY_STATE_E_REFUSED;
}

static void fix_say(struct gateway_state_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fix_say(struct gateway_state_error *error, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(error->fix, sizeof(error->fix), fmt, args); /* cut */
    va_end(args);
}

static const char *user_name(uid_t uid, char *out, size_t size)
{
    struct passwd *entry = getpwuid(uid); /* NOLINT(concurrency-mt-unsafe): before threads start */

    (void)snprintf(out, size, "%s (uid %u)", entry ? entry->pw_name : "unknown", (unsigned)uid);
    return out;
}

/* Who may do what there, when it is not we. */
static int access_explain(const char *name, const char *path, struct gateway_state_error *error)
{
    struct stat st;
    char owner[96];
    char self[96];

    user_name(geteuid(), self, sizeof(self));
    if (stat(path, &st)) {
        fix_say(error, "let %s reach it, " OTHER_PLACE, self);
        return refuse(error, name, path, "cannot be reached by user %s", self);
    }
    user_name(st.st_uid, owner, sizeof(owner));
    if (st.st_uid != geteuid()) {
        fix_say(error, "run as that user, `chown` it, " OTHER_PLACE);
        return refuse(error, name, path, "belongs to user %s, and this is user %s", owner, self);
    }
    fix_say(error, "`chmod u+rwx %s`, " OTHER_PLACE, path);
    return refuse(error, name, path, "cannot be written by its owner: its mode is %04o", st.st_mode & 07777);
}

static int errno_explain(const char *name, const char *path, int number, struct gateway_state_error *error)
{
    struct stat st;
    char target[PATH_MAX] = "";

    if (number == EACCES || number == EPERM) {
        return access_explain(name, path, error);
    }
    if (number == ELOOP) {
        fix_say(error, "remove the link, " OTHER_PLACE);
        return refuse(error, name, path, "is a symbolic link that leads in a circle");
    }
    if (!lstat(path, &st) && S_ISLNK(st.st_mode) && readlink(path, target, sizeof(target) - 1) > 0 &&
        number == ENOENT) {
        fix_say(error, "make that directory, remove the link, " OTHER_PLACE);
        return refuse(error, name, path, "is a symbolic link to %.256s, which does not exist", target);
    }
    if (number == EROFS) {
        fix_say(error, "make the file system writable, " OTHER_PLACE);
        return refuse(error, name, path, "is on a read-only file system");
    }
    if (number == ENOSPC || number == EDQUOT) {
        fix_say(error, "make room there, " OTHER_PLACE);
        return refuse(error, name, path, "is on a full disk");
    }
    fix_say(error, "correct that, " OTHER_PLACE);
    return refuse(error, name, path, "cannot be used: %s", strerror(number)); /* NOLINT(concurrency-mt-unsafe) */
}

static int kind_explain(const char *name, const char *path, const struct stat *st, struct gateway_state_error *error)
{
    const char *kind = S_ISREG(st->st_mode)    ? "a file"
                       : S_ISLNK(st->st_mode)  ? "a symbolic link"
                       : S_ISSOCK(st->st_mode) ? "a socket"
                                               : "something else";

    fix_say(error, "move it away, " OTHER_PLACE);
    return refuse(error, name, path, "is %s, and has to be a directory", kind);
}

/* Where a directory cannot be made, the one above it is what we may not write to. */
static int mkdir_explain(const char *name, const char *path, int number, struct gateway_state_error *error)
{
    char parent[PATH_MAX];
    char *slash;

    (void)snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    if ((number == EACCES || number == EPERM) && slash && slash != parent) {
        *slash = '\0';
        return access_explain("directory", parent, error);
    }
    return errno_explain(name, path, number, error);
}

/* The directories above; their mode is left alone when they exist. */
static int parents_make(const char *path, struct gateway_state_error *error)
{
    char part[PATH_MAX];
    struct stat st;

    (void)snprintf(part, sizeof(part), "%s", path);
    for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(part, 0700) && errno != EEXIST) {
            return mkdir_explain("directory", part, errno, error);
        }
        if (!stat(part, &st) && !S_ISDIR(st.st_mode)) {
            return kind_explain("path", part, &st, error);
        }
        *at = '/';
    }
    return 0;
}

int gateway_state_dir(const char *name, const char *path, bool may_link, struct gateway_state_error *error)
{
    struct stat st;
    int r = parents_make(path, error);

    if (r) {
        return r;
    }
    if (mkdir(path, 0700) && errno != EEXIST) {
        return mkdir_explain(name, path, errno, error);
    }
    if (may_link ? stat(path, &st) : lstat(path, &st)) {
        return errno_explain(name, path, errno, error);
    }
    if (!S_ISDIR(st.st_mode)) {
        return kind_explain(name, path, &st, error);
    }
    if (st.st_uid != geteuid() || access(path, R_OK | W_OK | X_OK)) {
        return errno_explain(name, path, st.st_uid != geteuid() ? EPERM : errno, error);
    }
    return (st.st_mode & 0077) && chmod(path, 0700) ? errno_explain(name, path, errno, error) : 0;
}

void gateway_state_lock_explain(const char *path, int fault, struct gateway_state_error *error)
{
    struct stat st;
    bool is_there = lstat(path, &st) == 0;
    bool is_link = is_there && S_ISLNK(st.st_mode);

    (void)snprintf(error->what, sizeof(error->what), "cannot lock %s: %s", path,
                   is_link ? "it is a symbolic link, which might lead to a file of somebody else" : fault_text(fault));
    if (is_link || (is_there && !S_ISREG(st.st_mode))) {
        (void)snprintf(error->fix, sizeof(error->fix), "remove it: rm%s %s; a file takes its place, " OTHER_PLACE,
                       is_link ? "" : " -r", path);
    } else if (fault == -ENOSPC || fault == -EDQUOT) {
        (void)snprintf(error->fix, sizeof(error->fix), "make room there, " OTHER_PLACE);
    } else if (is_there) {
        (void)snprintf(error->fix, sizeof(error->fix), "see that user %u may write to it: chown %u %s, " OTHER_PLACE,
                       (unsigned)geteuid(), (unsigned)geteuid(), path);
    } else {
        (void)snprintf(error->fix, sizeof(error->fix),
                       "the directory it lies in must exist and be ours: openclaw setup makes it, " OTHER_PLACE);
    }
}
