#include "actors/config/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/internal.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"

#define ASKED_MAX 256U
#define NOTHING ((struct span){ 0 })

/* A place whose provider is asked for this command. */
struct asked {
    char path[SECRET_TARGET_PATH_MAX];
};

struct command {
    struct command *next;
    struct config *config;
    struct actor_token token; /* 0 while the call is in hand */
    struct pack body;         /* of the call, and what is decoded from it */
    struct msg_secrets_resolve in;
    struct pack doc; /* the config; a copy when providers are asked, since another may come in force meanwhile */
    struct span view;
    struct asked *asked;
    struct secret_ref *refs;
    size_t asked_n;
    struct secret_resolve *resolve;
    struct pack assignments;
    struct pack diagnostics;
    struct pack inactive;
    char missing[SECRET_TARGET_PATH_MAX + SECRET_PROBLEM_MAX +
                 2];     /* the first that is needed and has no value, and why */
    struct span unknown; /* a target id that nobody knows */
};

static void command_free(struct command *self)
{
    secret_resolve_destroy(&self->resolve);
    free(self->asked);
    free(self->refs);
    pack_deinit(&self->body);
    pack_deinit(&self->doc);
    pack_deinit(&self->assignments);
    pack_deinit(&self->diagnostics);
    pack_deinit(&self->inactive);
    free(self);
}

/* --- what the command says --------------------------------------------------------------------------- */

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

static bool is_wanted_at_all(const struct command *self, const struct secret_target *target)
{
    return !self->in.has_allowed_paths || is_listed(self->in.allowed_paths, target->path);
}

static bool is_optional(const struct command *self, const char *path)
{
    return self->in.has_optional_active_paths && is_listed(self->in.optional_active_paths, path);
}

/* The web tool of that row is on, and the command says that it uses the provider of that row. */
static bool is_override(const struct command *self, const struct secret_target *target)
{
    const struct type_secret_overrides *over = &self->in.provider_overrides;
    bool is_fetch = target->row->web && strstr(target->row->path, ".webFetch.");
    const char *tool = is_fetch ? "tools.web.fetch.enabled" : "tools.web.search.enabled";
    struct span name = is_fetch ? over->web_fetch : over->web_search;

    return target->row->web && self->in.has_provider_overrides &&
           (is_fetch ? over->has_web_fetch : over->has_web_search) && span_is_text(span_trim(name), target->row->web) &&
           value_bool(value_path(self->view, tool), true);
}

/* A place that the command puts to use itself. */
static bool is_forced(const struct command *self, const struct secret_target *target)
{
    return (self->in.has_forced_active_paths && is_listed(self->in.forced_active_paths, target->path)) ||
           is_optional(self, target->path) || is_override(self, target);
}

/* --- what is there already --------------------------------------------------------------------------- */

static const struct secret_entry *entry_in_use(const struct command *self, const struct secret_target *target)
{
    const struct secret_entry *entry = secret_set_find(&self->config->snapshot.secrets, target->path);

    return entry && entry->is_active ? entry : NULL;
}

/* Places that are forced and have no value yet. */
static void on_ask(void *arg, const struct secret_target *target)
{
    struct command *self = arg;
    const struct secret_entry *entry = entry_in_use(self, target);
    struct secret_ref ref;

    if (self->asked_n == ASKED_MAX || (entry && entry->value.len) || !is_wanted_at_all(self, target) ||
        !is_forced(self, target) || !secret_target_ref(target, self->view, &ref)) {
        return;
    }
    self->refs[self->asked_n] = ref;
    memcpy(self->asked[self->asked_n].path, target->path, sizeof(target->path));
    self->asked_n++;
}

/* 0, or -ENOENT with `unknown` set. */
static int targets_walk(struct command *self, void (*on)(void *arg, const struct secret_target *target))
{
    struct value_iter it = value_iter(self->in.target_ids);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct span id = span_trim(value_str(item, NOTHING));
        const struct config_credential *row = secret_target_of_id(id);

        if (id.len && !row) {
            self->unknown = id;
            return -ENOENT;
        }
        if (row) {
            secret_target_each_of(self->view, row, on, self);
        }
    }
    return 0;
}

/* --- the answer ---------------------------------------------------------------------------------------- */

