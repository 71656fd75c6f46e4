#include "schema/base/config_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "bus/value_index.h"
#include "schema/base/config_shape.h"
#include "schema/base/json5_edit.h"

#define STEPS_MAX 64
#define NOTHING ((struct span){ 0 })

struct job {
    const struct config_document *document;
    struct config_edit *edit;
    struct config_error *error;
    struct json5_step steps[STEPS_MAX];
    size_t steps_n;
    struct json5_change *changes; /* of one source */
    size_t changes_n;
    size_t changes_max;
    struct json5_step *kept; /* of all changes, one behind the other */
    size_t kept_n;
    size_t kept_max;
};

void config_edit_deinit(struct config_edit *self)
{
    text_buf_deinit(&self->text);
}

static int refuse(struct job *job, const char *why)
{
    char place[256];

    config_shape_place(job->steps, job->steps_n, true, place, sizeof(place));
    (void)snprintf(job->error->text, sizeof(job->error->text), "%s %.*s", place[0] ? place : "the config",
                   (int)(sizeof(job->error->text) - sizeof(place) - 1), why); /* cut, if need be */
    return CONFIG_EDIT_E_REFUSED;
}

/* --- which file --------------------------------------------------------------------------------- */

static bool steps_begin_with(const struct json5_step *steps, const struct json5_step *front, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_same = steps[i].key.ptr ? front[i].key.ptr && span_is(steps[i].key, front[i].key)
                                        : !front[i].key.ptr && steps[i].index == front[i].index;
        if (!is_same) {
            return false;
        }
    }
    return true;
}

/* Does the file say something at exactly this place, or have a part in a list that the place is in? */
static bool source_says(const struct job *job, const struct config_source *source)
{
    struct span text = { source->text.data, source->text.len };
    const struct json5_step *steps = job->steps + source->mount_n;
    size_t left = job->steps_n - source->mount_n;
    struct json5_item item;
    size_t found = json5_find(text, steps, left, &item);

    for (size_t i = 0; i <= found && i < left; i++) {
        if (!steps[i].key.ptr) {
            return true;
        }
    }
    return found == left;
}

/* Is it, and is everything that leads to it, the only file at its place? Then a change of it is a change of the config.
 */
static bool is_writable(const struct config_sources *sources, const struct config_source *source)
{
    for (size_t i = 0; i <= CONFIG_INCLUDE_DEPTH_MAX; i++) {
        if (!source->is_alone) {
            return false;
        }
        if (source == sources->items[source->outer]) {
            return true;
        }
        source = sources->items[source->outer];
    }
    return false;
}

/* Is a text, a number and the like already laid over what the file says? Another one does as well. */
static bool is_overruled(const struct job *job, const struct config_source *source, struct span value)
{
    enum value_kind kind = value_kind_of(value);

    for (size_t i = source->mount_n; i < job->steps_n; i++) {
        if (!job->steps[i].key.ptr) {
            return false; /* lists are joined */
        }
    }
    return value.len && kind != VALUE_MAP && kind != VALUE_ARRAY && source->is_beside &&
           source_says(job, job->document->sources.items[source->outer]);
}

/* A file that is one of several at its place: what it says cannot be changed from here; what it does not is another's.
 */
static int shared_check(struct job *job, const struct config_source *source, struct span value)
{
    char why[PATH_MAX + 160];

    if (source_says(job, source) && !is_overruled(job, source, value)) {
        (void)snprintf(why, sizeof(why),
                       "is said in %.200s, which $include puts together with other files or keys: edit that file",
                       source->path);
        return refuse(job, why);
    }
    if (!source->is_alone && !source->is_beside) {
        (void)snprintf(why, sizeof(why),
                       "is put together with $include from several files, of which %.200s is one: edit the one that "
                       "shall say it",
                       source->path);
        return refuse(job, why);
    }
    return 0;
}

/*
 * The innermost file that stands at or above the place, for a removal strictly above, and may be written. What several
 * files and the keys beside their $include make up belongs to the file with those keys, as far as no other says it.
 */
static int source_choose(struct job *job, struct span value, size_t *ret_source)
{
    bool is_removal = !value.len;
    const struct config_sources *sources = &job->document->sources;
    size_t best = 0;
    int r = 0;

    for (size_t i = 1; !r && i < sources->n; i++) {
        const struct config_source *source = sources->items[i];
        size_t room = job->steps_n - (is_removal && job->steps_n > 0);

        if (source->mount_n <= room && steps_begin_with(job->steps, source->mount, source->mount_n)) {
            bool may_write = is_writable(sources, source);

            r = may_write ? 0 : shared_check(job, source, value);
            best = may_write ? i : best;
        } else if (!is_removal && source->mount_n > job->steps_n &&
                   steps_begin_with(source->mount, job->steps, job->steps_n)) {
            r = refuse(job, "would lose the $include inside it: remove that first");
        }
    }
    *ret_source = best;
    return r;
}

