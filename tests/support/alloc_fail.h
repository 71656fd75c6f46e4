/*
 * alloc_fail: makes the n-th allocation of the code under test fail.
 *
 * Link alloc_fail.c with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray.
 */
#ifndef TESTS_SUPPORT_ALLOC_FAIL_H
#define TESTS_SUPPORT_ALLOC_FAIL_H

#include <stdbool.h>

/* The nth allocation from now on fails (1 is the next), and every one after it; 0: none does. */
void alloc_fail_at(unsigned nth);
/* Has one failed since alloc_fail_at? */
bool alloc_fail_happened(void);

#endif
