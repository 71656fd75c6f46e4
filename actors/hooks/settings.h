/*
 * settings: what the config says about hooks, and the rules that follow from it. Pure.
 */
#ifndef ACTORS_HOOKS_SETTINGS_H
#define ACTORS_HOOKS_SETTINGS_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/agent_id.h"
#include "schema/base/hooks_config.h"

#define SETTINGS_AGENTS_MAX 256
#define SETTINGS_KEY_MAX 513 /* with terminator */

struct settings {
    struct text_buf bytes; /* copy of the config that every span points into */
    struct span mappings;  /* packed list; empty when there is none */
    struct span presets;   /* the same */
    struct span gmail;
    struct span allowed;   /* packed list; empty: every agent */
    struct span prefixes;  /* the same for session keys */
    struct span fixed_key; /* defaultSessionKey */
    bool is_key_taken;     /* allowRequestSessionKey */
    char agents[SETTINGS_AGENTS_MAX][AGENT_ID_MAX + 1];
    size_t agents_n;
    char fallback[AGENT_ID_MAX + 1]; /* the default agent */
    unsigned transforms_n;           /* mappings with a transform, which needs another program */
    char path[HOOKS_PATH_MAX];       /* where hooks come in; empty while they do not */
};

/* Takes copies of the parts `hooks` and `agents`. 0 or -ENOMEM, then it is as it was. */
int settings_read(struct settings *self, struct span hooks, struct span agents);
void settings_deinit(struct settings *self);

/* Which agent an id that somebody wrote means: itself, or the default one when there is none of it. Empty for empty. */
struct span settings_agent(const struct settings *self, struct span asked, char buf[AGENT_ID_MAX + 1]);
/* May a hook name that agent? Any may leave it out. */
bool settings_agent_allows(const struct settings *self, struct span asked);

enum settings_key_source {
    SETTINGS_KEY_OF_SENDER, /* also by a template, which puts in what the sender chose */
    SETTINGS_KEY_OF_CONFIG,
};

/*
 * The session key of a run: what was asked for, or hooks.defaultSessionKey, or `fresh`. `agent` (may be empty) is who
 * will run; a full key of another agent is made one of its own. False with the reason when it may not be.
 */
struct settings_key {
    enum settings_key_source source;
    struct span asked;
    const char *fresh;
};
bool settings_session_key(const struct settings *self, const struct settings_key *key, struct span agent,
                          char ret_key[SETTINGS_KEY_MAX], struct text_buf *why);

/* The agent in "agent:<id>:<rest>"; empty when the key is none of that form. */
struct span settings_key_agent(struct span key);

#endif