static void diagnose(struct command *self, const char *path, const char *text)
{
    char line[SECRET_TARGET_PATH_MAX + SECRET_PROBLEM_MAX + 2];

    (void)snprintf(line, sizeof(line), "%s: %s", path, text);
    pack_text(&self->diagnostics, line);
}

static void skip(struct command *self, const char *path, const char *text)
{
    diagnose(self, path, text);
    pack_text(&self->inactive, path);
}

static void assign(struct command *self, const struct secret_target *target, struct span value)
{
    struct pack *out = &self->assignments;

    pack_map_begin(out);
    pack_kv_text(out, "path", target->path);
    pack_key(out, "pathSegments");
    secret_target_segments_pack(target, out);
    pack_kv_raw(out, "value", value);
    pack_map_end(out);
    if (target->ref_value.len && target->value.len) {
        diagnose(self, target->path, "a reference stands beside a value, and counts before it");
    }
}

static void value_lacks(struct command *self, const char *path, const char *why)
{
    if (is_optional(self, path)) {
        skip(self, path, why);
    } else if (!self->missing[0]) {
        (void)snprintf(self->missing, sizeof(self->missing), "%s: %s", path, why);
    }
}

/* The provider was asked for this command alone. */
static void asked_tell(struct command *self, const struct secret_target *target, const struct secret_outcome *outcome)
{
    if (outcome->state != SECRET_FOUND) {
        value_lacks(self, target->path, outcome->problem.text);
    } else if (!secret_target_takes(target->row, outcome->value)) {
        value_lacks(self, target->path, "what the provider has there is no text, or an empty one");
    } else {
        assign(self, target, outcome->value);
    }
}

static void entry_tell(struct command *self, const struct secret_target *target)
{
    const struct secret_entry *entry = secret_set_find(&self->config->snapshot.secrets, target->path);

    if (!entry) {
        value_lacks(self, target->path, "the config has changed meanwhile");
    } else if (!entry->is_active) {
        skip(self, target->path, entry->reason);
    } else if (!entry->value.len) {
        value_lacks(self, target->path, entry->problem[0] ? entry->problem : "its provider has not answered yet");
    } else {
        assign(self, target, entry->value);
        if (entry->is_stale) {
            diagnose(self, target->path, "its provider fails; the value is the last that it gave");
        }
    }
}

static void on_target(void *arg, const struct secret_target *target)
{
    struct command *self = arg;
    struct secret_ref ref;

    if (!is_wanted_at_all(self, target) || !secret_target_ref(target, self->view, &ref)) {
        return;
    }
    for (size_t i = 0; i < self->asked_n; i++) {
        if (!strcmp(self->asked[i].path, target->path)) {
            asked_tell(self, target, secret_resolve_outcome(self->resolve, i));
            return;
        }
    }
    entry_tell(self, target);
}

static int answer_pack(struct command *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_raw(out, "assignments", pack_span(&self->assignments));
    pack_kv_raw(out, "diagnostics", pack_span(&self->diagnostics));
    pack_kv_raw(out, "inactiveRefPaths", pack_span(&self->inactive));
    pack_map_end(out);
    return pack_error(out);
}

/* 0 with the answer in `out`, FAIL_UNAVAILABLE with `missing` set, or a fault. */
static int answer_make(struct command *self, struct pack *out)
{
    pack_array_begin(&self->assignments);
    pack_array_begin(&self->diagnostics);
    pack_array_begin(&self->inactive);
    (void)targets_walk(self, on_target); /* the ids are known: they were walked before */
    pack_array_end(&self->assignments);
    pack_array_end(&self->diagnostics);
    pack_array_end(&self->inactive);
    if (self->missing[0]) {
        log_warning("secrets_resolve_failed", "command=\"%.*s\" reason=\"%s\"", SPAN_FMT(self->in.command_name),
                    self->missing);
        return FAIL_UNAVAILABLE;
    }
    int r = pack_error(&self->assignments);
    r = r ? r : pack_error(&self->diagnostics);
    r = r ? r : pack_error(&self->inactive);
    return r ? r : answer_pack(self, out);
}

/* --- asking providers ------------------------------------------------------------------------------------ */

static void command_unlink(struct command *self)
{
    struct command **at = &self->config->commands.first;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    self->config->commands.n--;
}

