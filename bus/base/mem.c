#include "bus/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
    (void)fprintf(stderr, "out of memory: %zu bytes\n", size);
    abort();
}

void *mem_new(size_t size)
{
    void *ptr = calloc(1, size ? size : 1);

    if (!ptr) {
        out_of_memory(size);
    }
    return ptr;
}

char *mem_text(const char *ptr, size_t len)
{
    char *text = mem_new(len + 1);

    if (len) {
        memcpy(text, ptr, len);
    }
    return text;
}

void mem_wipe(void *ptr, size_t len)
{
    if (len) {
        explicit_bzero(ptr, len);
    }
}

void *mem_move_wiped(void *ptr, size_t len, size_t old_cap, size_t cap)
{
    void *moved = malloc(cap);

    if (!moved) {
        return NULL;
    }
    if (len) {
        memcpy(moved, ptr, len);
    }
    mem_wipe(ptr, old_cap);
    free(ptr);
    return moved;
}

void mem_free(void *ptr_to_ptr)
{
    void *ptr;

    /* The argument is a pointer to a pointer of any type; memcpy keeps the aliasing honest. */
    memcpy(&ptr, ptr_to_ptr, sizeof(ptr));
    free(ptr);
    ptr = NULL;
    memcpy(ptr_to_ptr, &ptr, sizeof(ptr));
}
