/*
 * node: the actor of that name. Its definition is nodes_actor, as the bus has a node of its own.
 */
#ifndef ACTORS_NODE_NODE_H
#define ACTORS_NODE_NODE_H

struct actor_def;

extern const struct actor_def nodes_actor;

#endif
