#include "edge/cli/config_legacy.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/config_legacy_internal.h"

#define STARS_MAX 3
#define NAME_MAX_LEGACY 128
#define PLACES_MAX 256 /* that one star fits; more are left to the next run */

struct legacy_places {
    size_t n;
    char names[PLACES_MAX][NAME_MAX_LEGACY];
};

static void legacy_deinit(struct legacy *self)
{
    text_buf_deinit(&self->text);
    pack_deinit(&self->doc);
    mem_free(&self->places);
}

/* --- rules ---------------------------------------------------------------------------------------------- */

static int drop(struct legacy *self, const char *place, const char *why)
{
    int r = legacy_remove(self, place);

    if (!r) {
        legacy_say(self, true, place, " is removed", why);
    }
    return r;
}

static int move_by(struct legacy *self, const struct legacy_rule *rule, const char *from, const char *to)
{
    char enabled[LEGACY_PLACE_MAX];
    char inner[LEGACY_PLACE_MAX];
    struct config_path path;

    if (rule->text_key && value_kind_of(legacy_at(self, from, &path)) == VALUE_STR &&
        snprintf(inner, sizeof(inner), "%s.%s", to, rule->text_key) < (int)sizeof(inner)) {
        to = inner;
    }
    if (rule->needs && !legacy_has(self, rule->needs)) {
        return drop(self, from, ", as nobody would read it");
    }
    int r = legacy_move(self, from, to);
    if (!r && rule->enables && legacy_has(self, rule->enables) &&
        snprintf(enabled, sizeof(enabled), "%s.enabled", rule->enables) < (int)sizeof(enabled) &&
        !legacy_has(self, enabled)) {
        r = legacy_set_bool(self, enabled, true);
    }
    return r > 0 ? 0 : r;
}

static int text_move(struct legacy *self, const char *from, const char *to, const char *text)
{
    int r = 0;

    if (legacy_has(self, to)) {
        return drop(self, from, ", as what replaces it is there");
    }
    r = legacy_set_text(self, to, text);
    if (r > 0) {
        legacy_say(self, false, from, " stays: there is no room for it at ", to);
        return 0;
    }
    r = r ? r : legacy_remove(self, from);
    if (!r) {
        legacy_say(self, true, from, " becomes ", to);
    }
    return r;
}

static int wrap(struct legacy *self, const struct legacy_rule *rule, const char *place, struct span value)
{
    CLEANUP(pack_deinit) struct pack object;
    bool is_bool = value_kind_of(value) == VALUE_BOOL;

    pack_init_secret(&object, 0);
    pack_map_begin(&object);
    pack_key(&object, rule->to);
    if (is_bool) {
        pack_text(&object, value_bool(value, false) ? rule->old : rule->fresh);
    } else {
        pack_raw(&object, value);
    }
    pack_map_end(&object);
    int r = pack_error(&object) ? pack_error(&object) : legacy_set(self, place, pack_span(&object));
    if (!r) {
        legacy_say(self, true, place, " becomes an object with ", rule->to);
    }
    return r > 0 ? 0 : r;
}

static int rule_apply(struct legacy *self, const struct legacy_rule *rule, const char *from, const char *to)
{
    struct config_path path;
    struct span value = legacy_at(self, from, &path);
    enum value_kind kind = value_kind_of(value);
    bool is_text = rule->old && span_is_text(value_str(value, (struct span){ 0 }), rule->old);
    int r = 0;

    if (!value.len) {
        return 0;
    }
    switch (rule->kind) {
    case LEGACY_MOVE:
        return !rule->old || is_text ? move_by(self, rule, from, to) : 0;
    case LEGACY_REMOVE:
        return !rule->old || is_text ? drop(self, from, "") : 0;
    case LEGACY_WORD:
        r = is_text ? legacy_set_text(self, from, rule->fresh) : 0;
        if (is_text && !r) {
            legacy_say(self, true, from, " becomes ", rule->fresh);
        }
        return r > 0 ? 0 : r;
    case LEGACY_TRUTH:
        return kind == VALUE_BOOL ? text_move(self, from, to, value_bool(value, false) ? rule->old : rule->fresh) : 0;
    case LEGACY_WRAP:
        return kind == VALUE_BOOL || kind == VALUE_STR ? wrap(self, rule, from, value) : 0;
    case LEGACY_SHELL:
        return self->moved_n && kind == VALUE_MAP && !value_count(value) ? legacy_remove(self, from) : 0;
    }
    return 0;
}

/* --- places with stars ----------------------------------------------------------------------------------- */

