#include "edge/listener/scope.h"

#include "bus/value.h"
#include "schema/scope.h"

/* UINT32_MAX when the protocol names no such scope. */
static uint32_t row_of(struct span name)
{
    for (uint32_t i = 0; i < schema_scopes_n; i++) {
        if (span_is_text(name, schema_scopes[i].name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

struct scope_set scope_set_of(struct span role, struct span scopes)
{
    struct scope_set set = { .is_operator = span_is(role, SPAN_LIT("operator")),
                             .is_node = span_is(role, SPAN_LIT("node")) };
    struct value_iter iter = value_iter(scopes);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        uint32_t row = row_of(value_str(item, (struct span){ NULL, 0 }));

        set.held |= row < schema_scopes_n ? schema_scopes[row].grants : 0;
    }
    return set;
}

/* A name that the protocol does not have is never held. */
static bool holds(const struct scope_set *self, const char *scope)
{
    uint32_t row = row_of(span_from(scope));

    return row < schema_scopes_n && (self->held >> row & 1U) != 0;
}

bool scope_is_admin(const struct scope_set *self)
{
    return self->is_operator && holds(self, "operator.admin");
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
