/*
 * proc: what the kernel shows of other processes under /proc. Read without stdio, whose
 * pages the supervising process would have in memory for this alone.
 */
#ifndef BUS_PROC_H
#define BUS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/stall.h"

/* Resident memory; 0 when the process is gone. */
uint64_t proc_resident_bytes(pid_t pid);
/* The number that a file begins with; 0 when it has none. */
uint64_t proc_number(const char *path);
/* False when the thread is gone. Without schedstat its times are 0. */
bool proc_thread(pid_t pid, uint32_t tid, struct stall_thread *ret_thread);

#endif
