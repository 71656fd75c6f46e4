/*
 * The program is exchanged under a running gateway: the one that is installed now takes the place of this one, in the
 * same process. The listening sockets, the locks and the number of the process stay; every host ends in order, as for a
 * restart, and starts again from the new program.
 *
 * Nothing is ended before the new program has shown that it would start: it is run once with `--check` behind the same
 * command line. One that does not know that word, or refuses, leaves everything as it is. Its file is opened once: what
 * is tried is what is executed, whatever stands at its path by then. And it has to say a word that only a gateway knows
 * to say: many a program ends well without having understood anything.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/notify.h"
#include "bus/process_internal.h"

#define TRIAL_S 30U
#define REASON_MAX 600U
#define EXIT_CONFIG 78 /* of a start: what stands in its way is config, topology or keys */
#define NONCE_BYTES 16U
#define NONCE_SIZE (2 * NONCE_BYTES + 1)
#define PROOF_MAX 128U
#define LEFT_FIRST (PROCESS_TRIAL_FD + 1U)
#define LEFT_SIZE (sizeof(PROCESS_LEFT_ENV) + 16 + PROCESS_LEFT_MAX * 4)

/* The new program shows what it would do. Lives until both its handles are closed. */
struct upgrade_trial {
    struct process *process; /* NULL: nobody waits for it any more */
    uint64_t ticket;
    uv_process_t child;
    uv_timer_t deadline;
    int said_fd;    /* its standard error */
    int proof_fd;   /* where it says what it is */
    int program_fd; /* the program; -1: it has passed */
    char nonce[NONCE_SIZE];
    int left[PROCESS_LEFT_MAX]; /* what it would be left; ours */
    size_t left_n;
    char nonce_word[sizeof(PROCESS_TRIAL_ENV) + NONCE_SIZE]; /* of its environment */
    char left_word[LEFT_SIZE];
    bool is_late;
    unsigned open_n;
};

static void descriptor_close(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* of memory alone, or only read from */
    }
}

static void trial_free(struct upgrade_trial *self)
{
    descriptor_close(self->said_fd);
    descriptor_close(self->proof_fd);
    descriptor_close(self->program_fd);
    free(self);
}

static void on_closed(uv_handle_t *handle)
{
    struct upgrade_trial *self = handle->data;

    if (--self->open_n == 0) {
        trial_free(self);
    }
}

static void trial_close(struct upgrade_trial *self)
{
    if (self->process) {
        self->process->trial = NULL;
        self->process = NULL;
    }
    uv_close((uv_handle_t *)&self->child, on_closed);
    uv_close((uv_handle_t *)&self->deadline, on_closed);
}

/* The first lines of what it said, without its own name before them. */
static void said_read(const struct upgrade_trial *self, char out[REASON_MAX])
{
    ssize_t len = pread(self->said_fd, out, REASON_MAX - 1, 0);

    out[len > 0 ? len : 0] = '\0';
    size_t name_len = strlen(program_invocation_short_name); /* it speaks as this process does */
    if (strncmp(out, program_invocation_short_name, name_len) == 0 && strncmp(out + name_len, ": ", 2) == 0) {
        memmove(out, out + name_len + 2, strlen(out + name_len + 2) + 1);
    }
    for (char *at = out; *at; at++) {
        *at = *at == '\n' && at[1] ? '\n' : (char)((unsigned char)*at < ' ' ? '\0' : *at);
    }
}

/* For a line of the log. */
static void lines_join(char *text)
{
    for (char *at = text; *at; at++) {
        *at = *at == '\n' ? ' ' : *at;
    }
}

static void trial_refuse(struct process *process, uint64_t ticket, int status, int signal, char *said)
{
    control_refuse(process->control, ticket, status == EXIT_CONFIG ? "CONFIG" : "UNAVAILABLE",
                   "its new program %s would not start (%s %d), so all stays as it is%s%s", process->opts->program,
                   signal ? "signal" : "exit code", signal ? signal : status, said[0] ? ":\n" : "", said);
    lines_join(said);
    log_error("upgrade_refused", "program=%s exit=%d signal=%d said=\"%s\"", process->opts->program, status, signal,
              said);
}

/* It hangs, or does something else than to look whether it would start. */
static void late_refuse(struct process *process, uint64_t ticket, char *said)
{
    control_refuse(
        process->control, ticket, "UNAVAILABLE",
        "its new program %s did not say within %u s whether it would start, and was ended, so all stays as it "
        "is%s%s",
        process->opts->program, TRIAL_S, said[0] ? ":\n" : "", said);
    lines_join(said);
    log_error("upgrade_refused",
              "program=%s after_s=%u why=\"it did not say in time whether it would start\" said=\"%s\"",
              process->opts->program, TRIAL_S, said);
}

