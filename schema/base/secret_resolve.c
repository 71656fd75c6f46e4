#include "schema/base/secret_resolve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema/base/program.h"
#include "schema/base/secret_file.h"
#include "schema/base/secret_memory.h"
#include "schema/base/secret_provider.h"

#define CONCURRENCY_DEFAULT 4
#define REFS_DEFAULT 512
#define BATCH_DEFAULT 262144
#define TIMEOUT_DEFAULT_MS 5000
#define BYTES_DEFAULT 1048576
#define HEAD_MAX 16U /* what pack wants to have before it writes a text */
#define NOTHING ((struct span){ 0 })

struct group {
    struct secret_resolve *resolve;
    enum secret_source source;
    struct span name;
    struct span entry; /* under secrets.providers; empty when there is none */
    size_t *members;   /* indices of refs; of equal ids the first */
    size_t members_n;
    size_t members_cap;
    struct program *exec;
    struct secret_file *file;
    bool is_started;
    bool is_done;
};

struct secret_resolve {
    struct secret_resolve_opts opts;
    struct secret_outcome *outcomes;
    size_t *firsts; /* of each ref the first one that is equal to it */
    struct group *groups;
    size_t groups_n;
    size_t running_n;
    size_t running_max;
    struct secret_arena arena;
    bool is_starting;
};

/* --- outcomes --------------------------------------------------------------------------------------- */

static void fail(struct group *group, size_t ref, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct group *group, size_t ref, const char *fmt, ...)
{
    struct secret_outcome *outcome = &group->resolve->outcomes[ref];
    va_list args;

    outcome->state = SECRET_FAILED;
    va_start(args, fmt);
    (void)vsnprintf(outcome->problem.text, sizeof(outcome->problem.text), fmt, args);
    va_end(args);
}

/* The provider as a whole: the same for all of its references. */
static void group_fail(struct group *group, const char *text)
{
    for (size_t i = 0; i < group->members_n; i++) {
        fail(group, group->members[i], "secrets.providers.%.*s: %s", SPAN_FMT(group->name), text);
    }
}

static void transient_mark(struct group *group)
{
    for (size_t i = 0; i < group->members_n; i++) {
        group->resolve->outcomes[group->members[i]].is_transient = true;
    }
}

static void found(struct group *group, size_t ref, struct span value)
{
    struct secret_outcome *outcome = &group->resolve->outcomes[ref];
    enum value_kind kind = value_kind_of(value);

    if ((kind != VALUE_STR && kind != VALUE_MAP) || (kind == VALUE_STR && !value_str(value, NOTHING).len)) {
        fail(group, ref, "secrets.providers.%.*s: what is there is neither a text nor an object",
             SPAN_FMT(group->name));
        return;
    }
    outcome->value = secret_arena_add(&group->resolve->arena, value);
    outcome->state = SECRET_FOUND;
    if (!outcome->value.ptr) {
        fail(group, ref, "secrets.providers.%.*s: out of memory", SPAN_FMT(group->name));
    }
}

static void found_text(struct group *group, size_t ref, struct span text)
{
    char *room = secret_arena_room(&group->resolve->arena, text.len + HEAD_MAX);
    struct pack pack = { .data = room, .cap = text.len + HEAD_MAX, .limit = text.len + HEAD_MAX };

    if (!room) {
        fail(group, ref, "secrets.providers.%.*s: out of memory", SPAN_FMT(group->name));
        return;
    }
    pack_str(&pack, text);
    found(group, ref, pack_span(&pack));
}

/* Equal references share their outcome. */
static void outcomes_share(struct secret_resolve *self)
{
    for (size_t i = 0; i < self->opts.refs_n; i++) {
        if (self->firsts[i] != i) {
            self->outcomes[i] = self->outcomes[self->firsts[i]];
        }
    }
}

/* --- env ----------------------------------------------------------------------------------------------- */

static bool is_listed(struct span list, struct span name)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is(value_str(item, NOTHING), name)) {
            return true;
        }
    }
    return false;
}

static const char *variable_find(const struct secret_resolve *self, struct span name)
{
    char text[256];

    if (name.len >= sizeof(text)) {
        return NULL;
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(name));
    return self->opts.lookup.find(self->opts.lookup.arg, text);
}

