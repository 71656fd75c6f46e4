#include "edge/cli/gateway_port.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"

#define TCP_STATE_LISTEN 0x0a /* include/net/tcp_states.h of the kernel */
#define INODES_MAX 64
#define KILL_WAIT_MS 2000

struct inodes {
    unsigned long items[INODES_MAX];
    size_t n;
};

static void file_close(FILE **file)
{
    if (*file) {
        (void)fclose(*file); /* only read from */
    }
}

static void dir_close(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir); /* only read from */
    }
}

/* One of /proc/net/tcp and tcp6: "sl local:port remote:port state … inode". */
static void inodes_read(const char *path, uint16_t port, struct inodes *inodes)
{
    CLEANUP(file_close) FILE *file = fopen(path, "re");
    char line[512];

    while (file && fgets(line, sizeof(line), file)) {
        unsigned local_port;
        unsigned state;
        unsigned long inode;

        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu", &local_port, &state,
                   &inode) == 3 &&
            local_port == port && state == TCP_STATE_LISTEN && inodes->n < INODES_MAX) {
            inodes->items[inodes->n++] = inode;
        }
    }
}

static bool inodes_have(const struct inodes *inodes, unsigned long inode)
{
    for (size_t i = 0; i < inodes->n; i++) {
        if (inodes->items[i] == inode) {
            return true;
        }
    }
    return false;
}

static bool process_holds(pid_t pid, const struct inodes *inodes)
{
    char path[64];
    struct dirent *entry;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    CLEANUP(dir_close) DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): this stream is ours alone */
        char target[64] = "";
        unsigned long inode;

        if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
            sscanf(target, "socket:[%lu]", &inode) == 1 && inodes_have(inodes, inode)) {
            return true;
        }
    }
    return false;
}

static int pid_compare(const void *a, const void *b)
{
    pid_t left = *(const pid_t *)a;
    pid_t right = *(const pid_t *)b;

    return (left > right) - (left < right);
}

size_t gateway_port_holders(uint16_t port, pid_t *ret_pids, size_t max)
{
    CLEANUP(dir_close) DIR *proc = opendir("/proc");
    struct inodes inodes = { .n = 0 };
    struct dirent *entry;
    size_t n = 0;

    inodes_read("/proc/net/tcp", port, &inodes);
    inodes_read("/proc/net/tcp6", port, &inodes);
    while (proc && inodes.n && n < max && (entry = readdir(proc))) { /* NOLINT(concurrency-mt-unsafe): as above */
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

        if (pid > 0 && process_holds(pid, &inodes)) {
            ret_pids[n++] = pid;
        }
    }
    qsort(ret_pids, n, sizeof(*ret_pids), pid_compare);
    return n;
}

void gateway_port_program(pid_t pid, char *ret_text, size_t len)
{
    char path[64];

    ret_text[0] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    CLEANUP(file_close) FILE *file = fopen(path, "re");
    if (!file) {
        return;
    }
    ret_text[fread(ret_text, 1, len - 1, file)] = '\0'; /* arguments are terminated: this ends at the first */
    for (char *at = ret_text; *at; at++) {
        if (iscntrl((unsigned char)*at)) {
            *at = '?';
        }
    }
}

/* Signals them, and waits until all have ended or `wait_ms` is over. */
static bool all_end(const pid_t *pids, size_t n, int number, int wait_ms)
{
    struct pollfd fds[GATEWAY_PORT_HOLDERS_MAX];
    size_t fds_n = 0;
    bool is_done = true;
    uint64_t end_ms = clock_mono_ms() + (uint64_t)wait_ms;

    for (size_t i = 0; i < n; i++) {
        int fd = pids[i] == getpid() ? -1 : (int)syscall(SYS_pidfd_open, pids[i], 0);

        if (fd >= 0) {
            /* Through the descriptor: the number may belong to someone else by now. */
            (void)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0); /* not allowed shows as not ended */
            fds[fds_n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
        }
    }
    for (size_t i = 0; i < fds_n; i++) {
        uint64_t now_ms = clock_mono_ms();

        is_done = poll(&fds[i], 1, now_ms < end_ms ? (int)(end_ms - now_ms) : 0) == 1 && is_done;
        (void)close(fds[i].fd);
    }
    return is_done;
}

bool gateway_port_force(uint16_t port, int term_ms, size_t *ret_ended_n)
{
    pid_t pids[GATEWAY_PORT_HOLDERS_MAX];
    size_t n = gateway_port_holders(port, pids, GATEWAY_PORT_HOLDERS_MAX);

    *ret_ended_n = n;
    return all_end(pids, n, SIGTERM, term_ms) || all_end(pids, n, SIGKILL, KILL_WAIT_MS);
}

void gateway_port_owner_pack(pid_t pid, struct pack *out)
{
    char path[64];
    char line[256];
    struct stat info;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &info) == 0) {
        const struct passwd *user = getpwuid(info.st_uid); /* NOLINT(concurrency-mt-unsafe): one thread */

        if (user) {
            pack_kv_text(out, "user", user->pw_name);
        }
    }
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "PPid:", 5) == 0) {
            pack_kv_i64(out, "ppid", strtol(line + 5, NULL, 10));
        }
    }
    if (file) {
        (void)fclose(file); /* only read */
    }
}
