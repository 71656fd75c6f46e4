#include "bus/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first bytes of a file, terminated; false when there are none. */
static bool text_read(const char *path, char *text, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, cap - 1);

    if (fd >= 0) {
        (void)close(fd); /* was only read */
    }
    text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

uint64_t proc_resident_bytes(pid_t pid)
{
    char path[64];
    char text[128];
    char *end = text;

    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    if (!text_read(path, text, sizeof(text))) {
        return 0;
    }
    (void)strtoull(text, &end, 10); /* the address space, then what is resident */
    return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t proc_number(const char *path)
{
    char text[64];

    return text_read(path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

bool proc_thread(pid_t pid, uint32_t tid, struct stall_thread *ret_thread)
{
    char path[80];
    char text[512];
    char *end = text;
    const char *name_end;

    *ret_thread = (struct stall_thread){ .state = '?' };
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%u/schedstat", (int)pid, tid);
    if (text_read(path, text, sizeof(text))) {
        ret_thread->ran_ns = strtoull(text, &end, 10);
        ret_thread->ready_ns = strtoull(end, NULL, 10);
    }
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%u/stat", (int)pid, tid);
    name_end = text_read(path, text, sizeof(text)) ? strrchr(text, ')') : NULL; /* a name may hold anything */
    if (!name_end || strlen(name_end) < 3) {
        return false;
    }
    ret_thread->state = name_end[2];
    return true;
}