/* --- one change ------------------------------------------------------------------------------------- */

static void *room_for(void *items, size_t n, size_t *max, size_t more, size_t size)
{
    size_t want = *max ? *max * 2 : 64;

    if (n + more <= *max) {
        return items;
    }
    want = want < n + more ? n + more : want;
    void *fresh = realloc(items, want * size);
    *max = fresh ? want : *max;
    return fresh;
}

/* The steps are kept in `job->kept`, which moves: until all are known the change has none. */
static int change_add(struct job *job, size_t skip, struct span value)
{
    size_t steps_n = job->steps_n - skip;
    struct json5_step *kept = room_for(job->kept, job->kept_n, &job->kept_max, steps_n + 1, sizeof(*kept));
    job->kept = kept ? kept : job->kept;
    struct json5_change *changes = room_for(job->changes, job->changes_n, &job->changes_max, 1, sizeof(*changes));
    job->changes = changes ? changes : job->changes;

    if (!kept || !changes) {
        return FAULT(-ENOMEM);
    }
    memcpy(kept + job->kept_n, job->steps + skip, steps_n * sizeof(*kept));
    job->kept_n += steps_n;
    changes[job->changes_n++] = (struct json5_change){ .steps_n = steps_n, .value = value };
    return 0;
}

/* `value` empty: remove what is there. */
static int change(struct job *job, struct span value)
{
    size_t source = 0;
    int r = source_choose(job, value, &source);

    if (r) {
        return r;
    }
    if (job->edit->is_changed && job->edit->source != source) {
        return refuse(job, "is in another file than the rest of the change: change one file at a time");
    }
    size_t skip = job->document->sources.items[source]->mount_n;
    job->edit->is_changed = true;
    job->edit->source = source;
    if (!value.len && job->steps_n == skip) {
        return refuse(job, "cannot be edited where it stands");
    }
    return change_add(job, skip, value);
}

/* All at once: a text of many members is walked for all of them, not for each. */
static int changes_make(struct job *job)
{
    const struct config_source *source = job->document->sources.items[job->edit->source];
    size_t at = 0;
    size_t stuck = 0;

    for (size_t i = 0; i < job->changes_n; i++) {
        job->changes[i].steps = job->kept + at;
        at += job->changes[i].steps_n;
    }
    job->edit->text.is_secret = true;
    int r = json5_change((struct span){ source->text.data, source->text.len }, job->changes, job->changes_n,
                         &job->edit->text, &stuck);
    if (r > 0) {
        const struct json5_change *bad = &job->changes[stuck];

        memcpy(job->steps, source->mount, source->mount_n * sizeof(*job->steps));
        memcpy(job->steps + source->mount_n, bad->steps, bad->steps_n * sizeof(*job->steps));
        job->steps_n = source->mount_n + bad->steps_n;
        return refuse(job, "cannot be edited where it stands");
    }
    return r;
}

static int compare(struct job *job, struct span before, struct span after);

static int step_compare(struct job *job, struct json5_step step, struct span before, struct span after)
{
    if (job->steps_n == STEPS_MAX) {
        return refuse(job, "is nested too deep");
    }
    job->steps[job->steps_n++] = step;
    int r = compare(job, before, after);
    job->steps_n--;
    return r;
}

static int maps_compare(struct job *job, struct span before, struct span after)
{
    CLEANUP(value_index_deinit) struct value_index old = value_index(before);
    CLEANUP(value_index_deinit) struct value_index fresh = value_index(after);
    struct value_iter it = value_iter(before);
    struct span key;
    struct span item;
    int r = 0;

    while (!r && value_next(&it, &key, &item)) {
        r = step_compare(job, (struct json5_step){ .key = key }, item, value_index_find(&fresh, key));
    }
    it = value_iter(after);
    while (!r && value_next(&it, &key, &item)) {
        if (!value_index_find(&old, key).len) {
            r = step_compare(job, (struct json5_step){ .key = key }, NOTHING, item);
        }
    }
    return r;
}

static int lists_compare(struct job *job, struct span before, struct span after)
{
    struct value_iter old = value_iter(before);
    struct value_iter fresh = value_iter(after);
    struct span key;
    struct span a;
    struct span b;
    int r = 0;

    for (size_t i = 0; !r && value_next(&old, &key, &a) && value_next(&fresh, &key, &b); i++) {
        r = step_compare(job, (struct json5_step){ .index = i }, a, b);
    }
    return r;
}

