/*
 * db_problem: what an operator is told of a database that cannot be opened.
 */
#ifndef SCHEMA_BASE_DB_PROBLEM_H
#define SCHEMA_BASE_DB_PROBLEM_H

#include "bus/actor.h"

/* What is wrong, and what to do about it. `fault` is the negative errno of the opening. */
const char *db_problem_text(int fault);
const char *db_problem_fix(int fault);
/* Puts both, with the file, into what health, and the log when the actor ends of it, say of the actor. */
void db_problem_tell(struct actor *actor, const char *path, int fault);

#endif
