#include "actors/log/sink.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/actor.h"
#include "bus/base/clock.h"
#include "schema_gen.h"

#define EVENT_MAX 128
#define TEXT_MAX 16384

/* Written once before threads start, then only read. */
static struct {
    enum log_level console;
    char host[33];
} sink;

/* Delivering may log by itself; that line must not be delivered in turn. */
static __thread bool is_delivering;

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_LEVEL_DEBUG] = "debug",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_ERROR] = "error",
    };

    return names[level];
}

static struct span span_cut(const char *text, size_t max)
{
    return (struct span){ text, strnlen(text, max) };
}

/* False when nobody took it. */
static bool deliver(enum log_level level, const char *event, const char *text)
{
    struct actor *self = actor_current();

    if (!self || is_delivering || !strcmp(actor_address(self), "log")) {
        return false;
    }
    struct msg_log_line line = {
        .ts_ms = clock_wall_ms(),
        .level = span_from(level_name(level)),
        .event = span_cut(event, EVENT_MAX),
        .text = span_cut(text, TEXT_MAX),
        .has_actor = true,
        .actor = span_from(actor_address(self)),
        .has_host = sink.host[0] != '\0',
        .host = span_from(sink.host),
        .has_pid = true,
        .pid = (uint32_t)getpid(),
    };
    is_delivering = true;
    int fault = actor_cast(self, "log", MSG_LOG_LINE, &line, NULL);
    is_delivering = false;
    return !fault;
}

static void on_line(enum log_level level, const char *event, const char *text)
{
    if (!deliver(level, event, text) || level >= sink.console) {
        log_stderr(level, event, text);
    }
}

void sink_install(enum log_level lowest, enum log_level console, const char *host)
{
    sink.console = console;
    snprintf(sink.host, sizeof(sink.host), "%s", host ? host : "");
    log_set_sink(on_line, lowest);
}
