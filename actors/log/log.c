/*
 * log: the log file and its tail.
 *
 * Accepts    log_line, logs.tail, config_update
 * Follows    logging.* of the config
 * On restart the file is appended to. A full disk costs lines, which are counted, and
 * nothing else.
 */
#include "actors/log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/log/file.h"
#include "actors/log/line.h"
#include "actors/log/repeat.h"
#include "actors/log/tail.h"
#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema/base/config_follow.h"
#include "schema_gen.h"

#define HEAL_EVERY_MS 1000
#define TELL_EVERY_MS 60000
#define PENDING_MAX (256U * 1024) /* bytes that wait for the file */
#define PENDING_FLUSH 65536U
#define REPEAT_FLUSH_MS 5000
#define FOLLOW_EVERY_MS 1000
#define NOTHING ((struct span){ 0 })

struct log {
    struct actor *actor;
    struct file file;
    bool is_configured; /* the path is known; until then lines wait */
    enum log_level lowest;
    bool is_silent;
    char refused[384]; /* about a logging.file that is no log; empty: all is well */
    struct repeat repeat;
    struct text_buf pending; /* whole lines */
    struct text_buf read;    /* scratch of the tail */
    struct pack scratch;
    uint64_t lost; /* lines since the file last took one */
    uint32_t pending_lines;
    bool is_warned;
    uint64_t told_ms; /* standard error; on a disk with room for a line now and then the trouble comes and goes */
    uint64_t followed_ms;
    uv_prepare_t flush; /* before the loop sleeps, what came in together is written at once */
    uv_timer_t repeat_timer;
    struct config_follow follow;
    uv_timer_t heal; /* while the file takes nothing */
    bool has_handles;
};

/* --- writing -------------------------------------------------------------------------------- */

static void on_heal(uv_timer_t *handle);

static void lost_note(struct log *self, uint32_t lines)
{
    char text[512];

    self->lost += lines;
    if (!self->is_warned) {
        self->is_warned = true;
        snprintf(text, sizeof(text), "file=%.256s reason=\"%.128s\"", self->file.path, strerror(self->file.error));
        if (!self->told_ms || clock_mono_ms() - self->told_ms >= TELL_EVERY_MS) {
            self->told_ms = clock_mono_ms();
            log_stderr(LOG_LEVEL_ERROR, "log_file_failing", text); /* the log itself is what fails */
        }
        snprintf(text, sizeof(text), "cannot write %.128s: %s", self->file.path, strerror(self->file.error));
        actor_status(self->actor, text);
        uv_timer_start(&self->heal, on_heal, HEAL_EVERY_MS, HEAL_EVERY_MS);
    }
}

/* One line of our own. Falls silent without memory: there is nobody to tell. */
static void own_line_put(struct log *self, const char *event, const char *text)
{
    struct line line = {
        .ts_ms = clock_wall_ms(),
        .level = SPAN_LIT("info"),
        .event = span_from(event),
        .text = span_from(text),
        .actor = SPAN_LIT("log"),
    };

    if (!line_format(&line, &self->pending)) {
        self->pending_lines++;
    }
}

static void lost_put(struct log *self)
{
    char text[64];

    snprintf(text, sizeof(text), "lost=%llu", (unsigned long long)self->lost);
    own_line_put(self, "log_lines_lost", text);
}

static void recovered_note(struct log *self)
{
    if (self->lost) {
        lost_put(self);
        self->lost = 0;
    }
    if (self->is_warned) {
        self->is_warned = false;
        uv_timer_stop(&self->heal);
        actor_status(self->actor, self->refused);
    }
}

static void pending_flush(struct log *self)
{
    uint64_t now_ms = clock_mono_ms();

    if (!self->is_configured || !self->pending.len) {
        return;
    }
    if (now_ms - self->followed_ms >= FOLLOW_EVERY_MS) {
        self->followed_ms = now_ms;
        (void)file_follow(&self->file); /* the write below meets the same trouble and tells */
    }
    int r = file_write(&self->file, (struct span){ self->pending.data, self->pending.len });
    uint32_t lines = self->pending_lines;
    self->pending.len = 0;
    self->pending_lines = 0;
    if (r) {
        lost_note(self, lines);
    } else {
        recovered_note(self);
        pending_flush(self); /* what that said, if anything: the loop may sleep now */
    }
}

