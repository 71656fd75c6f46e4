#include "actors/config/activation.h"

#include <stdio.h>
#include <string.h>

#include "actors/config/internal.h"
#include "bus/base/mem.h"
#include "bus/value.h"

/* secrets.resolve: what a command of the command line needs, from what is in use. */

#define NOTHING ((struct span){ 0 })

struct resolve {
    const struct secret_set *set;
    const struct msg_secrets_resolve *in;
    struct pack assignments;
    struct pack diagnostics;
    struct pack inactive;
    char missing[SECRET_TARGET_PATH_MAX]; /* the first that is in use and has no value */
};

static bool is_listed(struct span list, const char *path)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is_text(span_trim(value_str(item, NOTHING)), path)) {
            return true;
        }
    }
    return false;
}

static void diagnose(struct resolve *self, const char *path, const char *text)
{
    char line[SECRET_TARGET_PATH_MAX + 200];

    (void)snprintf(line, sizeof(line), "%s: %s", path, text);
    pack_text(&self->diagnostics, line);
}

static void assign(struct resolve *self, const struct secret_target *target, struct span value)
{
    struct pack *out = &self->assignments;

    pack_map_begin(out);
    pack_kv_text(out, "path", target->path);
    pack_key(out, "pathSegments");
    secret_target_segments_pack(target, out);
    pack_kv_raw(out, "value", value);
    pack_map_end(out);
}

static void on_target(void *arg, const struct secret_target *target)
{
    struct resolve *self = arg;
    const struct secret_entry *entry = secret_set_find(self->set, target->path);

    if (!entry || (self->in->has_allowed_paths && !is_listed(self->in->allowed_paths, target->path))) {
        return;
    }
    if (entry->is_active && entry->value.len) {
        assign(self, target, entry->value);
        if (entry->is_stale) {
            diagnose(self, target->path, "its provider fails; the value is the last that it gave");
        }
        if (target->ref_value.len && target->value.len) {
            diagnose(self, target->path, "a reference stands beside a value, and counts before it");
        }
    } else if (!entry->is_active) {
        diagnose(self, target->path, entry->reason);
        pack_text(&self->inactive, target->path);
    } else if (self->in->has_optional_active_paths && is_listed(self->in->optional_active_paths, target->path)) {
        diagnose(self, target->path, "its provider fails, and there is no value yet");
    } else if (!self->missing[0]) {
        (void)snprintf(self->missing, sizeof(self->missing), "%s", target->path);
    }
}

/* 0, or an outcome of actor_fail. */
static int targets_walk(struct resolve *self, struct actor_ctx *ctx, struct span doc)
{
    struct value_iter it = value_iter(self->in->target_ids);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct span id = span_trim(value_str(item, NOTHING));
        const struct config_credential *row = secret_target_of_id(id);

        if (id.len && !row) {
            return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid secrets.resolve params: unknown target id \"%.*s\"",
                              SPAN_FMT(id));
        }
        if (row) {
            secret_target_each_of(doc, row, on_target, self);
        }
    }
    return 0;
}

static int answer(struct resolve *self, struct config *config, struct actor_ctx *ctx)
{
    struct pack *out = &config->scratch;

    if (self->missing[0]) {
        log_warning("secrets_resolve_failed", "command=\"%.*s\" path=%s", SPAN_FMT(self->in->command_name),
                    self->missing);
        return actor_fail(ctx, FAIL_UNAVAILABLE, "secrets.resolve failed");
    }
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_raw(out, "assignments", pack_span(&self->assignments));
    pack_kv_raw(out, "diagnostics", pack_span(&self->diagnostics));
    pack_kv_raw(out, "inactiveRefPaths", pack_span(&self->inactive));
    pack_map_end(out);
    int r = pack_error(out);
    r = r ? r : actor_reply_span(ctx, pack_span(out));
    mem_wipe(out->data, out->cap);
    return r;
}

static int run(struct resolve *self, struct config *config, struct actor_ctx *ctx)
{
    pack_array_begin(&self->assignments);
    pack_array_begin(&self->diagnostics);
    pack_array_begin(&self->inactive);
    int r = targets_walk(self, ctx, pack_span(&config->snapshot.document.resolved));
    pack_array_end(&self->assignments);
    pack_array_end(&self->diagnostics);
    pack_array_end(&self->inactive);
    r = r ? r : pack_error(&self->assignments);
    r = r ? r : pack_error(&self->diagnostics);
    r = r ? r : pack_error(&self->inactive);
    return r ? r : answer(self, config, ctx);
}

int config_on_secrets_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *config = arg;
    struct resolve self = { .set = &config->snapshot.secrets, .in = msg };

    if (!span_trim(self.in->command_name).len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid secrets.resolve params: commandName");
    }
    pack_init(&self.assignments, 0);
    pack_init(&self.diagnostics, 0);
    pack_init(&self.inactive, 0);
    int r = run(&self, config, ctx);
    if (self.assignments.data) {
        mem_wipe(self.assignments.data, self.assignments.cap);
    }
    pack_deinit(&self.assignments);
    pack_deinit(&self.diagnostics);
    pack_deinit(&self.inactive);
    return r;
}
