#include "actors/log/sink.h"

#include <pthread.h>
#include <stdatomic.h>
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
    char *actor;
    char *event;
    char *text;
};

/*
 * Lines that have nobody to go to yet, of any thread of this process: the bus's own actor
 * sends them when it hears that the log is ready.
 */
static struct {
    pthread_mutex_t mutex;
    struct held *head;
    struct held **tail;
    unsigned held_n;
    _Atomic bool is_log_ready; /* changed with the lock */
    _Atomic bool is_watched;   /* somebody will hear of it */
} waiting = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* The bus's own actor, in its thread; elsewhere NULL. */
static __thread struct actor *node_actor;

/* False when nobody took it. */
static bool line_cast(struct actor *self, const char *address, int64_t ts_ms, enum log_level level, const char *event,
                      const char *text)
{
    char buf[TEXT_MAX];
    struct msg_log_line line = {
        .ts_ms = ts_ms,
        .level = span_from(level_name(level)),
        .event = (struct span){ event, strnlen(event, EVENT_MAX) },
        .text = text_fit(text, buf),
        .has_actor = true,
        .actor = span_from(address),
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

static void held_free(struct held *held)
{
    free(held->actor);
    free(held->event);
    free(held->text);
    free(held);
}

/* With the lock. */
static struct held *held_pop(void)
{
    struct held *held = waiting.head;

    if (held) {
        waiting.head = held->next;
        waiting.held_n--;
    }
    return held;
}

/* NULL when there is none. */
static struct held *held_take(void)
{
    (void)pthread_mutex_lock(&waiting.mutex); /* fails only when it is ours already */
    struct held *held = held_pop();
    (void)pthread_mutex_unlock(&waiting.mutex);
    return held;
}

static struct held *held_new(const char *actor, enum log_level level, const char *event, const char *text)
{
    struct held *held = mem_new(sizeof(*held));

    held->ts_ms = clock_wall_ms();
    held->level = level;
    held->actor = mem_text(actor, strlen(actor));
    held->event = mem_text(event, strnlen(event, EVENT_MAX));
    held->text = mem_text(text, strnlen(text, TEXT_MAX));
    return held;
}

/* False when the log is ready meanwhile. */
static bool line_hold(const char *actor, enum log_level level, const char *event, const char *text)
{
    struct held *held = held_new(actor, level, event, text);
    struct held *unwanted = NULL;

    (void)pthread_mutex_lock(&waiting.mutex);
    bool is_log_ready = atomic_load(&waiting.is_log_ready);
    if (is_log_ready) {
        unwanted = held;
    } else {
        unwanted = waiting.held_n == HELD_MAX ? held_pop() : NULL; /* the newest tell more about what is going on */
        waiting.tail = waiting.head ? waiting.tail : &waiting.head;
        *waiting.tail = held;
        waiting.tail = &held->next;
        waiting.held_n++;
    }
    (void)pthread_mutex_unlock(&waiting.mutex);
    if (unwanted) {
        held_free(unwanted);
    }
    return !is_log_ready;
}

static void log_ready_set(bool is_ready)
{
    (void)pthread_mutex_lock(&waiting.mutex);
    atomic_store(&waiting.is_log_ready, is_ready);
    (void)pthread_mutex_unlock(&waiting.mutex);
}

static void on_log_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    bool is_ready = life == ACTOR_LIFE_READY;
    struct held *held;

    (void)state;
    (void)address;
    log_ready_set(is_ready);
    while (is_ready && (held = held_take())) {
        (void)line_cast(actor, held->actor, held->ts_ms, held->level, held->event, held->text); /* lost: memory */
        held_free(held);
    }
}

static bool deliver(enum log_level level, const char *event, const char *text)
{
    struct actor *self = actor_current() ? actor_current() : node_actor;

    if (!self || is_delivering || !strcmp(actor_address(self), LOG_ADDRESS)) {
        return false;
    }
    if (atomic_load(&waiting.is_watched) && !atomic_load(&waiting.is_log_ready) &&
        line_hold(actor_address(self), level, event, text)) {
        return true;
    }
    return line_cast(self, actor_address(self), clock_wall_ms(), level, event, text);
}

static void on_line(enum log_level level, const char *event, const char *text)
{
    if (!deliver(level, event, text) || level >= sink.console) {
        log_stderr(level, event, text);
    }
}

void sink_set_node(struct actor *node)
{
    for (struct held *held = held_take(); held; held = held_take()) {
        held_free(held);
    }
    log_ready_set(false);
    atomic_store(&waiting.is_watched, node != NULL);
    node_actor = node;
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
