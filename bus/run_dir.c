#include "bus/run_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"

#define SUFFIX ".sock"

static int made_ours(int fd)
{
    struct stat st;

    if (fstat(fd, &st)) {
        return FAULT(-errno);
    }
    if (st.st_uid != geteuid()) {
        return FAULT(-EPERM);
    }
    return (st.st_mode & 077) && fchmod(fd, 0700) ? FAULT(-errno) : 0;
}

int run_dir_open(const char *run_dir, int *ret_fd)
{
    if (mkdir(run_dir, 0700) && errno != EEXIST) {
        return FAULT(-errno);
    }
    int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return FAULT(-errno);
    }
    int r = made_ours(fd);
    if (r < 0) {
        (void)close(fd); /* only looked at */
        return r;
    }
    (void)flock(fd, LOCK_SH | LOCK_NB); /* a cleaner that is at it now skips it the next time */
    *ret_fd = fd;
    return 0;
}

bool run_dir_is(const char *run_dir, int fd)
{
    struct stat opened;
    struct stat named;

    return fstat(fd, &opened) == 0 && lstat(run_dir, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

static void sweep(const char *run_dir, const char *prefix, const char *spared)
{
    DIR *dir = opendir(run_dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): this stream is ours alone */
        size_t len = strlen(entry->d_name);

        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && strcmp(entry->d_name, spared) != 0 &&
            len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* see the header */
        }
    }
    if (dir) {
        (void)closedir(dir); /* only read from */
    }
}

void run_dir_sweep(const char *run_dir, const char *prefix)
{
    sweep(run_dir, prefix, "");
}

void run_dir_sweep_but(const char *run_dir, const char *name)
{
    sweep(run_dir, "", name);
}
