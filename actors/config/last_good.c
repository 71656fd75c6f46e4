#include "actors/config/last_good.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "schema/base/config_file.h"

bool last_good_path(const char *path, char ret_path[PATH_MAX])
{
    return snprintf(ret_path, PATH_MAX, "%s.last-good", path) < PATH_MAX;
}

static bool is_written(const char *path, struct span text)
{
    CLEANUP(text_buf_deinit) struct text_buf old = { 0 };
    struct config_error error;

    return !config_file_read(path, &old, &error) && span_is((struct span){ old.data, old.len }, text);
}

int last_good_write(const char *path, struct span text)
{
    char target[PATH_MAX];
    char temporary[PATH_MAX];

    if (!last_good_path(path, target) ||
        snprintf(temporary, sizeof(temporary), "%s.tmp", target) >= (int)sizeof(temporary)) {
        return FAULT(-ENAMETOOLONG);
    }
    if (is_written(target, text)) {
        return 0;
    }
    (void)unlink(temporary); /* left by a crash; there is one config actor, so it is nobody's */
    CLEANUP(fd_close) int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return FAULT(-errno);
    }
    int fault = durable_write(fd, text);
    if (!fault && rename(temporary, target)) {
        fault = FAULT(-errno);
    }
    if (fault) {
        (void)unlink(temporary);
    }
    return fault;
}
