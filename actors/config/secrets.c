#include "actors/config/secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/gateway_auth_guard.h"
#include "schema/base/hooks_config.h"

#define FAILED_LISTED_MAX 64U

/* --- values ---------------------------------------------------------------------------------------- */

static bool value_keep(struct secret_set *self, struct secret_entry *entry, struct span value)
{
    entry->value = secret_arena_add(&self->arena, value);
    if (!entry->value.ptr) {
        (void)snprintf(entry->problem, sizeof(entry->problem), "out of memory");
    }
    return entry->value.ptr != NULL;
}

/* --- collecting ----------------------------------------------------------------------------------- */

struct collect {
    struct secret_set *set;
    struct config_lookup lookup;
    size_t cap;
    bool is_full;
};

void secret_set_deinit(struct secret_set *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->items[i].path);
    }
    free(self->items);
    profiles_deinit(&self->profiles);
    secret_arena_deinit(&self->arena);
    *self = (struct secret_set){ 0 };
}

static void room_make(struct collect *job)
{
    size_t cap = job->cap ? job->cap * 2 : 8;
    struct secret_entry *grown = mem_new(cap * sizeof(*grown));

    if (job->set->n) {
        memcpy(grown, job->set->items, job->set->n * sizeof(*grown));
    }
    free(job->set->items);
    job->set->items = grown;
    job->cap = cap;
}

/* NULL when there are too many, which the caller tells. */
static struct secret_entry *entry_add(struct collect *job)
{
    if (job->set->n == SECRETS_MAX) {
        job->is_full = true;
        return NULL;
    }
    if (job->set->n == job->cap) {
        room_make(job);
    }
    return &job->set->items[job->set->n++];
}

static void on_target(void *arg, const struct secret_target *target)
{
    struct collect *job = arg;
    struct secret_set *set = job->set;
    struct secret_surface surface;
    struct secret_ref ref;

    if (!secret_target_ref(target, set->doc, &ref)) {
        return;
    }
    secret_surface_judge(set->doc, target, job->lookup, &surface);
    struct secret_entry *entry = entry_add(job);
    if (!entry) {
        return;
    }
    *entry = (struct secret_entry){ .row = target->row, .ref = ref, .is_active = surface.is_active };
    entry->path = mem_text(target->path, strlen(target->path));
    memcpy(entry->reason, surface.reason, sizeof(entry->reason));
    set->asked_n += surface.is_active;
    set->inactive_n += !surface.is_active;
}

int secret_set_collect(struct secret_set *self, struct span doc, struct config_lookup lookup)
{
    struct collect job = { .set = self, .lookup = lookup };

    self->doc = doc;
    secret_target_each(doc, "openclaw.json", on_target, &job);
    return job.is_full ? -E2BIG : 0;
}

/* A value that needs no provider, or a reference that must not be used: settled as it stands. */
static void profile_settle(struct secret_set *self, struct secret_entry *entry, const struct profile_choice *choice)
{
    if (choice->late) { /* nobody can resolve it, so nothing fails for it but what needs it */
        entry->is_active = false;
        entry->is_settled = true;
        self->inactive_n++;
        (void)snprintf(entry->reason, sizeof(entry->reason), "%s", choice->late);
        return;
    }
    entry->is_plain = !choice->has_ref || choice->problem;
    entry->is_settled = entry->is_plain;
    self->asked_n += !entry->is_plain;
    if (choice->problem) {
        (void)snprintf(entry->problem, sizeof(entry->problem), "%s", choice->problem);
    } else if (entry->is_plain) {
        (void)value_keep(self, entry, choice->value);
    }
}

static void profile_add(struct collect *job, const struct profile_store *store, struct span provider, int64_t now_ms)
{
    struct secret_set *set = job->set;
    struct profile_choice choice;
    char path[SECRET_TARGET_PATH_MAX];
    struct secret_entry *entry = NULL;

    if (profiles_choose(&set->profiles, store, set->doc, provider, now_ms, &choice)) {
        entry = entry_add(job);
    }
    if (!entry) {
        return;
    }
    *entry = (struct secret_entry){ .row = choice.row,
                                    .ref = choice.ref,
                                    .agent = store->agent,
                                    .provider = provider,
                                    .is_over_plain = choice.is_over_plain,
                                    .expires_ms = choice.expires_ms,
                                    .is_active = true };
    (void)snprintf(path, sizeof(path), "%s.auth-profiles.%.*s%s", store->agent,
                   (int)(choice.id.len < 300 ? choice.id.len : 300), choice.id.ptr, strrchr(choice.row->path, '.'));
    entry->path = mem_text(path, strlen(path));
    (void)snprintf(entry->reason, sizeof(entry->reason), "the agent's credential for the provider");
    profile_settle(set, entry, &choice);
}

