#include "schema/base/config_create.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"

#define TOKEN_BYTES ((CONFIG_TOKEN_LEN - 1) / 2)

int config_token_generate(char ret_token[CONFIG_TOKEN_LEN])
{
    unsigned char random[TOKEN_BYTES];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return FAULT(-EIO);
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(ret_token + 2 * i, 3, "%02x", random[i]);
    }
    return 0;
}

static int refuse(struct config_error *error, const char *path, const char *what)
{
    snprintf(error->text, sizeof(error->text), "%.500s: cannot %s: %s", path, what, strerror(errno));
    return CONFIG_CREATE_E_REFUSED;
}

/* The directory part of `path`; "." when there is none. False when it is too long. */
static bool dir_of(const char *path, char dir[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) : 0;

    if (!slash || slash == path) {
        return snprintf(dir, PATH_MAX, "%s", slash ? "/" : ".") > 0;
    }
    return snprintf(dir, PATH_MAX, "%.*s", len, path) < PATH_MAX;
}

/* link() fails when the name is taken, which rename() would overwrite: that is what keeps
 * somebody's config safe from two first starts at once. */
static int file_publish(const char *dir, const char *temporary, const char *path, struct config_error *error)
{
    if (link(temporary, path)) {
        return errno == EEXIST ? CONFIG_CREATE_E_EXISTS : refuse(error, path, "create the file");
    }
    CLEANUP(fd_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd)) {
        return refuse(error, dir, "sync the directory");
    }
    return 0;
}

static int file_write(const char *dir, const char *path, const char *text, size_t len, struct config_error *error)
{
    char temporary[PATH_MAX];

    if (snprintf(temporary, sizeof(temporary), "%s/.openclaw.json.%ld.tmp", dir, (long)getpid()) >=
        (int)sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return refuse(error, path, "create the file");
    }
    (void)unlink(temporary); /* left by a process of the same number that was killed */
    CLEANUP(fd_close) int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return refuse(error, temporary, "create the file");
    }
    int r = durable_write(fd, (struct span){ text, len }) ? refuse(error, temporary, "write the file")
                                                          : file_publish(dir, temporary, path, error);
    (void)unlink(temporary); /* its second name, if it has one, is the file */
    return r;
}

int config_create(const char *path, uint16_t port, const char *token, struct config_error *error)
{
    char dir[PATH_MAX];
    char text[1024];
    struct stat st;
    int len = snprintf(text, sizeof(text),
                       "{\n"
                       "  \"gateway\": {\n"
                       "    \"mode\": \"local\",\n"
                       "    \"port\": %u,\n"
                       "    \"bind\": \"loopback\",\n"
                       "    \"auth\": { \"mode\": \"token\", \"token\": \"%s\" },\n"
                       "    \"http\": { \"endpoints\": { \"chatCompletions\": { \"enabled\": true } } }\n"
                       "  }\n"
                       "}\n",
                       port, token);

    if (len < 0 || len >= (int)sizeof(text) || !dir_of(path, dir)) {
        errno = ENAMETOOLONG;
        return refuse(error, path, "create the file");
    }
    if (!lstat(path, &st)) {
        return CONFIG_CREATE_E_EXISTS;
    }
    if (mkdir(dir, 0700) && errno != EEXIST) {
        return refuse(error, dir, "make the directory");
    }
    return file_write(dir, path, text, (size_t)len, error);
}
