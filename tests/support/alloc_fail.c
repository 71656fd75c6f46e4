#include "tests/support/alloc_fail.h"

#include <stddef.h>

static unsigned fail_at;
static unsigned count;
static bool happened;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size);

void alloc_fail_at(unsigned nth)
{
    fail_at = nth;
    count = 0;
    happened = false;
}

bool alloc_fail_happened(void)
{
    return happened;
}

static bool must_fail(void)
{
    if (fail_at == 0 || ++count < fail_at) {
        return false;
    }
    happened = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_reallocarray(void *ptr, size_t n, size_t size)
{
    return must_fail() ? NULL : __real_reallocarray(ptr, n, size);
}
