/*
 * session_key: what a client's session key means.
 *
 * A full key is `agent:<id>:<rest>`, lower case; `global` and `unknown` stand alone.
 * Clients also write short keys ("main", "chat1") and aliases of the main session. Pure:
 * whether the agent named exists is the roster's business.
 */
#ifndef ACTORS_ROUTER_SESSION_KEY_H
#define ACTORS_ROUTER_SESSION_KEY_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "schema/base/agent_id.h"

#define SESSION_KEY_MAX 512
#define SESSION_KEY_AGENT_MAX AGENT_ID_MAX

enum {
    SESSION_KEY_E_EMPTY = 1,     /* nothing but white space */
    SESSION_KEY_E_MALFORMED = 2, /* begins with "agent:" and is not agent:<id>:<rest> */
    SESSION_KEY_E_CHARS = 3,     /* control characters */
    SESSION_KEY_E_LONG = 4,      /* the full key would exceed SESSION_KEY_MAX */
    SESSION_KEY_E_AGENT = 5,     /* the agent id is none */
    SESSION_KEY_E_MISMATCH = 6,  /* key and agent id name different agents */
};

/* What the config says about short keys. */
struct session_key_rules {
    struct span default_agent; /* normalised id */
    struct span main_key;      /* lower case, "main" by default */
    bool is_global;            /* session.scope "global": all main sessions are one */
};

struct session_key {
    char text[SESSION_KEY_MAX + 1];
    size_t len;
    char agent[SESSION_KEY_AGENT_MAX + 1]; /* who owns it */
};

/* An id as people write it in the config, see agent_id_normalize. SESSION_KEY_E_AGENT when nothing is left. */
int session_key_agent(struct span id, char ret_id[SESSION_KEY_AGENT_MAX + 1]);

/* An id as a client writes it: lowered, nothing repaired, so that a typing error cannot
 * reach another agent. SESSION_KEY_E_AGENT when it is no id. */
int session_key_agent_exact(struct span id, char ret_id[SESSION_KEY_AGENT_MAX + 1]);

/*
 * Resolves `key` under `rules`. `agent` (may be empty) is the agent that the client named
 * beside the key: short keys then belong to it, and a full key must agree. An empty key
 * with a named agent is that agent's main session.
 */
int session_key_resolve(const struct session_key_rules *rules, struct span key, struct span agent,
                        struct session_key *ret_key);

/* agent:<id>:<main key>, or "global". */
int session_key_main(const struct session_key_rules *rules, struct span agent, struct session_key *ret_key);

/* agent:<id>:<kind>:<tail>, for keys the gateway itself makes; `tail` is lowered. */
int session_key_make(struct span agent, const char *kind, struct span tail, struct session_key *ret_key);

/* For people: "is empty", "is not of the form agent:<id>:<name>" and so on. */
const char *session_key_why(int outcome);

#endif
