#include "schema/base/secret_target.h"

#include <stdio.h>
#include <string.h>

#include "bus/value.h"
#include "schema/base/config_shape.h"

#define NOTHING ((struct span){ 0 })

/* --- patterns ------------------------------------------------------------------------------------- */

/* Cuts one part off a pattern: "name", "*" or, behind a list's name, "[]". */
static struct span part_cut(struct span *pattern)
{
    size_t at = 0;
    struct span part;

    if (pattern->len && pattern->ptr[0] == '.') {
        *pattern = (struct span){ pattern->ptr + 1, pattern->len - 1 };
    }
    if (pattern->len && pattern->ptr[0] == '[') {
        at = 2;
    } else {
        while (at < pattern->len && pattern->ptr[at] != '.' && pattern->ptr[at] != '[') {
            at++;
        }
    }
    part = (struct span){ pattern->ptr, at };
    *pattern = (struct span){ pattern->ptr + at, pattern->len - at };
    return part;
}

static bool is_list_part(struct span part)
{
    return span_is_text(part, "[]");
}

static bool part_fits(struct span part, const struct json5_step *step)
{
    if (is_list_part(part)) {
        return !step->key.ptr;
    }
    return step->key.ptr && (span_is_text(part, "*") ? step->key.len > 0 : span_is(part, step->key));
}

bool secret_target_fits(const struct config_credential *row, const struct json5_step *steps, size_t steps_n)
{
    struct span pattern = span_from(row->path);

    for (size_t i = 0; i < steps_n; i++) {
        if (!pattern.len || !part_fits(part_cut(&pattern), &steps[i])) {
            return false;
        }
    }
    return pattern.len == 0;
}

const struct config_credential *secret_target_find(const struct json5_step *steps, size_t steps_n, const char *file)
{
    for (size_t i = 0; i < config_credentials_n; i++) {
        const struct config_credential *row = &config_credentials[i];

        if (!strcmp(row->file, file) && secret_target_fits(row, steps, steps_n)) {
            return row;
        }
    }
    return NULL;
}

const struct config_credential *secret_target_of_id(struct span id)
{
    for (size_t i = 0; i < config_credentials_n; i++) {
        if (span_is_text(id, config_credentials[i].id)) {
            return &config_credentials[i];
        }
    }
    return NULL;
}

const struct config_credential *secret_target_of_type(struct span type, const struct config_credential *from)
{
    size_t i = from ? (size_t)(from - config_credentials) + 1 : 0;

    for (; i < config_credentials_n; i++) {
        const struct config_credential *row = &config_credentials[i];

        if (span_is_text(type, row->type) || span_is_text(type, row->id)) {
            return row;
        }
    }
    return NULL;
}

/* --- walking ------------------------------------------------------------------------------------------ */

struct walk {
    struct span doc;
    struct secret_target target;
    void (*on)(void *arg, const struct secret_target *target);
    void *arg;
};

/* The value where the steps lead, with the last one exchanged for the last part of `ref_path`. */
static struct span neighbour_of(const struct walk *walk)
{
    const struct secret_target *target = &walk->target;
    const char *name = target->row->ref_path ? strrchr(target->row->ref_path, '.') : NULL;
    struct span at = walk->doc;

    if (!name) {
        return NOTHING;
    }
    for (size_t i = 0; i + 1 < target->steps_n && at.len; i++) {
        struct value_iter it = value_iter(at);
        struct span key;
        struct span item;

        at = NOTHING;
        for (size_t n = 0; value_next(&it, &key, &item); n++) {
            if (target->steps[i].key.ptr ? span_is(key, target->steps[i].key) : n == target->steps[i].index) {
                at = item;
            }
        }
    }
    return value_get(at, name + 1);
}

static bool is_of_profile(const struct walk *walk, struct span map)
{
    const char *profile = walk->target.row->profile;

    return !profile || span_is_text(value_str(value_get(map, "type"), NOTHING), profile);
}

static void place_tell(struct walk *walk, struct span value)
{
    struct secret_target *target = &walk->target;

    target->value = value_kind_of(value) > VALUE_NIL ? value : NOTHING;
    target->ref_value = neighbour_of(walk);
    if (target->value.len || target->ref_value.len) {
        config_shape_place(target->steps, target->steps_n, true, target->path, sizeof(target->path));
        walk->on(walk->arg, target);
    }
}

static void descend(struct walk *walk, struct span value, struct span pattern);

static void step_into(struct walk *walk, struct json5_step step, struct span value, struct span pattern)
{
    struct secret_target *target = &walk->target;

    if (target->steps_n < SECRET_TARGET_STEPS_MAX) {
        target->steps[target->steps_n++] = step;
        descend(walk, value, pattern);
        target->steps_n--;
    }
}

static void all_descend(struct walk *walk, struct span value, struct span pattern)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        step_into(walk, it.is_map ? (struct json5_step){ .key = key } : (struct json5_step){ .index = i }, item,
                  pattern);
    }
}

static void descend(struct walk *walk, struct span value, struct span pattern)
{
    if (!pattern.len) {
        place_tell(walk, value);
        return;
    }
    struct span part = part_cut(&pattern);
    if (is_list_part(part) || span_is_text(part, "*")) {
        if (value_kind_of(value) == (is_list_part(part) ? VALUE_ARRAY : VALUE_MAP)) {
            all_descend(walk, value, pattern);
        }
        return;
    }
    if (value_kind_of(value) != VALUE_MAP || (!pattern.len && !is_of_profile(walk, value))) {
        return;
    }
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;
    struct span found = NOTHING;

    while (value_next(&it, &key, &item)) {
        found = span_is(key, part) ? item : found;
    }
    if (found.len || (!pattern.len && walk->target.row->ref_path)) {
        step_into(walk, (struct json5_step){ .key = part }, found, pattern);
    }
}

void secret_target_each_of(struct span doc, const struct config_credential *row,
                           void (*on)(void *arg, const struct secret_target *target), void *arg)
{
    struct walk walk = { .doc = doc, .on = on, .arg = arg };

    walk.target.row = row;
    descend(&walk, doc, span_from(row->path));
}

void secret_target_each(struct span doc, const char *file, void (*on)(void *arg, const struct secret_target *target),
                        void *arg)
{
    for (size_t i = 0; i < config_credentials_n; i++) {
        if (!strcmp(config_credentials[i].file, file)) {
            secret_target_each_of(doc, &config_credentials[i], on, arg);
        }
    }
}

bool secret_target_ref(const struct secret_target *target, struct span doc, struct secret_ref *ret_ref)
{
    return (target->ref_value.len && secret_ref_read(target->ref_value, doc, ret_ref)) ||
           secret_ref_read(target->value, doc, ret_ref);
}

bool secret_target_takes(const struct config_credential *row, struct span value)
{
    return value_str(value, NOTHING).len > 0 || (row->is_object_fine && value_kind_of(value) == VALUE_MAP);
}

void secret_target_segments_pack(const struct secret_target *target, struct pack *out)
{
    char number[24];

    pack_array_begin(out);
    for (size_t i = 0; i < target->steps_n; i++) {
        if (target->steps[i].key.ptr) {
            pack_str(out, target->steps[i].key);
        } else {
            (void)snprintf(number, sizeof(number), "%zu", target->steps[i].index);
            pack_text(out, number);
        }
    }
    pack_array_end(out);
}
