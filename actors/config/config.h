/*
 * config: owns the config file and the snapshot everybody else reads. See config.c.
 */
#ifndef ACTORS_CONFIG_CONFIG_H
#define ACTORS_CONFIG_CONFIG_H

extern const struct actor_def config_actor;

#endif
