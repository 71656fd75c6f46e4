/*
 * config_path: a place in the config as people type it: a.b[0].c, a["b.c"], a.0.c.
 */
#ifndef SCHEMA_BASE_CONFIG_PATH_H
#define SCHEMA_BASE_CONFIG_PATH_H

#include "schema/base/json5_scan.h"

#define CONFIG_PATH_STEPS_MAX 32

struct config_path {
    struct json5_step steps[CONFIG_PATH_STEPS_MAX]; /* keys borrowed from the text */
    size_t n;
};

enum {
    CONFIG_PATH_E_MALFORMED = 1, /* empty part, open bracket, or too many parts */
};

int config_path_parse(const char *text, struct config_path *ret_path);
/* The value there; an empty span when there is none. Digits between dots are an index where a list is, and become one
 * in `self`. */
struct span config_path_find(struct config_path *self, struct span doc);

#endif
