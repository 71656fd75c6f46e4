/*
 * sysinfo: what the operating system says of this process and machine.
 */
#ifndef ACTORS_HEALTH_SYSINFO_H
#define ACTORS_HEALTH_SYSINFO_H

#include <stdint.h>

#include "bus/pack.h"

struct sysinfo_use {
    int64_t wall_ms;
    uint64_t mono_ns;
    uint64_t cpu_ns;    /* of the whole process */
    uint64_t rss_bytes; /* 0 when unknown */
};

/* Now. */
struct sysinfo_use sysinfo_use(void);
/* Milliseconds since this process began; 0 when unknown. */
uint64_t sysinfo_uptime_ms(void);
/* Appends the presence entry of the gateway itself, without ts. */
void sysinfo_pack_self(struct pack *out);

#endif
