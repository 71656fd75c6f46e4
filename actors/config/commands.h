/*
 * commands: secrets.resolve, which gives a command of the command line the secrets that it needs. From what is in
 * use, except for places that the command itself puts to use (forcedActivePaths, optionalActivePaths,
 * providerOverrides): their providers are asked then and there, and the values are the command's alone.
 */
#ifndef ACTORS_CONFIG_COMMANDS_H
#define ACTORS_CONFIG_COMMANDS_H

#include <stddef.h>

#include "bus/actor.h"

#define COMMANDS_MAX 16U /* at a time, that wait for providers */

struct config;
struct command;

struct commands {
    struct command *first;
    size_t n;
};

int config_on_secrets_resolve(void *arg, struct actor_ctx *ctx, const void *msg);
void commands_close(struct config *self);

#endif
