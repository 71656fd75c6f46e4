#include "edge/cli/cli_unserved.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bus/base/cleanup.h"

struct unserved {
    const char *group; /* NULL: none */
    const char *name;
    const char *instead;
};

static const struct unserved unserved[] = {
    { "gateway", "start",
      "`openclaw gateway` runs it in the foreground (Ctrl-C or SIGTERM ends it), a service manager in the background" },
    { "gateway", "install", "write a unit for your service manager whose command is `openclaw gateway`" },
    { "gateway", "uninstall", "remove the unit from your service manager" },
    { NULL, "sessions", "`openclaw status` shows them, and `openclaw gateway call sessions.list` tells all" },
    { NULL, "models", "`openclaw gateway call models.list` lists them, and `openclaw config set` chooses" },
    { NULL, "cron", "what runs by the clock here are heartbeats: `openclaw system heartbeat`" },
    { NULL, "node", "this machine cannot be a node; `openclaw nodes` manages those that connect to the gateway" },
};

const char *cli_unserved_instead(const char *group, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(unserved); i++) {
        const struct unserved *it = &unserved[i];
        bool is_group = it->group && group ? strcmp(it->group, group) == 0 : it->group == group;

        if (is_group && strcmp(it->name, name) == 0) {
            return it->instead;
        }
    }
    return NULL;
}
