/* config and agent/main, with the driver of tests/actor/rig beside them. */
#include "tests/actor/rig/rig.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/agent/agent.h"
#include "actors/config/config.h"
#include "schema_gen.h"

static const struct actor_route topics[] = {
    { .msg = EVENT_AGENT, .on = rig_on_event },
    { .msg = EVENT_CHAT, .on = rig_on_event },
    { .msg = EVENT_SESSION_MESSAGE, .on = rig_on_event },
    { .msg = EVENT_SESSIONS_CHANGED, .on = rig_on_event },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct rig),
    .topics = topics,
    .topics_n = ARRAY_LEN(topics),
    .init = rig_init,
    .deinit = rig_deinit,
};

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return strncmp(address, "agent/", 6) == 0 ? "agent" : address;
}

/* The disk under the database: while the file that RIG_DISK names and ".slow" are there it does not answer, while that
 * with ".broken" is there it fails. */
int __wrap_fdatasync(int fd);
int __real_fdatasync(int fd);

static bool disk_is(const char *what)
{
    const char *name = getenv("RIG_DISK");
    char path[PATH_MAX];

    return name && snprintf(path, sizeof(path), "%s.%s", name, what) < (int)sizeof(path) && access(path, F_OK) == 0;
}

int __wrap_fdatasync(int fd)
{
    while (disk_is("slow")) {
        (void)usleep(2000);
    }
    if (disk_is("broken")) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

int main(void)
{
    static const struct actor_def *const defs[] = { &config_actor, &agent_actor, &driver_actor, NULL };

    return rig_run("[\"config\", \"driver\", \"agent/main\"]", defs, def_of);
}
