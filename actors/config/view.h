/*
 * view: the reply of config.get. Pure.
 */
#ifndef ACTORS_CONFIG_VIEW_H
#define ACTORS_CONFIG_VIEW_H

#include "actors/config/snapshot.h"
#include "bus/pack.h"

/* `issue` is what is wrong with the file now on disk, which is then not the snapshot; empty when all is well.
 * `issues` is the same as an array of {path, message}, empty when nothing is known in detail. */
void view_pack(const struct snapshot *snapshot, const char *path, const char *issue, struct span issues,
               struct pack *out);

#endif
