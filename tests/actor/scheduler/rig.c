/*
 * config and scheduler, whose clock stands still until a test moves it. The driver of
 * tests/actor/rig stands at the address of the router, so that it gets what the scheduler asks
 * of agents; agent/main and channel/pigeon are there and nothing more. More orders:
 *
 *   {"clock": ms}  moves the clock on; with "set": true it was set by somebody
 *   {"answer": n, "body": {…}}  {"fail": n, "code": n, "message": "…"}  answers a question of it
 *   {"chunk": n}  says that the agent is busy
 *
 * It also prints {"asked": n, "method", "body"}, {"delivered": …}, and {"alarm": ms} whenever
 * the alarm is set.
 */
#include "tests/actor/rig/rig.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/config.h"
#include "actors/scheduler/alarm.h"
#include "actors/scheduler/scheduler.h"
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

/* --- the driver ------------------------------------------------------------------------------------- */

struct driver {
    struct rig rig;
    struct actor_token asked[ASKED_MAX];
    int64_t asked_n;
};

static int on_asked(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct driver *self = arg;
    int64_t n = ++self->asked_n;
    struct pack pack;

    (void)msg;
    if (n >= ASKED_MAX) {
        abort();
    }
    self->asked[n] = actor_defer(ctx, NULL);
    rig_map_begin(&pack);
    pack_kv_i64(&pack, "asked", n);
    pack_kv_text(&pack, "method", actor_ctx_msg(ctx)->name);
    pack_kv_raw(&pack, "body", actor_ctx_body(ctx));
    rig_print(&pack);
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

static bool on_order(struct rig *rig, struct span order)
{
    struct driver *self = CONTAINER_OF(rig, struct driver, rig);
    int64_t answer = value_i64(value_get(order, "answer"), 0);
    int64_t fail = value_i64(value_get(order, "fail"), 0);
    int64_t chunk = value_i64(value_get(order, "chunk"), 0);
    struct msg_agent_heartbeat_waits waits = { .session_key = SPAN_LIT("agent:main:main") };

    if (value_get(order, "clock").len) {
        clock_move(order);
    } else if (answer) {
        (void)actor_token_reply_span(rig->actor, self->asked[answer], value_get(order, "body"));
    } else if (chunk) {
        (void)actor_stream_send(rig->actor, self->asked[chunk], MSG_AGENT_HEARTBEAT_WAITS, &waits);
    } else if (fail) {
        struct failure failure = { .code = (int)value_i64(value_get(order, "code"), FAIL_PROVIDER),
                                   .message = value_str(value_get(order, "message"), SPAN_LIT("")) };

        (void)actor_token_fail(rig->actor, self->asked[fail], &failure);
    } else {
        return false;
    }
    return true;
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    self->rig.on_order = on_order;
    return rig_init(state, actor, arg);
}

static const struct actor_route driver_routes[] = {
    { .msg = MSG_AGENT_NOTE, .on = on_asked, .flags = ACTOR_RAW },
    { .msg = MSG_AGENT_HEARTBEAT, .on = on_asked, .flags = ACTOR_RAW },
};
static const struct actor_route driver_topics[] = {
    { .msg = EVENT_HEARTBEAT, .on = rig_on_event, .flags = ACTOR_RAW },
    { .msg = MSG_SCHEDULER_CHANGED, .on = rig_on_event, .flags = ACTOR_RAW },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .routes = driver_routes,
    .routes_n = ARRAY_LEN(driver_routes),
    .topics = driver_topics,
    .topics_n = ARRAY_LEN(driver_topics),
    .init = driver_init,
    .deinit = rig_deinit,
};

/* --- those who are only there ----------------------------------------------------------------------- */

static int on_deliver(void *state, struct actor_ctx *ctx, const void *msg)
{
    (void)state;
    (void)msg;
    rig_print_body("delivered", actor_ctx_msg(ctx)->name, actor_ctx_body(ctx));
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

int main(int argc, char **argv)
{
    static const struct actor_def *const defs[] = { &config_actor, &scheduler_actor, &driver_actor,
                                                    &pigeon_actor, &agent_actor,     NULL };

    atomic_store(&now_ms, argc > 1 ? strtoll(argv[1], NULL, 10) : 0);
    return rig_run("[\"config\", \"router\", \"agent/main\", \"channel/pigeon\", \"scheduler\"]", defs, def_of);
}
