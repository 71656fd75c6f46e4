/*
 * Caps on the memory of a host. An actor shares its process with others, and the kernel
 * counts memory per process alone, so that is what can be capped honestly; what one actor
 * has in its mailbox and in what waits for its peers is bounded by itself.
 *
 * A host beyond its cap ends in order and is started again. Resident pages are looked at
 * once a second, and only when some host has a cap.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "bus/base/log.h"
#include "bus/process_internal.h"

#define LOOK_MS 1000U

/* 0 when the process is gone. */
static uint64_t resident_bytes(pid_t pid)
{
    unsigned long long pages = 0;
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*u %llu", &pages) != 1) { /* NOLINT(cert-err34-c): the kernel wrote it */
            pages = 0;
        }
        (void)fclose(file); /* was only read */
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void on_look(uv_timer_t *timer)
{
    struct process *self = timer->data;

    for (size_t i = 0; i < self->hosts_n && !self->is_stopping; i++) {
        struct hostling *host = &self->hosts[i];
        uint64_t cap = (uint64_t)host->host->memory_mb << 20;
        uint64_t resident = cap && host->pid && !host->is_over_memory ? resident_bytes(host->pid) : 0;

        if (resident > cap) {
            log_error("host_memory_exceeded", "host=%s pid=%d resident_mb=%llu cap_mb=%u", host->host->name,
                      (int)host->pid, (unsigned long long)(resident >> 20), host->host->memory_mb);
            process_host_end(host);
        }
    }
}

int process_memory_init(struct process *self)
{
    bool has_cap = false;
    int r = uv_timer_init(&self->loop, &self->memory_timer);

    self->memory_timer.data = self;
    for (size_t i = 0; i < self->opts->topology->hosts_n; i++) {
        has_cap |= self->opts->topology->hosts[i].memory_mb != 0;
    }
    if (!r && has_cap) {
        r = uv_timer_start(&self->memory_timer, on_look, LOOK_MS, LOOK_MS);
    }
    return r ? FAULT(r) : 0;
}