/* What it said before counts, and whoever looks is told why. */
static void unusable_add(struct collect *job, const struct profile_store *store)
{
    struct secret_entry *entry = entry_add(job);
    char path[AGENT_ID_MAX + 16];

    if (!entry) {
        return;
    }
    *entry = (struct secret_entry){ .row = secret_target_of_id(SPAN_LIT("auth-profiles.api_key.key")),
                                    .agent = store->agent,
                                    .is_plain = true,
                                    .is_active = true,
                                    .is_settled = true };
    (void)snprintf(path, sizeof(path), "%s.auth-profiles", store->agent);
    entry->path = mem_text(path, strlen(path));
    (void)snprintf(entry->problem, sizeof(entry->problem),
                   "auth-profiles.json or auth-state.json in %.150s cannot be read as a JSON object", store->dir);
}

int secret_set_collect_profiles(struct secret_set *self, struct profiles *profiles, const struct secret_set *old,
                                int64_t now_ms)
{
    struct collect job = { .set = self, .cap = self->n };

    self->profiles = *profiles;
    *profiles = (struct profiles){ 0 };
    profiles_keep(&self->profiles, old ? &old->profiles : NULL);
    for (size_t i = 0; i < self->profiles.n; i++) {
        const struct profile_store *store = &self->profiles.items[i];
        struct value_iter it = value_iter(value_path(self->doc, "models.providers"));
        struct span provider;
        struct span entry;

        if (store->is_unusable) {
            unusable_add(&job, store);
        }
        while (!store->is_base_alone && it.is_map && value_next(&it, &provider, &entry)) {
            if (value_bool(value_get(entry, "enabled"), true)) {
                profile_add(&job, store, provider, now_ms);
            }
        }
    }
    return job.is_full ? -E2BIG : 0;
}

const struct secret_entry *secret_set_find(const struct secret_set *self, const char *path)
{
    for (size_t i = 0; i < self->n; i++) {
        if (!strcmp(self->items[i].path, path)) {
            return &self->items[i];
        }
    }
    return NULL;
}

static bool is_asked(const struct secret_entry *entry)
{
    return entry->is_active && !entry->is_plain;
}

void secret_set_refs(const struct secret_set *self, struct secret_ref *refs)
{
    for (size_t i = 0; i < self->n; i++) {
        if (is_asked(&self->items[i])) {
            *refs++ = self->items[i].ref;
        }
    }
}

/* --- taking outcomes -------------------------------------------------------------------------------- */

/* Why a value that was found is none for this place; NULL when it is one. */
static const char *unfit(const struct secret_set *self, const struct secret_entry *entry, struct span value)
{
    struct span text = value_str(value, (struct span){ 0 });
    struct span hook = hooks_token(value_get(self->doc, "hooks"));

    if (!secret_target_takes(entry->row, value)) {
        return "what the provider has there is no text, or an empty one";
    }
    if (strncmp(entry->row->path, "gateway.auth.", 13) != 0) {
        return NULL;
    }
    return hook.len && span_is(hook, text) ? "hooks.token must differ from it: whoever holds that would be an operator"
                                           : gateway_secret_problem(text);
}

/* Sets `problem`; 0 with the value when all is well. */
static int outcome_judge(const struct secret_set *self, struct secret_entry *entry,
                         const struct secret_outcome *outcome, struct span *ret_value)
{
    const char *problem = outcome->state == SECRET_FOUND    ? unfit(self, entry, outcome->value)
                          : outcome->state == SECRET_FAILED ? outcome->problem.text
                                                            : "its provider has not answered";

    (void)snprintf(entry->problem, sizeof(entry->problem), "%s", problem ? problem : "");
    *ret_value = outcome->value;
    return problem != NULL;
}

