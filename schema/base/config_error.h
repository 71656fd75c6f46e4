/*
 * config_error: why something about the config, or a file that it names, is refused; in words for people.
 */
#ifndef SCHEMA_BASE_CONFIG_ERROR_H
#define SCHEMA_BASE_CONFIG_ERROR_H

#include <stdarg.h>

struct config_error {
    char text[768];
};

/* Says why, cut to what there is room for, and returns `outcome`. */
int config_error_say(struct config_error *self, int outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int config_error_say_list(struct config_error *self, int outcome, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
