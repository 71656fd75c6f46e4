/*
 * config_check: every key of the config that this gateway reads has a value it can use.
 *
 * What it refuses names the path, what stands there, what was expected and the nearest
 * value that would do. Keys that nobody reads are left alone. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_CHECK_H
#define SCHEMA_BASE_CONFIG_CHECK_H

#include "bus/base/span.h"

#define CONFIG_CHECK_AGENTS_MAX 256
#define CONFIG_CHECK_PROVIDERS_MAX 63
#define CONFIG_CHECK_PROVIDER_ID_MAX 127 /* bytes */

/*
 * Calls `on` for each problem: its place ("agents.list.0.id"), and a sentence that begins with it. `doc` is the whole
 * document after substitution; empty when there is no file. Returns how many there are.
 */
unsigned config_check(struct span doc, void (*on)(void *arg, const char *place, const char *text), void *arg);

#endif
