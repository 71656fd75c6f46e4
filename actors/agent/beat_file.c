#include "actors/agent/beat_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/base/utf8.h"

#define FILE_NAME "HEARTBEAT.md"

static int bytes_read(int fd, struct text_buf *out)
{
    int rc = text_buf_reserve(out, BEAT_FILE_MAX);
    ssize_t len;
    struct span text;

    if (rc) {
        return rc;
    }
    len = read(fd, out->data + out->len, BEAT_FILE_MAX);
    if (len < 0) {
        return BEAT_FILE_E_UNFIT;
    }
    text = utf8_cut((struct span){ out->data + out->len, (size_t)len }, (size_t)len);
    if (!utf8_is_valid(text) || (text.len && memchr(text.ptr, 0, text.len))) {
        return BEAT_FILE_E_UNFIT;
    }
    out->len += text.len;
    return 0;
}

int beat_file_read(const char *workspace, struct text_buf *out)
{
    char path[PATH_MAX];
    struct stat found;
    int fd;
    int rc = BEAT_FILE_E_UNFIT;

    if (snprintf(path, sizeof(path), "%s/" FILE_NAME, workspace) >= (int)sizeof(path)) {
        return BEAT_FILE_E_ABSENT;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe of that name would keep us waiting */
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? BEAT_FILE_E_ABSENT : BEAT_FILE_E_UNFIT;
    }
    if (!fstat(fd, &found) && S_ISREG(found.st_mode)) {
        rc = bytes_read(fd, out);
    }
    (void)close(fd); /* only read */
    return rc;
}
