#include "actors/log/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/codec.h"
#include "schema_gen.h"

#define EVENT_MAX 128
#define TEXT_MAX 16384
#define HELD_MAX 256
#define LOG_ADDRESS "log"

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

/* A line may quote a peer's bytes; in a message text is UTF-8, so what is not becomes "?". */
static struct span text_fit(const char *text, char buf[TEXT_MAX])
{
    struct span cut = utf8_cut((struct span){ text, strnlen(text, TEXT_MAX + 1) }, TEXT_MAX);
    size_t at = 0;

    if (utf8_is_valid(cut)) {
        return cut;
    }
    memcpy(buf, cut.ptr, cut.len);
    while (at < cut.len) {
        size_t len = utf8_char_len(buf + at, cut.len - at);
        if (!len) {
            buf[at] = '?';
        }
        at += len ? len : 1;
    }
    return (struct span){ buf, cut.len };
}

/* A line that waits for the log actor. */
struct held {
    struct held *next;
    int64_t ts_ms;
    enum log_level level;
    char *event;
    char *text;
};

/* Of the thread that runs the bus's own actor; elsewhere all zero. */
static __thread struct {
    struct actor *actor;
    bool is_log_ready;
    struct held *head;
    struct held **tail;
    unsigned held_n;
} outside;

/* False when nobody took it. */
static bool line_cast(struct actor *self, int64_t ts_ms, enum log_level level, const char *event, const char *text)
{
    char buf[TEXT_MAX];
    struct msg_log_line line = {
        .ts_ms = ts_ms,
        .level = span_from(level_name(level)),
        .event = (struct span){ event, strnlen(event, EVENT_MAX) },
        .text = text_fit(text, buf),
        .has_actor = true,
        .actor = span_from(actor_address(self)),
        .has_host = sink.host[0] != '\0',
        .host = span_from(sink.host),
        .has_pid = true,
        .pid = (uint32_t)getpid(),
    };
    CLEANUP(pack_deinit) struct pack body;
    struct codec_error error;

    /* Packed apart: the actor's own buffers may be in use around a log line. */
    pack_init(&body, 0);
    is_delivering = true;
    int r = codec_encode(MSG_LOG_LINE->type, &line, &body, &error);
    r = r ? r : actor_cast_span(self, LOG_ADDRESS, MSG_LOG_LINE, pack_span(&body), NULL);
    is_delivering = false;
    return r == 0;
}

static void held_drop_first(void)
{
    struct held *held = outside.head;

    outside.head = held->next;
    outside.tail = outside.head ? outside.tail : &outside.head;
    outside.held_n--;
    free(held->event);
    free(held->text);
    free(held);
}

static bool line_hold(enum log_level level, const char *event, const char *text)
{
    struct held *held = mem_new(sizeof(*held));

    if (outside.held_n == HELD_MAX) {
        held_drop_first(); /* the newest tell more about what is going on */
    }
    held->ts_ms = clock_wall_ms();
    held->level = level;
    held->event = mem_text(event, strnlen(event, EVENT_MAX));
    held->text = mem_text(text, strnlen(text, TEXT_MAX));
    *outside.tail = held;
    outside.tail = &held->next;
    outside.held_n++;
    return true;
}

static void on_log_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    (void)state;
    (void)address;
    outside.is_log_ready = life == ACTOR_LIFE_READY;
    while (outside.is_log_ready && outside.head) {
        (void)line_cast(actor, outside.head->ts_ms, outside.head->level, outside.head->event,
                        outside.head->text); /* lost: memory */
        held_drop_first();
    }
}

static bool deliver(enum log_level level, const char *event, const char *text)
{
    struct actor *self = actor_current() ? actor_current() : outside.actor;

    if (!self || is_delivering || !strcmp(actor_address(self), LOG_ADDRESS)) {
        return false;
    }
    if (self == outside.actor && !outside.is_log_ready) {
        return line_hold(level, event, text);
    }
    return line_cast(self, clock_wall_ms(), level, event, text);
}

static void on_line(enum log_level level, const char *event, const char *text)
{
    if (!deliver(level, event, text) || level >= sink.console) {
        log_stderr(level, event, text);
    }
}

void sink_set_node(struct actor *node)
{
    while (outside.head) {
        held_drop_first();
    }
    outside.tail = &outside.head;
    outside.is_log_ready = false;
    outside.actor = node;
    if (node) {
        (void)actor_watch(node, LOG_ADDRESS, on_log_life); /* memory only */
    }
}

void sink_install(enum log_level lowest, enum log_level console, const char *host)
{
    sink.console = console;
    snprintf(sink.host, sizeof(sink.host), "%s", host ? host : "");
    log_set_sink(on_line, lowest);
}
