/*
 * The program is exchanged under a running gateway: the one that is installed now takes the place of this one, in the
 * same process. The listening sockets, the locks and the number of the process stay; every host ends in order, as for a
 * restart, and starts again from the new program.
 *
 * Nothing is ended before the new program has shown that it would start: it is run once with `--check` behind the same
 * command line. One that does not know that word, or refuses, leaves everything as it is.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/notify.h"
#include "bus/process_internal.h"

#define TRIAL_S 30U
#define REASON_MAX 600U
#define EXIT_CONFIG 78 /* of a start: what stands in its way is config, topology or keys */

/* The new program shows what it would do. Lives until both its handles are closed. */
struct upgrade_trial {
    struct process *process; /* NULL: nobody waits for it any more */
    uint64_t ticket;
    uv_process_t child;
    uv_timer_t deadline;
    int said_fd; /* its standard error */
    bool is_late;
    unsigned open_n;
};

static void on_closed(uv_handle_t *handle)
{
    struct upgrade_trial *self = handle->data;

    if (--self->open_n == 0) {
        (void)close(self->said_fd); /* of memory alone */
        free(self);
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
    static const char name[] = "openclaw: ";
    ssize_t len = pread(self->said_fd, out, REASON_MAX - 1, 0);

    out[len > 0 ? len : 0] = '\0';
    if (strncmp(out, name, sizeof(name) - 1) == 0) {
        memmove(out, out + sizeof(name) - 1, strlen(out) - (sizeof(name) - 1) + 1);
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

/* From here on as for a stop, but that who is told to end knows that it comes back. */
static void upgrade_begin(struct process *self)
{
    char text[64];

    log_info("process_upgrading", "pid=%d program=%s", (int)getpid(), self->opts->program);
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

    said_read(self, said);
    trial_close(self); /* self may be gone from here on */
    if (!process) {
        return;
    }
    if (status == 0 && signal == 0) {
        process_accept(process, (struct process_asker){ .ticket = ticket });
        upgrade_begin(process);
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

static int trial_spawn(struct upgrade_trial *self)
{
    const struct process_opts *opts = self->process->opts;
    uv_stdio_container_t stdio[] = { { .flags = UV_IGNORE },
                                     { .flags = UV_IGNORE },
                                     { .flags = UV_INHERIT_FD, .data.fd = self->said_fd } };
    uv_process_options_t how = { .exit_cb = on_trial_exit,
                                 .file = opts->program,
                                 .flags = UV_PROCESS_DETACHED,
                                 .args = (char **)(uintptr_t)opts->trial_argv, /* only read */
                                 .stdio = stdio,
                                 .stdio_count = ARRAY_LEN(stdio) };

    return uv_spawn(&self->process->loop, &self->child, &how);
}

static int trial_begin(struct process *process, uint64_t ticket)
{
    struct upgrade_trial *self = mem_new(sizeof(*self));
    int r;

    self->process = process;
    self->ticket = ticket;
    self->said_fd = memfd_create("openclaw-trial", MFD_CLOEXEC);
    if (self->said_fd < 0) {
        r = FAULT(-errno);
        free(self);
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
    int r = trial_begin(self, request->ticket);
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
