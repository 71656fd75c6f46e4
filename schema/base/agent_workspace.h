/*
 * agent_workspace: the directory that an agent works in, as everybody names it.
 */
#ifndef SCHEMA_BASE_AGENT_WORKSPACE_H
#define SCHEMA_BASE_AGENT_WORKSPACE_H

#include <stdbool.h>

#include "bus/base/span.h"

/*
 * `own` is that of its entry, `shared` agents.defaults.workspace; either may be empty. The default agent has the shared
 * one, every other one of its own in there. "~" is the home of whoever runs the gateway; without both it lies in the
 * state directory. To be freed.
 */
char *agent_workspace(struct span own, struct span shared, const char *agent_id, bool is_default);

#endif
