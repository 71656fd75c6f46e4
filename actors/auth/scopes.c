#include "actors/auth/scopes.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

static const char *const names[] = {
    "operator.admin", "operator.approvals",    "operator.pairing",
    "operator.read",  "operator.talk.secrets", "operator.write",
};
_Static_assert(SCOPES_ALL == (1U << ARRAY_LEN(names)) - 1, "one bit for each name");

enum {
    BIT_ADMIN = 1U << 0,
    BIT_READ = 1U << 3,
    BIT_WRITE = 1U << 5,
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
        mask |= bit_of(value_str(item, (struct span){ 0 }));
    }
    return mask;
}

uint32_t scopes_expand(uint32_t mask)
{
    if (mask & BIT_ADMIN) {
        mask |= BIT_WRITE;
    }
    if (mask & BIT_WRITE) {
        mask |= BIT_READ;
    }
    return mask;
}

bool scopes_cover(uint32_t approved, uint32_t asked)
{
    return !(asked & ~scopes_expand(approved));
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
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;
    uint32_t seen = 0;

    pack_array_begin(out);
    while (!it.is_map && value_next(&it, &key, &item)) {
        struct span name = value_str(item, (struct span){ 0 });
        uint32_t bit = bit_of(name);
        if (bit & ~seen) {
            pack_str(out, name);
        }
        seen |= bit;
    }
    pack_array_end(out);
}

void scopes_format(uint32_t mask, char text[SCOPES_TEXT_MAX])
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (mask & (1U << i)) {
            len += (size_t)snprintf(text + len, SCOPES_TEXT_MAX - len, "%s%s", len ? "," : "", names[i]);
        }
    }
}

uint32_t scopes_parse(const char *text)
{
    uint32_t mask = 0;

    while (*text) {
        size_t len = strcspn(text, ",");
        mask |= bit_of((struct span){ text, len });
        text += len + (text[len] == ',');
    }
    return mask;
}