/* Does an entry of `old` refer to the same secret of the same provider, and did somebody use it? */
static bool is_old(const struct secret_set *old, const struct secret_entry *found, const struct secret_set *self,
                   const struct secret_entry *entry)
{
    return found->is_active && secret_ref_is_same(&found->ref, &entry->ref) &&
           span_is(secret_provider_entry(old->doc, entry->ref.provider),
                   secret_provider_entry(self->doc, entry->ref.provider));
}

/* The same reference that was in use there before, with a value or without; or at a place of the same kind, as elements
 * of lists move. */
static const struct secret_entry *old_find(const struct secret_set *old, const struct secret_set *self,
                                           const struct secret_entry *entry)
{
    const struct secret_entry *found = old ? secret_set_find(old, entry->path) : NULL;

    if (found && is_old(old, found, self, entry)) {
        return found;
    }
    for (size_t i = 0; old && i < old->n; i++) {
        found = &old->items[i];
        if (found->row == entry->row && found->agent == entry->agent && !found->is_plain &&
            is_old(old, found, self, entry)) {
            return found;
        }
    }
    return NULL;
}

/* A value that stands in a file is exchanged with all others, or with none. */
static void plain_take(struct secret_set *self, const struct secret_set *old, struct secret_entry *entry)
{
    const struct secret_entry *before = old ? secret_set_find(old, entry->path) : NULL;

    if (before && before->is_plain && before->value.len && entry->value.len) {
        (void)value_keep(self, entry, before->value);
    }
}

/* The config forbids what the agent keeps, and did not before. */
static bool is_newly_forbidden(const struct secret_set *old, const struct secret_entry *entry)
{
    const struct secret_entry *before = old ? secret_set_find(old, entry->path) : NULL;

    return entry->problem[0] && entry->provider.len && !(before && before->problem[0]);
}

static size_t outcomes_judge(struct secret_set *self, const struct secret_resolve *resolve)
{
    size_t failed_n = 0;
    size_t at = 0;

    for (size_t i = 0; i < self->n; i++) {
        struct span value;
        if (is_asked(&self->items[i])) {
            failed_n += outcome_judge(self, &self->items[i], secret_resolve_outcome(resolve, at++), &value) != 0;
            self->items[i].is_settled = true;
        } else {
            failed_n += self->items[i].is_active && self->items[i].problem[0];
        }
    }
    return failed_n;
}

size_t secret_set_take(struct secret_set *self, const struct secret_set *old, const struct secret_resolve *resolve,
                       const struct secret_entry **ret_broken)
{
    size_t failed_n = outcomes_judge(self, resolve);
    size_t at = 0;

    *ret_broken = NULL;
    for (size_t i = 0; i < self->n; i++) {
        struct secret_entry *entry = &self->items[i];
        if (!entry->is_active) {
            continue;
        }
        if (entry->is_plain) {
            plain_take(self, failed_n ? old : NULL, entry);
            *ret_broken = *ret_broken || !is_newly_forbidden(old, entry) ? *ret_broken : entry;
            continue;
        }
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, at++);
        const struct secret_entry *before = failed_n ? old_find(old, self, entry) : NULL;
        bool is_found = !entry->problem[0];

        if (before && before->value.len) {
            (void)value_keep(self, entry, before->value);
            entry->is_stale = !is_found;
        } else if (is_found && !entry->value.len) {
            (void)value_keep(self, entry, outcome->value);
        }
        *ret_broken = *ret_broken || before || entry->value.len ? *ret_broken : entry;
    }
    return failed_n;
}

bool secret_set_fill(struct secret_set *self, const struct secret_resolve *resolve)
{
    bool is_filled = false;
    size_t at = 0;

    for (size_t i = 0; i < self->n; i++) {
        struct secret_entry *entry = &self->items[i];
        if (!is_asked(entry)) {
            continue;
        }
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, at++);
        struct span value;

        if (outcome->state == SECRET_PENDING || entry->is_settled) {
            continue;
        }
        entry->is_settled = true;
        if (!outcome_judge(self, entry, outcome, &value) && !entry->value.len) {
            is_filled |= value_keep(self, entry, value);
        }
    }
    return is_filled;
}

