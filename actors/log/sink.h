/*
 * sink: carries what this process logs to the log actor, and to stderr for whoever
 * watches. For the composition root, before any thread starts.
 */
#ifndef ACTORS_LOG_SINK_H
#define ACTORS_LOG_SINK_H

#include "bus/actor.h"

/*
 * Lines of actors go to the address "log"; every line of at least `console` also goes to
 * stderr, and so does what no actor says or what cannot be delivered. `lowest` is the
 * lowest level that is looked at; `host` is copied.
 */
void sink_install(enum log_level lowest, enum log_level console, const char *host);

/*
 * The bus's own actor of this process and thread: what is logged there goes through it,
 * also from outside of its handlers. It keeps what any actor of the process logs while the
 * log actor is not ready, so that the log tells of its own death and of starts that failed
 * before it was there. NULL before it goes.
 */
void sink_set_node(struct actor *node);

#endif
