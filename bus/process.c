#include "bus/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/child.h"
#include "bus/host.h"
#include "bus/notify.h"
#include "bus/process_internal.h"
#include "bus/run_dir.h"
#include "bus/trim.h"

#define PROCESS_STOP_MS 10000U /* each child has so long to end in order */
#define PROCESS_KEEP_FDS_MAX 64U
#define PROCESS_EXIT_CONFIG 78 /* EX_CONFIG: starting again cannot help */
#define PROCESS_EXIT_GAVE_UP 1

/*
 * SIGKILL never comes from a bug of ours but from outside: an operator, the OOM killer.
 * To give up on that would make an outage of it; and the delay stays short enough that
 * every recovery is over in a second.
 */
static const struct supervisor_policy policy_killed = {
    .initial_ms = 50,
    .factor = 2,
    .max_ms = 250,
    .jitter_pct = 20,
    .intensity = SUPERVISOR_INTENSITY_NONE,
    .stable_ms = 500,
};

static void host_start(struct hostling *host);

/* --- the end ----------------------------------------------------------------------------- */

/* Also for a handle whose start failed before it was made. */
static void handle_close(void *arg)
{
    uv_handle_t *handle = arg;

    if (handle->loop && !uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void on_ready_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void ready_close(struct hostling *host)
{
    if (host->ready) {
        uv_close((uv_handle_t *)&host->ready->pipe, on_ready_closed);
        host->ready = NULL;
    }
}

static void actor_tell(struct process *self, struct actor *actor)
{
    if (self->opts->on_actor) {
        self->opts->on_actor(self->opts->arg, actor);
    }
}

/* While no handler stands: between the end of one program of this process and the start of the next, both of which
 * would be ended by what is only to be told to them. What comes meanwhile waits. */
static void signals_hold(int how)
{
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGUSR1);
    (void)pthread_sigmask(how, &held, NULL); /* fails only for a wrong `how` */
}

/* Closes what keeps the loop alive; uv_run returns once that is done. */
static void everything_close(struct process *self)
{
    handle_close(&self->on_term);
    handle_close(&self->on_int);
    handle_close(&self->on_hup);
    handle_close(&self->on_usr1);
    handle_close(&self->on_child);
    handle_close(&self->stop_timer);
    handle_close(&self->memory_timer);
    handle_close(&self->pulse_timer);
    handle_close(&self->dir_timer);
    handle_close(&self->dir_event);
    for (size_t i = 0; i < self->hosts_n; i++) {
        ready_close(&self->hosts[i]);
        process_sockets_close(&self->hosts[i]);
        handle_close(&self->hosts[i].timer);
    }
    process_upgrade_deinit(self);
    control_destroy(&self->control);
    trunk_hub_destroy(&self->trunks);
    if (self->node) {
        actor_tell(self, NULL);
        node_close(self->node);
    }
}

static void children_signal(struct process *self, int number)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].pid) {
            (void)kill(self->hosts[i].pid, number); /* a child of ours, not yet waited for */
        }
    }
}

static void on_stop_deadline(uv_timer_t *timer)
{
    struct hostling *host = ((struct process *)timer->data)->stopping;

    log_warning("process_stop_forced", "host=%s after_ms=%u", host->host->name, PROCESS_STOP_MS);
    if (host->pid) {
        (void)kill(host->pid, SIGKILL); /* a child of ours, not yet waited for */
    }
}

static void on_all_ended(uv_timer_t *timer)
{
    everything_close(timer->data);
}

/* The last host of the list ends first, so that nobody loses whom it counts on. */
static void stop_next(struct process *self)
{
    struct hostling *last = NULL;

    for (size_t i = 0; i < self->hosts_n; i++) {
        last = self->hosts[i].pid ? &self->hosts[i] : last;
    }
    if (!last && self->exit_code == PROCESS_UPGRADE) {
        signals_hold(SIG_BLOCK); /* one that has come already is heard before the timer */
        uv_timer_start(&self->stop_timer, on_all_ended, 0, 0);
    } else if (!last) {
        everything_close(self);
    } else if (last != self->stopping) {
        self->stopping = last;
        (void)kill(last->pid, self->exit_code == PROCESS_UPGRADE ? HOST_SIGNAL_RESTART
                                                                 : SIGTERM); /* a child of ours, not yet waited for */
        uv_timer_start(&self->stop_timer, on_stop_deadline, PROCESS_STOP_MS, 0);
    }
}

