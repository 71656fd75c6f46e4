#include "edge/cli/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/agent.h"
#include "actors/approval/approval.h"
#include "actors/auth/auth.h"
#include "actors/channel/channel.h"
#include "actors/config/config.h"
#include "actors/health/health.h"
#include "actors/hooks/hooks.h"
#include "actors/log/log.h"
#include "actors/log/sink.h"
#include "actors/node/node.h"
#include "actors/otel/otel.h"
#include "actors/router/router.h"
#include "actors/scheduler/scheduler.h"
#include "actors/tools/tools.h"
#include "actors/watch/watch.h"
#include "edge/cli/cli_paths.h"
#include "edge/listener/listener.h"

const struct actor_def *const compose_defs[] = {
    &config_actor, &log_actor,     &auth_actor,      &health_actor, &router_actor, &nodes_actor, &approval_actor,
    &agent_actor,  &webchat_actor, &scheduler_actor, &hooks_actor,  &tools_actor,  &otel_actor,  &edge_actor,
    &watch_actor,  NULL,
};

/* Of the environment of another profile only the home directory counts. */
static char *home_alone(const char *name)
{
    bool is_home = strcmp(name, "HOME") == 0 || strcmp(name, "OPENCLAW_HOME") == 0;

    return is_home ? getenv(name) : NULL; /* NOLINT(concurrency-mt-unsafe): before threads start */
}

/* The gateway of a profile as watch takes it; whoever asks copies it. */
static const char *watched(const char *profile)
{
    static char arg[2 * PATH_MAX]; /* of the one thread that starts actors */
    struct cli_paths paths;
    struct cli_paths_error ignored;

    if (!*profile || cli_paths_resolve(profile, false, home_alone, &paths, &ignored)) {
        return "";
    }
    (void)snprintf(arg, sizeof(arg), "%s\n%s", paths.control_path, paths.state_dir);
    return arg;
}

/* The first part of an address names the definition, the rest is its argument; of a
 * channel the second part does: channel/<type>[/<account>]. */
const char *compose_def_of(const char *address, const char **ret_arg)
{
    size_t len;

    if (strncmp(address, "channel/", sizeof("channel/") - 1) == 0) {
        address += sizeof("channel/") - 1;
    }
    len = strcspn(address, "/");

    for (const struct actor_def *const *def = compose_defs; *def; def++) {
        if (span_is_text((struct span){ address, len }, (*def)->name)) {
            *ret_arg = address[len] == '/' ? address + len + 1 : "";
            if (*def == &watch_actor) {
                *ret_arg = watched(*ret_arg);
            }
            return (*def)->name;
        }
    }
    return NULL;
}

static enum log_level level_chosen(void)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        { "trace", LOG_LEVEL_DEBUG },  { "debug", LOG_LEVEL_DEBUG }, { "info", LOG_LEVEL_INFO },
        { "warn", LOG_LEVEL_WARNING }, { "error", LOG_LEVEL_ERROR }, { "fatal", LOG_LEVEL_ERROR },
        { "silent", LOG_LEVEL_ERROR },
    };
    const char *name = getenv("OPENCLAW_LOG_LEVEL"); /* NOLINT(concurrency-mt-unsafe): before threads start */

    for (size_t i = 0; name && i < ARRAY_LEN(levels); i++) {
        if (strcmp(name, levels[i].name) == 0) {
            return levels[i].level;
        }
    }
    return LOG_LEVEL_INFO;
}

void compose_log_install(const char *host)
{
    enum log_level lowest = level_chosen();

    sink_install(lowest, lowest == LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, host);
}

void compose_log_on_actor(void *arg, struct actor *actor)
{
    (void)arg;
    sink_set_node(actor);
}
