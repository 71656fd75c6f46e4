/*
 * policy: may a tool be used? What profile, lists of the config, the group that a session
 * belongs to, and being a sub-agent say, one after the other; each may only take away. Pure.
 */
#ifndef ACTORS_TOOLS_POLICY_H
#define ACTORS_TOOLS_POLICY_H

#include <stdbool.h>

#include "actors/tools/catalog.h"
#include "bus/base/span.h"

/* Packed parts of the config, each empty when absent. */
struct policy {
    struct span tools;    /* tools */
    struct span agents;   /* agents */
    struct span channels; /* channels */
    struct span gateway;  /* gateway.tools */
};

/* For whom. */
struct policy_subject {
    struct span agent_id;
    struct span session_key; /* full */
    struct span channel;     /* that the asker named, for sessions that name none; may be empty */
    struct span account_id;  /* the same */
    struct span provider;    /* of the model; empty: rules by provider do not count */
    struct span model;
};

/* The steps above. */
bool policy_allows(const struct policy *self, const struct policy_subject *subject, const struct tool *tool);
/* What gateway.tools says beside it of tools that programs call: the deny list, less its `allow`, and its `deny`. */
bool policy_gateway_allows(const struct policy *self, const struct tool *tool);
/* "full" unless a profile counts. */
struct span policy_profile(const struct policy *self, const struct policy_subject *subject);

/* The entry of an agent in agents.list; empty when there is none. */
struct span policy_agent(const struct policy *self, struct span agent_id);
/* May sessions of one agent look at, or write to, those of another? */
bool policy_agents_talk(const struct policy *self, struct span from, struct span to);

#endif
