/*
 * mem: small allocations of fixed size, which cannot fail (the process aborts, as
 * czmq does). Sizes that come from outside use malloc and check.
 */
#ifndef BUS_BASE_MEM_H
#define BUS_BASE_MEM_H

#include <stddef.h>

/* Zeroed memory; free() releases it. */
void *mem_new(size_t size);

/* A terminated copy of `len` bytes; free() releases it. */
char *mem_text(const char *ptr, size_t len);

/* Overwrites `len` bytes in a way the compiler may not remove. */
void mem_wipe(void *ptr, size_t len);

/* As realloc to `cap` bytes, but what was in the old place (`old_cap` bytes, `len` of them to be kept) is wiped.
 * NULL when there is no memory; then nothing has changed. */
void *mem_move_wiped(void *ptr, size_t len, size_t old_cap, size_t cap);

/* Cleanup handler for CLEANUP(mem_free) char *p: takes the address of the pointer. */
void mem_free(void *ptr_to_ptr);

#endif
