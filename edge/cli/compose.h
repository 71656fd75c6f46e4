/*
 * compose: what the program is made of. The one place that knows every actor.
 */
#ifndef EDGE_CLI_COMPOSE_H
#define EDGE_CLI_COMPOSE_H

#include "bus/actor.h"

/* Every definition this program has, NULL-ended. */
extern const struct actor_def *const compose_defs[];

/* Which definition runs at an address, and with which argument: the first part of the
 * path names it, the rest is its argument ("agent/main"). NULL when there is none. */
const char *compose_def_of(const char *address, const char **ret_arg);

/* Sends what this process logs to the actor `log`, and what an operator must see to
 * standard error. OPENCLAW_LOG_LEVEL chooses the lowest level. Before any thread starts. */
void compose_log_install(const char *host);
/* What is logged on this thread goes through the bus's own actor of this process; NULL
 * before it goes. Fits on_actor of host_opts and process_opts. */
void compose_log_on_actor(void *arg, struct actor *actor);

#endif
