/*
 * fault: negative errno values that mean "we broke", with the place they were born.
 *
 * A fault is made by FAULT(-errno) and returned unchanged up to the runtime, which
 * stops the actor. Only the newest place of each thread is kept, for the log line.
 */
#ifndef BUS_BASE_FAULT_H
#define BUS_BASE_FAULT_H

#include <errno.h>
#include <stddef.h>

#define FAULT(code) fault_born((code), __FILE__, __LINE__)

/* A positive outcome that our own code should have made impossible becomes a fault. */
#define FAULT_FOLD(outcome) ((outcome) > 0 ? FAULT(-EPROTO) : (outcome))

/* Records the place and returns `code`, which must be negative. */
int fault_born(int code, const char *file, int line);

/* "file:line" of this thread's newest fault, or "unknown place". Static per thread. */
const char *fault_place(void);

/* Text of a fault (a negative errno or libzmq number); never NULL. */
const char *fault_text(int fault);

#endif
