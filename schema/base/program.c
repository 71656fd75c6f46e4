#include "schema/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "schema/base/program_keeper.h"
#include "schema/base/secret_memory.h"

#define ERRORS_CHUNK 4096
#define ENDS_LOWEST 4 /* above what they become in the child */
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

enum { END_IN, END_OUT, END_ERR, ENDS_N };

struct program {
    struct program_opts opts;
    pid_t pid; /* of the keeper; 0 once it has been waited for */
    int pidfd;
    uv_poll_t ended;
    uv_timer_t timeout;
    uv_timer_t quiet;
    uv_pipe_t ends[ENDS_N];
    uv_write_t write;
    struct text_buf input;
    struct secret_arena arena;
    char *output; /* output_max bytes, of the arena when they are secret */
    size_t output_len;
    size_t output_sum;         /* with standard error */
    char errors[ERRORS_CHUNK]; /* read, so that it does not stall, and shown to nobody */
    char problem[PROGRAM_PROBLEM_MAX];
    bool has_exited;
    bool has_output_ended;
    bool is_disposed;
    unsigned handles_n; /* still to be closed */
};

bool program_find(const char *name, char ret_path[PATH_MAX])
{
    const char *at = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    for (at = at ? at : PATH_DEFAULT; *at; at += strcspn(at, ":"), at += *at == ':') {
        int len = (int)strcspn(at, ":");

        if (*at == '/' && snprintf(ret_path, PATH_MAX, "%.*s/%s", len, at, name) < PATH_MAX &&
            !access(ret_path, X_OK)) {
            return true;
        }
    }
    return false;
}

/* --- its end ---------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct program *self = handle->data;

    if (--self->handles_n) {
        return;
    }
    if (self->pidfd >= 0) {
        close(self->pidfd);
    }
    text_buf_deinit(&self->input);
    if (!self->opts.is_secret) {
        free(self->output);
    }
    secret_arena_deinit(&self->arena);
    mem_wipe(self->errors, sizeof(self->errors));
    free(self);
}

static void handle_close(struct program *self, uv_handle_t *handle)
{
    handle->data = self;
    if (!uv_is_closing(handle)) {
        uv_close(handle, on_closed);
    }
}

/* The keeper ends once nothing is left of what the program started. */
static void program_end(const struct program *self)
{
    if (self->pid > 0) {
        (void)kill(self->pid, SIGTERM);
        (void)kill(self->pid, SIGCONT); /* what it keeps may have stopped it */
    }
}

/* self may be gone once the loop goes on. A process that does not die at once is waited for by the poll, which stays
 * until then. */
static void dispose(struct program *self)
{
    program_end(self);
    self->is_disposed = true;
    if (!self->pid) {
        handle_close(self, (uv_handle_t *)&self->ended);
    }
    handle_close(self, (uv_handle_t *)&self->timeout);
    handle_close(self, (uv_handle_t *)&self->quiet);
    for (size_t i = 0; i < ENDS_N; i++) {
        handle_close(self, (uv_handle_t *)&self->ends[i]);
    }
}

static void finish(struct program *self)
{
    void (*on_done)(void *arg, struct span output, const char *problem) = self->opts.on_done;

    self->opts.on_done = NULL;
    program_end(self);
    if (on_done) {
        on_done(self->opts.arg, (struct span){ self->output, self->output_len },
                self->problem[0] ? self->problem : NULL);
    }
    dispose(self);
}

static void fail(struct program *self, const char *text)
{
    if (!self->problem[0]) {
        (void)snprintf(self->problem, sizeof(self->problem), "%s", text);
    }
    finish(self);
}

void program_cancel(struct program **program_p)
{
    struct program *self = *program_p;

    *program_p = NULL;
    if (self) {
        self->opts.on_done = NULL;
        dispose(self);
    }
}

/* --- what happens to it ------------------------------------------------------------------------------- */

static void on_timeout(uv_timer_t *timer)
{
    struct program *self = timer->data;
    char text[96];

    (void)snprintf(text, sizeof(text), "the program was not done after %u ms", self->opts.timeout_ms);
    fail(self, text);
}

static void on_quiet(uv_timer_t *timer)
{
    struct program *self = timer->data;
    char text[96];

    (void)snprintf(text, sizeof(text), "the program wrote nothing for %u ms", self->opts.quiet_ms);
    fail(self, text);
}

static void exit_check(struct program *self)
{
    if (self->has_exited && self->has_output_ended) {
        finish(self);
    }
}

