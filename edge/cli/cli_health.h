/*
 * cli_health: the health snapshot for people.
 */
#ifndef EDGE_CLI_CLI_HEALTH_H
#define EDGE_CLI_CLI_HEALTH_H

#include <stdbool.h>

#include "bus/base/span.h"

struct cli_paths;
struct cli_problem;
struct cli_target;

/* Prints the payload of `health` or of an event of that name. `is_full`: every session and actor. */
void cli_health_print(struct span health, bool is_full);

/* "Label     value" lines, aligned across commands. */
void cli_health_label(const char *label);
/* What happened on the way to the gateway of that state directory, and what to do next. */
void cli_health_problem(const struct cli_paths *paths, const struct cli_problem *problem,
                        const struct cli_target *target);

#endif
