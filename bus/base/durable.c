#include "bus/base/durable.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

int durable_write(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FAULT(-errno);
        }
        bytes = (struct span){ bytes.ptr + n, bytes.len - (size_t)n };
    }
    return fsync(fd) ? FAULT(-errno) : 0;
}

int durable_name(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    (void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    CLEANUP(fd_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) ? FAULT(-errno) : 0;
}
