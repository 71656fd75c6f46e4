/*
 * intake: completions whose pictures and files are still to be fetched or read. Until they are
 * there nothing is stored; whoever asked may go.
 */
#ifndef ACTORS_AGENT_INTAKE_H
#define ACTORS_AGENT_INTAKE_H

#include <stdint.h>

#include "actors/agent/inputs.h"
#include "bus/base/span.h"

#define INTAKES_MAX 64U                     /* at a time */
#define INTAKE_BYTES_MAX ((size_t)20 << 20) /* of one, fetched and read */

struct agent;
struct asker;
struct intake;
struct msg_agent_run;

/* Takes the asker, and later hands it to completion_begin or fails it. `body` is the packed
 * message. 0 or a fault. */
int intake_begin(struct agent *self, struct asker *asker, struct span body);
/* Whoever asked has gone. */
void intake_cancel(struct agent *self, struct asker *asker);
void intake_close(struct agent *self);

#endif