/* Keys and indexes below `above`, as they are written in a path. */
static void places_list(const struct legacy *self, const char *above, struct legacy_places *ret)
{
    struct config_path path;
    struct span all = legacy_at(self, above, &path);
    struct value_iter it = value_iter(all);
    struct span key;
    struct span item;

    ret->n = 0;
    for (size_t i = 0; ret->n < PLACES_MAX && value_next(&it, &key, &item); i++) {
        char *name = ret->names[ret->n];
        bool is_map = value_kind_of(all) == VALUE_MAP;
        int len = is_map ? snprintf(name, NAME_MAX_LEGACY, "[\"%.*s\"]", SPAN_FMT(key))
                         : snprintf(name, NAME_MAX_LEGACY, "[%zu]", i);
        ret->n += len > 0 && len < NAME_MAX_LEGACY && !memchr(key.len ? key.ptr : "", '"', key.len) &&
                  !memchr(key.len ? key.ptr : "", '\\', key.len);
    }
}

/* `pattern` with its first ".*" replaced by `name`. False when it does not fit. */
static bool place_fill(const char *pattern, const char *name, char out[LEGACY_PLACE_MAX])
{
    const char *star = strstr(pattern, ".*");
    int n = star ? snprintf(out, LEGACY_PLACE_MAX, "%.*s%s%s", (int)(star - pattern), pattern, name, star + 2)
                 : snprintf(out, LEGACY_PLACE_MAX, "%s", pattern);

    return n < LEGACY_PLACE_MAX;
}

struct spread {
    const struct legacy_rule *rule; /* NULL: `on` is called instead */
    int (*on)(struct legacy *self, const char *place, void *arg);
    void *arg;
};

static int spread(struct legacy *self, const struct spread *job, const char *from, const char *to, unsigned stars)
{
    const char *star = strstr(from, ".*");
    char above[LEGACY_PLACE_MAX];
    int r = 0;

    if (!star) {
        return job->rule                ? rule_apply(self, job->rule, from, to)
               : legacy_has(self, from) ? job->on(self, from, job->arg)
                                        : 0;
    }
    if (stars == STARS_MAX) {
        return 0; /* no rule has more */
    }
    struct legacy_places *places = &self->places[stars];
    (void)snprintf(above, sizeof(above), "%.*s", (int)(star - from), from);
    places_list(self, above, places);
    for (size_t i = 0; !r && i < places->n; i++) {
        char inner_from[LEGACY_PLACE_MAX];
        char inner_to[LEGACY_PLACE_MAX];

        if (place_fill(from, places->names[i], inner_from) && place_fill(to, places->names[i], inner_to)) {
            r = spread(self, job, inner_from, inner_to, stars + 1);
        }
    }
    return r;
}

int legacy_each(struct legacy *self, const char *pattern, int (*on)(struct legacy *self, const char *place, void *arg),
                void *arg)
{
    return spread(self, &(struct spread){ .on = on, .arg = arg }, pattern, "", 0);
}

/* "a" below "b" is "b.a"; below "" it is "a". */
static bool base_join(const char *base, const char *place, char out[LEGACY_PLACE_MAX])
{
    return snprintf(out, LEGACY_PLACE_MAX, "%s%s%s", base, base[0] && place[0] ? "." : "", place) < LEGACY_PLACE_MAX;
}

static int group_apply(struct legacy *self, const struct legacy_group *group, const char *base)
{
    int r = 0;

    for (size_t i = 0; !r && i < group->rules_n; i++) {
        const struct legacy_rule *rule = &group->rules[i];
        bool is_placed = rule->kind == LEGACY_MOVE || rule->kind == LEGACY_TRUTH;
        char from[LEGACY_PLACE_MAX];
        char to[LEGACY_PLACE_MAX] = "";

        if (base_join(base, rule->from, from) && (!is_placed || base_join(base, rule->to, to))) {
            r = spread(self, &(struct spread){ .rule = rule }, from, to, 0);
        }
    }
    return r;
}

static int groups_apply(struct legacy *self)
{
    int r = 0;

    for (size_t i = 0; i < legacy_groups_n; i++) {
        for (size_t j = 0; !r && legacy_groups[i].bases[j]; j++) {
            r = group_apply(self, &legacy_groups[i], legacy_groups[i].bases[j]);
        }
    }
    return r;
}

int config_legacy_move(struct span text, void (*on)(void *arg, const char *says, bool is_done), void *arg,
                       struct text_buf *ret_text)
{
    CLEANUP(legacy_deinit) struct legacy self = { .on = on, .arg = arg, .text = { .is_secret = true } };
    int r = text_buf_add(&self.text, text);

    self.places = mem_new(STARS_MAX * sizeof(*self.places));
    pack_init_secret(&self.doc, 0);
    r = r ? r : legacy_parse(&self);
    r = r ? r : legacy_shapes_first(&self);
    r = r ? r : groups_apply(&self);
    r = r ? r : legacy_shapes_last(&self);
    if (!r) {
        *ret_text = self.text;
        self.text = (struct text_buf){ 0 };
    }
    return r > 0 ? FAULT_FOLD(r) : r;
}
