#include "edge/cli/gateway_handover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_opts.h"
#include "edge/cli/cli_out.h"

#define ENV PROCESS_LEFT_ENV
#define ENV_PROGRAM "OPENCLAW_HANDOVER_PROGRAM"
#define ENV_FAILED "OPENCLAW_HANDOVER_FAILED" /* "2 why", of the last time */
#define COUNT_MAX 1000000
#define FD_TEXT 8 /* of a number and what stands behind it */
#define SELF "/proc/self/exe"

/* --- what was left -------------------------------------------------------------------------- */

static bool number_read(const char **at, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;
    const char *first = *at;

    while (**at >= '0' && **at <= '9' && number <= most) {
        number = number * 10 + (unsigned)(*(*at)++ - '0');
    }
    *ret_number = number;
    return *at > first && number <= most;
}

bool gateway_handover_parse(const char *text, struct gateway_handover *ret_self)
{
    struct gateway_handover self = { .fds_n = 0 };
    bool is_good = number_read(&text, COUNT_MAX, &self.upgrades_n) && *text == ' ';

    *ret_self = (struct gateway_handover){ .fds_n = 0 };
    while (is_good && (*text == ' ' || *text == ',') && self.fds_n < GATEWAY_HANDOVER_FDS_MAX) {
        unsigned fd;

        text++;
        is_good = number_read(&text, 65535, &fd) && fd > 2;
        self.fds[self.fds_n++] = (int)fd;
    }
    if (!is_good || *text) {
        return false;
    }
    *ret_self = self;
    return true;
}

static void words_take(struct gateway_handover *self)
{
    const char *failed = getenv(ENV_FAILED);
    const char *program = getenv(ENV_PROGRAM);

    if (failed && number_read(&failed, COUNT_MAX, &self->failures_n) && *failed == ' ') {
        (void)snprintf(self->failure, sizeof(self->failure), "%s", failed + 1); /* cut */
    }
    if (program && program[0] == '/' && strlen(program) < sizeof(self->program)) {
        (void)strcpy(self->program, program);
    }
    (void)unsetenv(ENV_FAILED);
    (void)unsetenv(ENV_PROGRAM);
}

void gateway_handover_take(struct gateway_handover *self)
{
    const char *text = getenv(ENV);

    *self = (struct gateway_handover){ .fds_n = 0 };
    if (!text) {
        return;
    }
    if (!gateway_handover_parse(text, self)) {
        log_warning("handover_ignored", "why=\"" ENV " is not what a gateway leaves to the next one\"");
    }
    for (size_t i = 0; i < self->fds_n; i++) {
        (void)fcntl(self->fds[i], F_SETFD, FD_CLOEXEC); /* one that is not open is nobody's below */
    }
    words_take(self);
    (void)unsetenv(ENV);                  /* it is for nobody else */
    (void)prctl(PR_SET_NAME, "openclaw"); /* for ps: else it shows the number of a descriptor */
}

void gateway_handover_deinit(struct gateway_handover *self)
{
    while (self->fds_n) {
        (void)close(self->fds[--self->fds_n]); /* a lock, or a socket where nobody is to listen any more */
    }
}

static int take_at(struct gateway_handover *self, size_t i)
{
    int fd = self->fds[i];

    memmove(&self->fds[i], &self->fds[i + 1], (--self->fds_n - i) * sizeof(*self->fds));
    return fd;
}

int gateway_handover_file(struct gateway_handover *self, const char *path)
{
    struct stat named;
    struct stat opened;

    if (self->fds_n == 0 || lstat(path, &named)) {
        return -1;
    }
    for (size_t i = 0; i < self->fds_n; i++) {
        if (fstat(self->fds[i], &opened) == 0 && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino) {
            return take_at(self, i);
        }
    }
    return -1;
}

/* --- sockets ---------------------------------------------------------------------------------- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static bool is_listening(int fd, union address *ret_address)
{
    socklen_t len = sizeof(*ret_address);
    int value = 0;
    socklen_t value_len = sizeof(value);

    memset(ret_address, 0, sizeof(*ret_address));
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &value_len) == 0 && value &&
           getsockname(fd, &ret_address->any, &len) == 0;
}

static bool listen_add(struct gateway_listen *listen, int fd)
{
    union address address;
    size_t i = listen->n;

    if (i == GATEWAY_LISTEN_MAX || !is_listening(fd, &address) ||
        (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6)) {
        return false;
    }
    bool is_v6 = address.any.sa_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&address.v6.sin6_addr : &address.v4.sin_addr;
    if (!inet_ntop(address.any.sa_family, bytes, listen->hosts[i], sizeof(listen->hosts[i]))) {
        return false;
    }
    listen->port = ntohs(is_v6 ? address.v6.sin6_port : address.v4.sin_port);
    listen->fds[i] = fd;
    listen->n++;
    return true;
}

void gateway_handover_listen(struct gateway_handover *self, struct gateway_listen *ret_listen)
{
    *ret_listen = (struct gateway_listen){ .n = 0 };
    for (size_t i = 0; i < self->fds_n;) {
        if (listen_add(ret_listen, self->fds[i])) {
            (void)take_at(self, i);
        } else {
            i++;
        }
    }
}

int gateway_handover_local(struct gateway_handover *self, const char *path)
{
    union address address;
    struct stat st;

    if (self->fds_n == 0 || lstat(path, &st) || !S_ISSOCK(st.st_mode)) {
        return -1; /* its file is gone, so nobody can connect there */
    }
    for (size_t i = 0; i < self->fds_n; i++) {
        if (is_listening(self->fds[i], &address) && address.any.sa_family == AF_UNIX &&
            strcmp(address.local.sun_path, path) == 0) {
            return take_at(self, i);
        }
    }
    return -1;
}