static void exit_note(struct program *self, const siginfo_t *info)
{
    if (info->si_code != CLD_EXITED) {
        (void)snprintf(self->problem, sizeof(self->problem), "the program was ended by signal %d", info->si_status);
    } else if (info->si_status == PROGRAM_KEEPER_NOT_EXECUTED) {
        (void)snprintf(self->problem, sizeof(self->problem), "the program cannot be run");
    } else if (info->si_status) {
        (void)snprintf(self->problem, sizeof(self->problem), "the program ended with code %d", info->si_status);
    }
}

static void on_ended(uv_poll_t *poll, int status, int events)
{
    struct program *self = poll->data;
    siginfo_t info = { 0 };

    (void)status;
    (void)events;
    if (waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG) || !info.si_pid) {
        return;
    }
    self->pid = 0;
    if (self->is_disposed) {
        handle_close(self, (uv_handle_t *)poll);
        return;
    }
    (void)uv_poll_stop(poll);
    exit_note(self, &info);
    self->has_exited = true;
    exit_check(self);
}

static void output_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct program *self = handle->data;
    size_t left = self->opts.output_max + 1 - self->output_len; /* one more shows that it is too much */

    (void)suggested;
    *buf = handle == (uv_handle_t *)&self->ends[END_ERR] ? uv_buf_init(self->errors, sizeof(self->errors))
                                                         : uv_buf_init(self->output + self->output_len, (unsigned)left);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct program *self = stream->data;
    bool is_output = stream == (uv_stream_t *)&self->ends[END_OUT];

    (void)buf;
    if (n < 0) {
        (void)uv_read_stop(stream);
        self->has_output_ended |= is_output;
        exit_check(self);
        return;
    }
    self->output_len += is_output ? (size_t)n : 0;
    if (!is_output && n > 0 && self->opts.on_errors) {
        self->opts.on_errors(self->opts.arg, (struct span){ self->errors, (size_t)n });
    }
    self->output_sum += (size_t)n;
    if (self->output_sum > self->opts.output_max) {
        char text[96];
        (void)snprintf(text, sizeof(text), "the program wrote more than %zu bytes", self->opts.output_max);
        fail(self, text);
    } else if (n > 0) {
        (void)uv_timer_again(&self->quiet);
    }
}

/* Whether it reads what we write is its own affair. */
static void on_written(uv_write_t *write, int status)
{
    struct program *self = write->data;

    (void)status;
    if (!uv_is_closing((uv_handle_t *)&self->ends[END_IN])) {
        uv_close((uv_handle_t *)&self->ends[END_IN], on_closed);
    }
}

/* --- its beginning ------------------------------------------------------------------------------------- */

static void ends_close(int ends[ENDS_N])
{
    for (size_t i = 0; i < ENDS_N; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
    }
}

static int file_fill(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return lseek(fd, 0, SEEK_SET) ? -errno : 0;
}

/* The input as a file without a name. */
static int file_open(struct span bytes, int *ret_fd)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : file_fill(fd, bytes);

    if (fd >= 0) {
        *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, ENDS_LOWEST);
        r = r ? r : *ret_fd < 0 ? -errno : 0;
        close(fd);
    }
    return r;
}

/* The child's ends are above 3, so that dup2 onto 0 to 3 cannot overwrite one that is still needed. */
static int ends_open(const struct program *self, int ours[ENDS_N], int theirs[ENDS_N])
{
    for (size_t i = 0; i < ENDS_N; i++) {
        int pair[2];
        if (i == END_IN && self->opts.is_input_file) {
            int r = file_open(self->opts.input, &theirs[i]);
            if (r) {
                return r;
            }
            continue;
        }
        if (pipe2(pair, O_CLOEXEC)) {
            return -errno;
        }
        size_t child_end = i == END_IN ? 0 : 1;
        theirs[i] = fcntl(pair[child_end], F_DUPFD_CLOEXEC, ENDS_LOWEST);
        ours[i] = pair[!child_end];
        close(pair[child_end]);
        if (theirs[i] < 0) {
            return -errno;
        }
    }
    return 0;
}

/* Signals stay blocked in the child, so that none of our handlers runs there. */
static pid_t keeper_start(const struct program *self, const char *dir, const int theirs[ENDS_N])
{
    struct program_keeper_opts opts = { .command = self->opts.command,
                                        .argv = self->opts.argv,
                                        .envp = self->opts.envp,
                                        .dir = dir,
                                        .ends = { theirs[END_IN], theirs[END_OUT], theirs[END_ERR] },
                                        .bounds = self->opts.bounds,
                                        .work_dir = self->opts.work_dir,
                                        .is_output_apart = self->opts.is_output_apart,
                                        .parent = getpid() };
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        program_keeper_run(&opts);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid < 0 ? -error : pid;
}

