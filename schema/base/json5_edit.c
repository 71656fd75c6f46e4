#include "schema/base/json5_edit.h"

#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/json5_layout.h"

/*
 * The changes, sorted by path, are laid over the text three times: what is removed goes first, then values are
 * replaced, then members are added. Each time the text is walked once and written once from front to back.
 */
enum phase { PHASE_REMOVE, PHASE_REPLACE, PHASE_ADD };

struct pass {
    enum phase phase;
    struct span text;
    struct json5_lines lines;
    const struct json5_change **sorted;
    const struct json5_change *stuck; /* with JSON5_EDIT_E_NO_PLACE: the one that has no place */
    struct text_buf *out;
    size_t at; /* so much of the text is written, or left out */
};

/* Changes that have a step in common. */
struct group {
    size_t lo;
    size_t hi;
    const struct json5_change *first; /* that sets something, as they were given; NULL: all remove */
    struct json5_step step;
    bool is_leaf; /* one change, which ends here */
    bool is_found;
    size_t last_at; /* of the last member it names: of equal keys that one counts */
};

struct touched {
    struct json5_item item;
    struct group *group;
};

/* One container, and what shall become of it. */
struct level {
    size_t depth;
    struct group *groups;
    size_t groups_n;
    struct touched *touched; /* in the order of the text */
    size_t touched_n;
    size_t touched_max;
    struct json5_walk walk;
    struct json5_item last;
    struct json5_item kept; /* the last that is not removed */
    size_t items_n;
    size_t kept_n;
    struct json5_layout layout;
};

static void level_deinit(struct level *self)
{
    free(self->groups);
    free(self->touched);
}

/* --- order ------------------------------------------------------------------------------------------ */

