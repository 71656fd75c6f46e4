#include "schema/base/program_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "bus/base/cleanup.h"
#include "bus/child.h"
#include "schema/base/program_bounds.h"

#define LIST_BYTES 4096

struct keeper {
    pid_t leader;     /* the program; 0 once it has been waited for */
    siginfo_t ending; /* of the leader */
};

/* --- the program ------------------------------------------------------------------------------------ */

static bool ends_place(const struct program_keeper_opts *opts)
{
    bool is_apart = opts->is_output_apart;

    if (dup2(opts->ends[0], 0) < 0 || dup2(opts->ends[is_apart ? 2 : 1], 1) < 0 || dup2(opts->ends[2], 2) < 0 ||
        (is_apart && dup2(opts->ends[1], 3) < 0)) {
        return false;
    }
    (void)syscall(SYS_close_range, is_apart ? 4U : 3U, ~0U, 0U);
    return true;
}

static _Noreturn void program_run(const struct program_keeper_opts *opts, pid_t keeper)
{
    child_signals_reset();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != keeper || setsid() < 0 ||
        chdir(opts->work_dir ? opts->work_dir : opts->dir)) {
        _exit(PROGRAM_KEEPER_NOT_EXECUTED);
    }
    if (!ends_place(opts)) {
        _exit(PROGRAM_KEEPER_NOT_EXECUTED);
    }
    if (opts->bounds && program_bounds_set(opts->bounds, opts->command)) {
        _exit(PROGRAM_KEEPER_NOT_EXECUTED);
    }
    (void)execve(opts->command, opts->argv, opts->envp);
    _exit(PROGRAM_KEEPER_NOT_EXECUTED);
}

static int work_dir_make(const char *path)
{
    int dir = mkdir(path, 0700) ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = dir < 0 || symlinkat("/proc/self/fd/1", dir, PROGRAM_KEEPER_OUTPUT) || fchmod(dir, 0500);

    if (dir >= 0) {
        close(dir);
    }
    return r;
}

static void work_dir_remove(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir >= 0) {
        (void)fchmod(dir, 0700);
        (void)unlinkat(dir, PROGRAM_KEEPER_OUTPUT, 0);
        close(dir);
    }
    (void)rmdir(path); /* nothing else can be in it */
}

/* --- its end ---------------------------------------------------------------------------------------- */

/* "12 345 6 ": kills each. Returns the length of a number that is not complete yet. */
static size_t listed_kill(const char *text, size_t len)
{
    size_t begin = 0;

    for (size_t i = 0; i < len; i++) {
        pid_t pid = 0;

        if (text[i] != ' ') {
            continue;
        }
        for (size_t at = begin; at < i; at++) {
            pid = pid * 10 + (text[at] - '0');
        }
        if (pid > 0) {
            (void)kill(pid, SIGKILL);
        }
        begin = i + 1;
    }
    return len - begin;
}

/* All children that we have now. Without /proc what is left is the program's own group. */
static void children_kill(const struct keeper *self)
{
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    char text[LIST_BYTES];
    size_t kept = 0;
    ssize_t n = fd < 0 ? 0 : 1;

    if (self->leader > 0) {
        (void)kill(-self->leader, SIGKILL);
        (void)kill(self->leader, SIGKILL); /* it may not have got to its group yet */
    }
    while (n > 0) {
        n = read(fd, text + kept, sizeof(text) - kept);
        size_t len = kept + (n > 0 ? (size_t)n : 0);
        kept = listed_kill(text, len);
        memmove(text, text + len - kept, kept);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* The leader's number stays taken until its group has been killed. False when there are no children. */
static bool child_reap(struct keeper *self, int options)
{
    siginfo_t info = { 0 };

    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | options)) {
        return errno == EINTR;
    }
    if (!info.si_pid) {
        return true;
    }
    if (info.si_pid == self->leader) {
        (void)kill(-self->leader, SIGKILL);
        self->ending = info;
        self->leader = 0;
    }
    (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED);
    return true;
}

/* Those that are killed hand their own children down to us, so it takes as many rounds as there are generations. */
static void all_end(struct keeper *self)
{
    do {
        children_kill(self);
    } while (child_reap(self, 0));
}

static _Noreturn void end_like(const siginfo_t *ending)
{
    if (ending->si_code == CLD_EXITED) {
        _exit(ending->si_status);
    }
    (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L); /* our memory is a copy of whose child we are */
    child_signals_reset();
    (void)kill(getpid(), ending->si_code == CLD_KILLED || ending->si_code == CLD_DUMPED ? ending->si_status : SIGKILL);
    (void)kill(getpid(), SIGKILL); /* where that signal ends nobody */
    _exit(PROGRAM_KEEPER_NOT_EXECUTED);
}

/* --- meanwhile ------------------------------------------------------------------------------------------ */

/* Until the program has ended, or we are told to end it. */
static void keep(struct keeper *self)
{
    sigset_t awaited;

    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGTERM);
    while (self->leader) {
        if (sigwaitinfo(&awaited, NULL) == SIGTERM) {
            return;
        }
        siginfo_t ended = { 0 };
        do { /* one SIGCHLD may stand for several; what has ended is waited for one by one */
            ended.si_pid = 0;
            if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT)) {
                return;
            }
        } while (ended.si_pid && child_reap(self, WNOHANG) && self->leader);
    }
}

_Noreturn void program_keeper_run(const struct program_keeper_opts *opts)
{
    struct keeper self = { 0 };
    pid_t own = getpid();
    sigset_t all;

    child_signals_reset();
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL); /* who told us to end before this has ended us */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) || prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) ||
        getppid() != opts->parent || setsid() < 0) {
        _exit(PROGRAM_KEEPER_NOT_EXECUTED);
    }
    if (opts->work_dir && work_dir_make(opts->work_dir)) {
        work_dir_remove(opts->work_dir);
        _exit(PROGRAM_KEEPER_NOT_EXECUTED);
    }
    self.leader = _Fork();
    if (self.leader < 0) {
        _exit(PROGRAM_KEEPER_NOT_EXECUTED);
    }
    if (self.leader == 0) {
        program_run(opts, own);
    }
    (void)prctl(PR_SET_NAME, "program-keeper", 0L, 0L, 0L);
    (void)syscall(SYS_close_range, 0U, ~0U, 0U);
    keep(&self);
    all_end(&self);
    if (opts->work_dir) {
        work_dir_remove(opts->work_dir);
    }
    end_like(&self.ending);
}
