#include "bus/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/owner.h"

/* Moves ownership out of a variable that closes itself. */
static int fd_keep(int *fd)
{
    int kept = *fd;

    *fd = -1;
    return kept;
}

static pid_t pid_read(int fd)
{
    char text[32] = "";
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    char *end;
    long pid;

    if (len <= 0) {
        return 0;
    }
    pid = strtol(text, &end, 10);
    return *end == '\n' && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static int pid_write(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)len, 0) != len) {
        return FAULT(errno ? -errno : -EIO);
    }
    return 0;
}

int lock_take(const char *path, int *ret_fd, pid_t *ret_pid)
{
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0) {
        return FAULT(-errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK) {
            return FAULT(-errno);
        }
        *ret_pid = pid_read(fd);
        return LOCK_E_HELD;
    }
    errno = 0;
    r = pid_write(fd);
    r = r ? r : owner_give(fd, path);
    if (r) {
        return r;
    }
    *ret_fd = fd_keep(&fd);
    return 0;
}
