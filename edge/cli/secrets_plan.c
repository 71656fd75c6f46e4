#include "edge/cli/secrets_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/base/nearest.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/secrets_known.h"
#include "schema/base/config_shape.h"

#define NOTHING ((struct span){ 0 })
#define SHOWN_MAX 200 /* bytes of a text from outside in an error */

static int shown_len(struct span text)
{
    return text.len < SHOWN_MAX ? (int)text.len : SHOWN_MAX;
}

static int refuse(struct config_error *error, const char *place, const char *what)
{
    (void)snprintf(error->text, sizeof(error->text), "%s: %s", place, what);
    return SECRETS_PLAN_E_REFUSED;
}

/* --- keys ------------------------------------------------------------------------------------------ */

static int key_refuse(struct span key, const char *place, const char *const *known, struct config_error *error)
{
    char typed[64];
    char what[256];

    (void)snprintf(typed, sizeof(typed), "%.*s", key.len < sizeof(typed) ? (int)key.len : (int)sizeof(typed) - 1,
                   key.ptr);
    struct nearest nearest = { .typed = typed };
    for (; *known; known++) {
        nearest_offer(&nearest, *known);
    }
    (void)snprintf(what, sizeof(what), "nobody knows the key \"%s\"%s%s%s", typed,
                   nearest.best ? "; the nearest known key is \"" : "", nearest.best ? nearest.best : "",
                   nearest.best ? "\"" : "");
    return refuse(error, place, what);
}

/* `value` is an object, or absent, and has no keys but these. */
static int object_check(struct span value, const char *place, const char *const *known, struct config_error *error)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    if (value_kind_of(value) != VALUE_MAP) {
        return refuse(error, place, "must be an object");
    }
    while (value_next(&it, &key, &item)) {
        const char *const *one = known;

        while (*one && !span_is_text(key, *one)) {
            one++;
        }
        if (!*one) {
            return key_refuse(key, place, known, error);
        }
    }
    return 0;
}

/* A text that may be absent; empty or blank it is refused, so that it is never mistaken for absent. */
static int text_take(struct span object, const char *key, const char *place, struct span *ret_text,
                     struct config_error *error)
{
    struct span value = value_get(object, key);
    char what[128];

    *ret_text = value_str(value, NOTHING);
    if (!value.len || secrets_known_trimmed(*ret_text).len) {
        return 0;
    }
    (void)snprintf(what, sizeof(what), "%s must be a text that is not empty", key);
    return refuse(error, place, what);
}

/* --- paths ------------------------------------------------------------------------------------------ */

static bool is_forbidden(struct span segment)
{
    return span_is_text(segment, "__proto__") || span_is_text(segment, "prototype") ||
           span_is_text(segment, "constructor");
}

struct segments {
    struct span items[SECRETS_STEPS_MAX];
    size_t n;
};

/* The parts of a path between dots. */
static bool path_split(struct span path, struct segments *out)
{
    size_t from = 0;

    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '.') {
            continue;
        }
        if (out->n == SECRETS_STEPS_MAX) {
            return false;
        }
        out->items[out->n++] = (struct span){ path.ptr + from, i - from };
        from = i + 1;
    }
    return true;
}

static bool list_read(struct span list, struct segments *out)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (out->n == SECRETS_STEPS_MAX || value_kind_of(item) != VALUE_STR) {
            return false;
        }
        out->items[out->n++] = value_str(item, NOTHING);
    }
    return true;
}

/* Do the segments, with dots between them, spell the path? */
static bool spells(const struct segments *segments, struct span path)
{
    for (size_t i = 0; i < segments->n; i++) {
        struct span segment = segments->items[i];

        if (i && (!path.len || path.ptr[0] != '.')) {
            return false;
        }
        path = (struct span){ path.ptr + (i > 0), path.len - (i > 0) };
        if (path.len < segment.len || memcmp(path.ptr, segment.ptr, segment.len) != 0) {
            return false;
        }
        path = (struct span){ path.ptr + segment.len, path.len - segment.len };
    }
    return !path.len;
}

