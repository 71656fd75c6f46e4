/*
 * A host with config and scheduler, whose clock stands still until a test moves it. The
 * driver stands at the address of the router, so that it gets what the scheduler asks of
 * agents; agent/main and channel/pigeon are there and nothing more. One JSON object per
 * line of standard input:
 *
 *   {"clock": ms}  moves the clock on; with "set": true it was set by somebody
 *   {"id": 1, "method": "wake", "params": {…}}  asks the scheduler
 *   {"answer": n, "body": {…}}  {"fail": n, "code": n, "message": "…"}  answers a question of it
 *   {"chunk": n}  says that the agent is busy     {"restart": true}  starts the scheduler again
 *
 * It prints {"id", "ok", "body"}, {"asked": n, "method", "body"}, {"event", "body"},
 * {"delivered": …}, {"alarm": ms} whenever the alarm is set, and {"ready": true}.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/config/config.h"
#include "actors/scheduler/alarm.h"
#include "actors/scheduler/scheduler.h"
#include "bus/host.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema_gen.h"

#define ASKED_MAX 1024

/* --- the clock --------------------------------------------------------------------------------- */

static _Atomic int64_t now_ms;
static _Atomic bool was_set;
static _Atomic(struct alarm *) alarm_now; /* of the scheduler's life under way */

int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void)
{
    return atomic_load(&now_ms);
}

static void line_print(const char *key, int64_t value)
{
    (void)printf("{\"%s\":%lld}\n", key, (long long)value);
    (void)fflush(stdout);
}

/* What stands for the timer: `poll` is an async handle here, `fd` is not used. */
struct moved {
    uv_async_t async;
    struct alarm *alarm;
    int64_t at_ms;
};

static void on_moved(uv_async_t *async)
{
    struct moved *moved = async->data;
    bool is_set = atomic_exchange(&was_set, false);

    if (is_set || (moved->at_ms && moved->at_ms <= atomic_load(&now_ms))) {
        moved->alarm->on_due(moved->alarm->arg, is_set);
    }
}

int alarm_open(struct alarm *self, uv_loop_t *loop, alarm_on_due on_due, void *arg)
{
    struct moved *moved = calloc(1, sizeof(*moved));

    self->on_due = on_due;
    self->arg = arg;
    self->poll.data = moved;
    self->is_open = true;
    moved->alarm = self;
    moved->async.data = moved;
    if (uv_async_init(loop, &moved->async, on_moved)) {
        abort();
    }
    atomic_store(&alarm_now, self);
    return 0;
}

int alarm_set(struct alarm *self, int64_t at_ms)
{
    struct moved *moved = self->poll.data;

    moved->at_ms = at_ms;
    line_print("alarm", at_ms);
    return at_ms && at_ms <= atomic_load(&now_ms) ? uv_async_send(&moved->async) : 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void alarm_close(struct alarm *self)
{
    struct moved *moved = self->poll.data;

    if (self->is_open) {
        self->is_open = false;
        atomic_store(&alarm_now, NULL);
        uv_close((uv_handle_t *)&moved->async, on_closed);
    }
}

/* --- printing ------------------------------------------------------------------------------------- */

static void print(struct pack *pack)
{
    struct text_buf text = { 0 };

    if (pack_error(pack) || json_from_value(pack_span(pack), &text)) {
        (void)fprintf(stderr, "rig: an answer cannot be printed\n");
        abort();
    }
    (void)printf("%.*s\n", (int)text.len, text.data);
    (void)fflush(stdout);
    text_buf_deinit(&text);
    pack_deinit(pack);
}

static void print_body(const char *key, int64_t number, const char *name, struct span body)
{
    struct pack pack;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    if (number) {
        pack_kv_i64(&pack, key, number);
        pack_kv_text(&pack, "method", name);
    } else {
        pack_kv_text(&pack, key, name);
    }
    pack_kv_raw(&pack, "body", body);
    pack_map_end(&pack);
    print(&pack);
}

/* --- the driver ------------------------------------------------------------------------------------- */

struct driver {
    struct actor *actor;
    uv_pipe_t in;
    struct text_buf line;
    struct actor_token asked[ASKED_MAX];
    const struct schema_msg *asked_msg[ASKED_MAX];
    int64_t asked_n;
};

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    int64_t *id = cookie;
    struct pack pack;

    (void)state;
    (void)actor;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "id", *id);
    pack_kv_bool(&pack, "ok", !answer->failure);
    if (answer->failure) {
        pack_kv_str(&pack, "message", answer->failure->message);
    } else {
        pack_kv_raw(&pack, "body", answer->body);
    }
    pack_map_end(&pack);
    print(&pack);
    free(id);
}

