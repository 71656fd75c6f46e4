/*
 * hooks_transform: where the modules are that `hooks.mappings[].transform` names, and what runs them. They stand below
 * hooks/transforms beside the config file, or in a directory in there that hooks.transformsDir names; nothing else is
 * ever run, whatever links lead out of it. Looks at the disk.
 */
#ifndef SCHEMA_BASE_HOOKS_TRANSFORM_H
#define SCHEMA_BASE_HOOKS_TRANSFORM_H

#include <limits.h>
#include <stdbool.h>

#include "bus/base/span.h"

#define HOOKS_TRANSFORM_PROBLEM_MAX 512U
#define HOOKS_TRANSFORM_NODE_FIX                                                                                       \
    "install Node.js so that node is on the gateway's PATH, or let OPENCLAW_NODE name it by its whole path"

/*
 * The directory of the modules, without links where it exists. `config_path` is that of the config file; `home` (may be
 * NULL) is what "~" means. False, with why not in `problem`, when hooks.transformsDir leads elsewhere.
 */
bool hooks_transform_dir(struct span hooks, const char *config_path, const char *home, char ret_dir[PATH_MAX],
                         char problem[HOOKS_TRANSFORM_PROBLEM_MAX]);
/* The file of the module `name` in that directory, without links. False with the problem when there is none, or when it
 * is outside. */
bool hooks_transform_module(const char *dir, struct span name, char ret_path[PATH_MAX],
                            char problem[HOOKS_TRANSFORM_PROBLEM_MAX]);
/* The program that runs them: what OPENCLAW_NODE names, else node on PATH. False when there is none. */
bool hooks_transform_node(char ret_path[PATH_MAX]);

#endif
