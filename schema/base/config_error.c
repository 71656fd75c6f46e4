#include "schema/base/config_error.h"

#include <stdio.h>

int config_error_say_list(struct config_error *self, int outcome, const char *fmt, va_list args)
{
    (void)vsnprintf(self->text, sizeof(self->text), fmt, args); /* a cut text still explains */
    return outcome;
}

int config_error_say(struct config_error *self, int outcome, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)config_error_say_list(self, outcome, fmt, args);
    va_end(args);
    return outcome;
}
