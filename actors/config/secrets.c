#include "actors/config/secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_redact.h"
#include "schema/base/gateway_auth_guard.h"
#include "schema/base/hooks_config.h"

#define FAILED_LISTED_MAX 64U

/* --- collecting ----------------------------------------------------------------------------------- */

struct collect {
    struct secret_set *set;
    struct config_lookup lookup;
    size_t cap;
};

void secret_set_deinit(struct secret_set *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->items[i].path);
    }
    free(self->items);
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

static void on_target(void *arg, const struct secret_target *target)
{
    struct collect *job = arg;
    struct secret_set *set = job->set;
    struct secret_surface surface;
    struct secret_ref ref;

    if (!secret_target_ref(target, set->doc, &ref)) {
        return;
    }
    if (set->n == SECRETS_MAX) {
        job->cap = SIZE_MAX; /* told by the caller */
        return;
    }
    if (set->n == job->cap) {
        room_make(job);
    }
    secret_surface_judge(set->doc, target, job->lookup, &surface);
    struct secret_entry *entry = &set->items[set->n++];
    *entry = (struct secret_entry){ .row = target->row, .ref = ref, .is_active = surface.is_active };
    entry->path = mem_text(target->path, strlen(target->path));
    memcpy(entry->reason, surface.reason, sizeof(entry->reason));
    set->active_n += surface.is_active;
}

