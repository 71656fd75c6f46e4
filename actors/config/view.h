/*
 * view: the reply of config.get. Pure.
 */
#ifndef ACTORS_CONFIG_VIEW_H
#define ACTORS_CONFIG_VIEW_H

#include "actors/config/snapshot.h"
#include "bus/pack.h"

/* What is wrong with the file now on disk, which is then not the snapshot. */
struct view_issues {
    const char *text;  /* empty when all is well */
    struct span items; /* an array of {path, message, …}; empty when nothing is known in detail */
    size_t left_out;   /* beyond those */
};

void view_pack(const struct snapshot *snapshot, const char *path, const struct view_issues *issues, struct pack *out);

#endif
