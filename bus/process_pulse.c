/*
 * What hangs. An actor that is at one piece of work without an end is named, and calls to it
 * end at once; when it goes on, it is asked again, and when it does not, its process is
 * killed, since a thread cannot be ended from outside. The same goes for a process that a
 * signal has stopped.
 *
 * Actors leave signs of life in a page that is mapped here too (pulse.h), so looking wakes
 * no child and sends nothing. What a thread does is asked of the kernel only when it seems
 * to be at something; see stall.h for what counts. CLOCK_MONOTONIC stands still while the
 * machine sleeps, and a look that comes late counts for nothing, as then it was we who slept.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/proc.h"
#include "bus/process_internal.h"

/*
 * Told within half a second: it is seen at work after LOOK_MS at most, and LOOK_SOON_MS after the limit at most.
 * Outside handlers it takes one look more before anything is suspected, so the limit is less.
 */
#define LOOK_MS 100U
#define LOOK_SOON_MS 50U /* while something is suspected */
#define LATE_MS 150U     /* our own loop, beyond its time: what we saw before says nothing */
#define SILENT_MS (350U * BUILD_SLOWNESS)
#define SILENT_CALLBACK_MS (250U * BUILD_SLOWNESS)
#define STOPPED_SILENT_MS 100U /* a debugger, or a snapshot, may stop it for a moment */
#define STOPPED_KILL_MS 500U
#define HOT_PERCENT 20U /* of one processor: less than a thread gets that never rests, also on a busy machine */

/* Instrumented code takes several times as long for the same. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BUILD_SLOWNESS 5U
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BUILD_SLOWNESS 5U
#endif
#endif
#ifndef BUILD_SLOWNESS
#define BUILD_SLOWNESS 1U
#endif

/* --- what the kernel shows -------------------------------------------------------------- */

