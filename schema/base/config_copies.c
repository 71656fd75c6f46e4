#include "schema/base/config_copies.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_store.h"
#include "schema/base/json5_edit.h"
#include "schema/base/secret_target.h"

#define MOVED_MAX 64U
#define TELLING_LEN 6U /* shorter values stand in any text by chance */
#define NOTHING ((struct span){ 0 })

/* One place where a value became a reference. Borrows from both documents. */
struct moved {
    struct json5_step steps[SECRET_TARGET_STEPS_MAX];
    size_t steps_n;
    struct span value; /* the text */
    struct span ref;   /* packed; empty: it stands at another place now */
};

struct scrub {
    const struct config_document *before;
    const struct config_document *after;
    struct moved moved[MOVED_MAX];
    size_t n;
    const struct config_source *source; /* whose copies are looked at */
    int fault;                          /* the first */
};

/* --- what has moved ------------------------------------------------------------------------------------- */

struct search {
    const char *path;
    struct span doc;
    struct span ref; /* what is there now, when that is a reference */
    bool is_moved;
};

static void on_after(void *arg, const struct secret_target *target)
{
    struct search *self = arg;
    struct secret_ref ref;

    if (strcmp(target->path, self->path) != 0 || !secret_target_ref(target, self->doc, &ref)) {
        return;
    }
    self->is_moved = !target->value.len || secret_ref_read(target->value, self->doc, &ref);
    self->ref = target->value;
}

static void on_before(void *arg, const struct secret_target *target)
{
    struct scrub *self = arg;
    struct span doc = pack_span(&self->before->source);
    struct span text = value_str(target->value, NOTHING);
    struct secret_ref ref;
    struct search search = { .path = target->path, .doc = pack_span(&self->after->source) };

    if (!text.len || self->n == MOVED_MAX || secret_ref_read(target->value, doc, &ref)) {
        return;
    }
    secret_target_each_of(search.doc, target->row, on_after, &search);
    if (search.is_moved) {
        struct moved *moved = &self->moved[self->n++];

        *moved = (struct moved){ .steps_n = target->steps_n, .value = text, .ref = search.ref };
        memcpy(moved->steps, target->steps, target->steps_n * sizeof(*moved->steps));
    }
}

/* --- one copy ------------------------------------------------------------------------------------------- */

/* The steps of the place within the file of the source; NULL when it is not written there. */
static const struct json5_step *steps_within(const struct scrub *self, const struct moved *moved)
{
    const struct config_source *source = self->source;

    if (source->mount_n > moved->steps_n) {
        return NULL;
    }
    for (size_t i = 0; i < source->mount_n; i++) {
        const struct json5_step *at = &source->mount[i];

        if (!span_is(at->key, moved->steps[i].key) || at->index != moved->steps[i].index) {
            return NULL;
        }
    }
    return moved->steps + source->mount_n;
}

/* Whatever text the copy has there: it may be an older secret than the one that was moved. */
static int place_scrub(const struct scrub *self, const struct moved *moved, struct text_buf *text)
{
    CLEANUP(text_buf_deinit) struct text_buf next = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack now;
    const struct json5_step *steps = steps_within(self, moved);
    size_t left = moved->steps_n - self->source->mount_n;
    struct json5_item item;
    struct config_error ignored;
    struct span all = { text->data, text->len };

    pack_init_secret(&now, 0);
    if (!steps || json5_find(all, steps, left, &item) != left) {
        return 0;
    }
    struct span value = { all.ptr + item.value_at, item.value_end - item.value_at };
    if (config_file_parse_value(value, "", &now, &ignored) || value_kind_of(pack_span(&now)) != VALUE_STR) {
        return 0;
    }
    int r = moved->ref.len ? json5_set(all, steps, left, moved->ref, &next) : json5_remove(all, steps, left, &next);
    if (!r) {
        struct text_buf old = *text;

        *text = next;
        next = old;
    }
    return r;
}

static bool is_clean(const struct scrub *self, struct span text)
{
    for (size_t i = 0; i < self->n; i++) {
        struct span value = self->moved[i].value;

        if (value.len >= TELLING_LEN && text.len && memmem(text.ptr, text.len, value.ptr, value.len)) {
            return false;
        }
    }
    return true;
}

static int copy_scrub(const struct scrub *self, const char *path)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { .is_secret = true };
    CLEANUP(text_buf_deinit) struct text_buf before = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack doc;
    struct config_error ignored;
    int r = config_file_read(path, &text, &ignored);

    pack_init_secret(&doc, 0);
    if (r) {
        return r < 0 ? r : 0; /* gone meanwhile, or not to be read by us */
    }
    r = text_buf_add(&before, (struct span){ text.data, text.len });
    bool is_read = !r && !config_file_parse_value((struct span){ text.data, text.len }, "", &doc, &ignored);
    for (size_t i = 0; is_read && !r && i < self->n; i++) {
        r = place_scrub(self, &self->moved[i], &text);
    }
    if (r < 0) {
        return r;
    }
    if (r || !is_clean(self, (struct span){ text.data, text.len })) {
        return unlink(path) && errno != ENOENT ? FAULT(-errno) : 0;
    }
    bool is_same = span_is((struct span){ before.data, before.len }, (struct span){ text.data, text.len });
    return is_same ? 0 : config_store_put(path, (struct span){ text.data, text.len });
}

/* --- all of them ---------------------------------------------------------------------------------------- */

static bool is_copy(const char *name, const char *base)
{
    static const char *const endings[] = { ".bak", ".last-good", ".rejected.", ".clobbered." };
    size_t len = strlen(base);

    for (size_t i = 0; !strncmp(name, base, len) && i < ARRAY_LEN(endings); i++) {
        if (!strncmp(name + len, endings[i], strlen(endings[i]))) {
            return true;
        }
    }
    return false;
}

static void source_scrub(struct scrub *self)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    const char *slash = strrchr(self->source->path, '/');
    const struct dirent *entry;

    (void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - self->source->path) + 1 : 1,
                   slash ? self->source->path : ".");
    DIR *all = opendir(dir);
    if (!all) {
        self->fault = self->fault ? self->fault : FAULT(-errno);
        return;
    }
    while ((entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (is_copy(entry->d_name, slash ? slash + 1 : self->source->path) &&
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < (int)sizeof(path)) {
            int r = copy_scrub(self, path);
            self->fault = self->fault ? self->fault : r;
        }
    }
    (void)closedir(all);
}

int config_copies_scrub(const struct config_document *before, const struct config_document *after)
{
    CLEANUP(mem_free) struct scrub *self = mem_new(sizeof(*self));

    self->before = before;
    self->after = after;
    secret_target_each(pack_span(&before->source), "openclaw.json", on_before, self);
    for (size_t i = 0; self->n && i < before->sources.n; i++) {
        self->source = before->sources.items[i];
        source_scrub(self);
    }
    return self->fault;
}
