#include "schema/base/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"

static int bytes_read(int fd, size_t size, char *out)
{
    size_t at = 0;

    while (at < size) {
        ssize_t n = read(fd, out + at, size - at);
        if (n <= 0) {
            return JSON_FILE_E_UNUSABLE;
        }
        at += (size_t)n;
    }
    return 0;
}

int json_file_read(const char *path, struct pack *ret_doc)
{
    struct json_opts opts = { .depth_max = 16 };
    struct json_error error;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? JSON_FILE_E_ABSENT : JSON_FILE_E_UNUSABLE;
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > JSON_FILE_MAX) {
        close(fd);
        return JSON_FILE_E_UNUSABLE;
    }
    size_t size = (size_t)st.st_size;
    char *text = malloc(size);
    int r = text ? bytes_read(fd, size, text) : FAULT(-ENOMEM);
    close(fd);
    pack_init_secret(ret_doc, JSON_FILE_MAX * 2);
    if (!r) {
        r = json_to_pack((struct span){ text, size }, &opts, ret_doc, &error);
        r = r > 0 ? JSON_FILE_E_UNUSABLE : r;
        mem_wipe(text, size);
    }
    free(text);
    if (r) {
        json_file_done(ret_doc);
    }
    return r;
}

void json_file_done(struct pack *doc)
{
    pack_deinit(doc);
}
