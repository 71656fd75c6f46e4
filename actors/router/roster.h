/*
 * roster: which agents the config names, in its order, and what short keys mean.
 *
 * Built from raw msgpack of the config's `agents` and `session`; pure. An empty list
 * means one agent, "main". Ids that are the same after normalisation count once.
 */
#ifndef ACTORS_ROUTER_ROSTER_H
#define ACTORS_ROUTER_ROSTER_H

#include <stdbool.h>

#include "actors/router/session_key.h"
#include "bus/base/span.h"
#include "bus/pack.h"

#define ROSTER_MAX 256

struct roster_agent {
    char id[SESSION_KEY_AGENT_MAX + 1];
    bool is_default;
    struct span entry; /* its map in the config; empty for the implicit one */
};

struct roster {
    char *config;         /* owned copy that every span points into */
    struct span defaults; /* agents.defaults */
    struct roster_agent *agents;
    size_t agents_n;
    size_t default_at;
    char main_key[SESSION_KEY_MAX + 1];
    bool is_global; /* session.scope "global" */
};

enum {
    ROSTER_E_MANY = 1, /* more than ROSTER_MAX agents */
};

/* Takes copies; either span may be empty or nil. 0, ROSTER_E_MANY or -ENOMEM. */
int roster_build(struct span agents, struct span session, struct roster *ret_roster);
void roster_deinit(struct roster *self);

/* NULL when there is none of that (normalised) id. */
const struct roster_agent *roster_find(const struct roster *self, const char *id);
const struct roster_agent *roster_default(const struct roster *self);
/* Borrows from the roster. */
struct session_key_rules roster_rules(const struct roster *self);

/* "provider/model" of one agent, else of the defaults; empty when the config is silent. */
struct span roster_model(const struct roster *self, const struct roster_agent *agent);
struct span roster_name(const struct roster_agent *agent);
/* To be freed; NULL when the config is silent. */
/* Its directory, also when the config says nothing of it. To be freed. */
char *roster_directory(const struct roster *self, const struct roster_agent *agent);
/* What the config says of its picture; empty when it says nothing. */
struct span roster_avatar(const struct roster_agent *agent);
char *roster_workspace(const struct roster *self, const struct roster_agent *agent);

/* Appends the payload of agents.list. */
void roster_pack(const struct roster *self, struct pack *out);
/* Appends the payload of agent.identity.get for one agent. */
void roster_pack_identity(const struct roster *self, const struct roster_agent *agent, struct pack *out);

#endif
