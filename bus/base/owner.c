#include "bus/base/owner.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

/* Who shall own it, in st_uid and st_gid. */
static bool heir_find(const struct stat *self, const char *path, struct stat *ret_heir)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (!lstat(path, ret_heir) && S_ISREG(ret_heir->st_mode) &&
        (ret_heir->st_ino != self->st_ino || ret_heir->st_dev != self->st_dev)) {
        return true;
    }
    int n = snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    return n < (int)sizeof(dir) && !stat(dir, ret_heir);
}

int owner_give(int fd, const char *path)
{
    struct stat st;
    struct stat heir;

    if (geteuid() != 0) {
        return 0;
    }
    if (fstat(fd, &st)) {
        return FAULT(-errno);
    }
    bool is_ours = st.st_uid == 0 && (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink <= 1));
    if (!is_ours || !heir_find(&st, path, &heir) || heir.st_uid == 0) {
        return 0;
    }
    if (fchown(fd, heir.st_uid, heir.st_gid) && errno != EPERM && errno != EINVAL) {
        return FAULT(-errno);
    }
    return 0; /* a root that may not, or in whose namespace that user has no number, keeps it */
}

int owner_give_dir(const char *path)
{
    if (geteuid() != 0) {
        return 0;
    }
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? FAULT(-errno) : owner_give(fd, path);
}
