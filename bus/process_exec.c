/*
 * Hosts that are programs of their own (docs/bus-wire.md). Such a one gets the way to the
 * bus and nothing else of ours: no listening socket, no variable but a few harmless ones and
 * those that the topology names, no rights beyond ours by what it executes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/child.h"
#include "bus/process_internal.h"

#define OWN_MAX 6    /* variables that we set */
#define OWN_SIZE 320 /* of each */

/* Where programs are, how to write for people, where temporary files go. */
static const char *const always_passed[] = { "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR" };

/* What another user may change would run with our rights. NULL when all is well. */
static const char *why_not(const char *path)
{
    struct stat st;

    if (stat(path, &st)) {
        return strerror(errno); /* NOLINT(concurrency-mt-unsafe): the supervising process has one thread that fails */
    }
    if (!S_ISREG(st.st_mode) || access(path, X_OK)) {
        return "it is no executable file";
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return "it belongs to another user";
    }
    return st.st_mode & (S_IWGRP | S_IWOTH) ? "other users may write to it (chmod go-w)" : NULL;
}

/* "NAME=value" as it stands in our environment; NULL when it is not there. */
static const char *variable_find(const char *name)
{
    size_t len = strlen(name);

    for (char **at = environ; at && *at; at++) {
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') {
            return *at;
        }
    }
    return NULL;
}

static size_t names_add(const char *const *names, size_t names_n, const char **env, size_t env_n)
{
    for (size_t i = 0; i < names_n; i++) {
        const char *found = variable_find(names[i]);

        if (found) {
            env[env_n++] = found;
        }
    }
    return env_n;
}

static size_t words_count(char *const *words)
{
    size_t n = 0;

    while (words && words[n]) {
        n++;
    }
    return n;
}

int process_exec_start(struct hostling *host, int ready_fd)
{
    const char *path = host->host->exec[0];
    const char *why = why_not(path);
    size_t asked_n = words_count(host->host->env);
    CLEANUP(mem_free) const char **env = NULL;
    char own[OWN_MAX][OWN_SIZE];
    int keep[2] = { ready_fd, host->pulse_fd };
    size_t env_n = 0;

    if (why) {
        log_error("exec_refused", "host=%s path=%s why=\"%s\"", host->host->name, path, why);
        return FAULT(-EACCES);
    }
    (void)snprintf(own[0], OWN_SIZE, "OPENCLAW_BUS_HOST=%s", host->host->name);
    (void)snprintf(own[1], OWN_SIZE, "OPENCLAW_BUS_INCARNATION=%u", host->incarnation);
    (void)snprintf(own[2], OWN_SIZE, "OPENCLAW_BUS_READY_FD=%d", ready_fd);
    (void)snprintf(own[3], OWN_SIZE, "OPENCLAW_BUS_PULSE_FD=%d", host->pulse ? host->pulse_fd : 0);
    (void)snprintf(own[4], OWN_SIZE, "OPENCLAW_BUS_LAST_END=%s", host->last_end);
    if ((size_t)snprintf(own[5], OWN_SIZE, "OPENCLAW_BUS_RUN_DIR=%s", host->process->opts->run_dir) >= OWN_SIZE) {
        return FAULT(-ENAMETOOLONG);
    }
    env = mem_new((OWN_MAX + ARRAY_LEN(always_passed) + asked_n + 1) * sizeof(*env));
    for (size_t i = 0; i < OWN_MAX; i++) {
        env[env_n++] = own[i];
    }
    env_n = names_add(always_passed, ARRAY_LEN(always_passed), env, env_n);
    (void)names_add((const char *const *)host->host->env, asked_n, env, env_n);
    return child_start(&(struct child_opts){ .path = path,
                                             .argv = host->host->exec,
                                             .env = env,
                                             .keep_fds = keep,
                                             .keep_fds_n = host->pulse ? 2 : 1,
                                             .is_foreign = true },
                       &host->pid);
}