static void call_make(struct driver *self, struct span root)
{
    const struct schema_msg *msg = schema_find(&schema_registry, value_str(value_get(root, "method"), SPAN_LIT("")));
    int64_t *id = malloc(sizeof(*id));
    struct actor_call call = { .to = "scheduler",
                               .msg = msg,
                               .body = value_get(root, "params"),
                               .deadline_ms = 60000,
                               .on_answer = on_answer,
                               .cookie = id };

    if (!msg || !id) {
        abort();
    }
    *id = value_i64(value_get(root, "id"), 0);
    if (actor_call(self->actor, &call, NULL)) {
        abort();
    }
}

static int on_asked(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct driver *self = arg;
    int64_t n = ++self->asked_n;

    (void)msg;
    if (n >= ASKED_MAX) {
        abort();
    }
    self->asked[n] = actor_defer(ctx, NULL);
    self->asked_msg[n] = actor_ctx_msg(ctx);
    print_body("asked", n, actor_ctx_msg(ctx)->name, actor_ctx_body(ctx));
    return 0;
}

static void clock_move(struct span root)
{
    struct alarm *alarm = atomic_load(&alarm_now);

    atomic_store(&was_set, value_bool(value_get(root, "set"), false));
    atomic_store(&now_ms, value_i64(value_get(root, "clock"), 0));
    if (alarm) {
        (void)uv_async_send(&((struct moved *)alarm->poll.data)->async);
    }
}

static void order_do(struct driver *self, struct span root)
{
    int64_t answer = value_i64(value_get(root, "answer"), 0);
    int64_t fail = value_i64(value_get(root, "fail"), 0);
    int64_t chunk = value_i64(value_get(root, "chunk"), 0);
    struct msg_agent_heartbeat_waits waits = { .session_key = SPAN_LIT("agent:main:main") };

    if (value_get(root, "clock").len) {
        clock_move(root);
    } else if (value_get(root, "method").len) {
        call_make(self, root);
    } else if (answer) {
        (void)actor_token_reply_span(self->actor, self->asked[answer], value_get(root, "body"));
    } else if (chunk) {
        (void)actor_stream_send(self->actor, self->asked[chunk], MSG_AGENT_HEARTBEAT_WAITS, &waits);
    } else if (fail) {
        struct failure failure = { .code = (int)value_i64(value_get(root, "code"), FAIL_PROVIDER),
                                   .message = value_str(value_get(root, "message"), SPAN_LIT("")) };

        (void)actor_token_fail(self->actor, self->asked[fail], &failure);
    } else if (value_get(root, "restart").len) {
        (void)actor_restart(self->actor, "scheduler");
    }
}