static int step_order(const struct json5_step *a, const struct json5_step *b)
{
    if (!a->key.ptr || !b->key.ptr) {
        int kind = (a->key.ptr != NULL) - (b->key.ptr != NULL);

        return kind ? kind : (a->index > b->index) - (a->index < b->index);
    }
    size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
    int r = len ? memcmp(a->key.ptr, b->key.ptr, len) : 0;
    return r ? r : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static int change_order(const void *a, const void *b)
{
    const struct json5_change *one = *(const struct json5_change *const *)a;
    const struct json5_change *other = *(const struct json5_change *const *)b;
    int r = 0;

    for (size_t i = 0; !r && i < one->steps_n && i < other->steps_n; i++) {
        r = step_order(&one->steps[i], &other->steps[i]);
    }
    r = r ? r : (one->steps_n > other->steps_n) - (one->steps_n < other->steps_n);
    return r ? r : (one > other) - (one < other);
}

static int group_order(const void *step, const void *group)
{
    return step_order(step, &((const struct group *)group)->step);
}

/* As they were given; those that only remove at the end. */
static int group_age(const void *a, const void *b)
{
    const struct json5_change *one = ((const struct group *)a)->first;
    const struct json5_change *other = ((const struct group *)b)->first;

    return one && other ? (one > other) - (one < other) : !one - !other;
}

/* Of equal paths the later one counts; a change within another that is there too does not. */
static int groups_new(const struct pass *pass, size_t lo, size_t hi, size_t depth, struct group **ret_groups,
                      size_t *ret_n)
{
    struct group *groups = calloc(hi - lo, sizeof(*groups));
    struct group *group = NULL;

    if (!groups) {
        return FAULT(-ENOMEM);
    }
    for (size_t i = lo; i < hi; i++) {
        const struct json5_change *change = pass->sorted[i];

        if (!group || step_order(&group->step, &change->steps[depth])) {
            group = group ? group + 1 : groups;
            *group = (struct group){ .lo = i, .step = change->steps[depth] };
        }
        if (change->steps_n == depth + 1) {
            group->lo = i;
            group->is_leaf = true;
            group->first = change->value.len ? change : NULL;
        } else if (!group->is_leaf && change->value.len && (!group->first || change < group->first)) {
            group->first = change;
        }
        group->hi = i + 1;
    }
    *ret_groups = groups;
    *ret_n = (size_t)(group - groups) + 1;
    return 0;
}

static struct span leaf_value(const struct pass *pass, const struct group *group)
{
    return pass->sorted[group->lo]->value;
}

static bool is_removal(const struct pass *pass, const struct group *group)
{
    return group->is_leaf && !leaf_value(pass, group).len;
}

/* --- reading one container ---------------------------------------------------------------------------- */

static int touched_add(struct level *self, const struct json5_item *item, struct group *group)
{
    if (self->touched_n == self->touched_max) {
        size_t max = self->touched_max ? self->touched_max * 2 : 4;
        struct touched *more = realloc(self->touched, max * sizeof(*more));

        if (!more) {
            return FAULT(-ENOMEM);
        }
        self->touched = more;
        self->touched_max = max;
    }
    self->touched[self->touched_n++] = (struct touched){ .item = *item, .group = group };
    group->is_found = true;
    group->last_at = item->key_at;
    return 0;
}

static int level_read(const struct pass *pass, size_t open, struct level *self, struct json5_item *ret_first)
{
    char decoded[JSON5_KEY_MAX];
    struct json5_item item;
    int r = 0;

    self->walk = json5_walk(pass->text, open);
    while (!r && json5_next(&self->walk, &item)) {
        struct json5_step step = { .index = self->items_n };
        struct group *group = NULL;

        if (!self->walk.is_object || json5_key(pass->text, &item, decoded, &step.key)) {
            group = bsearch(&step, self->groups, self->groups_n, sizeof(*group), group_order);
        }
        r = group ? touched_add(self, &item, group) : 0;
        if (!group || !is_removal(pass, group)) {
            self->kept = item;
            self->kept_n++;
        }
        *ret_first = self->items_n++ ? *ret_first : item;
        self->last = item;
    }
    return r;
}

/* --- writing ------------------------------------------------------------------------------------------ */

static struct span part(struct span text, size_t from, size_t to)
{
    return (struct span){ text.ptr + from, to - from };
}

/* Everything up to there stays. */
static int keep_to(struct pass *pass, size_t to)
{
    int r = to > pass->at ? text_buf_add(pass->out, part(pass->text, pass->at, to)) : 0;

    pass->at = to > pass->at ? to : pass->at;
    return r;
}

static int leave_out(struct pass *pass, size_t from, size_t to)
{
    int r = keep_to(pass, from);

    pass->at = to > pass->at ? to : pass->at;
    return r;
}

static int container_pass(struct pass *pass, size_t open, size_t lo, size_t hi, size_t depth);

/* What is changed within a member. */
static int inner_pass(struct pass *pass, const struct touched *touched, size_t depth)
{
    const struct group *group = touched->group;

    if (group->is_leaf || touched->item.key_at != group->last_at) {
        return 0;
    }
    return container_pass(pass, touched->item.value_at, group->lo, group->hi, depth + 1);
}

static int level_replace(struct pass *pass, const struct level *self)
{
    int r = 0;

    for (size_t i = 0; !r && i < self->touched_n; i++) {
        const struct touched *touched = &self->touched[i];
        const struct json5_item *item = &touched->item;

        r = inner_pass(pass, touched, self->depth);
        if (!r && touched->group->is_leaf && item->key_at == touched->group->last_at) {
            size_t indent = json5_layout_indent(&pass->lines, item->key_at);

            r = keep_to(pass, item->value_at);
            r = r ? r : json5_layout_value(leaf_value(pass, touched->group), indent, true, pass->out);
            r = r ? r : leave_out(pass, item->value_at, item->value_end);
        }
    }
    return r;
}

/* --- removing ------------------------------------------------------------------------------------------- */

static size_t item_end(const struct json5_item *item)
{
    return item->has_comma ? item->comma_at + 1 : item->value_end;
}

static size_t blanks_end(struct span text, size_t at)
{
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' || text.ptr[at] == '\r')) {
        at++;
    }
    return at;
}

/* A line that holds nothing but the removed bytes goes as a whole. */
static int line_leave_out(struct pass *pass, size_t from, size_t to)
{
    struct span text = pass->text;
    size_t indent = json5_layout_blanks_before(text, from);
    size_t end = blanks_end(text, to);

    if (indent != SIZE_MAX && end < text.len && text.ptr[end] == '\n') {
        from -= indent;
        to = end + 1;
    } else if (end < text.len && text.ptr[end] != '\n') {
        to = end;
    }
    return leave_out(pass, from, to);
}

static int level_remove(struct pass *pass, const struct level *self)
{
    bool is_bare_end = self->items_n && self->kept_n && self->kept.key_at != self->last.key_at && !self->last.has_comma;
    size_t comma = is_bare_end ? self->kept.comma_at : SIZE_MAX; /* which nothing follows now */
    int r = 0;

    for (size_t i = 0; !r && i < self->touched_n; i++) {
        const struct touched *touched = &self->touched[i];
        size_t end = item_end(&touched->item);

        if (comma < touched->item.key_at) {
            r = leave_out(pass, comma, comma + 1);
            comma = SIZE_MAX;
        }
        if (r || !is_removal(pass, touched->group)) {
            r = r ? r : inner_pass(pass, touched, self->depth);
            continue;
        }
        while (i + 1 < self->touched_n && is_removal(pass, self->touched[i + 1].group) &&
               self->touched[i + 1].item.key_at == blanks_end(pass->text, end)) {
            end = item_end(&self->touched[++i].item);
        }
        r = line_leave_out(pass, touched->item.key_at, end);
    }
    return r;
}

