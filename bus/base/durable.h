/*
 * durable: what is still there after the power has failed.
 */
#ifndef BUS_BASE_DURABLE_H
#define BUS_BASE_DURABLE_H

#include "bus/base/span.h"

/* Writes all of it and waits until the disk has it. 0 or a fault. */
int durable_write(int fd, struct span bytes);
/* A name that was made or taken away is so for good once the directory that holds `path` is synced. 0 or a fault. */
int durable_name(const char *path);

#endif