/* What the config itself sets in `env` serves where the environment has nothing. */
static struct span variable_value(const struct secret_resolve *self, struct span name)
{
    const char *given = variable_find(self, name);
    struct span env = value_get(self->opts.doc, "env");
    char text[256];

    if (given && *given) {
        return span_from(given);
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(name));
    struct span own = value_str(value_get(value_get(env, "vars"), text), NOTHING);
    return own.len ? own : value_str(value_get(env, text), NOTHING);
}

static void env_resolve(struct group *group)
{
    struct span allowlist = value_get(group->entry, "allowlist");

    for (size_t i = 0; i < group->members_n; i++) {
        size_t ref = group->members[i];
        struct span name = group->resolve->opts.refs[ref].id;
        struct span value = variable_value(group->resolve, name);

        if (value_kind_of(allowlist) == VALUE_ARRAY && !is_listed(allowlist, name)) {
            fail(group, ref, "environment variable %.*s is not in secrets.providers.%.*s.allowlist", SPAN_FMT(name),
                 SPAN_FMT(group->name));
        } else if (!value.len) {
            fail(group, ref, "environment variable %.*s is not set or empty", SPAN_FMT(name));
        } else {
            found_text(group, ref, value);
        }
    }
}

/* --- file ---------------------------------------------------------------------------------------------- */

static void next_start(struct secret_resolve *self);

static int64_t number(struct span map, const char *key, int64_t fallback)
{
    int64_t value = value_i64(value_get(map, key), fallback);

    return value > 0 ? value : fallback;
}

/* In room that is enough, so that it never grows and leaves a copy behind. */
static struct pack pack_in(struct secret_arena *arena, size_t text_len)
{
    size_t room = SECRET_ROOM(text_len);
    struct pack pack = { .data = secret_arena_room(arena, room), .cap = room, .limit = room };

    if (!pack.data) {
        pack.fault = -ENOMEM;
    }
    return pack;
}

static void single_take(struct group *group, struct span content)
{
    struct span value = secret_payload_single(content);

    for (size_t i = 0; i < group->members_n; i++) {
        size_t ref = group->members[i];

        if (!span_is_text(group->resolve->opts.refs[ref].id, SECRET_SINGLE_ID)) {
            fail(group, ref,
                 "secrets.providers.%.*s: a singleValue file answers to the id \"" SECRET_SINGLE_ID "\" alone",
                 SPAN_FMT(group->name));
        } else if (!value.len) {
            fail(group, ref, "secrets.providers.%.*s: the file is empty", SPAN_FMT(group->name));
        } else {
            found_text(group, ref, value);
        }
    }
}

static void json_take(struct group *group, struct span content)
{
    CLEANUP(secret_arena_deinit) struct secret_arena arena = { 0 };
    struct pack doc = pack_in(&arena, content.len);
    struct secret_problem problem = { "the file cannot be held" };

    if (secret_payload_read(content, &doc, &problem)) {
        group_fail(group, problem.text);
        return;
    }
    for (size_t i = 0; i < group->members_n; i++) {
        size_t ref = group->members[i];
        struct span id = group->resolve->opts.refs[ref].id;
        struct span value = span_starts(id, "/") ? secret_pointer_find(pack_span(&doc), id) : NOTHING;

        if (!value.len) {
            fail(group, ref, "secrets.providers.%.*s: the file has nothing at that place", SPAN_FMT(group->name));
        } else {
            found(group, ref, value);
        }
    }
}

static void group_end(struct group *group)
{
    struct secret_resolve *self = group->resolve;

    group->is_done = true;
    self->running_n--;
    outcomes_share(self);
    next_start(self);
}

static void on_file(void *arg, struct span content, const struct secret_problem *problem)
{
    struct group *group = arg;
    struct span mode = value_str(value_get(group->entry, "mode"), SPAN_LIT("json"));

    group->file = NULL;
    if (problem) {
        group_fail(group, problem->text);
    } else if (span_is_text(mode, "singleValue")) {
        single_take(group, content);
    } else {
        json_take(group, content);
    }
    group_end(group);
}