/* Without lines to write nobody would notice that the trouble is over. */
static void on_heal(uv_timer_t *handle)
{
    struct log *self = handle->data;
    uint64_t lost = self->lost;

    if (self->pending.len) {
        return; /* the next turn of the loop tries it anyway */
    }
    lost_put(self);
    self->lost = 0;
    pending_flush(self);
    self->lost = self->is_warned ? lost : self->lost;
}

static void repeats_put(struct log *self)
{
    uint32_t count = repeat_take(&self->repeat);
    char text[64];

    if (count) {
        snprintf(text, sizeof(text), "the line before was repeated %u time%s", count, count == 1 ? "" : "s");
        own_line_put(self, "log_repeated", text);
    }
}

static void on_flush(uv_prepare_t *handle)
{
    pending_flush(handle->data);
}

static void on_repeat_timer(uv_timer_t *handle)
{
    struct log *self = handle->data;

    repeats_put(self);
    pending_flush(self);
}

/* --- handlers -------------------------------------------------------------------------------------- */

static int on_line(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct log *self = arg;
    const struct msg_log_line *in = msg;
    struct line line = {
        .ts_ms = in->ts_ms,
        .level = in->level,
        .event = in->event,
        .text = in->text,
        .actor = in->has_actor ? in->actor : actor_ctx_from(ctx),
        .host = in->host,
        .pid = in->pid,
    };

    if (self->is_silent || line_level(in->level) < self->lowest) {
        return 0;
    }
    if (repeat_is_same(&self->repeat, &line)) {
        if (!uv_is_active((uv_handle_t *)&self->repeat_timer)) {
            uv_timer_start(&self->repeat_timer, on_repeat_timer, REPEAT_FLUSH_MS, 0);
        }
        return 0;
    }
    repeats_put(self);
    if (self->pending.len > PENDING_MAX) {
        self->lost++; /* the config does not come; see recovered_note */
        return 0;
    }
    int fault = line_format(&line, &self->pending);
    if (fault) {
        return fault;
    }
    self->pending_lines++;
    if (self->pending.len >= PENDING_FLUSH) {
        pending_flush(self);
    }
    return 0;
}

static int on_tail(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct log *self = arg;
    const struct msg_logs_tail *in = msg;
    struct tail_ask ask = {
        .has_cursor = in->has_cursor,
        .cursor = in->cursor,
        .lines_max = in->has_limit ? (uint32_t)in->limit : TAIL_LINES_DEFAULT,
        .bytes_max = in->has_max_bytes ? (uint32_t)in->max_bytes : TAIL_BYTES_DEFAULT,
    };

    repeats_put(self);
    pending_flush(self);
    int r = self->is_configured ? file_follow(&self->file) : 0;
    pack_reset(&self->scratch);
    r = r ? r : tail_read(&self->file, &ask, &self->read, &self->scratch);
    if (r > 0) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the log file cannot be read: %s",
                          self->file.error ? strerror(self->file.error) : "it is not open yet");
    }
    return r ? r : actor_reply_span(ctx, pack_span(&self->scratch));
}

/* --- settings ---------------------------------------------------------------------------------------- */

/* logging.level of the config; what it calls fatal and trace are error and debug here. */
static void level_apply(struct log *self, struct span level)
{
    self->is_silent = span_is_text(level, "silent");
    if (span_is_text(level, "debug") || span_is_text(level, "trace")) {
        self->lowest = LOG_LEVEL_DEBUG;
    } else if (span_is_text(level, "warn")) {
        self->lowest = LOG_LEVEL_WARNING;
    } else if (span_is_text(level, "error") || span_is_text(level, "fatal")) {
        self->lowest = LOG_LEVEL_ERROR;
    } else {
        self->lowest = LOG_LEVEL_INFO;
    }
}

/* logging.file, a leading ~ for the home directory; else logs/openclaw.log in the state directory. */
static bool path_resolve(struct span file, char path[PATH_MAX])
{
    const char *home = getenv("HOME");                /* NOLINT(concurrency-mt-unsafe): set before threads start */
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): the same */
    int n;

    if (!file.len) {
        n = snprintf(path, PATH_MAX, "%s/logs/openclaw.log", state ? state : ".");
    } else if (span_starts(file, "~/") && home) {
        n = snprintf(path, PATH_MAX, "%s%.*s", home, (int)file.len - 1, file.ptr + 1);
    } else {
        n = snprintf(path, PATH_MAX, "%.*s", SPAN_FMT(file));
    }
    return n > 0 && n < PATH_MAX;
}

