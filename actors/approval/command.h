/*
 * command: what a command looks like, to people and when two of them are compared. Pure.
 */
#ifndef ACTORS_APPROVAL_COMMAND_H
#define ACTORS_APPROVAL_COMMAND_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

#define COMMAND_SHOWN_MAX 16384U /* bytes of a command that people see */
#define COMMAND_HASH_LEN 65      /* SHA-256 as hex, with terminator */

/* Appends `text` with every character that nobody can see (control, format, odd spaces)
 * as \u{HEX}, so that a command cannot hide what it does; line feeds stay when
 * `keeps_lines`. Cut behind COMMAND_SHOWN_MAX. 0 or -ENOMEM. */
int command_show(struct span text, bool keeps_lines, struct text_buf *out);

/* Is `raw` that line, or the text that a shell is given with -c? */
bool command_is_line(struct span argv, struct span raw);

/* SHA-256 of the variables of a map, whatever their order; "" for none. 0 or -ENOMEM. */
int command_env_hash(struct span env, char ret_hash[COMMAND_HASH_LEN]);

/* SHA-256 of one packed value. 0 or -ENOMEM. */
int command_digest(struct span value, char ret_hash[COMMAND_HASH_LEN]);

/*
 * Appends what a shell command consists of: {commandCount, nestedCommandCount, riskKinds,
 * warningLines}; nil when it has parts that only a shell could tell.
 */
void command_analyse(struct span text, struct pack *out);
/* The same for one command whose arguments are known. */
void command_analyse_argv(struct span argv, struct pack *out);

#endif
