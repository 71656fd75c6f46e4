#include "bus/base/descriptors.h"

#include <limits.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned number_of(rlim_t limit)
{
    return limit == RLIM_INFINITY || limit > UINT_MAX ? UINT_MAX : (unsigned)limit;
}

unsigned descriptors_raise(unsigned most)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit)) {
        return UINT_MAX; /* nobody to ask: what happens, happens */
    }
    rlim_t wanted = limit.rlim_max < most ? limit.rlim_max : most;
    struct rlimit raised = { .rlim_cur = wanted, .rlim_max = limit.rlim_max };

    if (limit.rlim_cur < wanted && setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        limit = raised;
    }
    return number_of(limit.rlim_cur);
}

bool descriptors_few(unsigned wanted)
{
    struct rlimit limit;
    int fd = eventfd(0, EFD_CLOEXEC); /* the kernel gives the lowest free number */

    if (fd < 0) {
        return true;
    }
    (void)close(fd);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + wanted > limit.rlim_cur;
}