/* --- adding ------------------------------------------------------------------------------------------- */

static int stuck(struct pass *pass, const struct group *group)
{
    pass->stuck = group->first;
    return JSON5_EDIT_E_NO_PLACE;
}

/* What the text has nothing of yet: objects around the values. */
static int missing_pack(struct pass *pass, const struct group *group, size_t depth, struct pack *out)
{
    CLEANUP(mem_free) struct group *groups = NULL;
    size_t n = 0;

    if (group->is_leaf) {
        pack_raw(out, leaf_value(pass, group));
        return 0;
    }
    int r = groups_new(pass, group->lo, group->hi, depth, &groups, &n);
    if (r || !groups) { /* one that is no leaf has some */
        return r ? r : stuck(pass, group);
    }
    bool is_map = groups[0].step.key.ptr != NULL;
    (void)(is_map ? pack_map_begin(out) : pack_array_begin(out));
    qsort(groups, n, sizeof(*groups), group_age);
    for (size_t i = 0; !r && i < n && groups[i].first; i++) {
        if (is_map ? !groups[i].step.key.ptr : groups[i].step.key.ptr || groups[i].step.index != i) {
            return stuck(pass, &groups[i]);
        }
        if (is_map) {
            pack_key_span(out, groups[i].step.key);
        }
        r = missing_pack(pass, &groups[i], depth + 1, out);
    }
    (void)(is_map ? pack_map_end(out) : pack_array_end(out));
    return r;
}

static int item_add(struct pass *pass, const struct level *self, const struct group *group)
{
    CLEANUP(pack_deinit) struct pack whole;

    pack_init_secret(&whole, 0);
    int r = missing_pack(pass, group, self->depth + 1, &whole);
    r = r ? r : pack_error(&whole);
    return r ? r : json5_layout_item(&self->layout, &group->step, pack_span(&whole), pass->out);
}

/* In front of the first that comes into an empty container: the rest of the line it begins on. */
static int empty_open(struct pass *pass, size_t end)
{
    struct span text = pass->text;
    size_t from = end;

    while (from && (text.ptr[from - 1] == ' ' || text.ptr[from - 1] == '\t')) {
        from--;
    }
    int r = leave_out(pass, from, end);
    return r || (from && text.ptr[from - 1] == '\n') ? r : text_buf_add(pass->out, SPAN_LIT("\n"));
}

/* Behind the last one, its comma, and what else stands on its line. */
static int last_close(struct pass *pass, const struct level *self)
{
    size_t end = item_end(&self->last);
    int r = keep_to(pass, self->last.value_end);

    r = r || self->last.has_comma ? r : text_buf_add(pass->out, SPAN_LIT(","));
    r = r ? r : keep_to(pass, self->layout.is_multiline ? json5_layout_line_rest(pass->text, end) : end);
    return r ? r : text_buf_add(pass->out, self->layout.is_multiline ? SPAN_LIT("\n") : SPAN_LIT(" "));
}

static int groups_add(struct pass *pass, struct level *self)
{
    bool is_empty = !self->items_n;
    bool has_comma = !is_empty && self->last.has_comma;
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; !r && i < self->groups_n && self->groups[i].first; i++) {
        const struct group *group = &self->groups[i];
        bool is_key = group->step.key.ptr != NULL;

        if (group->is_found) {
            continue;
        }
        if (self->walk.is_object != is_key || (!is_key && group->step.index != self->items_n + n)) {
            return stuck(pass, group);
        }
        if (n++) {
            r = text_buf_add(pass->out, has_comma ? SPAN_LIT("") : SPAN_LIT(","));
            r = r ? r : text_buf_add(pass->out, self->layout.is_multiline ? SPAN_LIT("\n") : SPAN_LIT(" "));
        } else {
            r = is_empty ? empty_open(pass, self->walk.end) : last_close(pass, self);
        }
        r = r || !self->layout.is_multiline ? r : json5_layout_spaces(pass->out, self->layout.indent);
        r = r ? r : item_add(pass, self, group);
        r = r || !has_comma ? r : text_buf_add(pass->out, SPAN_LIT(","));
        self->layout.is_quoted |= is_empty && is_key && !json5_layout_is_plain_name(group->step.key);
    }
    if (!r && n && is_empty) {
        r = text_buf_add(pass->out, SPAN_LIT("\n"));
        r = r ? r : json5_layout_spaces(pass->out, self->layout.close);
    }
    return r;
}

