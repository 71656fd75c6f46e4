/*
 * cli_health: the health snapshot for people.
 */
#ifndef EDGE_CLI_CLI_HEALTH_H
#define EDGE_CLI_CLI_HEALTH_H

#include <stdbool.h>

#include "bus/base/span.h"

/* Prints the payload of `health` or of an event of that name. `is_full`: every session and actor. */
void cli_health_print(struct span health, bool is_full);

/* "Label     value" lines, aligned across commands. */
void cli_health_label(const char *label);

#endif