int secret_set_collect(struct secret_set *self, struct span doc, struct config_lookup lookup)
{
    struct collect job = { .set = self, .lookup = lookup };

    self->doc = doc;
    secret_target_each(doc, "openclaw.json", on_target, &job);
    return job.cap == SIZE_MAX ? -E2BIG : 0;
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

void secret_set_refs(const struct secret_set *self, struct secret_ref *refs)
{
    for (size_t i = 0; i < self->n; i++) {
        if (self->items[i].is_active) {
            *refs++ = self->items[i].ref;
        }
    }
}

/* --- taking outcomes -------------------------------------------------------------------------------- */

static bool value_keep(struct secret_set *self, struct secret_entry *entry, struct span value)
{
    entry->value = secret_arena_add(&self->arena, value);
    if (!entry->value.ptr) {
        (void)snprintf(entry->problem, sizeof(entry->problem), "out of memory");
    }
    return entry->value.ptr != NULL;
}

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

/* The same reference to the same provider that was in use there before, with a value or without. */
static const struct secret_entry *old_find(const struct secret_set *old, const struct secret_set *self,
                                           const struct secret_entry *entry)
{
    const struct secret_entry *found = old ? secret_set_find(old, entry->path) : NULL;

    return found && found->is_active && secret_ref_is_same(&found->ref, &entry->ref) &&
                   span_is(secret_provider_entry(old->doc, entry->ref.provider),
                           secret_provider_entry(self->doc, entry->ref.provider))
               ? found
               : NULL;
}

static size_t outcomes_judge(struct secret_set *self, const struct secret_resolve *resolve)
{
    size_t failed_n = 0;
    size_t at = 0;

    for (size_t i = 0; i < self->n; i++) {
        struct span value;
        if (self->items[i].is_active) {
            failed_n += outcome_judge(self, &self->items[i], secret_resolve_outcome(resolve, at++), &value) != 0;
            self->items[i].is_settled = true;
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
        if (!entry->is_active) {
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

    if (entry->ref.source == SECRET_SOURCE_ENV) {
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
        pack_kv_text(out, "source", secret_source_name(entry->ref.source));
        pack_kv_str(out, "provider", entry->ref.provider);
        pack_kv_str(out, "id", entry->ref.id);
        pack_kv_text(out, "reason", entry->problem);
        pack_kv_text(out, "state", entry->value.len ? "stale" : "cold");
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

void secret_set_diff_pack(const struct secret_set *before, const struct secret_set *after, struct pack *out)
{
    for (size_t i = 0; i < after->n; i++) {
        const struct secret_entry *old = secret_set_find(before, after->items[i].path);

        if (!span_is(after->items[i].value, old ? old->value : (struct span){ 0 })) {
            pack_text(out, after->items[i].path);
        }
    }
    for (size_t i = 0; i < before->n; i++) {
        if (before->items[i].value.len && !secret_set_find(after, before->items[i].path)) {
            pack_text(out, before->items[i].path);
        }
    }
}

/* --- showing ---------------------------------------------------------------------------------------------- */

struct piece {
    struct span at; /* of the document */
    struct span with;
};

struct show {
    const struct secret_set *set;
    struct span doc;
    struct span value;
    struct span kind; /* of the actor */
    struct piece *pieces;
    size_t n;
    size_t cap;
    bool is_awaited;
};

static const char marker[] = "\xb5" REDACT_MARKER; /* a packed text of 21 bytes */
static const char unavailable[] = "\x81\xa6source\xa3"
                                  "env"; /* packed { source: "env" } */
_Static_assert(sizeof(REDACT_MARKER) - 1 == 0x15, "the head of the packed marker");

static void piece_add(struct show *self, struct span at, struct span with)
{
    if (self->n == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 16;
        struct piece *grown = mem_new(cap * sizeof(*grown));

        if (self->n) {
            memcpy(grown, self->pieces, self->n * sizeof(*grown));
        }
        free(self->pieces);
        self->pieces = grown;
        self->cap = cap;
    }
    self->pieces[self->n++] = (struct piece){ at, with };
}

static void on_shown(void *arg, const struct secret_target *target)
{
    struct show *self = arg;
    struct span at = target->value;
    bool is_own = span_is_text(self->kind, target->row->owner);
    struct secret_ref ref;

    if (!at.len || at.ptr < self->value.ptr || at.ptr + at.len > self->value.ptr + self->value.len) {
        return;
    }
    if (!secret_ref_read(at, self->doc, &ref)) {
        if (!is_own) {
            piece_add(self, at, (struct span){ marker, sizeof(marker) - 1 });
        }
        return;
    }
    const struct secret_entry *entry = is_own ? secret_set_find(self->set, target->path) : NULL;
    if (entry && entry->is_active && entry->value.len) {
        piece_add(self, at, entry->value);
    } else if (is_own && value_kind_of(at) == VALUE_STR) {
        piece_add(self, at, (struct span){ unavailable, sizeof(unavailable) - 1 }); /* not to be taken for a value */
    }
    self->is_awaited |= entry && entry->is_active && !entry->is_settled;
}

static int piece_order(const void *a, const void *b)
{
    const struct piece *left = a;
    const struct piece *right = b;

    return left->at.ptr < right->at.ptr ? -1 : left->at.ptr > right->at.ptr;
}

static void pieces_find(struct show *self, struct span address)
{
    const char *slash = address.len ? memchr(address.ptr, '/', address.len) : NULL;

    self->kind = (struct span){ address.ptr, slash ? (size_t)(slash - address.ptr) : address.len };
    secret_target_each(self->doc, "openclaw.json", on_shown, self);
    if (self->n) {
        qsort(self->pieces, self->n, sizeof(*self->pieces), piece_order);
    }
}

int secret_set_show(const struct secret_set *self, struct span doc, struct span value, struct span address,
                    struct text_buf *out)
{
    struct show show = { .set = self, .doc = doc, .value = value };
    const char *from = value.ptr;
    size_t len = value.len;
    int r;

    pieces_find(&show, address);
    for (size_t i = 0; i < show.n; i++) {
        len += show.pieces[i].with.len;
    }
    r = show.n ? text_buf_reserve(out, len) : 0; /* at once: growing would leave copies behind */
    /* Containers say how many values they hold, not how many bytes, so that one value can take the place of another. */
    for (size_t i = 0; i < show.n && !r; i++) {
        const struct piece *piece = &show.pieces[i];

        r = text_buf_add(out, (struct span){ from, (size_t)(piece->at.ptr - from) });
        r = r ? r : text_buf_add(out, piece->with);
        from = piece->at.ptr + piece->at.len;
    }
    if (show.n && !r) {
        r = text_buf_add(out, (struct span){ from, (size_t)(value.ptr + value.len - from) });
    }
    free(show.pieces);
    return r ? FAULT(r) : show.n > 0;
}

bool secret_set_is_awaited(const struct secret_set *self, struct span doc, struct span value, struct span address)
{
    struct show show = { .set = self, .doc = doc, .value = value };

    pieces_find(&show, address);
    free(show.pieces);
    return show.is_awaited;
}