static int level_add(struct pass *pass, struct level *self)
{
    int r = 0;

    for (size_t i = 0; !r && i < self->touched_n; i++) {
        r = inner_pass(pass, &self->touched[i], self->depth);
    }
    qsort(self->groups, self->groups_n, sizeof(*self->groups), group_age);
    return r ? r : groups_add(pass, self);
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static int container_pass(struct pass *pass, size_t open, size_t lo, size_t hi, size_t depth)
{
    CLEANUP(level_deinit) struct level level = { .depth = depth };
    struct json5_item first = { 0 };
    int r = groups_new(pass, lo, hi, depth, &level.groups, &level.groups_n);

    r = r ? r : level_read(pass, open, &level, &first);
    if (r) {
        return r;
    }
    if (pass->phase == PHASE_REMOVE) {
        return level_remove(pass, &level);
    }
    if (pass->phase == PHASE_REPLACE) {
        return level_replace(pass, &level);
    }
    level.layout = json5_layout_of(&pass->lines, open, level.items_n ? &first : NULL);
    return level_add(pass, &level);
}

static int text_pass(struct pass *pass, size_t n)
{
    struct span text = pass->text;
    const struct json5_change *whole = pass->sorted[n - 1]->steps_n ? NULL : pass->sorted[n - 1];
    struct json5_item item;
    int r;

    (void)json5_find(text, NULL, 0, &item);
    pass->lines = (struct json5_lines){ .text = text };
    pass->out->len = 0;
    pass->at = 0;
    if (!whole) {
        r = container_pass(pass, item.value_at, 0, n, 0);
    } else if (pass->phase == PHASE_REPLACE) {
        r = keep_to(pass, item.value_at);
        r = r ? r : json5_layout_value(whole->value, json5_layout_indent(&pass->lines, item.value_at), true, pass->out);
        r = r ? r : leave_out(pass, item.value_at, item.value_end);
    } else {
        r = 0;
    }
    return r ? r : keep_to(pass, text.len);
}

/* The path of nothing stands before all others: then it is the only one that counts. */
static int changes_sort(const struct json5_change *changes, size_t *n, const struct json5_change ***ret_sorted,
                        bool ret_has[PHASE_ADD + 1])
{
    const struct json5_change **sorted = calloc(*n, sizeof(const struct json5_change *));
    size_t whole_n = 0;

    if (!sorted) {
        return FAULT(-ENOMEM);
    }
    for (size_t i = 0; i < *n; i++) {
        sorted[i] = &changes[i];
        ret_has[changes[i].value.len ? PHASE_REPLACE : PHASE_REMOVE] = true;
    }
    qsort(sorted, *n, sizeof(const struct json5_change *), change_order);
    while (whole_n < *n && !sorted[whole_n]->steps_n) {
        whole_n++;
    }
    *n = whole_n ? whole_n : *n;
    ret_has[PHASE_ADD] = ret_has[PHASE_REPLACE];
    *ret_sorted = sorted;
    return 0;
}

int json5_change(struct span text, const struct json5_change *changes, size_t changes_n, struct text_buf *out,
                 size_t *ret_stuck)
{
    CLEANUP(text_buf_deinit) struct text_buf now = { .is_secret = true };
    CLEANUP(mem_free) const struct json5_change **sorted = NULL;
    bool has[PHASE_ADD + 1] = { false };
    int r = text_buf_add(&now, text);

    r = r || !changes_n ? r : changes_sort(changes, &changes_n, &sorted, has);
    for (unsigned phase = 0; !r && phase <= PHASE_ADD; phase++) {
        CLEANUP(text_buf_deinit) struct text_buf next = { .is_secret = true };
        struct pass pass = { .phase = phase, .text = { now.data, now.len }, .sorted = sorted, .out = &next };

        if (!has[phase]) {
            continue;
        }
        r = text_buf_reserve(&next, now.len + 1); /* an empty one has a place as well */
        r = r ? r : text_pass(&pass, changes_n);
        if (r == JSON5_EDIT_E_NO_PLACE && ret_stuck) {
            *ret_stuck = (size_t)(pass.stuck - changes);
        }
        struct text_buf old = now;
        now = next;
        next = old;
    }
    out->len = 0;
    return r ? r : text_buf_add(out, (struct span){ now.data, now.len });
}

int json5_set(struct span text, const struct json5_step *steps, size_t steps_n, struct span value, struct text_buf *out)
{
    return json5_change(text, &(struct json5_change){ .steps = steps, .steps_n = steps_n, .value = value }, 1, out,
                        NULL);
}

int json5_remove(struct span text, const struct json5_step *steps, size_t steps_n, struct text_buf *out)
{
    if (!steps_n) {
        return JSON5_EDIT_E_NO_PLACE;
    }
    return json5_change(text, &(struct json5_change){ .steps = steps, .steps_n = steps_n }, 1, out, NULL);
}