/* "nonce release\n"; false when that is not what it wrote. */
static bool proof_read(const struct upgrade_trial *self, char ret_release[PROOF_MAX])
{
    char text[PROOF_MAX + 1] = "";
    size_t nonce_len = strlen(self->nonce);
    ssize_t len = pread(self->proof_fd, text, PROOF_MAX, 0);

    if (len < (ssize_t)nonce_len + 3 || memcmp(text, self->nonce, nonce_len) != 0 || text[nonce_len] != ' ' ||
        text[len - 1] != '\n') {
        return false;
    }
    text[len - 1] = '\0';
    (void)snprintf(ret_release, PROOF_MAX, "%s", text + nonce_len + 1);
    return true;
}

/* From here on as for a stop, but that who is told to end knows that it comes back. */
static void upgrade_begin(struct process *self, const char *release)
{
    char text[64];

    log_info("process_upgrading", "pid=%d program=%s release=\"%s\"", (int)getpid(), self->opts->program, release);
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)(clock_mono_ns() / 1000));
    notify_send(text);
    process_end(self, PROCESS_UPGRADE);
}

static void on_trial_exit(uv_process_t *child, int64_t status, int signal)
{
    struct upgrade_trial *self = child->data;
    struct process *process = self->process;
    uint64_t ticket = self->ticket;
    bool is_late = self->is_late;
    char said[REASON_MAX];
    char release[PROOF_MAX];
    bool is_passed = status == 0 && signal == 0 && proof_read(self, release);

    said_read(self, said);
    if (process && is_passed) {
        process->program_fd = self->program_fd;
        self->program_fd = -1;
    }
    trial_close(self); /* self may be gone from here on */
    if (!process) {
        return;
    }
    if (is_passed) {
        process_accept(process, (struct process_asker){ .ticket = ticket });
        upgrade_begin(process, release);
        return;
    }
    if (status == 0 && signal == 0) {
        log_error("upgrade_refused", "program=%s why=\"it does not say what it is\"", process->opts->program);
        control_refuse(process->control, ticket, "UNAVAILABLE",
                       "%s does not say that it is a gateway of a release that can take over, so all stays as it is",
                       process->opts->program);
        return;
    }
    if (is_late) {
        late_refuse(process, ticket, said);
    } else {
        trial_refuse(process, ticket, (int)status, signal, said);
    }
}

/* With all that it has started: it leads a process group of its own. */
static void trial_kill(const struct upgrade_trial *self)
{
    if (self->child.pid > 0) {
        (void)kill(-self->child.pid, SIGKILL); /* or it has just ended */
    }
}

static void on_trial_deadline(uv_timer_t *timer)
{
    struct upgrade_trial *self = timer->data;

    self->is_late = true;
    trial_kill(self);
}

/* Why this is nothing to execute; NULL: it is. */
static const char *why_not(int fd)
{
    char magic[SELFMAG];
    struct stat st;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        return "it is no file";
    }
    if (!(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
        return "it is not executable";
    }
    /* A script would be executed by whatever its first line, or a shell, makes of it. */
    return pread(fd, magic, SELFMAG, 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0 ? NULL : "it is no program";
}

/* Its descriptor, or -1 with the reason. */
static int program_open(const char *path, const char **ret_why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *ret_why = fd >= 0 ? why_not(fd) : fault_text(-errno);
    if (fd >= 0 && *ret_why) {
        (void)close(fd); /* only read from */
        fd = -1;
    }
    return fd;
}

/* "OPENCLAW_HANDOVER=1 4,5,6": what is left stands behind the descriptors that every trial has. */
static void left_write(const struct upgrade_trial *self, char word[LEFT_SIZE])
{
    size_t len = (size_t)snprintf(word, LEFT_SIZE, PROCESS_LEFT_ENV "=%u", self->process->opts->upgrades_n);

    for (size_t i = 0; i < self->left_n; i++) {
        len += (size_t)snprintf(word + len, LEFT_SIZE - len, "%c%u", i ? ',' : ' ', LEFT_FIRST + (unsigned)i);
    }
}

/* Ours, what it is to say again, and what it would be left. Free the vector. */
static char **trial_env(struct upgrade_trial *self)
{
    size_t n = 0;
    char **env;

    while (environ[n]) {
        n++;
    }
    env = mem_new((n + 3) * sizeof(*env));
    memcpy(env, environ, n * sizeof(*env));
    (void)snprintf(self->nonce_word, sizeof(self->nonce_word), PROCESS_TRIAL_ENV "=%s", self->nonce);
    env[n] = self->nonce_word;
    if (self->left_n) {
        left_write(self, self->left_word);
        env[n + 1] = self->left_word;
    }
    return env;
}

static int trial_spawn(struct upgrade_trial *self)
{
    const struct process_opts *opts = self->process->opts;
    char path[64];
    CLEANUP(mem_free) char **env = trial_env(self);
    uv_stdio_container_t stdio[LEFT_FIRST + PROCESS_LEFT_MAX] = {
        { .flags = UV_IGNORE },
        { .flags = UV_IGNORE },
        { .flags = UV_INHERIT_FD, .data.fd = self->said_fd },
        { .flags = UV_INHERIT_FD, .data.fd = self->proof_fd },
    };
    uv_process_options_t how = { .exit_cb = on_trial_exit,
                                 .file = path,
                                 .flags = UV_PROCESS_DETACHED,
                                 .args = (char **)(uintptr_t)opts->trial_argv, /* only read */
                                 .env = env,
                                 .stdio = stdio,
                                 .stdio_count = (int)(LEFT_FIRST + self->left_n) };

    for (size_t i = 0; i < self->left_n; i++) {
        stdio[LEFT_FIRST + i] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = self->left[i] };
    }

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", self->program_fd);
    return uv_spawn(&self->process->loop, &self->child, &how);
}

