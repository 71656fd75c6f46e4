#include "schema/base/secret_memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bus/base/mem.h"

#define ROOM_MAX (64U << 20)

struct secret_pages {
    struct secret_pages *next;
    size_t bytes; /* of the whole mapping, this head included */
    size_t used;
};

static struct secret_pages *pages_new(size_t room)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (sizeof(struct secret_pages) + room + page - 1) / page * page;

    struct secret_pages *self = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (self == MAP_FAILED) {
        return NULL;
    }
    (void)madvise(self, bytes, MADV_DONTDUMP);
    (void)madvise(self, bytes, MADV_DONTFORK);
    (void)mlock2(self, bytes, MLOCK_ONFAULT); /* where the limit is low, they are like any others in this respect */
    self->bytes = bytes;
    self->used = sizeof(*self);
    return self;
}

char *secret_arena_room(struct secret_arena *self, size_t len)
{
    size_t need = (len + 16) / 16 * 16; /* with the zero behind it */

    if (len > ROOM_MAX) {
        return NULL;
    }
    if (!self->pages || self->pages->bytes - self->pages->used < need) {
        struct secret_pages *pages = pages_new(need);
        if (!pages) {
            return NULL;
        }
        pages->next = self->pages;
        self->pages = pages;
    }
    char *room = (char *)self->pages + self->pages->used;
    self->pages->used += need;
    return room;
}

struct span secret_arena_add(struct secret_arena *self, struct span bytes)
{
    char *room = secret_arena_room(self, bytes.len);

    if (!room) {
        return (struct span){ 0 };
    }
    if (bytes.len) {
        memcpy(room, bytes.ptr, bytes.len);
    }
    return (struct span){ room, bytes.len };
}

void secret_arena_deinit(struct secret_arena *self)
{
    while (self->pages) {
        struct secret_pages *pages = self->pages;
        size_t bytes = pages->bytes;

        self->pages = pages->next;
        mem_wipe(pages, bytes);
        (void)munlock(pages, bytes);
        (void)munmap(pages, bytes);
    }
}

/* RLIMIT_CORE would not do: the kernel gives a dump to a program in core_pattern whatever the limit. */
void secret_memory_guard(void)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    bool is_done = fd >= 0 && write(fd, "0", 1) == 1;

    if (fd >= 0) {
        close(fd);
    }
    if (!is_done) {
        (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L); /* no dump at all, then */
    }
}
