#include "edge/cli/secrets_place.h"

#include <stdint.h>
#include <string.h>

#include "bus/value.h"
#include "schema/base/config_shape.h"

#define NOTHING ((struct span){ 0 })

/* One part of a pattern: "name", "*" or "name[]". */
struct token {
    struct span name;
    bool is_any;
    bool is_list;
};

static bool token_next(const char **rest, struct token *ret_token)
{
    size_t len = strcspn(*rest, ".");
    struct span text = { *rest, len };

    if (!len) {
        return false;
    }
    *rest += len + ((*rest)[len] == '.');
    *ret_token = (struct token){ .name = text, .is_any = span_is_text(text, "*") };
    if (len > 2 && !memcmp(text.ptr + len - 2, "[]", 2)) {
        ret_token->name.len -= 2;
        ret_token->is_list = true;
    }
    return true;
}

static bool index_read(struct span text, size_t *ret_index)
{
    size_t index = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 6) {
            return false;
        }
        index = index * 10 + (size_t)(text.ptr[i] - '0');
    }
    *ret_index = index;
    return text.len > 0 && (text.len == 1 || text.ptr[0] != '0');
}

/* --- is a path one of them --------------------------------------------------------------------------- */

static bool matches(const struct config_credential *row, const struct span *segments, size_t n,
                    struct secrets_place *place)
{
    const char *rest = row->path;
    struct token token;
    size_t at = 0;

    *place = (struct secrets_place){ .row = row };
    while (token_next(&rest, &token)) {
        if (at == n || place->n + 2 > SECRETS_STEPS_MAX || (!token.is_any && !span_is(segments[at], token.name))) {
            return false;
        }
        place->steps[place->n++].key = segments[at++];
        if (token.is_list && (at == n || !index_read(segments[at++], &place->steps[place->n++].index))) {
            return false;
        }
    }
    return at == n;
}

int secrets_place_find(struct span type, const struct span *segments, size_t n, struct secrets_place *ret_place)
{
    struct secrets_place place;
    int r = SECRETS_PLACE_E_TYPE;

    for (size_t i = 0; i < config_credentials_n; i++) {
        const struct config_credential *row = &config_credentials[i];

        if (!row->is_planned || (!span_is_text(type, row->type) && !span_is_text(type, row->id))) {
            continue;
        }
        r = SECRETS_PLACE_E_PATH;
        if (matches(row, segments, n, &place)) {
            *ret_place = place;
            return 0;
        }
    }
    return r;
}

static struct span segment_at(const struct secrets_place *self, int at)
{
    return at >= 0 && (size_t)at < self->n ? self->steps[at].key : NOTHING;
}

struct span secrets_place_provider(const struct secrets_place *self)
{
    return segment_at(self, self->row->provider_at);
}

struct span secrets_place_account(const struct secrets_place *self)
{
    return segment_at(self, self->row->account_at);
}

struct secrets_place secrets_place_of_ref(const struct secrets_place *self)
{
    struct secrets_place place = *self;
    const char *last = self->row->ref_path ? strrchr(self->row->ref_path, '.') : NULL;

    if (last) { /* it differs from the path in its last part alone */
        place.steps[place.n - 1].key = span_from(last + 1);
    }
    return place;
}

const char *secrets_place_text(const struct secrets_place *self, char out[SECRETS_PLACE_LEN])
{
    config_shape_place(self->steps, self->n, true, out, SECRETS_PLACE_LEN);
    return out;
}

bool secrets_place_is(const struct secrets_place *self, const struct secrets_place *other)
{
    if (self->row != other->row || self->n != other->n) {
        return false;
    }
    for (size_t i = 0; i < self->n; i++) {
        if (!span_is(self->steps[i].key, other->steps[i].key) || self->steps[i].index != other->steps[i].index) {
            return false;
        }
    }
    return true;
}

/* --- looking ------------------------------------------------------------------------------------------- */

static struct span step_into(struct span doc, const struct json5_step *step)
{
    struct value_iter it = value_iter(doc);
    enum value_kind wanted = step->key.ptr ? VALUE_MAP : VALUE_ARRAY;
    struct span found = NOTHING;
    struct span key;
    struct span item;

    for (size_t i = 0; value_kind_of(doc) == wanted && value_next(&it, &key, &item); i++) {
        if (step->key.ptr ? span_is(key, step->key) : i == step->index) {
            found = item;
        }
    }
    return found;
}

struct span secrets_place_value(const struct secrets_place *self, struct span doc)
{
    for (size_t i = 0; i < self->n; i++) {
        doc = step_into(doc, &self->steps[i]);
    }
    return doc;
}

/* --- which of them are there ---------------------------------------------------------------------------- */

struct walk {
    struct secrets_place place;
    void (*on)(void *arg, const struct secrets_place *place);
    void *arg;
};

static void walk(struct walk *self, const char *rest, struct span doc);

static void step_walk(struct walk *self, struct json5_step step, const char *rest, struct span doc)
{
    if (self->place.n < SECRETS_STEPS_MAX) {
        self->place.steps[self->place.n++] = step;
        walk(self, rest, doc);
        self->place.n--;
    }
}

static void list_walk(struct walk *self, struct json5_step step, const char *rest, struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    if (value_kind_of(list) != VALUE_ARRAY || self->place.n == SECRETS_STEPS_MAX) {
        return;
    }
    self->place.steps[self->place.n++] = step;
    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        step_walk(self, (struct json5_step){ .index = i }, rest, item);
    }
    self->place.n--;
}

static void walk(struct walk *self, const char *rest, struct span doc)
{
    struct value_iter it = value_iter(doc);
    struct token token;
    struct span key;
    struct span item;

    if (!token_next(&rest, &token)) {
        self->on(self->arg, &self->place);
        return;
    }
    if (value_kind_of(doc) != VALUE_MAP) {
        return;
    }
    struct json5_step step = { .key = token.name };
    if (token.is_list) {
        list_walk(self, step, rest, step_into(doc, &step));
    } else if (!token.is_any) {
        step_walk(self, step, rest, step_into(doc, &step));
    } else {
        while (value_next(&it, &key, &item)) {
            step_walk(self, (struct json5_step){ .key = key }, rest, item);
        }
    }
}

void secrets_places_walk(struct span doc, const char *file, void (*on)(void *arg, const struct secrets_place *place),
                         void *arg)
{
    struct walk self = { .on = on, .arg = arg };

    for (size_t i = 0; i < config_credentials_n; i++) {
        if (!strcmp(config_credentials[i].file, file)) {
            self.place = (struct secrets_place){ .row = &config_credentials[i] };
            walk(&self, config_credentials[i].path, doc);
        }
    }
}

void secrets_place_ref_pack(const struct secret_ref *ref, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "source", secret_source_name(ref->source));
    pack_kv_str(out, "provider", ref->provider);
    pack_kv_str(out, "id", ref->id);
    pack_map_end(out);
}
