/*
 * approval: the actor of that name.
 */
#ifndef ACTORS_APPROVAL_APPROVAL_H
#define ACTORS_APPROVAL_APPROVAL_H

struct actor_def;

extern const struct actor_def approval_actor;

#endif
