/*
 * scope: what a role and its scopes allow. Pure.
 */
#ifndef EDGE_LISTENER_SCOPE_H
#define EDGE_LISTENER_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "schema/event.h"
#include "schema/method.h"

struct scope_set {
    uint32_t held; /* bit i: the scope of row i of schema_scopes */
    bool is_operator;
    bool is_node;
};

/* `scopes` is a packed list of strings, as auth decided. */
struct scope_set scope_set_of(struct span role, struct span scopes);

enum scope_verdict {
    SCOPE_ALLOWED,
    SCOPE_WRONG_ROLE,
    SCOPE_MISSING,
};
/* `scope` as in schema_method: NULL for anyone, "node" for nodes alone. */
enum scope_verdict scope_check(const struct scope_set *self, const char *scope);
/* May this connection see the event? */
bool scope_sees(const struct scope_set *self, const struct schema_event *event);
bool scope_is_admin(const struct scope_set *self);

#endif
