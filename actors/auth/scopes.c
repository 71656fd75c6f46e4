#include "actors/auth/scopes.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

static const char *const names[] = {
    "operator.admin",         "operator.approvals",      "operator.pairing", "operator.questions",    "operator.read",
    "operator.sessions.read", "operator.sessions.write", "operator.talk",    "operator.talk.secrets", "operator.write",
};
_Static_assert(ARRAY_LEN(names) == SCOPES_N, "one bit for each name");

enum {
    BIT_SESSIONS_READ = 1U << 5,
    BIT_SESSIONS_WRITE = 1U << 6,
    BIT_TALK = 1U << 7,
};

static uint32_t bit_of(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_is_text(name, names[i])) {
            return 1U << i;
        }
    }
    return 0;
}

uint32_t scopes_from_list(struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;
    uint32_t mask = 0;

    while (!it.is_map && value_next(&it, &key, &item)) {
        mask |= bit_of(value_str(item, NOTHING));
    }
    return mask;
}

uint32_t scopes_from_header(struct span text)
{
    uint32_t mask = 0;

    while (text.len) {
        const char *end = memchr(text.ptr, ',', text.len);
        struct span name = { text.ptr, end ? (size_t)(end - text.ptr) : text.len };
        text = (struct span){ name.ptr + name.len + (end != NULL), text.len - name.len - (end != NULL) };
        while (name.len && (name.ptr[0] == ' ' || name.ptr[0] == '\t')) {
            name = (struct span){ name.ptr + 1, name.len - 1 };
        }
        while (name.len && (name.ptr[name.len - 1] == ' ' || name.ptr[name.len - 1] == '\t')) {
            name.len--;
        }
        mask |= bit_of(name);
    }
    return mask;
}

uint32_t scopes_expand(uint32_t mask)
{
    if (mask & SCOPES_ADMIN) {
        mask |= SCOPES_WRITE;
    }
    if (mask & SCOPES_WRITE) {
        mask |= SCOPES_READ;
    }
    return mask;
}

/* Everything that holding `mask` allows. */
static uint32_t reach_of(uint32_t mask)
{
    if (mask & SCOPES_ADMIN) {
        return SCOPES_ALL;
    }
    if (mask & SCOPES_WRITE) {
        mask |= SCOPES_READ | BIT_TALK | BIT_SESSIONS_WRITE;
    }
    if (mask & (SCOPES_READ | BIT_SESSIONS_WRITE)) {
        mask |= BIT_SESSIONS_READ;
    }
    return mask;
}

bool scopes_cover(uint32_t approved, uint32_t asked)
{
    return !(asked & ~reach_of(approved));
}

uint32_t scopes_covered(uint32_t approved, uint32_t asked)
{
    return asked & reach_of(approved);
}

const char *scopes_first(uint32_t mask)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (mask & (1U << i)) {
            return names[i];
        }
    }
    return NULL;
}

void scopes_pack(uint32_t mask, struct pack *out)
{
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (mask & (1U << i)) {
            pack_text(out, names[i]);
        }
    }
    pack_array_end(out);
}

void scopes_pack_asked(struct span list, struct pack *out)
{
    struct scope_list asked = { 0 };

    scope_list_add(&asked, list);
    scope_list_pack(&asked, out);
}

void scopes_format(uint32_t mask, char text[SCOPES_TEXT_MAX])
{
    struct scope_list list = { 0 };

    scope_list_add_mask(&list, mask);
    scope_list_format(&list, text);
}

uint32_t scopes_parse(const char *text)
{
    struct scope_list list = { 0 };

    scope_list_parse(&list, text);
    return scope_list_mask(&list);
}

/* --- lists --------------------------------------------------------------------------- */

uint32_t scope_list_mask(const struct scope_list *self)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < self->n; i++) {
        mask |= 1U << self->at[i];
    }
    return mask;
}

void scope_list_add_mask(struct scope_list *self, uint32_t mask)
{
    uint32_t has = scope_list_mask(self);

    for (uint8_t i = 0; i < SCOPES_N; i++) {
        if (mask & ~has & (1U << i)) {
            self->at[self->n++] = i;
        }
    }
}

void scope_list_add(struct scope_list *self, struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (!it.is_map && value_next(&it, &key, &item)) {
        scope_list_add_mask(self, bit_of(value_str(item, NOTHING)));
    }
}

void scope_list_merge(struct scope_list *self, const struct scope_list *other)
{
    for (uint32_t i = 0; i < other->n; i++) {
        scope_list_add_mask(self, 1U << other->at[i]);
    }
}

void scope_list_pack(const struct scope_list *self, struct pack *out)
{
    pack_array_begin(out);
    for (uint32_t i = 0; i < self->n; i++) {
        pack_text(out, names[self->at[i]]);
    }
    pack_array_end(out);
}

void scope_list_format(const struct scope_list *self, char text[SCOPES_TEXT_MAX])
{
    size_t len = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < self->n; i++) {
        len += (size_t)snprintf(text + len, SCOPES_TEXT_MAX - len, "%s%s", len ? "," : "", names[self->at[i]]);
    }
}

void scope_list_parse(struct scope_list *self, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        scope_list_add_mask(self, bit_of((struct span){ text, len }));
        text += len + (text[len] == ',');
    }
}
