#include "bus/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/log_text.h"

#define TEXT_MAX 2048
#define LINE_MAX_BYTES (TEXT_MAX + 256)

/* Set once before threads start; read by all of them. */
static log_sink process_sink;
static enum log_level process_lowest = LOG_LEVEL_INFO;

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "unknown";
}

/* A value may hold what a peer sent; a line break in it must not forge a second line. */
static void controls_replace(char *text)
{
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = ' ';
        }
    }
}

void log_set_sink(log_sink sink, enum log_level lowest)
{
    process_sink = sink;
    process_lowest = lowest;
}

enum log_level log_lowest(void)
{
    return process_lowest;
}

void log_stderr(enum log_level level, const char *event, const char *text)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char when[32];
    char line[LINE_MAX_BYTES];
    int len;

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    len = snprintf(line, sizeof(line), "%s.%03dZ %s %s%s%s\n", when, (int)(now_ms % 1000), level_name(level), event,
                   *text ? " " : "", text);
    if (len < 0) {
        return;
    }
    if ((size_t)len >= sizeof(line)) {
        len = (int)sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    if (write(STDERR_FILENO, line, (size_t)len) < 0) {
        return; /* there is nowhere left to say so */
    }
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    if (level < process_lowest) {
        return;
    }
    va_start(args, fmt);
    log_text_write(text, sizeof(text), fmt, args);
    va_end(args);
    controls_replace(text);
    if (process_sink) {
        process_sink(level, event, text);
    } else {
        log_stderr(level, event, text);
    }
}
