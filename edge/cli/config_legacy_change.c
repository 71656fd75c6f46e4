/*
 * config_legacy_change: single changes of the text in hand.
 */
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/config_legacy_internal.h"
#include "schema/base/config_file.h"
#include "schema/base/json5_edit.h"

static struct span now(const struct legacy *self)
{
    return (struct span){ self->text.data ? self->text.data : "", self->text.len };
}

int legacy_parse(struct legacy *self)
{
    struct config_error ignored;

    pack_reset(&self->doc);
    return FAULT_FOLD(config_file_parse(now(self), "", &self->doc, &ignored));
}

/* --- single changes -------------------------------------------------------------------------------- */

struct span legacy_at(const struct legacy *self, const char *place, struct config_path *path)
{
    return config_path_parse(place, path) ? (struct span){ 0 } : config_path_find(path, pack_span(&self->doc));
}

bool legacy_has(const struct legacy *self, const char *place)
{
    struct config_path path;

    return legacy_at(self, place, &path).len > 0;
}

static int text_take(struct legacy *self, struct text_buf *fresh)
{
    struct text_buf old = self->text;

    self->text = *fresh;
    *fresh = old; /* wiped by its owner */
    return legacy_parse(self);
}

int legacy_set(struct legacy *self, const char *place, struct span value)
{
    CLEANUP(text_buf_deinit) struct text_buf fresh = { .is_secret = true };
    struct config_path path;

    (void)legacy_at(self, place, &path);
    int r = json5_set(now(self), path.steps, path.n, value, &fresh);
    return r ? r : text_take(self, &fresh);
}

int legacy_set_text(struct legacy *self, const char *place, const char *value)
{
    CLEANUP(pack_deinit) struct pack packed;

    pack_init(&packed, 0);
    pack_text(&packed, value);
    return pack_error(&packed) ? pack_error(&packed) : legacy_set(self, place, pack_span(&packed));
}

int legacy_set_bool(struct legacy *self, const char *place, bool value)
{
    return legacy_set(self, place, value ? SPAN_LIT("\xc3") : SPAN_LIT("\xc2")); /* true and false of msgpack */
}

int legacy_remove(struct legacy *self, const char *place)
{
    CLEANUP(text_buf_deinit) struct text_buf fresh = { .is_secret = true };
    struct config_path path;

    (void)legacy_at(self, place, &path);
    int r = json5_remove(now(self), path.steps, path.n, &fresh);
    return r ? FAULT_FOLD(r) : text_take(self, &fresh);
}

void legacy_say(struct legacy *self, bool is_done, const char *from, const char *becomes, const char *to)
{
    char text[CONFIG_LEGACY_SAYS_MAX];

    (void)snprintf(text, sizeof(text), "%s%s%s", from, becomes, to); /* cut */
    self->moved_n += is_done;
    self->on(self->arg, text, is_done);
}

/* --- moving ------------------------------------------------------------------------------------------ */

/* A copy of what is at a place; the document changes under what is borrowed from it. */
static int value_copy(const struct legacy *self, const char *place, struct pack *out)
{
    struct config_path path;

    pack_raw(out, legacy_at(self, place, &path));
    return pack_error(out);
}

/* Places below `place`, in brackets, so that any key will do. False when it does not fit, or holds a quote. */
static bool below(const char *place, struct span key, char out[LEGACY_PLACE_MAX])
{
    return !memchr(key.len ? key.ptr : "", '"', key.len) && !memchr(key.len ? key.ptr : "", '\\', key.len) &&
           snprintf(out, LEGACY_PLACE_MAX, "%s[\"%.*s\"]", place, SPAN_FMT(key)) < LEGACY_PLACE_MAX;
}

/* What the object at `to` lacks of the one at `from`; what both have stays as it is at `to`. 0, an outcome, or a fault.
 */
static int fill(struct legacy *self, const char *from, const char *to, unsigned depth)
{
    CLEANUP(pack_deinit) struct pack all;
    struct span key;
    struct span item;
    int r;

    pack_init_secret(&all, 0);
    r = value_copy(self, from, &all);
    struct value_iter it = value_iter(pack_span(&all));
    while (!r && value_next(&it, &key, &item)) {
        char inner_from[LEGACY_PLACE_MAX];
        char inner_to[LEGACY_PLACE_MAX];
        struct config_path path;

        if (!below(from, key, inner_from) || !below(to, key, inner_to)) {
            return JSON5_EDIT_E_NO_PLACE;
        }
        struct span there = legacy_at(self, inner_to, &path);
        if (!there.len) {
            r = legacy_set(self, inner_to, item);
        } else if (depth && value_kind_of(there) == VALUE_MAP && value_kind_of(item) == VALUE_MAP) {
            r = fill(self, inner_from, inner_to, depth - 1);
        }
    }
    return r;
}

static int merge(struct legacy *self, const char *from, const char *to)
{
    int r = fill(self, from, to, 8);

    if (r > 0) {
        legacy_say(self, false, from, " stays: it does not fit into ", to);
        return 0;
    }
    r = r ? r : legacy_remove(self, from);
    if (!r) {
        legacy_say(self, true, from, " becomes part of ", to);
    }
    return r;
}

int legacy_move(struct legacy *self, const char *from, const char *to)
{
    CLEANUP(pack_deinit) struct pack value;
    struct config_path path;
    struct span there = legacy_at(self, to, &path);

    pack_init_secret(&value, 0);
    int r = value_copy(self, from, &value);
    if (r) {
        return r;
    }
    if (value_kind_of(there) == VALUE_MAP && value_kind_of(pack_span(&value)) == VALUE_MAP) {
        return merge(self, from, to);
    }
    if (there.len && !span_is(there, pack_span(&value))) {
        legacy_say(self, false, from, " stays: only you can tell whether it counts, or what is there already, ", to);
        return 0;
    }
    r = there.len ? 0 : legacy_set(self, to, pack_span(&value));
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
