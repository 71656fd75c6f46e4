#include "bus/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define EXIT_NOT_EXECUTED 127

/* Whether both texts set the same variable. */
static bool names_match(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strcspn(b, "=") == len && memcmp(a, b, len) == 0;
}

static size_t env_count(const char *const *env)
{
    size_t n = 0;

    while (env && env[n]) {
        n++;
    }
    return n;
}

/* `old`, such as the present environment, with `more` put over it; texts are borrowed, free the vector. */
static const char **env_merge(const char *const *old, const char *const *more)
{
    const char **env = mem_new((env_count(old) + env_count(more) + 1) * sizeof(*env));
    size_t n = 0;

    for (size_t i = 0; more && more[i]; i++) {
        env[n++] = more[i];
    }
    for (size_t i = 0; old && old[i]; i++) {
        bool is_replaced = false;

        for (size_t k = 0; more && more[k]; k++) {
            is_replaced = is_replaced || names_match(old[i], more[k]);
        }
        if (!is_replaced) {
            env[n++] = old[i];
        }
    }
    return env;
}

/* From here to exec only async-signal-safe calls: other threads may have held locks at
 * the fork. */
void child_signals_reset(void)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &standard, NULL); /* SIGKILL and SIGSTOP refuse, rightly */
    }
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run(const struct child_opts *opts, const char **env, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) {
        _exit(EXIT_NOT_EXECUTED); /* the parent died before the kernel knew */
    }
    (void)setpgid(0, 0); /* Ctrl-C is for the supervising process, which stops us in order */
    child_signals_reset();
    if (opts->is_foreign && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        _exit(EXIT_NOT_EXECUTED);
    }
    /* Libraries open theirs close-on-exec; this covers those that forget. */
    (void)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < opts->keep_fds_n; i++) {
        if (fcntl(opts->keep_fds[i], F_SETFD, 0)) {
            _exit(EXIT_NOT_EXECUTED);
        }
    }
    (void)execve(opts->path, opts->argv, (char *const *)(const void *)env); /* returns only when it failed */
    _exit(EXIT_NOT_EXECUTED);
}

int child_start(const struct child_opts *opts, pid_t *ret_pid)
{
    CLEANUP(mem_free) const char **env = env_merge(opts->is_foreign ? NULL : (const char *const *)environ, opts->env);
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        return FAULT(-errno);
    }
    if (pid == 0) {
        run(opts, env, parent);
    }
    *ret_pid = pid;
    return 0;
}
