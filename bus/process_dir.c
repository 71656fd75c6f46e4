/*
 * The run directory while the gateway runs. Programs that tidy up, and people, remove it.
 * Nothing that is connected notices, but nobody could start or connect any more. So it is
 * watched, made again, and everything that listens there gets a file again:
 *
 * - the control socket and the endpoints of the bus listen anew, those of the hosts when
 *   they are told;
 * - a socket that clients connect to and hosts serve on cannot be bound twice, so its
 *   new file is a link to the old one, which lives on without a name: /proc/<pid>/fd/<n>.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/process_internal.h"
#include "bus/run_dir.h"

#define DIR_SETTLE_MS 50U /* whoever removes it has finished then */

static bool is_there(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_endpoint_there(const struct process *self, const char *host)
{
    char endpoint[LINK_ENDPOINT_MAX];

    node_endpoint(self->opts->run_dir, host, endpoint, sizeof(endpoint));
    return is_there(endpoint + sizeof("ipc://") - 1);
}

/* What of the directory is gone; NULL when all is there. */
static const char *missing(const struct process *self)
{
    if (self->dir_fd < 0 || !run_dir_is(self->opts->run_dir, self->dir_fd)) {
        return "the directory";
    }
    if (!is_there(self->opts->control_path)) {
        return "the control socket";
    }
    if (!is_endpoint_there(self, NULL)) {
        return "the supervisor's endpoint";
    }
    if (self->opts->clients_path && !is_there(self->opts->clients_path)) {
        return "the socket of clients";
    }
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].life == ACTOR_LIFE_READY && !self->hosts[i].is_remote &&
            !is_endpoint_there(self, self->hosts[i].host->name)) {
            return "a host's endpoint";
        }
    }
    return NULL;
}

static void on_change(uv_fs_event_t *event, const char *name, int events, int status);

/* What the kernel does not tell of is found when the next child starts. */
static void dir_watch(struct process *self)
{
    (void)uv_fs_event_stop(&self->dir_event); /* fails only when it was never started */
    int r = uv_fs_event_start(&self->dir_event, on_change, self->opts->run_dir, 0);
    if (r) {
        log_warning("run_dir_unwatched", "path=%s error=\"%s\"", self->opts->run_dir, fault_text(r));
    }
}

static int dir_open(struct process *self)
{
    int fd = -1;
    int r = run_dir_open(self->opts->run_dir, &fd);

    if (r < 0) {
        return r;
    }
    if (self->dir_fd >= 0) {
        (void)close(self->dir_fd); /* the lock on what nobody finds any more */
    }
    self->dir_fd = fd;
    dir_watch(self);
    return 0;
}

/* The file leads to the socket that we hold. */
static int clients_link(const struct process *self)
{
    char target[64];

    (void)snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)getpid(), self->clients_file);
    return symlink(target, self->opts->clients_path) ? FAULT(-errno) : 0;
}

static int files_make(struct process *self)
{
    int r = run_dir_is(self->opts->run_dir, self->dir_fd) ? 0 : dir_open(self);

    if (r == 0 && !is_there(self->opts->control_path)) {
        r = control_listen_again(self->control);
    }
    if (r == 0 && self->opts->clients_path && !is_there(self->opts->clients_path)) {
        r = clients_link(self);
    }
    return r;
}

/* One that has not said hello yet is told when it does. */
static void host_tell(struct process *self, struct hostling *host)
{
    char address[ACTOR_ADDRESS_MAX];

    (void)snprintf(address, sizeof(address), "host/%s", host->host->name);
    const struct directory_entry *entry = directory_find(node_directory(self->node), span_from(address));
    if (entry && entry->is_up && host->dir_life != self->dir_life) {
        host->dir_life = self->dir_life;
        node_host_rebind(self->node, host->host->name);
    }
}

static void on_check(uv_timer_t *timer)
{
    struct process *self = timer->data;

    self->is_dir_due = false;
    (void)process_dir_check(self); /* tries again by itself */
}

static void check_later(struct process *self, uint32_t delay_ms)
{
    if (!self->is_dir_due && !self->is_stopping) {
        self->is_dir_due = true;
        (void)uv_timer_start(&self->dir_timer, on_check, delay_ms, 0); /* fails only without a callback */
    }
}

bool process_dir_check(struct process *self)
{
    const char *what = self->is_stopping ? NULL : missing(self);

    if (!what) {
        self->is_dir_broken = false;
        return true;
    }
    int r = files_make(self);
    if (r < 0) {
        if (!self->is_dir_broken) {
            log_error("run_dir_lost", "path=%s missing=\"%s\" error=\"%s\" why=\"no child can start until it is back\"",
                      self->opts->run_dir, what, fault_text(r));
        }
        self->is_dir_broken = true;
        self->is_dir_due = false;
        check_later(self, PROCESS_DIR_RETRY_MS);
        return false;
    }
    self->is_dir_broken = false;
    self->dir_life++;
    node_rebind(self->node);
    if (self->trunks) {
        trunk_hub_bind_again(self->trunks);
    }
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (!self->hosts[i].is_remote) {
            host_tell(self, &self->hosts[i]);
        }
    }
    log_warning("run_dir_renewed", "path=%s missing=\"%s\" why=\"it was removed while the gateway runs\"",
                self->opts->run_dir, what);
    return true;
}

static void on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    check_later(event->data, DIR_SETTLE_MS);
}

void process_dir_on_hello(struct process *self, struct hostling *host)
{
    host_tell(self, host);
}

int process_dir_init(struct process *self)
{
    int r = uv_fs_event_init(&self->loop, &self->dir_event);

    self->dir_event.data = self;
    r = r ? r : uv_timer_init(&self->loop, &self->dir_timer);
    self->dir_timer.data = self;
    if (r) {
        return FAULT(r);
    }
    if (self->opts->clients_path) {
        self->clients_file = open(self->opts->clients_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (self->clients_file < 0) {
            return FAULT(-errno);
        }
    }
    return dir_open(self);
}

void process_dir_deinit(struct process *self)
{
    if (self->clients_file >= 0) {
        (void)close(self->clients_file); /* never written to */
    }
    if (self->dir_fd >= 0) {
        (void)close(self->dir_fd); /* gives the lock back */
    }
}