void process_stop(struct process *self, int exit_code)
{
    bool is_upgrading = self->is_stopping && self->exit_code == PROCESS_UPGRADE;

    if (self->is_stopping && !is_upgrading) {
        children_signal(self, SIGKILL);
        return;
    }
    log_info("process_stopping", "pid=%d", (int)getpid());
    notify_send("STOPPING=1");
    if (is_upgrading) {
        self->exit_code = exit_code; /* what ends already goes on ending */
    } else {
        process_upgrade_cancel(self, "the gateway ends, so there is nothing to upgrade");
        process_end(self, exit_code);
    }
}

void process_end(struct process *self, int exit_code)
{
    self->is_stopping = true;
    self->exit_code = exit_code;
    for (size_t i = 0; i < self->hosts_n; i++) {
        uv_timer_stop(&self->hosts[i].timer);
    }
    stop_next(self);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    process_stop(signal->data, 0);
}

/* SIGUSR1: fresh processes behind the same sockets. */
static void on_restart_signal(uv_signal_t *signal, int number)
{
    struct process *self = signal->data;

    (void)number;
    log_info("process_restart_asked", "by=SIGUSR1");
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (!self->hosts[i].is_remote) {
            process_host_restart(&self->hosts[i]);
        }
    }
}

/* --- ready ---------------------------------------------------------------------------------- */

static bool all_ready(const struct process *self)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].life != ACTOR_LIFE_READY && !self->hosts[i].is_remote) {
            return false;
        }
    }
    return true;
}

static void host_ready(struct hostling *host)
{
    struct process *self = host->process;
    uint64_t now_ms = clock_mono_ms();

    host->life = ACTOR_LIFE_READY;
    supervisor_on_ready(&host->supervisor, now_ms);
    log_info("host_ready", "host=%s pid=%d incarnation=%u after_ms=%llu", host->host->name, (int)host->pid,
             host->incarnation, (unsigned long long)(now_ms - host->started_ms));
    if (self->has_been_ready || !all_ready(self)) {
        return;
    }
    self->has_been_ready = true;
    notify_send("READY=1");
    if (self->opts->on_ready) {
        self->opts->on_ready(self->opts->arg);
    }
    trim_after_start();
}

static void on_ready_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct ready_pipe *ready = handle->data;

    (void)suggested;
    *buf = uv_buf_init(ready->bytes, sizeof(ready->bytes));
}

static void on_ready_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct ready_pipe *ready = stream->data;
    struct hostling *host = ready->host;

    (void)buf;
    if (len == 0) {
        return;
    }
    ready_close(host);
    if (len > 0 && host->pid && host->life == ACTOR_LIFE_STARTING) {
        host_ready(host);
    }
}

/* --- a child's death ------------------------------------------------------------------------- */

static void status_text(int status, char *ret_text, size_t len)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(ret_text, len, "signal %d", WTERMSIG(status));
    } else {
        (void)snprintf(ret_text, len, "exit %d", WEXITSTATUS(status));
    }
}

static bool all_gave_up(const struct process *self)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].life != ACTOR_LIFE_GAVE_UP && !self->hosts[i].is_remote) {
            return false;
        }
    }
    return true;
}

static void on_restart_due(uv_timer_t *timer)
{
    host_start(timer->data);
}

/* Starts the next life, at once when the policy says so: no turn of the loop is lost. */
static void host_revive(struct hostling *host)
{
    /* Neither comes from a bug of ours. */
    bool is_killed = host->has_said || (host->has_died && !host->is_hung && WIFSIGNALED(host->last_status) &&
                                        WTERMSIG(host->last_status) == SIGKILL);
    uint32_t delay_ms = 0;

    if (host->is_restart_asked) {
        host->is_restart_asked = false;
        host_start(host);
        return;
    }
    if (supervisor_on_exit(&host->supervisor, is_killed ? &policy_killed : &supervisor_policy_default, clock_mono_ms(),
                           &delay_ms) == SUPERVISOR_GAVE_UP) {
        host->life = ACTOR_LIFE_GAVE_UP;
        node_host_down(host->process->node, host->host->name, ACTOR_LIFE_GAVE_UP, 0,
                       "it gave up after too many crashes");
        log_error("host_gave_up", "host=%s restarts=%u", host->host->name, host->supervisor.restarts);
        if (all_gave_up(host->process)) {
            /* Nothing is served any more; who started us shall know. */
            process_stop(host->process, PROCESS_EXIT_GAVE_UP);
        }
        return;
    }
    if (delay_ms == 0) {
        host_start(host);
        return;
    }
    host->life = ACTOR_LIFE_BACKOFF;
    uv_timer_start(&host->timer, on_restart_due, delay_ms, 0);
}

