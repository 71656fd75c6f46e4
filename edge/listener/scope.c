#include "edge/listener/scope.h"

#include "bus/value.h"

enum {
    SCOPE_ADMIN = 1U << 0,
    SCOPE_READ = 1U << 1,
    SCOPE_WRITE = 1U << 2,
};

static const char *const names[] = {
    "operator.admin",     "operator.read",    "operator.write",
    "operator.approvals", "operator.pairing", "operator.talk.secrets",
};

static uint32_t bit_of(struct span name)
{
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (span_is_text(name, names[i])) {
            return 1U << i;
        }
    }
    return 0;
}

struct scope_set scope_set_of(struct span role, struct span scopes)
{
    struct scope_set set = { .is_operator = span_is(role, SPAN_LIT("operator")),
                             .is_node = span_is(role, SPAN_LIT("node")) };
    struct value_iter iter = value_iter(scopes);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        set.known |= bit_of(value_str(item, (struct span){ NULL, 0 }));
    }
    return set;
}

/* admin is everything, write is read too; a name that we do not know is never held. */
static bool holds(const struct scope_set *self, const char *scope)
{
    uint32_t bit = bit_of(span_from(scope));

    if (self->known & SCOPE_ADMIN) {
        return true;
    }
    return (self->known & bit) != 0 || (bit == SCOPE_READ && (self->known & SCOPE_WRITE) != 0);
}

bool scope_is_admin(const struct scope_set *self)
{
    return self->is_operator && (self->known & SCOPE_ADMIN) != 0;
}

enum scope_verdict scope_check(const struct scope_set *self, const char *scope)
{
    if (!scope) {
        return SCOPE_ALLOWED;
    }
    if (strcmp(scope, "node") == 0) {
        return self->is_node ? SCOPE_ALLOWED : SCOPE_WRONG_ROLE;
    }
    if (!self->is_operator) {
        return SCOPE_WRONG_ROLE;
    }
    return holds(self, scope) ? SCOPE_ALLOWED : SCOPE_MISSING;
}

bool scope_sees(const struct scope_set *self, const struct schema_event *event)
{
    if (!event->scope) {
        return true;
    }
    if (self->is_node) {
        return (event->flags & SCHEMA_EVENT_NODES) != 0;
    }
    return self->is_operator && holds(self, event->scope);
}
