/*
 * handover: tells ThreadSanitizer what libzmq guarantees. A frame's bytes are written by
 * one thread and read by another; libzmq orders the two through its queues, but it is
 * not instrumented, so the ordering is invisible unless it is named here. Without the
 * sanitizer these are nothing.
 */
#ifndef BUS_BASE_HANDOVER_H
#define BUS_BASE_HANDOVER_H

#if defined(__SANITIZE_THREAD__)
#define HANDOVER_IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HANDOVER_IS_WATCHED 1
#endif
#endif

#ifdef HANDOVER_IS_WATCHED
#include <sanitizer/tsan_interface.h>
#endif

/* What this thread has done to the bytes at `ptr` happens before whoever takes them. */
static inline void handover_give(void *ptr)
{
#ifdef HANDOVER_IS_WATCHED
    __tsan_release(ptr);
#else
    (void)ptr;
#endif
}

static inline void handover_take(void *ptr)
{
#ifdef HANDOVER_IS_WATCHED
    __tsan_acquire(ptr);
#else
    (void)ptr;
#endif
}

#endif
