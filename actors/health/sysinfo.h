/*
 * sysinfo: what the operating system says of this process and machine.
 */
#ifndef ACTORS_HEALTH_SYSINFO_H
#define ACTORS_HEALTH_SYSINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/pack.h"

struct sysinfo_use {
    int64_t wall_ms;
    uint64_t mono_ns;
    uint64_t cpu_ns;    /* of the whole process */
    uint64_t rss_bytes; /* 0 when unknown */
};

/* Now. */
struct sysinfo_use sysinfo_use(void);
/* The same of another process; false when the kernel does not say. */
bool sysinfo_process(pid_t pid, uint64_t *ret_rss_bytes, double *ret_cpu_s);
/* Milliseconds since this process began; 0 when unknown. */
uint64_t sysinfo_uptime_ms(void);
/* The first address that other machines could use; false when there is none. */
bool sysinfo_address(char *ret_text, size_t size);
/* What uname calls the processor, as programs of Node.js call it, which clients know. */
const char *sysinfo_arch(const char *machine);
/* Appends the presence entry of the gateway itself, without ts. */
void sysinfo_pack_self(struct pack *out);

#endif