static void line_do(struct driver *self, struct span line)
{
    struct json_opts opts = { 0 };
    struct json_error error;
    struct pack pack;

    pack_init(&pack, 0);
    if (json_to_pack(line, &opts, &pack, &error)) {
        (void)fprintf(stderr, "rig: not JSON: %.*s\n", SPAN_FMT(line));
        abort();
    }
    order_do(self, pack_span(&pack));
    pack_deinit(&pack);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(malloc(size), (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct driver *self = stream->data;
    const char *end;

    if (n < 0) {
        (void)kill(getpid(), SIGTERM);
        (void)uv_read_stop(stream);
    } else if (text_buf_add(&self->line, (struct span){ buf->base, (size_t)n })) {
        abort();
    }
    free(buf->base);
    while (self->line.len && (end = memchr(self->line.data, '\n', self->line.len))) {
        size_t len = (size_t)(end - self->line.data);

        line_do(self, (struct span){ self->line.data, len });
        memmove(self->line.data, end + 1, self->line.len - len - 1);
        self->line.len -= len + 1;
    }
}

static int on_event(void *state, struct actor_ctx *ctx, const void *msg)
{
    (void)state;
    (void)msg;
    print_body("event", 0, actor_ctx_msg(ctx)->name, actor_ctx_body(ctx));
    return 0;
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    (void)arg;
    self->actor = actor;
    (void)uv_pipe_init(actor_loop(actor), &self->in, 0);
    self->in.data = self;
    if (uv_pipe_open(&self->in, STDIN_FILENO)) {
        return FAULT(-EIO);
    }
    return uv_read_start((uv_stream_t *)&self->in, on_alloc, on_read);
}

static void driver_deinit(void *state, struct actor *actor)
{
    struct driver *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->in, NULL);
    text_buf_deinit(&self->line);
}

static const struct actor_route driver_routes[] = {
    { .msg = MSG_AGENT_NOTE, .on = on_asked, .flags = ACTOR_RAW },
    { .msg = MSG_AGENT_HEARTBEAT, .on = on_asked, .flags = ACTOR_RAW },
};
static const struct actor_route driver_topics[] = {
    { .msg = EVENT_HEARTBEAT, .on = on_event, .flags = ACTOR_RAW },
    { .msg = MSG_SCHEDULER_CHANGED, .on = on_event, .flags = ACTOR_RAW },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .routes = driver_routes,
    .routes_n = ARRAY_LEN(driver_routes),
    .topics = driver_topics,
    .topics_n = ARRAY_LEN(driver_topics),
    .init = driver_init,
    .deinit = driver_deinit,
};

/* --- those who are only there ----------------------------------------------------------------------- */

static int on_deliver(void *state, struct actor_ctx *ctx, const void *msg)
{
    (void)state;
    (void)msg;
    print_body("delivered", 0, actor_ctx_msg(ctx)->name, actor_ctx_body(ctx));
    return actor_reply(ctx, MSG_CHANNEL_DELIVERED,
                       &(struct msg_channel_delivered){ .outbox_id = 1, .state = SPAN_LIT("queued") });
}

static const struct actor_route pigeon_routes[] = {
    { .msg = MSG_CHANNEL_DELIVER, .on = on_deliver, .flags = ACTOR_RAW },
};
static const struct actor_def pigeon_actor = {
    .name = "channel",
    .state_size = 1,
    .routes = pigeon_routes,
    .routes_n = ARRAY_LEN(pigeon_routes),
};
static const struct actor_def agent_actor = { .name = "agent", .state_size = 1 };

/* The part before the slash; the driver is where the router would be. */
static const char *def_of(const char *address, const char **ret_arg)
{
    static const char *const names[] = { "config", "scheduler", "channel", "agent" };

    *ret_arg = "";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strncmp(address, names[i], strlen(names[i])) == 0) {
            return names[i];
        }
    }
    return strcmp(address, "router") == 0 ? "driver" : NULL;
}

static void on_ready(void *arg)
{
    (void)arg;
    (void)printf("{\"ready\":true}\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct actor_def *const defs[] = { &config_actor, &scheduler_actor, &driver_actor,
                                                    &pigeon_actor, &agent_actor,     NULL };
    struct topology topology;
    struct topology_error error;
    struct host_opts opts = { .name = "main",
                              .topology = &topology,
                              .defs = defs,
                              .registry = &schema_registry,
                              .def_of = def_of,
                              .incarnation = 1,
                              .on_ready = on_ready };
    int rc;

    atomic_store(&now_ms, argc > 1 ? strtoll(argv[1], NULL, 10) : 0);
    if (topology_parse(
            span_from("{ hosts: { main: { actors: [\"config\", \"router\", \"agent/main\", \"channel/pigeon\", "
                      "\"scheduler\"] } } }"),
            &topology, &error)) {
        (void)fprintf(stderr, "rig: %s\n", error.text);
        return 2;
    }
    rc = host_run(&opts);
    topology_deinit(&topology);
    return rc ? 1 : 0;
}
