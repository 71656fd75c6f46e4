/*
 * channel: one account at a network of conversations. webchat is the network of our own
 * clients.
 */
#ifndef ACTORS_CHANNEL_CHANNEL_H
#define ACTORS_CHANNEL_CHANNEL_H

#include "bus/actor.h"

extern const struct actor_def webchat_actor;

#endif
