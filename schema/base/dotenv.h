/*
 * dotenv: variables from .env files, for names that the environment does not have yet.
 *
 * Lines are NAME=value, with "export " before them or not; values may stand in single, double
 * or back quotes and then span lines; \n and \r mean what they say in double quotes; a # begins a comment.
 */
#ifndef SCHEMA_BASE_DOTENV_H
#define SCHEMA_BASE_DOTENV_H

#include <stdbool.h>

#include "bus/base/span.h"

struct dotenv_item {
    const char *name;
    const char *value; /* without quotes; for the call alone */
    size_t at;         /* where its line begins */
    size_t end;        /* behind the line feed of its last line */
};

/* Calls `on` for each assignment in order. Pure. */
void dotenv_walk(struct span text, void (*on)(void *arg, const struct dotenv_item *item), void *arg);

/*
 * May a .env file of the working directory set this? Such a file may come with a checked-out
 * project: what steers the gateway, its programs or its trust is not for it.
 */
bool dotenv_is_harmless(const char *name);

/*
 * Sets what `<directory>/.env` names and the process lacks. A missing file is no error; one
 * that is not a plain file, or unreadable, is left out and told on standard error. Only
 * before threads start.
 */
void dotenv_load(const char *directory, bool is_trusted);

#endif