static int segments_take(struct span target, struct span path, const char *place, struct segments *out,
                         struct config_error *error)
{
    struct span list = value_get(target, "pathSegments");

    if (list.len && value_kind_of(list) != VALUE_ARRAY) {
        return refuse(error, place, "pathSegments must be a list of texts");
    }
    if (!(value_count(list) ? list_read(list, out) : path_split(path, out))) {
        return refuse(error, place, "the path has more than 16 parts, or one that is no text");
    }
    for (size_t i = 0; i < out->n; i++) {
        if (!out->items[i].len || secrets_known_trimmed(out->items[i]).len != out->items[i].len) {
            return refuse(error, place, "a part of the path is empty, or begins or ends with a blank");
        }
        if (is_forbidden(out->items[i])) {
            return refuse(error, place, "a part of the path is __proto__, prototype or constructor");
        }
    }
    return spells(out, path) ? 0 : refuse(error, place, "path and pathSegments do not say the same");
}

/* --- targets ------------------------------------------------------------------------------------------ */

static int place_take(struct span target, const char *place, struct secrets_place *ret_place,
                      struct config_error *error)
{
    struct segments segments = { .n = 0 };
    struct span type = NOTHING;
    struct span path = NOTHING;
    char what[2 * SHOWN_MAX + 128];
    int r = text_take(target, "type", place, &type, error);

    r = r ? r : text_take(target, "path", place, &path, error);
    if (r || !type.len || !path.len) {
        return r ? r : refuse(error, place, "type and path must be there");
    }
    r = segments_take(target, path, place, &segments, error);
    if (r) {
        return r;
    }
    r = secrets_place_find(type, segments.items, segments.n, ret_place);
    if (r == SECRETS_PLACE_E_TYPE) {
        (void)snprintf(what, sizeof(what), "there is no type \"%.*s\"", shown_len(type), type.ptr);
        return refuse(error, place, what);
    }
    if (r) {
        (void)snprintf(what, sizeof(what), "\"%.*s\" is no path of the type \"%.*s\"", shown_len(path), path.ptr,
                       shown_len(type), type.ptr);
        return refuse(error, place, what);
    }
    return 0;
}

/* What the target says beside the path must be what the path says. */
static int names_check(struct span target, const struct secrets_place *found, const char *place,
                       struct config_error *error)
{
    struct span provider = NOTHING;
    struct span account = NOTHING;
    int r = text_take(target, "providerId", place, &provider, error);

    r = r ? r : text_take(target, "accountId", place, &account, error);
    if (r) {
        return r;
    }
    if (provider.len && !span_is(provider, secrets_place_provider(found))) {
        return refuse(error, place, "providerId is not the provider of the path");
    }
    if (account.len && !span_is(account, secrets_place_account(found))) {
        return refuse(error, place, "accountId is not the account of the path");
    }
    return 0;
}

static int ref_take(struct span target, const char *place, struct secret_ref *ret_ref, struct config_error *error)
{
    static const char *const known[] = { "source", "provider", "id", NULL };
    struct span ref = value_get(target, "ref");
    char inner[64];

    (void)snprintf(inner, sizeof(inner), "%.40s.ref", place);
    int r = object_check(ref, inner, known, error);
    if (r) {
        return r;
    }
    ret_ref->provider = value_str(value_get(ref, "provider"), NOTHING);
    ret_ref->id = value_str(value_get(ref, "id"), NOTHING);
    if (!secret_source_find(value_str(value_get(ref, "source"), NOTHING), &ret_ref->source)) {
        return refuse(error, inner, "source must be \"env\", \"file\" or \"exec\"");
    }
    const char *problem = secret_ref_problem(ret_ref);
    return problem ? refuse(error, inner, problem) : 0;
}

