/*
 * descriptors: how many files and sockets this process may have open.
 *
 * czmq ends the process when it cannot open a socket, so whoever opens one asks here first.
 */
#ifndef BUS_BASE_DESCRIPTORS_H
#define BUS_BASE_DESCRIPTORS_H

#include <stdbool.h>

#define DESCRIPTORS_SOCKET 16U /* left over before a socket of the bus is opened */

/* Raises the limit as far as it may be raised, at most to `most`; returns what it is then. */
unsigned descriptors_raise(unsigned most);

/* Fewer than `wanted` can still be opened. Takes two system calls. */
bool descriptors_few(unsigned wanted);

#endif