static int nonce_make(struct upgrade_trial *self)
{
    unsigned char bytes[NONCE_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return FAULT(-errno);
    }
    for (size_t i = 0; i < NONCE_BYTES; i++) {
        (void)snprintf(self->nonce + 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

/* Takes the descriptor of the program. */
static int trial_begin(struct process *process, uint64_t ticket, int program_fd)
{
    struct upgrade_trial *self = mem_new(sizeof(*self));
    int r;

    self->process = process;
    self->ticket = ticket;
    self->left_n = process->opts->leave ? process->opts->leave(process->opts->arg, self->left, PROCESS_LEFT_MAX) : 0;
    self->program_fd =
        fcntl(program_fd, F_DUPFD_CLOEXEC, (int)(LEFT_FIRST + self->left_n)); /* above what it is given */
    self->said_fd = memfd_create("openclaw-trial", MFD_CLOEXEC);
    self->proof_fd = memfd_create("openclaw-trial", MFD_CLOEXEC);
    r = self->program_fd < 0 || self->said_fd < 0 || self->proof_fd < 0 ? FAULT(-errno) : nonce_make(self);
    (void)close(program_fd); /* only read from, and there is another */
    if (r) {
        trial_free(self);
        return r;
    }
    (void)uv_timer_init(&process->loop, &self->deadline); /* cannot fail */
    self->child.data = self;
    self->deadline.data = self;
    self->open_n = 2;
    process->trial = self;
    r = trial_spawn(self);
    if (r) {
        trial_close(self);
        return FAULT(r);
    }
    (void)uv_timer_start(&self->deadline, on_trial_deadline, TRIAL_S * 1000U, 0); /* fails only without a callback */
    return 0;
}

void process_upgrade_on_request(struct process *self, const struct control_request *request)
{
    const char *why = NULL;

    if (!self->opts->program) {
        control_refuse(self->control, request->ticket, "UNAVAILABLE", "this process does not know its own program");
        return;
    }
    if (self->trial) {
        control_refuse(self->control, request->ticket, "BUSY",
                       "it tries its new program already, which has up to %u s to say whether it would start", TRIAL_S);
        return;
    }
    if (self->is_stopping) {
        bool is_upgrading = self->exit_code == PROCESS_UPGRADE;

        control_refuse(self->control, request->ticket, is_upgrading ? "BUSY" : "UNAVAILABLE", "%s",
                       is_upgrading ? "it makes way for its new program already" : "it is ending");
        return;
    }
    log_info("upgrade_asked", "client=%llu program=%s", (unsigned long long)request->client, self->opts->program);
    int program_fd = program_open(self->opts->program, &why);
    if (program_fd < 0) {
        log_error("upgrade_refused", "program=%s why=\"%s\"", self->opts->program, why);
        control_refuse(self->control, request->ticket, "UNAVAILABLE", "%s cannot be run: %s", self->opts->program, why);
        return;
    }
    int r = trial_begin(self, request->ticket, program_fd);
    if (r) {
        control_refuse(self->control, request->ticket, "UNAVAILABLE", "%s cannot be run: %s", self->opts->program,
                       fault_text(r));
    }
}

void process_upgrade_cancel(struct process *self, const char *why)
{
    struct upgrade_trial *trial = self->trial;

    if (trial) {
        log_warning("upgrade_refused", "program=%s why=\"%s\"", self->opts->program, why);
        control_refuse(self->control, trial->ticket, "UNAVAILABLE", "%s", why);
        process_upgrade_deinit(self);
    }
}

void process_upgrade_deinit(struct process *self)
{
    struct upgrade_trial *trial = self->trial;

    if (trial) {
        trial_kill(trial);
        trial_close(trial);
    }
}
