/*
 * hooks_config: what `hooks` of the config says to whoever lets hooks in: the edge (where they
 * come), auth (by which token) and the actor `hooks` (what becomes of them). Pure.
 */
#ifndef SCHEMA_BASE_HOOKS_CONFIG_H
#define SCHEMA_BASE_HOOKS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"

#define HOOKS_PATH_MAX 128U /* with terminator */
#define HOOKS_BODY_DEFAULT ((size_t)256 << 10)
#define HOOKS_BODY_MAX ((size_t)4 << 20) /* more is not taken, whatever the config says */
#define HOOKS_TOKEN_MAX 512U

/* What is read where the config says nothing, or is switched off, is off. */
struct hooks_entry {
    bool is_on;
    char path[HOOKS_PATH_MAX]; /* begins with "/", does not end with it */
    size_t body_max;
};
void hooks_entry_read(struct span hooks, struct hooks_entry *ret_entry);

/* The token as it counts: without the space around it. */
struct span hooks_token(struct span hooks);

/* True when `text` has something in two pairs of braces. */
bool hooks_is_template(struct span text);
/* The list as it counts; an empty span when every session key will do. */
struct span hooks_key_prefixes(struct span hooks);
/* Whether the key begins with one of them, without regard to ASCII case; any does when there is none. */
bool hooks_key_fits(struct span prefixes, struct span key);
/* "/a/" as "a". */
struct span hooks_match_path(struct span path);

/* May a transform name its module like that? A path below a directory, without a way out of it. */
bool hooks_is_module(struct span module);

/* Calls `on` for each reason why hooks that are switched on cannot be served like that, which begins with its place
 * and says what to do. */
void hooks_config_check(struct span hooks, void (*on)(void *arg, const char *problem), void *arg);

#endif
