/*
 * greeter: greets whoever asks. An example of an actor; see docs/writing-an-actor.md.
 */
#ifndef DOCS_EXAMPLES_GREETER_H
#define DOCS_EXAMPLES_GREETER_H

struct actor_def;

extern const struct actor_def greeter_actor;

#endif
