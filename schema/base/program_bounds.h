/*
 * program_bounds: what a program may do that works on bytes of strangers: nothing but compute.
 * No network, no further process, no file written, none read but those of the system's
 * programs and its own, and so much memory and time.
 */
#ifndef SCHEMA_BASE_PROGRAM_BOUNDS_H
#define SCHEMA_BASE_PROGRAM_BOUNDS_H

#include <stdint.h>

struct program_bounds {
    uint64_t memory_bytes;
    uint32_t cpu_s;
};

/*
 * In a child between fork and exec: async-signal-safe calls alone. For good, also over exec. 0, or
 * -errno. What may be read is not narrowed where the kernel has no Landlock.
 */
int program_bounds_set(const struct program_bounds *bounds, const char *command);

#endif
