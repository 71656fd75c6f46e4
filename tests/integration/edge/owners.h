/*
 * owners: stand-ins for the actors that the edge talks to, which do what the text of a
 * message tells them. They let a test make every answer, failure and stall happen.
 */
#ifndef TESTS_INTEGRATION_EDGE_OWNERS_H
#define TESTS_INTEGRATION_EDGE_OWNERS_H

#include "bus/actor.h"

#define OWNERS_TOKEN "token-of-the-rig"

extern const struct actor_def owner_auth;
extern const struct actor_def owner_config;
extern const struct actor_def owner_health;
extern const struct actor_def owner_router;
extern const struct actor_def owner_idle; /* log, agent/main: only there */

#endif
