#include "edge/cli/secrets_scrub.h"

#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "edge/cli/secrets_files.h"
#include "edge/cli/secrets_known.h"

/* --- values ---------------------------------------------------------------------------------------- */

void secrets_values_deinit(struct secrets_values *self)
{
    secret_arena_deinit(&self->arena);
    free(self->items);
    *self = (struct secrets_values){ .n = 0 };
}

bool secrets_values_has(const struct secrets_values *self, struct span value)
{
    value = secrets_known_trimmed(value);
    for (size_t i = 0; i < self->n; i++) {
        if (span_is(self->items[i], value)) {
            return true;
        }
    }
    return false;
}

int secrets_values_add(struct secrets_values *self, struct span value)
{
    value = secrets_known_trimmed(value);
    if (!value.len || secrets_values_has(self, value)) {
        return 0;
    }
    if (self->n == self->cap) {
        size_t cap = self->cap ? 2 * self->cap : 16;
        struct span *items = realloc(self->items, cap * sizeof(*items));

        if (!items) {
            return FAULT(-ENOMEM);
        }
        self->items = items;
        self->cap = cap;
    }
    struct span kept = secret_arena_add(&self->arena, value);
    if (!kept.len) {
        return FAULT(-ENOMEM);
    }
    self->items[self->n++] = kept;
    return 0;
}

static bool is_in(struct span value, struct span text)
{
    CLEANUP(secrets_text_wipe) struct text_buf literal = { 0 };

    if (memmem(text.ptr, text.len, value.ptr, value.len)) {
        return true;
    }
    bool is_written = !text_buf_reserve(&literal, 6 * value.len + 3) && !json_from_text(value, &literal);
    return is_written && memmem(text.ptr, text.len, literal.data, literal.len) != NULL;
}

bool secrets_values_are_in(const struct secrets_values *self, struct span text)
{
    for (size_t i = 0; text.len && i < self->n; i++) {
        if (self->items[i].len >= SECRETS_VALUE_TELLING && is_in(self->items[i], text)) {
            return true;
        }
    }
    return false;
}

/* --- .env -------------------------------------------------------------------------------------------- */

struct scrub {
    struct span text;
    struct text_buf *out;
    bool (*is_gone)(void *arg, const struct dotenv_item *item);
    void *arg;
    size_t at; /* what lies before has been copied, or is gone */
    size_t removed_n;
    int fault;
};

static void copy_up_to(struct scrub *self, size_t end)
{
    if (!self->fault) {
        self->fault = text_buf_add(self->out, (struct span){ self->text.ptr + self->at, end - self->at });
        self->at = end;
    }
}

static void on_item(void *arg, const struct dotenv_item *item)
{
    struct scrub *self = arg;

    if (self->is_gone(self->arg, item)) {
        copy_up_to(self, item->at);
        self->at = item->end;
        self->removed_n++;
    }
}

int secrets_scrub_env(struct span text, bool (*is_gone)(void *arg, const struct dotenv_item *item), void *arg,
                      struct text_buf *out, size_t *ret_removed_n)
{
    struct scrub self = { .text = text, .out = out, .is_gone = is_gone, .arg = arg };

    out->len = 0;
    int fault = text_buf_reserve(out, text.len + 1); /* so that nothing is left behind where it grew from */
    if (fault) {
        return fault;
    }
    dotenv_walk(text, on_item, &self);
    copy_up_to(&self, text.len);
    *ret_removed_n = self.removed_n;
    return self.fault;
}
