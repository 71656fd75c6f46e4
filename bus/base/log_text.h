/*
 * log_text: the key=value part of a log line. A printf whose texts stay inside the quotes that the format puts around
 * them: in `reason="%s"` a quote or a backslash of the value gets a backslash in front, so that it ends nothing.
 */
#ifndef BUS_BASE_LOG_TEXT_H
#define BUS_BASE_LOG_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Terminated; what does not fit is left out, and no character that was escaped is cut in two. */
void log_text_write(char *out, size_t size, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));

#endif
