#include "schema/base/config_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define STEPS_MAX 64

void config_document_init(struct config_document *self)
{
    *self = (struct config_document){ 0 };
    pack_init_secret(&self->source, 0);
    pack_init_secret(&self->resolved, 0);
}

void config_document_deinit(struct config_document *self)
{
    config_sources_deinit(&self->sources);
    pack_deinit(&self->source);
    pack_deinit(&self->resolved);
}

struct span config_document_text(const struct config_document *self)
{
    if (!self->sources.n) {
        return (struct span){ "", 0 };
    }
    return (struct span){ self->sources.items[0]->text.data, self->sources.items[0]->text.len };
}

static int hash_take(struct config_document *self)
{
    return self->sources.n > 1 ? config_sources_hash(&self->sources, self->hash)
                               : config_file_hash(config_document_text(self), self->hash);
}

/* What follows once the files are one document. */
static int finish(struct config_document *self, struct config_lookup lookup, int r, struct config_error *error)
{
    if (!r) {
        r = hash_take(self);
    }
    if (r) {
        return r > 0 ? CONFIG_DOCUMENT_E_REFUSED : r;
    }
    r = config_env_substitute(pack_span(&self->source), lookup, &self->resolved, error);
    if (r > 0) {
        config_document_locate(self, error);
        return CONFIG_DOCUMENT_E_REFUSED;
    }
    return r;
}

int config_document_load(struct config_document *self, const char *path, struct config_lookup lookup,
                         struct config_error *error)
{
    int r = config_sources_load(path, lookup, &self->sources, &self->source, error);

    self->is_present = r != CONFIG_SOURCES_E_ABSENT;
    if (r == CONFIG_SOURCES_E_ABSENT) {
        error->text[0] = '\0';
        pack_map_begin(&self->source);
        pack_map_end(&self->source);
        pack_raw(&self->resolved, pack_span(&self->source));
        return pack_error(&self->resolved);
    }
    return finish(self, lookup, r, error);
}

int config_document_build(struct config_document *self, const char *path, struct text_buf *text,
                          struct config_lookup lookup, struct config_error *error)
{
    int r = text_buf_reserve(text, 1); /* an empty file is not the same as none */

    self->is_present = true;
    r = r ? r : config_sources_load_text(path, text, lookup, &self->sources, &self->source, error);
    return finish(self, lookup, r, error);
}

/* Everything but the inclusions. */
static void alone_pack(struct span value, struct pack *out)
{
    struct value_iter it = value_iter(value);
    enum value_kind kind = value_kind_of(value);
    struct span key;
    struct span item;

    if (kind != VALUE_MAP && kind != VALUE_ARRAY) {
        pack_raw(out, value);
        return;
    }
    (void)(kind == VALUE_MAP ? pack_map_begin(out) : pack_array_begin(out));
    while (value_next(&it, &key, &item)) {
        if (kind == VALUE_MAP && !span_is_text(key, "$include")) {
            pack_key_span(out, key);
            alone_pack(item, out);
        } else if (kind == VALUE_ARRAY) {
            alone_pack(item, out);
        }
    }
    (void)(kind == VALUE_MAP ? pack_map_end(out) : pack_array_end(out));
}

int config_document_build_alone(struct config_document *self, struct span text, struct config_error *error)
{
    CLEANUP(pack_deinit) struct pack doc;

    pack_init_secret(&doc, 0);
    self->is_present = true;
    int r = config_file_parse(text, "", &doc, error);
    if (r) {
        return r > 0 ? CONFIG_DOCUMENT_E_REFUSED : r;
    }
    alone_pack(pack_span(&doc), &self->source);
    pack_raw(&self->resolved, pack_span(&self->source));
    return pack_error(&self->resolved);
}

/* --- places --------------------------------------------------------------------------------------- */

/* Of the keys that `place` begins with the longest; empty when there is none. */
static struct span key_choose(struct span map, struct span place)
{
    struct value_iter it = value_iter(map);
    struct span best = { NULL, 0 };
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        bool is_front = key.len && key.len <= place.len && !memcmp(key.ptr, place.ptr, key.len) &&
                        (key.len == place.len || place.ptr[key.len] == '.');

        if (is_front && (!best.ptr || key.len > best.len)) {
            best = key;
        }
    }
    return best;
}

static struct span item_of(struct span value, const struct json5_step *step)
{
    struct value_iter it = value_iter(value);
    struct span key = { 0 };
    struct span item;

    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        if (step->key.ptr ? span_is(key, step->key) : i == step->index) {
            return item;
        }
    }
    return (struct span){ 0 };
}

/*
 * Steps of a dotted place ("agents.list.0.id") as far as `doc` has it, with keys borrowed from
 * there; keys may hold dots themselves. Returns how many.
 */
static size_t steps_of(struct span doc, struct span place, struct json5_step *steps, size_t steps_max)
{
    size_t n = 0;

    while (place.len && n < steps_max) {
        bool is_list = value_kind_of(doc) == VALUE_ARRAY;
        const char *dot = memchr(place.ptr, '.', place.len);
        size_t taken = dot ? (size_t)(dot - place.ptr) : place.len;

        if (is_list) {
            char number[16];
            (void)snprintf(number, sizeof(number), "%.*s", (int)(taken < 15 ? taken : 15), place.ptr);
            steps[n] = (struct json5_step){ .index = strtoul(number, NULL, 10) };
        } else {
            steps[n] = (struct json5_step){ .key = key_choose(doc, place) };
            taken = steps[n].key.len;
        }
        doc = item_of(doc, &steps[n]);
        if (!doc.len || !taken) {
            break;
        }
        n++;
        taken += taken < place.len; /* the dot */
        place = (struct span){ place.ptr + taken, place.len - taken };
    }
    return n;
}

void config_document_where(const struct config_document *self, const struct json5_step *steps, size_t steps_n,
                           struct config_where *ret_where)
{
    struct json5_item item = { 0 };
    size_t found = 0;
    const struct config_source *source = config_sources_find(&self->sources, steps, steps_n, &item, &found);

    ret_where->file[0] = '\0';
    if (source) {
        struct span text = { source->text.data, source->text.len };

        (void)snprintf(ret_where->file, sizeof(ret_where->file), "%.399s", source->path); /* cut */
        ret_where->line = json5_line_of(text, item.key_at, &ret_where->column);
    }
}

void config_document_find(const struct config_document *self, struct span place, struct config_where *ret_where)
{
    struct json5_step steps[STEPS_MAX];
    size_t n = steps_of(pack_span(&self->source), place, steps, STEPS_MAX);

    ret_where->file[0] = '\0';
    if (n) {
        config_document_where(self, steps, n, ret_where);
    }
}

void config_document_locate(const struct config_document *self, struct config_error *error)
{
    struct config_error plain = *error;
    struct config_where where;

    config_document_find(self, (struct span){ plain.text, strcspn(plain.text, " ") }, &where);
    if (where.file[0]) {
        int head = snprintf(error->text, sizeof(error->text), "%s:%u:%u: ", where.file, where.line, where.column);
        (void)snprintf(error->text + head, sizeof(error->text) - (size_t)head, "%.*s",
                       (int)(sizeof(error->text) - (size_t)head - 1), plain.text);
    }
}
