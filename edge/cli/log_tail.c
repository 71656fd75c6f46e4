#include "edge/cli/log_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"

/* Start of the last `lines_max` lines of `bytes`; a last line without its end counts as one. */
static size_t lines_start(struct span bytes, uint64_t lines_max)
{
    size_t at = bytes.len;

    if (at && bytes.ptr[at - 1] == '\n') {
        at--;
    }
    while (at) {
        if (bytes.ptr[at - 1] == '\n' && --lines_max == 0) {
            return at;
        }
        at--;
    }
    return 0;
}

static void lines_tell(struct span bytes, void (*on_line)(void *arg, struct span line), void *arg)
{
    while (bytes.len) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;

        on_line(arg, (struct span){ bytes.ptr, len });
        bytes.ptr += len + (end != NULL);
        bytes.len -= len + (end != NULL);
    }
}

int log_tail_read(const char *path, uint64_t lines_max, uint64_t bytes_max,
                  void (*on_line)(void *arg, struct span line), void *arg, uint64_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    struct span bytes = { 0 };
    char *buf;
    uint64_t from;
    ssize_t n;

    if (fd < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        if (fd >= 0) {
            (void)close(fd); /* it was only read */
        }
        return LOG_TAIL_E_UNREADABLE;
    }
    from = (uint64_t)info.st_size > bytes_max ? (uint64_t)info.st_size - bytes_max : 0;
    buf = malloc((size_t)bytes_max + 1);
    n = buf ? pread(fd, buf, (size_t)bytes_max, (off_t)from) : 0;
    (void)close(fd); /* it was only read */
    if (!buf) {
        return FAULT(-ENOMEM);
    }
    if (n > 0) {
        const char *cut = from ? memchr(buf, '\n', (size_t)n) : NULL; /* the first line may be half a line */
        size_t skip = cut ? (size_t)(cut - buf) + 1 : 0;

        bytes = (struct span){ buf + skip, (size_t)n - skip };
        skip = lines_start(bytes, lines_max);
        lines_tell((struct span){ bytes.ptr + skip, bytes.len - skip }, on_line, arg);
    }
    free(buf);
    if (n < 0) {
        return LOG_TAIL_E_UNREADABLE;
    }
    *ret_size = (uint64_t)info.st_size;
    return 0;
}
