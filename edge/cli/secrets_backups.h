/*
 * secrets_backups: the copies that whoever writes the config keeps beside it must not keep
 * what a plan has moved away.
 */
#ifndef EDGE_CLI_SECRETS_BACKUPS_H
#define EDGE_CLI_SECRETS_BACKUPS_H

#include "edge/cli/secrets_project.h"

/*
 * In each copy of the config and of what it includes, the plan's references take the place of
 * the values. A copy that still holds a moved value then is removed. `is_alone`: no gateway
 * runs. 0, a fault, or an outcome of secrets_files with the error.
 */
int secrets_backups_scrub(struct secrets_project *project, bool is_alone, struct config_error *error);

/* Warns of files of the config that still hold a moved value: in another place, or in a comment. */
void secrets_backups_look(struct secrets_project *project);

#endif