static int target_take(struct span value, const char *place, struct secrets_target *target, struct config_error *error)
{
    static const char *const known[] = { "type",       "path",      "pathSegments",        "agentId",
                                         "providerId", "accountId", "authProfileProvider", "ref",
                                         NULL };
    int r = object_check(value, place, known, error);

    r = r ? r : place_take(value, place, &target->place, error);
    r = r ? r : names_check(value, &target->place, place, error);
    r = r ? r : ref_take(value, place, &target->ref, error);
    r = r ? r : text_take(value, "agentId", place, &target->agent, error);
    r = r ? r : text_take(value, "authProfileProvider", place, &target->profile_provider, error);
    if (r) {
        return r;
    }
    bool is_profile = !strcmp(target->place.row->file, "auth-profiles.json");
    if (is_profile && !target->agent.len) {
        return refuse(error, place, "agentId must say whose profiles are meant");
    }
    if (!is_profile) {
        target->agent = NOTHING;
    }
    return 0;
}

static int targets_take(struct span list, struct secrets_plan *self, struct config_error *error)
{
    struct value_iter it = value_iter(list);
    uint32_t count = value_count(list);
    struct span key;
    struct span item;
    char place[32];

    if (value_kind_of(list) != VALUE_ARRAY || count > SECRETS_PLAN_TARGETS_MAX) {
        return refuse(error, "targets", "must be a list of at most 4096 objects");
    }
    self->targets = calloc(count ? count : 1, sizeof(*self->targets));
    if (!self->targets) {
        return FAULT(-ENOMEM);
    }
    while (value_next(&it, &key, &item)) {
        struct secrets_target *target = &self->targets[self->targets_n];

        (void)snprintf(place, sizeof(place), "targets[%zu]", self->targets_n);
        int r = target_take(item, place, target, error);
        if (r) {
            return r;
        }
        for (size_t i = 0; i < self->targets_n; i++) { /* their order would say which of them counts */
            if (secrets_place_is(&self->targets[i].place, &target->place) &&
                span_is(self->targets[i].agent, target->agent)) {
                return refuse(error, place, "another target is for the same place");
            }
        }
        self->targets_n++;
    }
    return 0;
}

/* --- providers ------------------------------------------------------------------------------------------ */

static void on_issue(void *arg, const struct config_shape_issue *issue)
{
    struct config_error *error = arg;
    char place[256];

    if (!error->text[0] && issue->steps_n >= 2) {
        config_shape_place(issue->steps + 2, issue->steps_n - 2, true, place, sizeof(place));
        (void)snprintf(error->text, sizeof(error->text), "providerUpserts%s%s: %s", place[0] ? "." : "", place,
                       issue->message);
    }
}

/* They must look as they would in the config. */
static int shapes_check(struct span upserts, struct config_error *error)
{
    CLEANUP(pack_deinit) struct pack doc;

    pack_init(&doc, 0);
    pack_map_begin(&doc);
    pack_key(&doc, "secrets");
    pack_map_begin(&doc);
    pack_kv_raw(&doc, "providers", upserts);
    pack_map_end(&doc);
    pack_map_end(&doc);
    if (pack_error(&doc)) {
        return pack_error(&doc);
    }
    error->text[0] = '\0';
    int r = config_shape_check(pack_span(&doc), on_issue, error);
    return r > 0 ? SECRETS_PLAN_E_REFUSED : r;
}

static int providers_take(struct span plan, struct secrets_plan *self, struct config_error *error)
{
    struct value_iter it;
    struct span key;
    struct span item;

    self->upserts = value_get(plan, "providerUpserts");
    self->deletes = value_get(plan, "providerDeletes");
    if (self->upserts.len && value_kind_of(self->upserts) != VALUE_MAP) {
        return refuse(error, "providerUpserts", "must be an object");
    }
    for (it = value_iter(self->upserts); value_next(&it, &key, &item);) {
        if (!secret_provider_is_fit(key)) {
            return refuse(error, "providerUpserts", "a name must be a letter, then a-z, 0-9, _ and -, at most 64");
        }
    }
    if (self->deletes.len && value_kind_of(self->deletes) != VALUE_ARRAY) {
        return refuse(error, "providerDeletes", "must be a list of names");
    }
    for (it = value_iter(self->deletes); value_next(&it, &key, &item);) {
        if (!secret_provider_is_fit(value_str(item, NOTHING))) {
            return refuse(error, "providerDeletes", "a name must be a letter, then a-z, 0-9, _ and -, at most 64");
        }
    }
    return self->upserts.len ? shapes_check(self->upserts, error) : 0;
}

