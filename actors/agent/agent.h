/*
 * agent: sessions, transcripts and runs of one agent, and its talk with the provider.
 * Runs at the addresses agent/<id>.
 */
#ifndef ACTORS_AGENT_AGENT_H
#define ACTORS_AGENT_AGENT_H

#include "bus/actor.h"

extern const struct actor_def agent_actor;

#endif
