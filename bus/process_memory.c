/*
 * Caps on the memory of a host. An actor shares its process with others, and the kernel
 * counts memory per process alone, so that is what can be capped honestly; what one actor
 * has in its mailbox and in what waits for its peers is bounded by itself.
 *
 * A host beyond its cap ends in order and is started again; one that goes on growing
 * meanwhile is killed. Without a cap of its own it is three quarters of what the machine, or
 * its container, has: to end one host then is better than to have the kernel choose a
 * process, or all swap. Resident pages are looked at once a second.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "bus/base/log.h"
#include "bus/proc.h"
#include "bus/process_internal.h"

#define LOOK_MS 1000U

/* Of the container, when it is one; else of the machine. */
static uint64_t machine_bytes(void)
{
    uint64_t all = uv_get_total_memory();
    uint64_t limits[] = { uv_get_constrained_memory(), proc_number("/sys/fs/cgroup/memory.max") };

    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        all = limits[i] && limits[i] < all ? limits[i] : all;
    }
    return all;
}

static void host_look(struct hostling *host, uint64_t default_cap)
{
    uint64_t cap = host->host->memory_mb ? (uint64_t)host->host->memory_mb << 20 : default_cap;
    uint64_t resident = host->pid ? proc_resident_bytes(host->pid) : 0;
    unsigned long long resident_mb = resident >> 20;
    char why[96];

    if (cap == 0) {
        return; /* the system does not say what it has */
    }
    if (resident <= cap || host->is_ended) {
        if (host->is_over_memory && resident > cap + cap / 4) {
            log_error("host_memory_runaway", "host=%s pid=%d resident_mb=%llu", host->host->name, (int)host->pid,
                      resident_mb);
            host->is_over_memory = false;
            (void)kill(host->pid, SIGKILL); /* a child of ours, not yet waited for */
        }
        return;
    }
    log_error("host_memory_exceeded", "host=%s pid=%d resident_mb=%llu cap_mb=%llu", host->host->name, (int)host->pid,
              resident_mb, (unsigned long long)(cap >> 20));
    (void)snprintf(why, sizeof(why), "memory: %llu MiB of at most %llu", resident_mb, (unsigned long long)(cap >> 20));
    host->is_over_memory = true;
    process_host_end(host, why);
}

static void on_look(uv_timer_t *timer)
{
    struct process *self = timer->data;

    for (size_t i = 0; i < self->hosts_n && !self->is_stopping; i++) {
        host_look(&self->hosts[i], self->memory_cap);
    }
}

int process_memory_init(struct process *self)
{
    int r = uv_timer_init(&self->loop, &self->memory_timer);

    self->memory_timer.data = self;
    self->memory_cap = machine_bytes() / 4 * 3;
    r = r ? r : uv_timer_start(&self->memory_timer, on_look, LOOK_MS, LOOK_MS);
    return r ? FAULT(r) : 0;
}
