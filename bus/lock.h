/*
 * lock: one holder per state directory, by a kernel lock that dies with its holder.
 *
 * The file stays behind and says nothing by itself; what counts is the lock. The pid
 * inside is only for the message to whoever came second.
 */
#ifndef BUS_LOCK_H
#define BUS_LOCK_H

#include <sys/types.h>

enum {
    LOCK_E_HELD = 1, /* someone else holds it */
};

/*
 * Takes the lock `path` (created with mode 0600; its directory must exist). On 0 the
 * descriptor returned holds it until closed; it is not inherited by programs started.
 * On LOCK_E_HELD `ret_pid` is the holder, or 0 when it has not said yet.
 */
int lock_take(const char *path, int *ret_fd, pid_t *ret_pid);

#endif