/* Does its process burn enough for one of its threads to have no rest? */
static bool is_hot(struct hostling *host, uint64_t passed_ms)
{
    struct timespec used = { 0 };
    uint64_t before_ns = host->cpu_ns;
    clockid_t id;

    if (clock_getcpuclockid(host->pid, &id) || clock_gettime(id, &used)) {
        return false;
    }
    host->cpu_ns = (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
    return before_ns && (host->cpu_ns - before_ns) / 1000000U >= passed_ms * HOT_PERCENT / 100U;
}

/* --- what follows ------------------------------------------------------------------------ */

/* Where the page names nobody that the directory knows on that host, nothing is said. The directory of a host that has
 * joined a gateway elsewhere is there: its own process says it further, when that is not what hangs. */
static void actor_silence(struct hostling *host, size_t i, const char *address, bool is_silent)
{
    const struct stall *stall = &host->stalls[i];

    pulse_silence(&host->pulse->actors[i], is_silent);
    if (!node_silence(host->process->node, host->host->name, address, is_silent ? "" : NULL) &&
        !host->process->opts->only_host) {
        return;
    }
    if (is_silent) {
        log_warning("actor_unresponsive", "actor=%s host=%s pid=%d at_work_ms=%llu", address, host->host->name,
                    (int)host->pid, (unsigned long long)stall->own_ms);
    } else {
        log_warning("actor_responds", "actor=%s host=%s pid=%d", address, host->host->name, (int)host->pid);
    }
}

static void hung_kill(struct hostling *host, const char *address, const struct stall *stall)
{
    char why[sizeof(host->last_end)];

    (void)snprintf(why, sizeof(why), "hung: %s was at one piece of work for %llu ms", address,
                   (unsigned long long)stall->own_ms);
    log_error("host_hung", "host=%s pid=%d actor=%s at_work_ms=%llu", host->host->name, (int)host->pid, address,
              (unsigned long long)stall->own_ms);
    host->is_hung = true;
    process_host_kill(host, why);
}

static void actor_look(struct hostling *host, size_t i, uint64_t passed_ms, bool is_host_hot)
{
    struct pulse *pulse = &host->pulse->actors[i];
    struct stall *stall = &host->stalls[i];
    uint32_t tid = atomic_load_explicit(&pulse->tid, memory_order_acquire);
    uint64_t beat = tid ? atomic_load_explicit(&pulse->beat, memory_order_relaxed) : 0;
    uint64_t silent_ms = beat & PULSE_AT_WORK ? SILENT_MS : SILENT_CALLBACK_MS;
    bool is_suspect = stall_suspect(stall, beat, is_host_hot);
    struct stall_thread thread;
    char address[ACTOR_ADDRESS_MAX];

    (void)snprintf(address, sizeof(address), "%.*s", (int)sizeof(pulse->address) - 1, pulse->address);
    if (stall->is_told && stall->own_ms == 0) {
        stall->is_told = false;
        actor_silence(host, i, address, false);
    }
    if (!is_suspect || !proc_thread(host->pid, tid, &thread)) {
        stall_skip(stall);
        return;
    }
    host->is_suspected = true;
    if (stall_add(stall, &thread, passed_ms) >= silent_ms && !stall->is_told) {
        stall->is_told = true;
        actor_silence(host, i, address, true);
    }
    if (host->host->hang_ms && stall->own_ms >= (uint64_t)host->host->hang_ms * BUILD_SLOWNESS) {
        hung_kill(host, address, stall);
    }
}

/* Under a debugger it stands still because somebody wants it to. */
static bool is_traced(pid_t pid)
{
    struct stall_thread thread;

    return proc_thread(pid, (uint32_t)pid, &thread) && thread.state == 't';
}

static void stopped_look(struct hostling *host, uint64_t now_ms)
{
    uint64_t stopped_ms = now_ms - host->stopped_ms;

    if (stopped_ms >= STOPPED_SILENT_MS && !host->is_silent) {
        host->is_silent = true;
        (void)node_silence(host->process->node, host->host->name, NULL,
                           "a signal has stopped its process"); /* or it has not come yet */
        log_warning("host_unresponsive", "host=%s pid=%d why=\"a signal has stopped it\"", host->host->name,
                    (int)host->pid);
    }
    if (stopped_ms >= STOPPED_KILL_MS && !host->is_hung && !is_traced(host->pid)) {
        log_error("host_hung", "host=%s pid=%d stopped_ms=%llu", host->host->name, (int)host->pid,
                  (unsigned long long)stopped_ms);
        host->is_hung = true;
        process_host_kill(host, "hung: a signal had stopped it");
    }
}

static void host_look(struct hostling *host, uint64_t passed_ms, bool is_late)
{
    bool is_host_hot = is_hot(host, passed_ms);
    uint32_t used = atomic_load_explicit(&host->pulse->used, memory_order_relaxed);

    for (uint32_t i = 0; i < used && i < PULSE_ACTORS_MAX && !host->is_hung; i++) {
        if (is_late) {
            stall_skip(&host->stalls[i]);
        }
        actor_look(host, i, passed_ms, is_host_hot);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct process *self = timer->data;
    uint64_t now_ms = clock_mono_ms();
    uint64_t passed_ms = now_ms - self->pulse_ms;
    bool is_late = passed_ms > LOOK_MS + LATE_MS;
    bool is_soon = false;

    self->pulse_ms = now_ms;
    node_blame_forget(self->node, now_ms);
    for (size_t i = 0; i < self->hosts_n; i++) {
        struct hostling *host = &self->hosts[i];

        host->is_suspected = host->is_stopped;
        if (host->pid && host->last_end[0] && now_ms - host->started_ms > PROCESS_END_NEWS_MS) {
            node_host_status(self->node, host->host->name, ""); /* no news any more */
        }
        if (host->pid && host->is_stopped && !is_late) {
            stopped_look(host, now_ms);
        } else if (host->pid && host->pulse && !host->is_hung && !self->is_stopping) {
            host_look(host, passed_ms, is_late);
        }
        is_soon |= host->is_suspected;
    }
    (void)uv_timer_start(timer, on_look, is_soon ? LOOK_SOON_MS : LOOK_MS, 0); /* fails only without a callback */
}

/* --- what the kernel tells ------------------------------------------------------------------ */

void process_pulse_stopped(struct hostling *host, int signal)
{
    log_info("host_stopped", "host=%s pid=%d signal=%d", host->host->name, (int)host->pid, signal);
    host->is_stopped = true;
    host->stopped_ms = clock_mono_ms();
    (void)uv_timer_start(&host->process->pulse_timer, on_look, LOOK_SOON_MS, 0); /* fails only without a callback */
}

void process_pulse_continued(struct hostling *host)
{
    log_info("host_continued", "host=%s pid=%d", host->host->name, (int)host->pid);
    host->is_stopped = false;
    if (host->is_silent) {
        host->is_silent = false;
        (void)node_silence(host->process->node, host->host->name, NULL, NULL); /* or it has not come yet */
    }
}

void process_pulse_forget(struct hostling *host)
{
    host->is_stopped = false;
    host->is_silent = false;
    host->is_suspected = false;
    host->cpu_ns = 0;
    if (host->pulse) {
        memset(host->stalls, 0, PULSE_ACTORS_MAX * sizeof(*host->stalls));
        pulse_page_clear(host->pulse);
    }
}

/* --- the beginning and the end ------------------------------------------------------------------ */

void process_pulse_open(struct hostling *host)
{
    int r = pulse_page_new(&host->pulse_fd, &host->pulse);

    if (r) {
        log_warning("pulse_missing", "host=%s error=\"%s\" why=\"it is not watched for hanging\"", host->host->name,
                    fault_text(r));
        return;
    }
    host->stalls = mem_new(PULSE_ACTORS_MAX * sizeof(*host->stalls));
}

int process_pulse_init(struct process *self)
{
    int r = uv_timer_init(&self->loop, &self->pulse_timer);

    self->pulse_timer.data = self;
    self->pulse_ms = clock_mono_ms();
    r = r ? r : uv_timer_start(&self->pulse_timer, on_look, LOOK_MS, 0);
    return r ? FAULT(r) : 0;
}

void process_pulse_deinit(struct process *self)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        struct hostling *host = &self->hosts[i];

        if (host->pulse) {
            (void)close(host->pulse_fd); /* nothing is in it for anybody else */
            pulse_page_close(&host->pulse);
            free(host->stalls);
        }
    }
}
