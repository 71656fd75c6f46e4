/*
 * config: owns the config file and the snapshot everybody else reads.
 *
 * Accepts    config_read, config_reload, config.get, models.list
 * Answers    config_value
 * Publishes  config_changed, when a new snapshot is in force
 * On restart the file is read again; when it is broken by then, the copy of the last good
 * one is in force and the status says so.
 */
#include "actors/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/diff.h"
#include "actors/config/last_good.h"
#include "actors/config/models.h"
#include "actors/config/snapshot.h"
#include "actors/config/view.h"
#include "bus/actor.h"
#include "bus/value.h"
#include "schema_gen.h"

struct config {
    char path[PATH_MAX];
    char state_dir[PATH_MAX];
    uint64_t version;
    struct snapshot snapshot;
    struct config_error issue; /* why the file now on disk is not the snapshot; empty: it is */
    struct pack scratch;
};

/* --- loading ------------------------------------------------------------------------------- */

/* Builds a snapshot from one file and what it includes; an absent file is an empty config. */
static int file_load(const struct config *self, const char *path, struct snapshot *ret_snapshot,
                     struct config_error *error)
{
    struct snapshot_opts opts = { .path = path, .state_dir = self->state_dir, .lookup = config_lookup_process() };
    struct snapshot built;

    snapshot_init(&built);
    int r = snapshot_load(&built, &opts, error);
    if (r) {
        snapshot_deinit(&built);
        return r;
    }
    *ret_snapshot = built;
    return 0;
}

static void snapshot_put(struct config *self, struct snapshot *fresh)
{
    snapshot_deinit(&self->snapshot);
    self->snapshot = *fresh;
    snapshot_init(fresh);
    self->version++;
}

/* The copy is a convenience for a bad day: without it (full disk) today goes on. */
static void last_good_keep(struct config *self, struct actor *actor)
{
    int fault = self->snapshot.document.is_present
                    ? last_good_write(self->path, config_document_text(&self->snapshot.document))
                    : 0;
    char status[160];

    if (fault) {
        snprintf(status, sizeof(status), "no copy of the last good config: %s", fault_text(fault));
        actor_status(actor, status);
    }
}

static int first_load(struct config *self, struct actor *actor)
{
    struct snapshot fresh;
    char spare[PATH_MAX];
    struct config_error ignored;
    int r = file_load(self, self->path, &fresh, &self->issue);

    if (!r) {
        snapshot_put(self, &fresh);
        last_good_keep(self, actor);
        return 0;
    }
    if (r < 0) {
        return r;
    }
    actor_status(actor, self->issue.text);
    if (!last_good_path(self->path, spare) || file_load(self, spare, &fresh, &ignored) || !fresh.document.is_present) {
        log_error("config_unusable", "reason=\"%s\"", self->issue.text); /* the only place that can say why */
        return FAULT(-EINVAL);
    }
    snapshot_put(self, &fresh);
    log_warning("config_last_good", "file=%s reason=\"%s\"", spare, self->issue.text);
    return 0;
}

/* --- handlers ----------------------------------------------------------------------------------- */

static int on_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    const struct msg_config_read *in = msg;
    static const char nil = (char)0xc0;
    char path[513];
    struct span value = pack_span(&self->snapshot.effective);

    snprintf(path, sizeof(path), "%.*s", SPAN_FMT(in->path));
    if (*path) {
        value = value_path(value, path);
    }
    return actor_reply(ctx, MSG_CONFIG_VALUE,
                       &(struct msg_config_value){
                           .version = self->version,
                           .value = value.len ? value : (struct span){ &nil, 1 },
                       });
}

static int changed_publish(struct config *self, struct actor_ctx *ctx, struct span before)
{
    struct span after = pack_span(&self->snapshot.effective);

    if (span_is(before, after)) {
        return 0;
    }
    pack_reset(&self->scratch);
    diff_pack(before, after, &self->scratch);
    if (pack_error(&self->scratch)) {
        return pack_error(&self->scratch);
    }
    struct msg_config_changed out = { .version = self->version, .paths = pack_span(&self->scratch) };
    return actor_publish(actor_ctx_actor(ctx), MSG_CONFIG_CHANGED, &out, ctx);
}

static int on_reload(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    struct actor *actor = actor_ctx_actor(ctx);
    struct snapshot fresh;

    (void)msg;
    int r = file_load(self, self->path, &fresh, &self->issue);
    if (r) {
        if (r < 0) {
            return r;
        }
        actor_status(actor, self->issue.text);
        log_warning("config_refused", "version=%llu stays in force, reason=\"%s\"", (unsigned long long)self->version,
                    self->issue.text);
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", self->issue.text);
    }
    self->issue.text[0] = '\0';
    actor_status(actor, "");
    struct snapshot before = self->snapshot;
    snapshot_init(&self->snapshot);
    snapshot_put(self, &fresh);
    last_good_keep(self, actor);
    log_info("config_loaded", "version=%llu path=%s", (unsigned long long)self->version, self->path);
    r = changed_publish(self, ctx, pack_span(&before.effective));
    snapshot_deinit(&before);
    return r;
}

static int on_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;

    (void)msg;
    pack_reset(&self->scratch);
    view_pack(&self->snapshot, self->path, self->issue.text, &self->scratch);
    int fault = pack_error(&self->scratch);
    return fault ? fault : actor_reply_span(ctx, pack_span(&self->scratch));
}

static int on_models(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;

    (void)msg; /* every view of this gateway's list is the configured one */
    pack_reset(&self->scratch);
    models_list_pack(pack_span(&self->snapshot.effective), &self->scratch);
    int fault = pack_error(&self->scratch);
    return fault ? fault : actor_reply_span(ctx, pack_span(&self->scratch));
}

static const struct actor_route config_routes[] = {
    { MSG_CONFIG_READ, on_read, 0 },
    { MSG_CONFIG_RELOAD, on_reload, 0 },
    { MSG_CONFIG_GET, on_get, 0 },
    { MSG_MODELS_LIST, on_models, 0 },
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
    snapshot_init(&self->snapshot);
    pack_init(&self->scratch, 0);
    int fault = env_copy("OPENCLAW_STATE_DIR", self->state_dir);
    fault = fault ? fault : env_copy("OPENCLAW_CONFIG_PATH", self->path);
    return fault ? fault : first_load(self, actor);
}

static void config_deinit(void *state, struct actor *actor)
{
    struct config *self = state;

    (void)actor;
    snapshot_deinit(&self->snapshot);
    pack_deinit(&self->scratch);
}

const struct actor_def config_actor = {
    .name = "config",
    .state_size = sizeof(struct config),
    .routes = config_routes,
    .routes_n = ARRAY_LEN(config_routes),
    .init = config_init,
    .deinit = config_deinit,
    .is_awaited = true, /* its word is what most of them begin with */
};
