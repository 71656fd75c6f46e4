/*
 * log: the log file and its tail. See log.c.
 */
#ifndef ACTORS_LOG_LOG_H
#define ACTORS_LOG_LOG_H

#include "bus/actor.h"

extern const struct actor_def log_actor;

#endif