static int process_start(struct program *self, int ours[ENDS_N])
{
    int theirs[ENDS_N] = { -1, -1, -1 };
    char dir[4096];
    const char *slash = strrchr(self->opts.command, '/');

    (void)snprintf(dir, sizeof(dir), "%.*s", slash > self->opts.command ? (int)(slash - self->opts.command) : 1,
                   self->opts.command);
    if (self->opts.dir) {
        (void)snprintf(dir, sizeof(dir), "%s", self->opts.dir);
    }
    int r = ends_open(self, ours, theirs);
    pid_t pid = r ? r : keeper_start(self, dir, theirs);
    self->pid = pid > 0 ? pid : 0;
    r = pid > 0 ? 0 : pid;
    ends_close(theirs);
    if (!r) {
        self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0U);
        r = self->pidfd < 0 ? -errno : 0;
    }
    return r;
}

static int input_write(struct program *self)
{
    uv_buf_t input = uv_buf_init(self->input.data, (unsigned)self->input.len);

    self->write.data = self;
    return uv_write(&self->write, (uv_stream_t *)&self->ends[END_IN], &input, 1, on_written);
}

static int streams_start(struct program *self, int ours[ENDS_N])
{
    int r = 0;

    for (size_t i = 0; i < ENDS_N && !r; i++) {
        if (ours[i] < 0) {
            continue;
        }
        r = uv_pipe_open(&self->ends[i], ours[i]);
        ours[i] = r ? ours[i] : -1;
    }
    r = r ? r : uv_read_start((uv_stream_t *)&self->ends[END_OUT], output_room, on_output);
    r = r ? r : uv_read_start((uv_stream_t *)&self->ends[END_ERR], output_room, on_output);
    r = r || self->opts.is_input_file ? r : input_write(self);
    r = r ? r : uv_poll_start(&self->ended, UV_READABLE, on_ended);
    r = r ? r : uv_timer_start(&self->timeout, on_timeout, self->opts.timeout_ms, 0);
    return r ? r : uv_timer_start(&self->quiet, on_quiet, self->opts.quiet_ms, self->opts.quiet_ms);
}

/* None of these can fail for what they are given. */
static void handles_init(struct program *self, uv_loop_t *loop)
{
    (void)uv_timer_init(loop, &self->timeout);
    (void)uv_timer_init(loop, &self->quiet);
    self->timeout.data = self;
    self->quiet.data = self;
    for (size_t i = 0; i < ENDS_N; i++) {
        (void)uv_pipe_init(loop, &self->ends[i], 0);
        self->ends[i].data = self;
    }
    self->handles_n = ENDS_N + 2;
}

/* Before there is a poll to wait for the process. */
static void abandon(struct program *self)
{
    siginfo_t info;

    program_end(self);
    if (self->pid > 0) {
        (void)waitid(P_PID, (id_t)self->pid, &info, WEXITED);
    }
    handle_close(self, (uv_handle_t *)&self->timeout);
    handle_close(self, (uv_handle_t *)&self->quiet);
    for (size_t i = 0; i < ENDS_N; i++) {
        handle_close(self, (uv_handle_t *)&self->ends[i]);
    }
}

int program_start(uv_loop_t *loop, const struct program_opts *opts, struct program **ret_program)
{
    struct program *self = mem_new(sizeof(*self));
    int ours[ENDS_N] = { -1, -1, -1 };

    self->opts = *opts;
    self->pidfd = -1;
    handles_init(self, loop);
    self->output =
        opts->is_secret ? secret_arena_room(&self->arena, opts->output_max + 1) : malloc(opts->output_max + 1);
    int r = self->output ? 0 : -ENOMEM;
    r = r || opts->is_input_file ? r : text_buf_add(&self->input, opts->input);
    r = r ? r : process_start(self, ours);
    r = r ? r : uv_poll_init(loop, &self->ended, self->pidfd);
    if (r) {
        ends_close(ours);
        abandon(self);
        return FAULT(r);
    }
    self->ended.data = self;
    self->handles_n++;
    r = streams_start(self, ours);
    if (r) {
        ends_close(ours);
        dispose(self);
        return FAULT(r);
    }
    *ret_program = self;
    return 0;
}