static int file_start(struct group *group)
{
    struct secret_file_opts opts = {
        .path = value_str(value_get(group->entry, "path"), NOTHING),
        .is_insecure_fine = value_bool(value_get(group->entry, "allowInsecurePath"), false),
        .timeout_ms = (uint32_t)number(group->entry, "timeoutMs", TIMEOUT_DEFAULT_MS),
        .bytes_max = (size_t)number(group->entry, "maxBytes", BYTES_DEFAULT),
        .on_done = on_file,
        .arg = group,
    };

    return secret_file_start(group->resolve->opts.loop, &opts, &group->file);
}

/* --- exec ------------------------------------------------------------------------------------------------ */

static void on_exec(void *arg, struct span output, const char *problem)
{
    struct group *group = arg;
    CLEANUP(secret_arena_deinit) struct secret_arena arena = { 0 };
    struct secret_problem why = { "the program's answer cannot be held" };
    bool is_plain_fine = group->members_n == 1 && !value_bool(value_get(group->entry, "jsonOnly"), true);
    struct pack doc = pack_in(&arena, problem ? 0 : output.len);

    group->exec = NULL;
    if (problem || secret_answer_read(output, is_plain_fine, &doc, &why)) {
        group_fail(group, problem ? problem : why.text);
        transient_mark(group);
        group_end(group);
        return;
    }
    for (size_t i = 0; i < group->members_n; i++) {
        size_t ref = group->members[i];
        struct span value;

        if (secret_answer_value(pack_span(&doc), group->resolve->opts.refs[ref].id, &value, &why)) {
            fail(group, ref, "secrets.providers.%.*s: %s", SPAN_FMT(group->name), why.text);
        } else {
            found(group, ref, value);
        }
    }
    group_end(group);
}

struct texts {
    char **at; /* NULL-ended; owned, and wiped as an environment may hold secrets */
    size_t n;
};

static void texts_add(struct texts *self, struct span head, struct span tail)
{
    char *text = mem_new(head.len + tail.len + 1);

    if (head.len) {
        memcpy(text, head.ptr, head.len);
    }
    if (tail.len) {
        memcpy(text + head.len, tail.ptr, tail.len);
    }
    char **grown = mem_new((self->n + 2) * sizeof(*grown));
    for (size_t i = 0; i < self->n; i++) {
        grown[i] = self->at[i];
    }
    grown[self->n++] = text;
    free(self->at);
    self->at = grown;
}

static void texts_deinit(struct texts *self)
{
    for (size_t i = 0; i < self->n; i++) {
        mem_wipe(self->at[i], strlen(self->at[i]));
        free(self->at[i]);
    }
    free(self->at);
}

static void argv_fill(const struct group *group, const char *command, struct texts *argv)
{
    struct value_iter it = value_iter(value_get(group->entry, "args"));
    struct span key;
    struct span item;

    texts_add(argv, span_from(command), NOTHING);
    while (value_next(&it, &key, &item)) {
        texts_add(argv, value_str(item, NOTHING), NOTHING);
    }
}

static void variable_add(struct texts *envp, struct span name, struct span value)
{
    char head[320];
    int n = snprintf(head, sizeof(head), "%.*s=", SPAN_FMT(name));

    if (n > 1 && n < (int)sizeof(head) && !memchr(name.ptr, '=', name.len)) {
        texts_add(envp, (struct span){ head, (size_t)n }, value);
    }
}

/* Nothing of ours but what passEnv names and `env` sets. */
static void envp_fill(const struct group *group, struct texts *envp)
{
    struct span own = value_get(group->entry, "env");
    struct value_iter it = value_iter(value_get(group->entry, "passEnv"));
    struct span key;
    struct span item;

    envp->at = mem_new(sizeof(*envp->at));
    while (value_next(&it, &key, &item)) {
        struct span name = value_str(item, NOTHING);
        const char *value = variable_find(group->resolve, name);
        char text[256];

        (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(name));
        if (value && !value_get(own, text).len) {
            variable_add(envp, name, span_from(value));
        }
    }
    it = value_iter(own);
    while (it.is_map && value_next(&it, &key, &item)) {
        variable_add(envp, key, value_str(item, NOTHING));
    }
}

static int input_write(const struct group *group, struct text_buf *out)
{
    const struct secret_resolve *self = group->resolve;
    struct span *ids = mem_new(group->members_n * sizeof(*ids));

    for (size_t i = 0; i < group->members_n; i++) {
        ids[i] = self->opts.refs[group->members[i]].id;
    }
    int r = secret_request_write(group->name, ids, group->members_n, out);
    free(ids);
    return r;
}