/* --- options ---------------------------------------------------------------------------------------------- */

static int options_take(struct span options, struct secrets_plan *self, struct config_error *error)
{
    static const char *const known[] = { "scrubEnv", "scrubAuthProfilesForProviderTargets", "scrubLegacyAuthJson",
                                         NULL };
    bool *const flags[] = { &self->is_env_scrubbed, &self->is_profiles_scrubbed, &self->is_legacy_scrubbed };
    int r = options.len ? object_check(options, "options", known, error) : 0;

    for (size_t i = 0; !r && i < ARRAY_LEN(flags); i++) {
        struct span value = value_get(options, known[i]);

        if (value.len && value_kind_of(value) != VALUE_BOOL) {
            char what[96];
            (void)snprintf(what, sizeof(what), "%s must be true or false", known[i]);
            return refuse(error, "options", what);
        }
        *flags[i] = value_bool(value, true);
    }
    return r;
}

/* --- the whole ---------------------------------------------------------------------------------------------- */

static int versions_check(struct span plan, struct config_error *error)
{
    static const char *const names[] = { "version", "protocolVersion" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct span value = value_get(plan, names[i]);

        if (value_kind_of(value) != VALUE_INT || value_i64(value, 0) != 1) {
            return refuse(error, names[i], "must be 1");
        }
    }
    return 0;
}

static int plan_read(struct span text, struct secrets_plan *self, struct config_error *error)
{
    struct json_opts opts = { .json5 = true, .keys_once = true, .depth_max = CONFIG_FILE_DEPTH_MAX };
    struct json_error where = { .line = 0 };
    char place[64];
    char what[256];
    int r = json_to_pack(text, &opts, &self->doc, &where);

    if (r <= 0) {
        return r;
    }
    (void)snprintf(place, sizeof(place), "line %u, column %u", where.line, where.column);
    if (r == JSON_E_TWICE) {
        (void)snprintf(what, sizeof(what), "the key \"%.100s\" is there twice", where.expected);
    } else {
        (void)snprintf(what, sizeof(what), "no JSON: expected %.160s", where.expected);
    }
    return refuse(error, place, r == JSON_E_DEPTH ? "nested too deep" : what);
}

int secrets_plan_parse(struct span text, struct secrets_plan *self, struct config_error *error)
{
    static const char *const known[] = { "version",         "protocolVersion", "generatedAt", "generatedBy", "targets",
                                         "providerUpserts", "providerDeletes", "options",     NULL };

    *self = (struct secrets_plan){ .targets = NULL };
    pack_init(&self->doc, 0);
    int r = plan_read(text, self, error);
    if (r) {
        return r;
    }
    struct span plan = pack_span(&self->doc);
    r = object_check(plan, "the plan", known, error);
    r = r ? r : versions_check(plan, error);
    r = r ? r : targets_take(value_get(plan, "targets"), self, error);
    r = r ? r : providers_take(plan, self, error);
    return r ? r : options_take(value_get(plan, "options"), self, error);
}

void secrets_plan_deinit(struct secrets_plan *self)
{
    free(self->targets);
    self->targets = NULL;
    if (self->doc.data) {
        mem_wipe(self->doc.data, self->doc.cap); /* a provider may name secrets in its env */
    }
    pack_deinit(&self->doc);
}

bool secrets_plan_has_exec(const struct secrets_plan *self)
{
    struct value_iter it = value_iter(self->upserts);
    struct span key;
    struct span item;

    for (size_t i = 0; i < self->targets_n; i++) {
        if (self->targets[i].ref.source == SECRET_SOURCE_EXEC) {
            return true;
        }
    }
    while (value_next(&it, &key, &item)) {
        if (span_is_text(value_str(value_get(item, "source"), NOTHING), "exec")) {
            return true;
        }
    }
    return false;
}
