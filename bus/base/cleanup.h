/*
 * cleanup: scope-bound destruction and small conveniences of the language.
 */
#ifndef BUS_BASE_CLEANUP_H
#define BUS_BASE_CLEANUP_H

#include <stddef.h>
#include <unistd.h>

/* Runs `fn(&variable)` when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* For CLEANUP, of a descriptor or -1: what was written to it is either synced or does not matter. */
static inline void fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* Yields the pointer and leaves NULL behind: ownership moves on. */
#define TAKE(p)                                                                                                        \
    __extension__({                                                                                                    \
        __typeof__(p) take_tmp_ = (p);                                                                                 \
        (p) = NULL;                                                                                                    \
        take_tmp_;                                                                                                     \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
