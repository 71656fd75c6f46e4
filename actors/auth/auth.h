/*
 * auth: decides who may connect, as whom, and with which scopes. See auth.c.
 */
#ifndef ACTORS_AUTH_AUTH_H
#define ACTORS_AUTH_AUTH_H

extern const struct actor_def auth_actor;

#endif