/* --- what is left to the next ------------------------------------------------------------------- */

void gateway_handover_add(struct gateway_handover *self, int fd)
{
    if (fd >= 0 && self->fds_n < GATEWAY_HANDOVER_FDS_MAX) {
        self->fds[self->fds_n++] = fd;
    }
}

size_t gateway_handover_list(const struct gateway_handover *self, int *fds, size_t max)
{
    size_t n = self->fds_n < max ? self->fds_n : max;

    memcpy(fds, self->fds, n * sizeof(*fds));
    return n;
}

static bool env_set(const struct gateway_handover *self)
{
    char text[16 + GATEWAY_HANDOVER_FDS_MAX * FD_TEXT];
    char failed[16 + GATEWAY_HANDOVER_FAILURE_MAX];
    size_t len = (size_t)snprintf(text, sizeof(text), "%u", self->upgrades_n);

    for (size_t i = 0; i < self->fds_n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%d", i ? ',' : ' ', self->fds[i]);
    }
    (void)snprintf(failed, sizeof(failed), "%u %s", self->failures_n, self->failure);
    return setenv(ENV, text, 1) == 0 && setenv(ENV_PROGRAM, self->program, 1) == 0 &&
           setenv(ENV_FAILED, failed, 1) == 0;
}

static void execute(const struct gateway_handover *self, const char *path, char *const *argv)
{
    if (!env_set(self)) {
        errno = ENOMEM;
        return;
    }
    /* Libraries open theirs close-on-exec; this covers those that forget. */
    (void)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < self->fds_n; i++) {
        (void)fcntl(self->fds[i], F_SETFD, 0); /* ours, and open */
    }
    (void)execv(path, argv); /* returns only when it failed */
}

void gateway_handover_exec(struct gateway_handover *self, int program_fd, char *const *argv)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", program_fd);
    self->upgrades_n++; /* signals that are held, and those that are ignored, stay so (bus/process.c) */
    execute(self, path, argv);
    self->upgrades_n--;
    self->failures_n++;
    (void)snprintf(self->failure, sizeof(self->failure), "%s", fault_text(-errno));
    log_error("upgrade_failed", "program=%s error=\"%s\" why=\"the program that ran goes on\"", self->program,
              self->failure);
    execute(self, SELF, argv);
    log_error("upgrade_failed", "program=" SELF " error=\"%s\"", fault_text(-errno));
}

bool gateway_handover_is_trial(void)
{
    return getenv(PROCESS_TRIAL_ENV) != NULL;
}

int gateway_handover_prove(void)
{
    const char *nonce = getenv(PROCESS_TRIAL_ENV);

    if (nonce && dprintf(PROCESS_TRIAL_FD, "%s %s\n", nonce, OPENCLAW_VERSION) < 0) {
        cli_err("who tries this program cannot be told that it would start: %s", fault_text(-errno));
        return CLI_EXIT_SOFTWARE;
    }
    return CLI_EXIT_OK;
}

/* --- where the next one is ---------------------------------------------------------------------- */

static bool is_same_file(const char *path, const struct stat *as)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_dev == as->st_dev && st.st_ino == as->st_ino;
}

/* As a shell finds it. */
static bool path_search(const char *name, const struct stat *as, char ret_path[PATH_MAX])
{
    const char *at = getenv("PATH");

    while (at && *at) {
        size_t len = strcspn(at, ":");

        if (at[0] == '/' && snprintf(ret_path, PATH_MAX, "%.*s/%s", (int)len, at, name) < PATH_MAX &&
            is_same_file(ret_path, as)) {
            return true;
        }
        at += len + (at[len] == ':');
    }
    return false;
}

/* A path with links in it may lead to another release tomorrow, so it is kept as it was given. */
bool gateway_handover_program(const char *argv0, char ret_path[PATH_MAX])
{
    char dir[PATH_MAX];
    struct stat st;

    if (stat(SELF, &st)) {
        return false;
    }
    if (argv0[0] == '/') {
        (void)snprintf(ret_path, PATH_MAX, "%s", argv0);
        if (is_same_file(ret_path, &st)) {
            return true;
        }
    } else if (strchr(argv0, '/') && getcwd(dir, sizeof(dir)) &&
               snprintf(ret_path, PATH_MAX, "%s/%s", dir, argv0) < PATH_MAX && is_same_file(ret_path, &st)) {
        return true;
    } else if (path_search(argv0, &st, ret_path)) {
        return true;
    }
    ssize_t len = readlink(SELF, ret_path, PATH_MAX - 1);
    if (len < 0) {
        return false;
    }
    ret_path[len] = '\0';
    return is_same_file(ret_path, &st);
}