static int later_answer(struct command *self)
{
    CLEANUP(pack_deinit) struct pack out;
    struct actor *actor = self->config->actor;

    pack_init_secret(&out, 0);
    int r = answer_make(self, &out);
    return r > 0    ? actor_token_fail_text(actor, self->token, r, "secrets.resolve failed: %s", self->missing)
           : r == 0 ? actor_token_reply_span(actor, self->token, pack_span(&out))
                    : r;
}

static void on_done(void *arg)
{
    struct command *self = arg;
    struct config *config = self->config;
    int r = later_answer(self);

    command_unlink(self);
    command_free(self);
    if (r) {
        (void)actor_fault(config->actor, r);
    }
}

/* References borrow from the config, so from here on it is a copy. */
static int doc_keep(struct command *self)
{
    pack_raw(&self->doc, self->view);
    self->view = pack_span(&self->doc);
    self->asked_n = 0;
    return pack_error(&self->doc) ? pack_error(&self->doc) : targets_walk(self, on_ask);
}

static int providers_ask(struct command *self, struct actor_ctx *ctx)
{
    struct config *config = self->config;
    struct secret_resolve_opts opts = { .loop = actor_loop(config->actor),
                                        .lookup = config_lookup_process(),
                                        .refs = self->refs,
                                        .on_done = on_done,
                                        .arg = self };
    int r = doc_keep(self);

    opts.doc = self->view;
    opts.refs_n = self->asked_n;
    r = r ? r : secret_resolve_start(&opts, &self->resolve);
    if (r) {
        command_free(self);
        return r;
    }
    self->token = actor_defer(ctx, self);
    self->next = config->commands.first;
    config->commands.first = self;
    config->commands.n++;
    if (secret_resolve_is_done(self->resolve)) {
        on_done(self);
    }
    return 0;
}

/* --- the call ---------------------------------------------------------------------------------------------- */

static int now_answer(struct command *self, struct actor_ctx *ctx)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init_secret(&out, 0);
    int r = answer_make(self, &out);
    r = r > 0    ? actor_fail(ctx, r, "secrets.resolve failed: %s", self->missing)
        : r == 0 ? actor_reply_span(ctx, pack_span(&out))
                 : r;
    command_free(self);
    return r;
}

static struct command *command_new(struct config *config, struct actor_ctx *ctx)
{
    struct command *self = mem_new(sizeof(*self));
    struct codec_error error;

    self->config = config;
    self->view = pack_span(&config->snapshot.document.resolved);
    self->asked = mem_new(ASKED_MAX * sizeof(*self->asked));
    self->refs = mem_new(ASKED_MAX * sizeof(*self->refs));
    pack_init(&self->body, 0);
    pack_init_secret(&self->doc, 0);
    pack_init_secret(&self->assignments, 0);
    pack_init(&self->diagnostics, 0);
    pack_init(&self->inactive, 0);
    pack_raw(&self->body, actor_ctx_body(ctx));
    if (pack_error(&self->body) || codec_decode(MSG_SECRETS_RESOLVE->type, pack_span(&self->body), &self->in, &error)) {
        command_free(self);
        return NULL;
    }
    return self;
}

int config_on_secrets_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_secrets_resolve *in = msg;
    struct config *config = arg;
    struct command *self;

    if (!span_trim(in->command_name).len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid secrets.resolve params: commandName");
    }
    self = command_new(config, ctx);
    if (!self) {
        return FAULT(-ENOMEM);
    }
    if (targets_walk(self, on_ask)) {
        int r = actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid secrets.resolve params: unknown target id \"%.*s\"",
                           SPAN_FMT(self->unknown));
        command_free(self);
        return r;
    }
    if (!self->asked_n) {
        return now_answer(self, ctx);
    }
    if (config->commands.n == COMMANDS_MAX) {
        command_free(self);
        return actor_fail(ctx, FAIL_UNAVAILABLE, "secrets.resolve: too many wait for providers already");
    }
    return providers_ask(self, ctx);
}

void commands_close(struct config *self)
{
    while (self->commands.first) {
        struct command *command = self->commands.first;

        self->commands.first = command->next;
        command_free(command); /* whoever waits is told that config has stopped */
    }
    self->commands.n = 0;
}