static int compare(struct job *job, struct span before, struct span after)
{
    enum value_kind old = value_kind_of(before);
    enum value_kind fresh = value_kind_of(after);

    if (span_is(before, after)) {
        return 0;
    }
    if (old == VALUE_MAP && fresh == VALUE_MAP) {
        return maps_compare(job, before, after);
    }
    if (old == VALUE_ARRAY && fresh == VALUE_ARRAY && value_count(before) == value_count(after)) {
        return lists_compare(job, before, after);
    }
    return change(job, after);
}

int config_edit(const struct config_document *document, struct span wanted, struct config_edit *ret_edit,
                struct config_error *error)
{
    struct job job = { .document = document, .edit = ret_edit, .error = error };
    int r = compare(&job, pack_span(&document->source), wanted);

    r = r || !job.changes_n ? r : changes_make(&job);
    free(job.changes);
    free(job.kept);
    if (r) {
        config_edit_deinit(ret_edit);
        *ret_edit = (struct config_edit){ 0 };
    }
    return r;
}

/* --- redaction markers ---------------------------------------------------------------------------------- */

struct restore {
    struct pack *out;
    struct config_error *error;
    struct json5_step steps[STEPS_MAX];
    size_t steps_n;
};

static int restore(struct restore *job, struct span wanted, struct span current);

static int marker_refuse(struct restore *job)
{
    char place[256];

    config_shape_place(job->steps, job->steps_n, true, place, sizeof(place));
    (void)snprintf(
        job->error->text, sizeof(job->error->text),
        "%s holds the redaction marker, and no secret is there that it could stand for: give the value itself", place);
    return CONFIG_RESTORE_E_REFUSED;
}

static int text_restore(struct restore *job, struct span wanted, struct span current)
{
    struct span text = value_str(wanted, SPAN_LIT(""));

    if (!memmem(text.ptr, text.len, CONFIG_REDACTED, sizeof(CONFIG_REDACTED) - 1)) {
        pack_raw(job->out, wanted);
        return 0;
    }
    if (!span_is_text(text, CONFIG_REDACTED) || value_kind_of(current) != VALUE_STR || span_is(wanted, current)) {
        return marker_refuse(job);
    }
    pack_raw(job->out, current);
    return 0;
}

static int step_restore(struct restore *job, struct json5_step step, struct span wanted, struct span current)
{
    if (job->steps_n == STEPS_MAX) {
        return marker_refuse(job);
    }
    job->steps[job->steps_n++] = step;
    int r = restore(job, wanted, current);
    job->steps_n--;
    return r;
}

/* The element of `current` that is the same thing as `wanted`. */
static struct span twin_find(struct span current, struct span wanted, size_t index, bool is_same_length)
{
    struct value_iter it = value_iter(current);
    struct span id = value_get(wanted, "id");
    struct span key;
    struct span item;

    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        if (id.len ? span_is(value_get(item, "id"), id) : is_same_length && i == index) {
            return item;
        }
    }
    return NOTHING;
}

static int map_restore(struct restore *job, struct span wanted, struct span current)
{
    CLEANUP(value_index_deinit) struct value_index now = value_index(current);
    struct value_iter it = value_iter(wanted);
    struct span key;
    struct span item;
    int r = 0;

    pack_map_begin(job->out);
    while (!r && value_next(&it, &key, &item)) {
        pack_key_span(job->out, key);
        r = step_restore(job, (struct json5_step){ .key = key }, item, value_index_find(&now, key));
    }
    pack_map_end(job->out);
    return r;
}

static int restore(struct restore *job, struct span wanted, struct span current)
{
    struct value_iter it = value_iter(wanted);
    struct span key;
    struct span item;
    int r = 0;

    switch (value_kind_of(wanted)) {
    case VALUE_STR:
        return text_restore(job, wanted, current);
    case VALUE_MAP:
        return map_restore(job, wanted, current);
    case VALUE_ARRAY:
        pack_array_begin(job->out);
        for (size_t i = 0; !r && value_next(&it, &key, &item); i++) {
            struct span twin = twin_find(current, item, i, value_count(wanted) == value_count(current));
            r = step_restore(job, (struct json5_step){ .index = i }, item, twin);
        }
        pack_array_end(job->out);
        return r;
    default:
        pack_raw(job->out, wanted);
        return 0;
    }
}

int config_restore(struct span wanted, struct span current, struct pack *out, struct config_error *error)
{
    struct restore job = { .out = out, .error = error };
    int r = restore(&job, wanted, current);

    return r ? r : pack_error(out);
}