/* Why it ended, if anybody knows. */
static void last_end_note(struct hostling *host)
{
    host->has_said = false;
    if (!host->is_ended) {
        host->last_end[0] = '\0';
        host->has_said = host->pulse && pulse_page_said(host->pulse, host->last_end);
    }
    host->is_ended = false;
}

static void host_died(struct hostling *host, int status)
{
    struct process *self = host->process;
    char text[64];
    char why[sizeof(host->last_end) + sizeof(text)];

    status_text(status, text, sizeof(text));
    last_end_note(host);
    (void)snprintf(why, sizeof(why), host->last_end[0] ? "%s" : "its process has ended (%s)",
                   host->last_end[0] ? host->last_end : text);
    /* First of all: calls to it fail now, and what is logged below finds another way. */
    node_host_down(self->node, host->host->name, ACTOR_LIFE_BACKOFF, 0, why);
    if (host->has_said) {
        log_warning("host_ended", "host=%s pid=%d status=\"%s\" why=\"%s\"", host->host->name, (int)host->pid, text,
                    host->last_end);
    } else if (self->is_stopping || host->is_restart_asked) {
        log_info("host_ended", "host=%s pid=%d status=\"%s\"", host->host->name, (int)host->pid, text);
    } else {
        log_error("host_died", "host=%s pid=%d status=\"%s\" lived_ms=%llu", host->host->name, (int)host->pid, text,
                  (unsigned long long)(clock_mono_ms() - host->started_ms));
    }
    (void)snprintf(text, sizeof(text), "%s-%u-", host->host->name, host->incarnation);
    run_dir_sweep(self->opts->run_dir, text);
    host->pid = 0;
    host->last_status = status;
    host->has_died = true;
    host->is_over_memory = false;
    host->life = ACTOR_LIFE_STOPPED;
    process_pulse_forget(host);
    ready_close(host);
    process_sockets_close(host);
    uv_timer_stop(&host->timer);
    if (self->is_stopping) {
        stop_next(self);
    } else if (!self->has_been_ready && WIFEXITED(status) && WEXITSTATUS(status) == PROCESS_EXIT_CONFIG) {
        process_stop(self, PROCESS_EXIT_CONFIG);
    } else {
        host_revive(host);
    }
}

