/* The actors that scenarios talk to. */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/pack.h"
#include "tests/integration/bus/rig.h"

#define FLOWS_MAX 8

struct flow {
    struct actor_token token;
    uint64_t left;
    uint64_t n;
};

struct echo {
    uint64_t notes; /* came in order so far */
    uint64_t news;  /* the same, apart from those missed */
    uint64_t missed;
    uint64_t cancelled;
    struct flow flows[FLOWS_MAX];
};

static int pong(struct actor_ctx *ctx, uint64_t n)
{
    struct actor *actor = actor_ctx_actor(ctx);

    return actor_reply(ctx, &rig_pong, &(struct msg_pong){ .n = n, .incarnation = actor_incarnation(actor) });
}

static int on_ping(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;

    (void)arg;
    return pong(ctx, in->n);
}

static int on_refuse(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct pack pack;

    (void)arg;
    (void)msg;
    pack_init(&pack, 256);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "field", "n");
    pack_map_end(&pack);
    struct failure failure = {
        .code = FAIL_INVALID_REQUEST, .message = SPAN_LIT("n is odd"), .retryable = false, .details = pack_span(&pack)
    };
    int r = actor_fail_with(ctx, &failure);
    pack_deinit(&pack);
    return r;
}

static int on_hold(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)msg;
    (void)actor_defer(ctx, NULL);
    return 0;
}

static int on_break(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)ctx;
    (void)msg;
    return FAULT(-EIO);
}

static int on_hoard(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;

    (void)arg;
    void *hoard = mmap(NULL, in->n << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return hoard == MAP_FAILED ? FAIL_UNAVAILABLE : pong(ctx, in->n); /* kept until the process ends */
}

static int on_note(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct echo *self = arg;
    const struct msg_ping *in = msg;

    (void)ctx;
    self->notes += in->n == self->notes ? 1 : 0;
    return 0;
}

static int on_noted(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return pong(ctx, ((struct echo *)arg)->notes);
}

static int on_news(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct echo *self = arg;
    const struct msg_ping *in = msg;

    (void)ctx;
    self->news += in->n == self->news + self->missed ? 1 : 0;
    return 0;
}

static void echo_on_gap(void *state, struct actor *actor, const struct actor_gap *gap)
{
    struct echo *self = state;

    (void)actor;
    self->missed += gap->topic == &rig_news ? gap->lost : 0;
}

static int on_heard(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return pong(ctx, ((struct echo *)arg)->news);
}

static int on_missed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return pong(ctx, ((struct echo *)arg)->missed);
}

static int on_cancelled(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)msg;
    return pong(ctx, ((struct echo *)arg)->cancelled);
}

/* Sends what the credit allows; ends when all is sent. */
static void flow_push(struct actor *actor, struct flow *flow)
{
    while (flow->left) {
        int r = actor_stream_send(actor, flow->token, &rig_chunk, &(struct msg_ping){ .n = flow->n });

        if (r != 0) {
            return;
        }
        flow->n++;
        flow->left--;
    }
    (void)actor_token_reply(actor, flow->token, &rig_pong, &(struct msg_pong){ .n = flow->n });
    flow->token.id = 0;
}

static int on_flow(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct echo *self = arg;
    const struct msg_ping *in = msg;

    for (size_t i = 0; i < FLOWS_MAX; i++) {
        if (!self->flows[i].token.id) {
            struct flow *flow = &self->flows[i];

            *flow = (struct flow){ .left = in->n };
            flow->token = actor_defer(ctx, flow);
            flow_push(actor_ctx_actor(ctx), flow);
            return 0;
        }
    }
    return FAIL_UNAVAILABLE;
}

static int on_slow(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;
    uint64_t end_ns = clock_mono_ns() + in->n * 1000;

    (void)arg;
    while (clock_mono_ns() < end_ns) { /* a handler that computes; the point of the scenario */
    }
    return pong(ctx, in->n);
}

static int on_doze(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;
    struct timespec pause = { (time_t)(in->n / 1000000), (long)(in->n % 1000000) * 1000 };

    (void)arg;
    (void)nanosleep(&pause, NULL); /* a handler that waits for something; the point of the scenario */
    return pong(ctx, in->n);
}

static int on_freeze(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;

    (void)arg;
    (void)kill(getpid(), SIGSTOP);
    return pong(ctx, in->n);
}

static int on_announce(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_ping *in = msg;

    (void)arg;
    for (uint64_t i = 0; i < in->n; i++) {
        struct msg_ping event = { .n = i, .has_text = in->has_text, .text = in->text };
        int r = actor_publish(actor_ctx_actor(ctx), i % 2 ? &rig_event_b : &rig_event, &event, ctx);

        if (r < 0) {
            return r;
        }
    }
    return pong(ctx, in->n);
}

/* "unborn": has something to say, and fails. */
static int echo_init(void *state, struct actor *actor, const char *arg)
{
    (void)state;
    if (strcmp(arg, "unborn") != 0) {
        return 0;
    }
    int r = actor_cast(actor, "driver", &rig_note, &(struct msg_ping){ .n = 42 }, NULL);
    return r < 0 ? r : FAULT(-EIO);
}

static void echo_on_cancel(void *state, struct actor *actor, void *cookie)
{
    struct echo *self = state;
    struct flow *flow = cookie;

    (void)actor;
    self->cancelled++;
    if (flow) {
        flow->token.id = 0;
        flow->left = 0;
    }
}

static void echo_on_credit(void *state, struct actor *actor, void *cookie)
{
    (void)state;
    flow_push(actor, cookie);
}

static const struct actor_route echo_routes[] = {
    { &rig_ping, on_ping, 0 },         { &rig_refuse, on_refuse, 0 },       { &rig_hold, on_hold, 0 },
    { &rig_break, on_break, 0 },       { &rig_note, on_note, 0 },           { &rig_noted, on_noted, 0 },
    { &rig_flow, on_flow, 0 },         { &rig_cancelled, on_cancelled, 0 }, { &rig_slow, on_slow, 0 },
    { &rig_announce, on_announce, 0 }, { &rig_heard, on_heard, 0 },         { &rig_missed, on_missed, 0 },
    { &rig_hoard, on_hoard, 0 },       { &rig_doze, on_doze, 0 },           { &rig_freeze, on_freeze, 0 },
};

static const struct actor_route echo_topics[] = {
    { &rig_news, on_news, 0 },
};

const struct actor_def echo_actor = {
    .name = "echo",
    .state_size = sizeof(struct echo),
    .routes = echo_routes,
    .routes_n = ARRAY_LEN(echo_routes),
    .topics = echo_topics,
    .topics_n = ARRAY_LEN(echo_topics),
    .init = echo_init,
    .on_gap = echo_on_gap,
    .on_cancel = echo_on_cancel,
    .on_credit = echo_on_credit,
    .mailbox_msgs = 1000,
};

static int on_relay(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    return actor_forward(ctx, "echo", &rig_ping, msg);
}

static int on_relay_hold(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    return actor_forward(ctx, "echo", &rig_hold, msg);
}

static const struct actor_route relay_routes[] = {
    { &rig_ping, on_ping, 0 },
    { &rig_slow, on_slow, 0 },
    { &rig_break, on_break, 0 },
    { &rig_relay, on_relay, 0 },
    { &rig_relay_hold, on_relay_hold, 0 },
};

const struct actor_def relay_actor = {
    .name = "relay",
    .routes = relay_routes,
    .routes_n = ARRAY_LEN(relay_routes),
};