static int exec_run(struct group *group, const char *command, struct span input)
{
    CLEANUP(texts_deinit) struct texts argv = { 0 };
    CLEANUP(texts_deinit) struct texts envp = { 0 };
    uint32_t timeout_ms = (uint32_t)number(group->entry, "timeoutMs", TIMEOUT_DEFAULT_MS);

    argv_fill(group, command, &argv);
    envp_fill(group, &envp);
    struct program_opts opts = {
        .is_secret = true,
        .command = command,
        .argv = argv.at,
        .envp = envp.at,
        .input = input,
        .timeout_ms = timeout_ms,
        .quiet_ms = (uint32_t)number(group->entry, "noOutputTimeoutMs", timeout_ms),
        .output_max = (size_t)number(group->entry, "maxOutputBytes", BYTES_DEFAULT),
        .on_done = on_exec,
        .arg = group,
    };
    return program_start(group->resolve->opts.loop, &opts, &group->exec);
}

/* 0: it runs, or has failed already; or a fault. */
static int exec_start(struct group *group)
{
    struct span resolution = value_path(group->resolve->opts.doc, "secrets.resolution");
    CLEANUP(text_buf_deinit) struct text_buf input = { 0 };
    struct secret_problem problem = { "" };
    char command[PATH_MAX];

    if (secret_provider_look(group->entry, command, &problem)) { /* what is run is what was allowed */
        group_fail(group, problem.text);
        return 0;
    }
    int r = input_write(group, &input);
    if (r) {
        return r;
    }
    if (input.len > (size_t)number(resolution, "maxBatchBytes", BATCH_DEFAULT)) {
        group_fail(group, "the request is larger than secrets.resolution.maxBatchBytes");
        return 0;
    }
    return exec_run(group, command, (struct span){ input.data, input.len });
}

/* --- groups ------------------------------------------------------------------------------------------------ */

/* Why nobody needs to be asked; false when somebody must. */
static bool is_settled(struct group *group)
{
    struct span doc = group->resolve->opts.doc;
    struct span source = value_str(value_get(group->entry, "source"), NOTHING);
    bool is_builtin =
        group->source == SECRET_SOURCE_ENV && span_is(group->name, secret_provider_default(doc, SECRET_SOURCE_ENV));
    int64_t refs_max = number(value_path(doc, "secrets.resolution"), "maxRefsPerProvider", REFS_DEFAULT);

    if (!group->members_n) {
        return true;
    }
    if (!group->entry.len && !is_builtin) {
        group_fail(group, "no such provider is configured");
    } else if (group->entry.len && !span_is_text(source, secret_source_name(group->source))) {
        group_fail(group, "the provider is of another source than the reference");
    } else if ((int64_t)group->members_n > refs_max) {
        group_fail(group, "more references than secrets.resolution.maxRefsPerProvider");
    } else if (group->source == SECRET_SOURCE_ENV) {
        env_resolve(group);
    } else if (group->source == SECRET_SOURCE_EXEC && group->resolve->opts.is_exec_skipped) {
        for (size_t i = 0; i < group->members_n; i++) {
            group->resolve->outcomes[group->members[i]].state = SECRET_SKIPPED;
        }
    } else {
        return false;
    }
    return true;
}

static void group_start(struct group *group)
{
    group->is_started = true;
    if (is_settled(group)) {
        group->is_done = true;
        return;
    }
    int r = group->source == SECRET_SOURCE_FILE ? file_start(group) : exec_start(group);
    if (r) {
        group_fail(group, "it cannot be asked now");
    }
    group->is_done = !group->file && !group->exec;
    group->resolve->running_n += !group->is_done;
}

bool secret_resolve_is_done(const struct secret_resolve *self)
{
    for (size_t i = 0; i < self->groups_n; i++) {
        if (!self->groups[i].is_done) {
            return false;
        }
    }
    return true;
}

/* Starts what may start and tells; self may be gone from there on. */
static void next_start(struct secret_resolve *self)
{
    for (size_t i = 0; i < self->groups_n && self->running_n < self->running_max; i++) {
        if (!self->groups[i].is_started) {
            group_start(&self->groups[i]);
        }
    }
    outcomes_share(self);
    if (self->is_starting) {
        return;
    }
    if (secret_resolve_is_done(self)) {
        self->opts.on_done(self->opts.arg);
    } else if (self->opts.on_some) {
        self->opts.on_some(self->opts.arg);
    }
}