/* All that the kernel has to tell of it; one signal may stand for several changes. */
static void child_look(struct hostling *host)
{
    pid_t pid = host->pid;
    int status;

    while (pid && host->pid == pid && waitpid(pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == pid) {
        if (WIFSTOPPED(status)) {
            process_pulse_stopped(host, WSTOPSIG(status));
        } else if (WIFCONTINUED(status)) {
            process_pulse_continued(host);
        } else {
            host_died(host, status);
        }
    }
}

static void on_sigchld(uv_signal_t *signal, int number)
{
    struct process *self = signal->data;

    (void)number;
    for (size_t i = 0; i < self->hosts_n; i++) {
        child_look(&self->hosts[i]);
    }
}

/* --- a child's start --------------------------------------------------------------------------- */

/* A pipe whose read end is watched; the child is given the other. */
static int ready_open(struct hostling *host, int *ret_child_fd)
{
    struct ready_pipe *ready;
    int fds[2];
    int r;

    if (pipe2(fds, O_CLOEXEC)) {
        return FAULT(-errno);
    }
    *ret_child_fd = fds[1];
    ready = mem_new(sizeof(*ready));
    ready->host = host;
    r = uv_pipe_init(&host->process->loop, &ready->pipe, 0);
    if (r) {
        (void)close(fds[0]); /* nothing is in it */
        free(ready);
        return FAULT(r);
    }
    ready->pipe.data = ready;
    host->ready = ready;
    r = uv_pipe_open(&ready->pipe, fds[0]);
    if (r) {
        (void)close(fds[0]); /* the handle did not take it */
        return FAULT(r);
    }
    r = uv_read_start((uv_stream_t *)&ready->pipe, on_ready_alloc, on_ready_read);
    return r ? FAULT(r) : 0;
}

static int host_spawn(struct hostling *host, int ready_fd, int sockets_fd)
{
    const struct process_opts *opts = host->process->opts;
    char name[64];
    char incarnation[64];
    char run_dir[256];
    char ready[64];
    char sockets[64];
    char pulse[64];
    char last_end[sizeof(host->last_end) + 32];
    const char *env[] = { name, incarnation, run_dir, ready, sockets, pulse, last_end, NULL };
    int keep[PROCESS_KEEP_FDS_MAX + 3];
    size_t keep_n = opts->keep_fds_n;

    (void)snprintf(name, sizeof(name), "OPENCLAW_BUS_HOST=%s", host->host->name);
    (void)snprintf(incarnation, sizeof(incarnation), "OPENCLAW_BUS_INCARNATION=%u", host->incarnation);
    (void)snprintf(ready, sizeof(ready), "OPENCLAW_BUS_READY_FD=%d", ready_fd);
    (void)snprintf(sockets, sizeof(sockets), SOCKETS_ENV "=%d", sockets_fd);
    (void)snprintf(pulse, sizeof(pulse), "OPENCLAW_BUS_PULSE_FD=%d", host->pulse ? host->pulse_fd : 0);
    (void)snprintf(last_end, sizeof(last_end), "OPENCLAW_BUS_LAST_END=%s", host->last_end);
    if ((size_t)snprintf(run_dir, sizeof(run_dir), "OPENCLAW_BUS_RUN_DIR=%s", opts->run_dir) >= sizeof(run_dir) ||
        opts->keep_fds_n > PROCESS_KEEP_FDS_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    if (opts->keep_fds_n) {
        memcpy(keep, opts->keep_fds, opts->keep_fds_n * sizeof(*keep));
    }
    keep[keep_n++] = ready_fd;
    keep[keep_n++] = sockets_fd;
    if (host->pulse) {
        keep[keep_n++] = host->pulse_fd;
    }
    /* This very program, also when its file has been replaced meanwhile. */
    return child_start(
        &(struct child_opts){
            .path = "/proc/self/exe", .argv = opts->child_argv, .env = env, .keep_fds = keep, .keep_fds_n = keep_n },
        &host->pid);
}

static void host_start(struct hostling *host)
{
    int ready_fd = -1;
    int sockets_fd = -1;
    int r;

    if (!process_dir_check(host->process)) {
        host->life = ACTOR_LIFE_BACKOFF; /* it would die of that again and again */
        uv_timer_start(&host->timer, on_restart_due, PROCESS_DIR_RETRY_MS, 0);
        return;
    }
    host->dir_life = host->process->dir_life;
    host->incarnation++;
    host->started_ms = clock_mono_ms();
    host->life = ACTOR_LIFE_STARTING;
    host->is_hung = false;
    r = ready_open(host, &ready_fd);
    if (host->host->exec) {
        r = r ? r : process_exec_start(host, ready_fd);
    } else {
        r = r ? r : process_sockets_open(host, &sockets_fd);
        r = r ? r : host_spawn(host, ready_fd, sockets_fd);
    }
    if (ready_fd >= 0) {
        (void)close(ready_fd); /* the child has its own */
    }
    if (sockets_fd >= 0) {
        (void)close(sockets_fd); /* likewise */
    }
    if (r) {
        /* Short of memory or descriptors: what a crash would bring, with the same answer. */
        log_error("host_start_failed", "host=%s error=\"%s\" at=%s", host->host->name, fault_text(r), fault_place());
        ready_close(host);
        process_sockets_close(host);
        host->pid = 0;
        host->supervisor.streak += host->supervisor.streak == 0; /* never at once: it would recurse */
        host_revive(host);
        return;
    }
    log_info("host_started", "host=%s pid=%d incarnation=%u", host->host->name, (int)host->pid, host->incarnation);
}

static void on_host_stop_deadline(uv_timer_t *timer)
{
    struct hostling *host = timer->data;

    if (host->pid) {
        (void)kill(host->pid, SIGKILL); /* a child of ours, not yet waited for */
    }
}

static void life_end(struct hostling *host)
{
    (void)kill(host->pid, HOST_SIGNAL_RESTART); /* a child of ours, not yet waited for */
    uv_timer_start(&host->timer, on_host_stop_deadline, PROCESS_STOP_MS, 0);
}

bool process_host_is_there(const struct hostling *host)
{
    return host->is_remote ? host->life == ACTOR_LIFE_READY : host->pid != 0;
}

void process_host_restart(struct hostling *host)
{
    if (host->is_remote) {
        node_host_stop(host->process->node, host->host->name); /* whoever runs it there starts it again */
        return;
    }
    supervisor_reset(&host->supervisor);
    if (host->process->is_stopping) {
        return;
    }
    if (!host->pid) {
        uv_timer_stop(&host->timer);
        host_start(host);
        return;
    }
    host->is_restart_asked = true;
    life_end(host);
}

static void end_note(struct hostling *host, const char *why)
{
    host->is_ended = true;
    (void)snprintf(host->last_end, sizeof(host->last_end), "%s", why);
}

void process_host_end(struct hostling *host, const char *why)
{
    end_note(host, why);
    life_end(host);
}

void process_host_kill(struct hostling *host, const char *why)
{
    end_note(host, why);
    (void)kill(host->pid, SIGKILL); /* a child of ours, not yet waited for */
}

/* --- the beginning -------------------------------------------------------------------------------- */

static int signal_watch(struct process *self, uv_signal_t *signal, uv_signal_cb cb, int number)
{
    int r = uv_signal_init(&self->loop, signal);

    signal->data = self;
    r = r ? r : uv_signal_start(signal, cb, number);
    return r ? FAULT(r) : 0;
}

static void hostling_init(struct hostling *host, struct process *self, const struct topology_host *place)
{
    host->process = self;
    host->host = place;
    host->is_remote = place->is_remote && !self->opts->only_host;
    host->life = ACTOR_LIFE_STOPPED;
    (void)uv_timer_init(&self->loop, &host->timer); /* cannot fail */
    host->timer.data = host;
    supervisor_init(&host->supervisor, (uint64_t)clock_wall_us() + self->hosts_n);
}

static int hosts_init(struct process *self)
{
    const struct topology *topology = self->opts->topology;

    self->hosts = mem_new(TOPOLOGY_HOSTS_MAX * sizeof(*self->hosts));
    for (size_t i = 0; i < topology->hosts_n; i++) {
        struct hostling *host = &self->hosts[self->hosts_n];

        if (self->opts->only_host && strcmp(topology->hosts[i].name, self->opts->only_host) != 0) {
            continue;
        }
        hostling_init(host, self, &topology->hosts[i]);
        if (!host->is_remote) {
            process_pulse_open(host);
        }
        self->hosts_n++;
    }
    return 0;
}

void process_host_add(struct process *self, const struct topology_host *host)
{
    size_t i = 0;

    while (i < self->hosts_n && self->hosts[i].host != host) {
        i++;
    }
    if (i == self->hosts_n) {
        hostling_init(&self->hosts[self->hosts_n++], self, host);
        return;
    }
    /* The place of one that has gone. Its timer was never started, as nothing of it runs here. */
    struct hostling *old = &self->hosts[i];
    old->life = ACTOR_LIFE_STOPPED;
    old->incarnation = 0;
    old->wire = 0;
    old->release[0] = '\0';
    old->last_end[0] = '\0';
    old->held[0] = '\0';
    old->refused[0] = '\0';
    old->is_silent = false;
    supervisor_init(&old->supervisor, (uint64_t)clock_wall_us() + i);
}

static void on_hello(void *arg, const char *host, int64_t pid, uint32_t incarnation)
{
    struct process *self = arg;

    (void)pid;
    (void)incarnation;
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (strcmp(self->hosts[i].host->name, host) == 0 && !self->hosts[i].is_remote) {
            process_dir_on_hello(self, &self->hosts[i]);
            node_host_status(self->node, host, self->hosts[i].last_end);
        }
    }
    process_tap_on_hello(self, host);
}

static const char *host_of(void *arg, int64_t pid)
{
    struct process *self = arg;

    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].pid == pid) {
            return self->hosts[i].host->name;
        }
    }
    return NULL;
}