/* What is no log stays untouched, and the log stays where it is, or goes where it does unless somebody says so. */
static void refused_tell(struct log *self, const char *path, uint64_t bytes_max)
{
    char usual[PATH_MAX];

    if (self->file.fd < 0 && path_resolve(NOTHING, usual)) {
        (void)file_open(&self->file, usual, bytes_max);
    }
    (void)snprintf(self->refused, sizeof(self->refused),
                   "logging.file %.120s is there and is no log of ours: nothing is written to it, the log is %.120s",
                   path, self->file.path);
    log_stderr(LOG_LEVEL_ERROR, "log_file_refused", self->refused);
    own_line_put(self, "log_file_refused", self->refused);
}

static void place_apply(struct log *self, struct span file, uint64_t bytes_max)
{
    bool was_refused = self->refused[0] != '\0';
    bool is_chosen = file.len > 0;
    char path[PATH_MAX];

    if (!path_resolve(file, path)) {
        is_chosen = false;
        path_resolve(NOTHING, path);
    }
    self->refused[0] = '\0';
    if (self->file.fd < 0 || strcmp(path, self->file.path) != 0 || self->file.bytes_max != bytes_max) {
        int r = is_chosen ? file_open_chosen(&self->file, path, bytes_max) : file_open(&self->file, path, bytes_max);

        if (r == FILE_E_FOREIGN) {
            refused_tell(self, path, bytes_max);
        }
    }
    if (!self->is_warned && (was_refused || self->refused[0])) {
        actor_status(self->actor, self->refused);
    }
}

static void logging_apply(struct log *self, struct span logging)
{
    int64_t bytes_max = value_i64(value_get(logging, "maxFileBytes"), FILE_BYTES_DEFAULT);

    level_apply(self, value_str(value_get(logging, "level"), NOTHING));
    self->is_configured = true;
    place_apply(self, value_str(value_get(logging, "file"), NOTHING),
                bytes_max > 0 ? (uint64_t)bytes_max : FILE_BYTES_DEFAULT);
    pending_flush(self); /* opening again and telling of trouble is its business */
}

static int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_update *in = msg;

    logging_apply(arg, value_get(in->config, "logging"));
    return config_follow_applied(ctx, msg);
}

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct log *self = arg;
    int fault = config_follow_life(&self->follow, life);

    (void)address;
    if (fault) {
        (void)actor_fault(actor, fault);
    }
}

/* --- life ------------------------------------------------------------------------------------------------- */

static int log_init(void *state, struct actor *actor, const char *arg)
{
    struct log *self = state;
    uv_loop_t *loop = actor_loop(actor);

    (void)arg;
    self->actor = actor;
    self->lowest = LOG_LEVEL_INFO;
    file_init(&self->file);
    pack_init(&self->scratch, 8U << 20);
    uv_prepare_init(loop, &self->flush);
    uv_timer_init(loop, &self->repeat_timer);
    uv_timer_init(loop, &self->heal);
    self->flush.data = self->repeat_timer.data = self->heal.data = self;
    self->has_handles = true;
    config_follow_open(&self->follow, actor);
    uv_prepare_start(&self->flush, on_flush);
    return actor_watch(actor, "config", on_config_life);
}

static void log_deinit(void *state, struct actor *actor)
{
    struct log *self = state;

    (void)actor;
    repeats_put(self);
    pending_flush(self);
    if (self->has_handles) {
        uv_close((uv_handle_t *)&self->flush, NULL);
        uv_close((uv_handle_t *)&self->repeat_timer, NULL);
        uv_close((uv_handle_t *)&self->heal, NULL);
    }
    config_follow_close(&self->follow);
    file_close(&self->file);
    text_buf_deinit(&self->pending);
    text_buf_deinit(&self->read);
    pack_deinit(&self->scratch);
}

static const struct actor_route log_routes[] = {
    { MSG_LOG_LINE, on_line, 0 },
    { MSG_LOGS_TAIL, on_tail, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(log_routes) == LOG_ACCEPTS_N, "log: routes, schema differ");

const struct actor_def log_actor = {
    .name = "log",
    .state_size = sizeof(struct log),
    .routes = log_routes,
    .routes_n = ARRAY_LEN(log_routes),
    .init = log_init,
    .deinit = log_deinit,
};
