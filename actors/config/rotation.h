/*
 * rotation: files of secret providers and of agents' profiles that change by themselves, without the config. What is in
 * use is resolved anew then, as by secrets.reload: everything, or nothing and the actor is degraded until it works.
 * With gateway.reload.mode "off" it is only told that there is something newer.
 */
#ifndef ACTORS_CONFIG_ROTATION_H
#define ACTORS_CONFIG_ROTATION_H

#include <stdbool.h>

#include "actors/config/watch.h"

struct config;

struct rotation {
    struct watch watch;
    bool is_newer; /* a file changed that nobody has read since */
};

/* 0 or a fault. */
int rotation_open(struct config *self);
void rotation_close(struct config *self);
/* From now on the files of what is in use, and of what is being resolved. Called before they are read. */
void rotation_follow(struct config *self);

#endif