static int node_init(struct process *self)
{
    return node_new(&(struct node_opts){ .loop = &self->loop,
                                         .incarnation = 1,
                                         .run_dir = self->opts->run_dir,
                                         .topology = self->opts->topology,
                                         .registry = self->opts->registry,
                                         .arg = self,
                                         .on_hello = on_hello,
                                         .host_of = host_of,
                                         .on_way = process_trunk_way,
                                         .on_listen = process_sockets_on_listen,
                                         .on_entry = process_tap_on_entry,
                                         .on_operate = process_operate },
                    &self->node);
}

static int watches_init(struct process *self)
{
    int r = uv_timer_init(&self->loop, &self->stop_timer);

    self->stop_timer.data = self;
    r = r ? FAULT(r) : signal_watch(self, &self->on_term, on_signal, SIGTERM);
    r = r ? r : signal_watch(self, &self->on_int, on_signal, SIGINT);
    r = r ? r : signal_watch(self, &self->on_hup, on_signal, SIGHUP); /* its terminal is gone */
    r = r ? r : signal_watch(self, &self->on_usr1, on_restart_signal, SIGUSR1);
    r = r ? r : signal_watch(self, &self->on_child, on_sigchld, SIGCHLD);
    signals_hold(SIG_UNBLOCK); /* the program before this one may have held them */
    return r;
}

