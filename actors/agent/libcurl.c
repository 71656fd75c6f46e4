#include "actors/agent/libcurl.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"

/* The name that carries the interface we are compiled against. */
#define LIBRARY "libcurl.so.4"

struct function {
    const char *name;
    size_t offset; /* of its pointer in struct libcurl */
};

#define FUNCTION(member)                                                                                               \
    {                                                                                                                  \
        "curl_" #member, offsetof(struct libcurl, member)                                                              \
    }

static const struct function functions[] = {
    FUNCTION(easy_cleanup),        FUNCTION(easy_getinfo),  FUNCTION(easy_init),           FUNCTION(easy_pause),
    FUNCTION(easy_setopt),         FUNCTION(easy_strerror), FUNCTION(global_init_mem),     FUNCTION(multi_add_handle),
    FUNCTION(multi_assign),        FUNCTION(multi_cleanup), FUNCTION(multi_info_read),     FUNCTION(multi_init),
    FUNCTION(multi_remove_handle), FUNCTION(multi_setopt),  FUNCTION(multi_socket_action), FUNCTION(slist_append),
    FUNCTION(slist_free_all),
};
_Static_assert(sizeof(functions) / sizeof(functions[0]) == sizeof(struct libcurl) / sizeof(void *),
               "libcurl: the table and the struct differ");

/* Keys go through its lists and its buffers of requests; what it gives back is wiped. */

static void wiped_free(void *ptr)
{
    if (ptr) {
        mem_wipe(ptr, malloc_usable_size(ptr));
        free(ptr);
    }
}

static void *wiped_realloc(void *ptr, size_t size)
{
    size_t old = ptr ? malloc_usable_size(ptr) : 0;

    return ptr ? mem_move_wiped(ptr, old < size ? old : size, old, size) : malloc(size);
}

const char *libcurl_load(struct libcurl *self)
{
    /* It keeps threads and state of its own, so it must not go while the process lives. */
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);

    if (!library) {
        return dlerror();
    }
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        void *function = dlsym(library, functions[i].name);

        if (!function) {
            return dlerror();
        }
        memcpy((char *)self + functions[i].offset, &function, sizeof(function));
    }
    (void)dlclose(library); /* gives back only the count: see above */
    /* Counted by the library, and its first call alone says what memory is taken from. */
    return self->global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiped_free, wiped_realloc, strdup, calloc)
               ? "it cannot start"
               : NULL;
}