int64_t secret_set_expires(const struct secret_set *self)
{
    int64_t first = 0;

    for (size_t i = 0; i < self->n; i++) {
        int64_t at = self->items[i].expires_ms;

        first = at && (!first || at < first) ? at : first;
    }
    return first;
}

size_t secret_set_failed(const struct secret_set *self, const struct secret_entry **ret_first)
{
    const struct secret_entry *first = NULL;
    size_t failed_n = 0;

    for (size_t i = 0; i < self->n; i++) {
        if (self->items[i].is_active && self->items[i].problem[0]) {
            first = first ? first : &self->items[i];
            failed_n++;
        }
    }
    if (ret_first) {
        *ret_first = first;
    }
    return failed_n;
}

/* Its reason names the provider of a file or a program, and the variable where there is nothing else. */
static int failed_line(const struct secret_entry *entry, char *out, size_t size)
{
    char provider[SECRET_PROVIDER_MAX + 16] = "";

    if (entry->ref.source == SECRET_SOURCE_ENV && !entry->is_plain) {
        (void)snprintf(provider, sizeof(provider), " (provider %.*s)", SPAN_FMT(entry->ref.provider));
    }
    return snprintf(out, size, "%s%s: %s", entry->path, provider, entry->problem);
}

void secret_set_failed_text(const struct secret_set *self, const char *prefix, char *out, size_t size)
{
    size_t left_n = secret_set_failed(self, NULL);
    size_t at = (size_t)snprintf(out, size, "%s", prefix);
    bool has_any = false;

    for (size_t i = 0; i < self->n; i++) {
        char line[SECRET_TARGET_PATH_MAX + SECRET_PROBLEM_MAX + SECRET_PROVIDER_MAX + 20];

        if (!self->items[i].is_active || !self->items[i].problem[0]) {
            continue;
        }
        int len = failed_line(&self->items[i], line, sizeof(line));
        if (has_any && at + (size_t)len + sizeof("; ; and 4096 more") > size) {
            break;
        }
        len = snprintf(out + at, size - at, "%s%s", has_any ? "; " : ": ", line);
        at = at + (size_t)len < size ? at + (size_t)len : size - 1;
        has_any = true;
        left_n--;
    }
    if (left_n) {
        (void)snprintf(out + at, size - at, "; and %zu more", left_n);
    }
}

void secret_set_failed_pack(const struct secret_set *self, struct pack *out)
{
    size_t listed_n = 0;

    pack_map_begin(out);
    pack_kv_u64(out, "failedCount", secret_set_failed(self, NULL));
    pack_key(out, "failed");
    pack_array_begin(out);
    for (size_t i = 0; i < self->n && listed_n < FAILED_LISTED_MAX; i++) {
        const struct secret_entry *entry = &self->items[i];

        if (!entry->is_active || !entry->problem[0]) {
            continue;
        }
        listed_n++;
        pack_map_begin(out);
        pack_kv_text(out, "path", entry->path);
        if (!entry->is_plain) {
            pack_kv_text(out, "source", secret_source_name(entry->ref.source));
            pack_kv_str(out, "provider", entry->ref.provider);
            pack_kv_str(out, "id", entry->ref.id);
        }
        pack_kv_text(out, "reason", entry->problem);
        pack_kv_text(out, "state", entry->value.len ? "stale" : "cold");
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

/* To agents, whose key of a provider it is. */
static void changed_pack(const struct secret_entry *entry, struct pack *out)
{
    pack_text(out, entry->agent ? "models.providers" : entry->path);
}

/* A profile changes what an agent works with also when it has no value (yet). */
void secret_set_diff_pack(const struct secret_set *before, const struct secret_set *after, struct pack *out)
{
    for (size_t i = 0; i < after->n; i++) {
        const struct secret_entry *old = secret_set_find(before, after->items[i].path);

        if (!span_is(after->items[i].value, old ? old->value : (struct span){ 0 }) || (after->items[i].agent && !old)) {
            changed_pack(&after->items[i], out);
        }
    }
    for (size_t i = 0; i < before->n; i++) {
        const struct secret_entry *old = &before->items[i];

        if ((old->value.len || old->agent) && !secret_set_find(after, old->path)) {
            changed_pack(old, out);
        }
    }
}