static struct group *group_of(struct secret_resolve *self, const struct secret_ref *ref)
{
    for (size_t i = 0; i < self->groups_n; i++) {
        if (self->groups[i].source == ref->source && span_is(self->groups[i].name, ref->provider)) {
            return &self->groups[i];
        }
    }
    struct group *group = &self->groups[self->groups_n++];
    *group = (struct group){ .resolve = self, .source = ref->source, .name = ref->provider };
    group->entry = secret_provider_entry(self->opts.doc, ref->provider);
    /* A default name may belong to a provider of another source; the built-in reader of variables stands beside it. */
    if (ref->source == SECRET_SOURCE_ENV &&
        !span_is_text(value_str(value_get(group->entry, "source"), NOTHING), "env") &&
        span_is(ref->provider, secret_provider_default(self->opts.doc, SECRET_SOURCE_ENV))) {
        group->entry = NOTHING;
    }
    return group;
}

static void member_add(struct group *group, size_t ref)
{
    if (group->members_n == group->members_cap) {
        size_t cap = group->members_cap ? group->members_cap * 2 : 4;
        size_t *grown = mem_new(cap * sizeof(*grown));

        for (size_t i = 0; i < group->members_n; i++) {
            grown[i] = group->members[i];
        }
        free(group->members);
        group->members = grown;
        group->members_cap = cap;
    }
    group->members[group->members_n++] = ref;
}

static void refs_sort(struct secret_resolve *self)
{
    for (size_t i = 0; i < self->opts.refs_n; i++) {
        const struct secret_ref *ref = &self->opts.refs[i];
        struct group *group = group_of(self, ref);
        size_t same = 0;

        while (same < group->members_n && !span_is(self->opts.refs[group->members[same]].id, ref->id)) {
            same++;
        }
        self->firsts[i] = same < group->members_n ? group->members[same] : i;
        if (same == group->members_n && !secret_ref_problem(ref)) {
            member_add(group, i);
        } else if (same == group->members_n) {
            fail(group, i, "the reference breaks the rules: %s", secret_ref_problem(ref));
        }
    }
}

int secret_resolve_start(const struct secret_resolve_opts *opts, struct secret_resolve **ret_resolve)
{
    struct secret_resolve *self = mem_new(sizeof(*self));
    struct span resolution = value_path(opts->doc, "secrets.resolution");

    self->opts = *opts;
    self->outcomes = mem_new((opts->refs_n + 1) * sizeof(*self->outcomes));
    self->firsts = mem_new((opts->refs_n + 1) * sizeof(*self->firsts));
    self->groups = mem_new((opts->refs_n + 1) * sizeof(*self->groups));
    self->running_max = (size_t)number(resolution, "maxProviderConcurrency", CONCURRENCY_DEFAULT);
    refs_sort(self);
    self->is_starting = true;
    next_start(self);
    self->is_starting = false;
    *ret_resolve = self;
    return 0;
}

const struct secret_outcome *secret_resolve_outcome(const struct secret_resolve *self, size_t ref_index)
{
    return &self->outcomes[ref_index];
}

void secret_resolve_destroy(struct secret_resolve **self_p)
{
    struct secret_resolve *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->groups_n; i++) {
        program_cancel(&self->groups[i].exec);
        secret_file_cancel(&self->groups[i].file);
        free(self->groups[i].members);
    }
    secret_arena_deinit(&self->arena);
    free(self->groups);
    free(self->firsts);
    free(self->outcomes);
    free(self);
}

/* --- for who has no loop -------------------------------------------------------------------------------------- */

static void on_waited(void *arg)
{
    (void)arg; /* the loop ends by itself when nothing is left on it */
}

int secret_resolve_wait(const struct secret_resolve_opts *opts, struct secret_resolve **ret_resolve)
{
    struct secret_resolve_opts own = *opts;
    uv_loop_t loop;
    int r = uv_loop_init(&loop);

    if (r) {
        return FAULT(r);
    }
    own.loop = &loop;
    own.on_some = NULL;
    own.on_done = on_waited;
    r = secret_resolve_start(&own, ret_resolve);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return r;
}
