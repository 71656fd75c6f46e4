/*
 * config: owns the config file and the snapshot everybody else reads.
 *
 * Accepts    config_read, config_follow, config_reload, config.get, config.set, config.patch, config.apply,
 *            config.repair, config.schema, config.schema.lookup, models.list, secrets.reload, secrets.resolve
 * Answers    config_value, config_followed
 * Asks       config_update of whoever follows, when a snapshot that differs for it is in force; bus.listen of the
 *            supervisor, before one that wants other listening sockets is, and after
 *
 * Its status says why the file on disk cannot be used, which secrets fail, and who does not work by what is in force;
 * health shows it. The files are watched; what an edit means is decided by the rules of schema/config/reload.json.
 * References to secrets are resolved before a snapshot comes in force (activation.h), never while one is asked for.
 * On restart the file is read again; when it is broken by then, the copy of the last good one is in force and the
 * status says so.
 */
#include "actors/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/config/commands.h"
#include "actors/config/internal.h"
#include "actors/config/reload.h"
#include "actors/config/rotation.h"
#include "actors/config/write.h"

static const struct actor_route config_routes[] = {
    { MSG_CONFIG_READ, config_on_read, 0 },
    { MSG_CONFIG_RELOAD, config_on_reload, 0 },
    { MSG_CONFIG_GET, config_on_get, 0 },
    { MSG_CONFIG_SET, config_on_set, 0 },
    { MSG_CONFIG_PATCH, config_on_patch, 0 },
    { MSG_CONFIG_APPLY, config_on_apply, 0 },
    { MSG_CONFIG_SCHEMA, config_on_schema, 0 },
    { MSG_CONFIG_SCHEMA_LOOKUP, config_on_schema_lookup, 0 },
    { MSG_CONFIG_REPAIR, config_on_repair, 0 },
    { MSG_MODELS_LIST, config_on_models, 0 },
    { MSG_CONFIG_FOLLOW, config_on_follow, 0 },
    { MSG_SECRETS_RELOAD, config_on_secrets_reload, 0 },
    { MSG_SECRETS_RESOLVE, config_on_secrets_resolve, 0 },
};
_Static_assert(ARRAY_LEN(config_routes) == CONFIG_ACCEPTS_N, "config: routes, schema differ");

/* --- life ------------------------------------------------------------------------------------------ */

static int env_copy(const char *name, char out[PATH_MAX])
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (!value || !*value || snprintf(out, PATH_MAX, "%s", value) >= PATH_MAX) {
        return FAULT(-EINVAL);
    }
    return 0;
}

static int config_init(void *state, struct actor *actor, const char *arg)
{
    struct config *self = state;

    (void)arg;
    self->actor = actor;
    snapshot_init(&self->snapshot);
    pack_init(&self->scratch, 0);
    pack_init(&self->issues, 0);
    int fault = env_copy("OPENCLAW_STATE_DIR", self->state_dir);
    fault = fault ? fault : env_copy("OPENCLAW_CONFIG_PATH", self->path);
    fault = fault ? fault : reload_open(self);
    fault = fault ? fault : rotation_open(self);
    fault = fault ? fault : activation_open(self);
    fault = fault ? fault : config_first_load(self);
    fault = fault ? fault : listening_start(self);
    fault = fault ? fault : followers_open(self);
    fault = fault ? fault : activation_start(self);
    if (!fault) {
        reload_follow(self);
    }
    return fault;
}

static void config_on_cancel(void *state, struct actor *actor, void *cookie)
{
    (void)actor;
    write_cancel(state, cookie);
}

static void config_deinit(void *state, struct actor *actor)
{
    struct config *self = state;

    (void)actor;
    write_abandon(self);
    commands_close(self);
    activation_close(self);
    rotation_close(self);
    reload_close(self);
    followers_close(self);
    snapshot_deinit(&self->snapshot);
    pack_deinit(&self->scratch);
    pack_deinit(&self->issues);
    config_refused_forget(self);
}

const struct actor_def config_actor = {
    .name = "config",
    .state_size = sizeof(struct config),
    .routes = config_routes,
    .routes_n = ARRAY_LEN(config_routes),
    .init = config_init,
    .deinit = config_deinit,
    .on_cancel = config_on_cancel,
};