int process_run(const struct process_opts *opts)
{
    struct process self = {
        .opts = opts, .started_ms = clock_mono_ms(), .dir_fd = -1, .clients_file = -1, .program_fd = -1
    };
    int r;

    (void)signal(SIGPIPE, SIG_IGN); /* a write to a gone peer is an error there, not our end */
    (void)signal(SIGUSR2, SIG_IGN); /* nothing that it would mean */
    zsys_handler_set(NULL);         /* czmq must not take our signals */
    zsys_init();
    if (uv_loop_init(&self.loop)) {
        return PROCESS_EXIT_GAVE_UP;
    }
    r = watches_init(&self);
    r = r ? r : process_memory_init(&self);
    r = r ? r : process_pulse_init(&self);
    r = r ? r : hosts_init(&self);
    r = r ? r : node_init(&self);
    r = r ? r
          : control_new(&(struct control_opts){ .loop = &self.loop,
                                                .path = opts->control_path,
                                                .on_request = process_on_request,
                                                .on_gone = process_tap_on_gone,
                                                .arg = &self },
                        &self.control);
    r = r ? r : process_dir_init(&self);
    r = r ? r : process_trunk_init(&self);
    if (r) {
        if (r < 0) {
            log_error("process_start_failed", "error=\"%s\" at=%s", fault_text(r), fault_place());
        }
        self.exit_code = r > 0 ? PROCESS_EXIT_CONFIG : PROCESS_EXIT_GAVE_UP;
        self.is_stopping = true;
        everything_close(&self);
    }
    if (r == 0) {
        actor_tell(&self, node_actor(self.node));
    }
    for (size_t i = 0; i < self.hosts_n && !self.is_stopping; i++) {
        if (!self.hosts[i].is_remote) {
            host_start(&self.hosts[i]);
        }
    }
    uv_run(&self.loop, UV_RUN_DEFAULT);
    process_ops_deinit(&self);
    process_call_deinit(&self);
    process_tap_deinit(&self);
    process_dir_deinit(&self);
    process_pulse_deinit(&self);
    process_guests_deinit(&self);
    node_free(&self.node);
    free(self.hosts);
    if (uv_loop_close(&self.loop)) {
        log_warning("process_loop_busy", "reason=\"a handle was left open\"");
    }
    zsys_shutdown();
    if (self.exit_code == PROCESS_UPGRADE) {
        *opts->ret_program_fd = self.program_fd;
    } else if (self.program_fd >= 0) {
        (void)close(self.program_fd); /* only read from */
    }
    return self.exit_code;
}
