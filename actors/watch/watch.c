/*
 * watch: whether another gateway of this user runs on this machine: watch/<profile>.
 *
 * Accepts and answers nothing: what it sees is its own state, which health, the log and
 * `openclaw bus actors` show. It asks the supervising process of that gateway over its
 * control socket, which lets in its owner alone, and can only look: to mend something is
 * for a person (`openclaw gateway restore`).
 * Its argument is the path of that socket, a line end, and that gateway's state directory.
 */
#include "actors/watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"

#define LOOK_MS 2000U          /* between two looks, and the longest that one takes */
#define MISSES_MAX 2U          /* looks in vain until it counts as down: it may be starting again */
#define ANSWER_MAX (64 * 1024) /* bytes */
#define PATH_LEN_MAX 512
#define STATUS_MAX 384

static const char question[] = "{\"id\":1,\"op\":\"status\"}\n";

struct look;

struct watch {
    struct actor *actor;
    uv_timer_t timer;
    bool has_timer;
    struct look *look; /* under way; NULL: none */
    char control_path[PATH_LEN_MAX];
    char state_dir[PATH_LEN_MAX];
    unsigned misses; /* in a row */
    bool is_down;    /* told */
    bool is_seen;    /* it has answered before */
};

/* One question; lives until its pipe is closed. */
struct look {
    struct watch *watch; /* NULL: nobody waits any more */
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct text_buf answer;
    char bytes[4096];
};

/* --- what was seen ---------------------------------------------------------------------------- */

static void up_see(struct watch *self)
{
    self->misses = 0;
    if (self->is_down) {
        log_warning("watched_gateway_up", "state=%s", self->state_dir); /* whoever reads that it was down reads this */
        actor_status(self->actor, "");
    } else if (!self->is_seen) {
        log_info("watched_gateway_up", "state=%s", self->state_dir);
        actor_status(self->actor, "");
    }
    self->is_down = false;
    self->is_seen = true;
}

static void down_see(struct watch *self, const char *why)
{
    time_t now = time(NULL);
    char at[32] = "";
    char text[STATUS_MAX];
    struct tm utc;

    if (++self->misses < MISSES_MAX || self->is_down) {
        return;
    }
    self->is_down = true;
    if (gmtime_r(&now, &utc)) {
        (void)strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    (void)snprintf(text, sizeof(text), "the gateway of %.200s does not serve since %s: %s", self->state_dir, at, why);
    log_warning("watched_gateway_down", "state=%s why=\"%s\"", self->state_dir, why);
    actor_status(self->actor, text);
}

/* --- one look --------------------------------------------------------------------------------- */

static void on_look_closed(uv_handle_t *handle)
{
    struct look *look = handle->data;

    text_buf_deinit(&look->answer);
    free(look);
}

static void look_end(struct look *look)
{
    if (look->watch) {
        look->watch->look = NULL;
        look->watch = NULL;
        uv_close((uv_handle_t *)&look->pipe, on_look_closed);
    }
}

static void look_fail(struct look *look, const char *why)
{
    struct watch *self = look->watch;

    if (self) {
        look_end(look);
        down_see(self, why);
    }
}

static void answer_judge(struct look *look, size_t len)
{
    struct watch *self = look->watch;
    struct pack pack;
    struct span state;

    pack_init(&pack, 0);
    if (json_to_pack((struct span){ look->answer.data, len }, &(struct json_opts){ 0 }, &pack, NULL)) {
        pack_deinit(&pack);
        look_fail(look, "its supervising process says what cannot be understood");
        return;
    }
    state = value_str(value_path(pack_span(&pack), "result.state"), SPAN_LIT("unknown"));
    if (span_is_text(state, "running")) {
        look_end(look);
        up_see(self);
    } else {
        char why[64];

        (void)snprintf(why, sizeof(why), "it is %.*s", SPAN_FMT(state));
        look_fail(look, why);
    }
    pack_deinit(&pack);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct look *look = handle->data;

    (void)suggested;
    *buf = uv_buf_init(look->bytes, sizeof(look->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct look *look = stream->data;
    const char *end;

    if (len < 0) {
        look_fail(look, "its supervising process ends the connection");
        return;
    }
    if (len == 0) {
        return;
    }
    if (look->answer.len + (size_t)len > ANSWER_MAX ||
        text_buf_add(&look->answer, (struct span){ buf->base, (size_t)len })) {
        look_fail(look, "its supervising process says too much");
        return;
    }
    end = memchr(look->answer.data, '\n', look->answer.len);
    if (end) {
        answer_judge(look, (size_t)(end - look->answer.data));
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct look *look = write->data;

    if (status) {
        look_fail(look, uv_strerror(status)); /* NOLINT(concurrency-mt-unsafe): only for codes that are unknown */
    }
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct look *look = connect->data;
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)question, sizeof(question) - 1);

    if (!look->watch) {
        return; /* it was given up meanwhile */
    }
    if (status) {
        look_fail(look, "nobody listens on its control socket");
        return;
    }
    int r = uv_write(&look->write, (uv_stream_t *)&look->pipe, &buf, 1, on_written);
    r = r ? r : uv_read_start((uv_stream_t *)&look->pipe, on_alloc, on_read);
    if (r) {
        look_fail(look, "its supervising process cannot be asked");
    }
}

static int look_start(struct watch *self)
{
    struct look *look = mem_new(sizeof(*look));
    int r = uv_pipe_init(actor_loop(self->actor), &look->pipe, 0);

    if (r) {
        free(look);
        return FAULT(r);
    }
    look->pipe.data = look;
    look->connect.data = look;
    look->write.data = look;
    look->watch = self;
    self->look = look;
    uv_pipe_connect(&look->connect, &look->pipe, self->control_path, on_connect);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct watch *self = timer->data;

    if (self->look) {
        look_fail(self->look, "its supervising process does not answer");
    }
    int r = look_start(self);
    if (r) {
        (void)actor_fault(self->actor, r); /* the loop ends after this turn */
    }
}

/* --- life cycle --------------------------------------------------------------------------------- */

static int watch_init(void *state, struct actor *actor, const char *arg)
{
    struct watch *self = state;
    const char *end = strchr(arg, '\n');

    self->actor = actor;
    if (!end || (size_t)(end - arg) >= sizeof(self->control_path) || strlen(end + 1) >= sizeof(self->state_dir)) {
        actor_status(actor,
                     "no gateway is named: write watch/PROFILE in the topology, watch/default for the one without");
        return FAULT(-EINVAL);
    }
    (void)snprintf(self->control_path, sizeof(self->control_path), "%.*s", (int)(end - arg), arg);
    (void)snprintf(self->state_dir, sizeof(self->state_dir), "%s", end + 1);
    int r = uv_timer_init(actor_loop(actor), &self->timer);
    self->timer.data = self;
    self->has_timer = r == 0;
    r = r ? r : uv_timer_start(&self->timer, on_timer, 0, LOOK_MS);
    return r ? FAULT(r) : 0;
}

static void watch_deinit(void *state, struct actor *actor)
{
    struct watch *self = state;

    (void)actor;
    if (self->look) {
        look_end(self->look);
    }
    if (self->has_timer) {
        uv_close((uv_handle_t *)&self->timer, NULL);
    }
}

const struct actor_def watch_actor = {
    .name = "watch",
    .state_size = sizeof(struct watch),
    .init = watch_init,
    .deinit = watch_deinit,
};
