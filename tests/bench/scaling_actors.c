/*
 * edge     makes runs, as its clients would ask for them, and takes in the events of all
 * router   hands each run on to its agent
 * agent    accepts a run, works, waits as for a provider, and tells all edges of it
 */
#include "tests/bench/scaling_actors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "tests/bench/scaling_wire.h"

static const char filler[SCALING_TEXT_MAX];

/* --- agent ----------------------------------------------------------------------------------------- */

/* A run that is not over. Lives until its timer's close callback. */
struct pending {
    uv_timer_t timer;
    struct actor *actor;
    struct pending *next;
    struct pending **back;
    struct msg_event event;
    uint64_t left;
};

struct agent {
    struct pending *pending;
};

static void work(uint64_t us)
{
    uint64_t end_ns = clock_mono_ns() + us * 1000;

    while (us && clock_mono_ns() < end_ns) {
        /* a processor's time is what is asked for */
    }
}

static void tell(struct actor *actor, struct msg_event *event, uint64_t left)
{
    event->is_last = left == 1;
    (void)actor_publish(actor, &scaling_event, event, NULL);
}

static void on_closed(uv_handle_t *handle)
{
    struct pending *run = handle->data;

    mem_free(&run);
}

static void pending_end(struct pending *run)
{
    *run->back = run->next;
    if (run->next) {
        run->next->back = run->back;
    }
    uv_close((uv_handle_t *)&run->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct pending *run = timer->data;
    bool is_paced = uv_timer_get_repeat(timer) != 0;

    do {
        tell(run->actor, &run->event, run->left--);
    } while (run->left && !is_paced);
    if (run->left == 0) {
        pending_end(run);
    }
}

static void pending_begin(struct agent *self, struct actor *actor, const struct msg_run *in,
                          const struct msg_event *event)
{
    struct pending *run = mem_new(sizeof(*run));
    uint64_t off_ms = in->gap_ms ? (in->number + 3 * in->edge) % in->gap_ms : 0; /* out of step with others */

    *run = (struct pending){ .actor = actor, .event = *event, .left = in->events, .next = self->pending };
    run->back = &self->pending;
    if (run->next) {
        run->next->back = &run->next;
    }
    self->pending = run;
    run->timer.data = run;
    (void)uv_timer_init(actor_loop(actor), &run->timer);
    (void)uv_timer_start(&run->timer, on_timer, in->wait_ms + off_ms, in->gap_ms);
}

static int on_agent_run(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_run *in = msg;
    struct actor *actor = actor_ctx_actor(ctx);
    struct msg_event event = { .number = in->number, .edge = in->edge, .text = { filler, in->event_bytes } };

    work(in->work_us);
    int r = actor_reply(ctx, &scaling_accepted, &(struct msg_accepted){ in->number });
    if (r || in->events == 0) {
        return r;
    }
    if (in->wait_ms || in->gap_ms) {
        pending_begin(arg, actor, in, &event);
        return 0;
    }
    for (uint64_t left = in->events; left; left--) {
        tell(actor, &event, left);
    }
    return 0;
}

static void agent_deinit(void *arg, struct actor *actor)
{
    struct agent *self = arg;

    (void)actor;
    while (self->pending) {
        pending_end(self->pending);
    }
}

static const struct actor_route agent_routes[] = { { &scaling_run, on_agent_run, 0 } };
const struct actor_def scaling_agent = { .name = "agent",
                                         .state_size = sizeof(struct agent),
                                         .routes = agent_routes,
                                         .routes_n = ARRAY_LEN(agent_routes),
                                         .deinit = agent_deinit };

/* --- router ---------------------------------------------------------------------------------------- */

static int on_router_run(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_run *in = msg;
    char to[32];

    (void)arg;
    (void)snprintf(to, sizeof(to), "agent/%llu", (unsigned long long)(in->number % in->agents));
    return actor_forward(ctx, to, NULL, NULL);
}

static const struct actor_route router_routes[] = { { &scaling_run, on_router_run, 0 } };
const struct actor_def scaling_router = { .name = "router",
                                          .routes = router_routes,
                                          .routes_n = ARRAY_LEN(router_routes) };

/* --- edge ------------------------------------------------------------------------------------------ */

struct edge {
    uint64_t index;
    struct actor_token driver;
    struct msg_load load;
    uint64_t sent;
    uint64_t ended;
    uint64_t failed;
    uint64_t *began_ns; /* of each run */
    uint32_t *took_us;  /* of those that ended */
};

static void fill(struct edge *self, struct actor *actor);

static int order(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

static void load_end(struct edge *self, struct actor *actor)
{
    struct msg_loaded out = { .failed = self->failed };

    qsort(self->took_us, self->ended, sizeof(*self->took_us), order);
    out.p50_us = self->took_us[self->ended / 2];
    out.p99_us = self->took_us[self->ended - 1 - self->ended / 100];
    (void)actor_token_reply(actor, self->driver, &scaling_loaded, &out);
}

static void run_end(struct edge *self, struct actor *actor, uint64_t number)
{
    self->took_us[self->ended++] = (uint32_t)((clock_mono_ns() - self->began_ns[number]) / 1000);
    if (self->ended == self->load.runs) {
        load_end(self, actor);
    } else {
        fill(self, actor);
    }
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct edge *self = state;

    self->failed += answer->failure ? 1 : 0;
    if (answer->failure || self->load.events == 0) {
        run_end(self, actor, (uint64_t)(uintptr_t)cookie);
    }
}

static void fill(struct edge *self, struct actor *actor)
{
    const struct msg_load *load = &self->load;
    struct msg_run in = { .edge = self->index,
                          .agents = load->agents,
                          .work_us = load->work_us,
                          .wait_ms = load->wait_ms,
                          .gap_ms = load->gap_ms,
                          .events = load->events,
                          .event_bytes = load->event_bytes,
                          .text = { filler, load->text_bytes } };
    struct actor_call call = { .to = "router", .msg = &scaling_run, .in = &in, .on_answer = on_answer };

    while (self->sent < load->runs && self->sent - self->ended < load->window) {
        in.number = self->sent++;
        self->began_ns[in.number] = clock_mono_ns();
        call.cookie = (void *)(uintptr_t)in.number; /* NOLINT(performance-no-int-to-ptr): a number, and only that */
        (void)actor_call(actor, &call, NULL);
    }
}

static int on_load(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct edge *self = arg;

    self->load = *(const struct msg_load *)msg;
    self->sent = self->ended = self->failed = 0;
    free(self->began_ns);
    free(self->took_us);
    self->began_ns = calloc(self->load.runs, sizeof(*self->began_ns));
    self->took_us = calloc(self->load.runs, sizeof(*self->took_us));
    if (!self->began_ns || !self->took_us || self->load.runs == 0) {
        return FAIL_INVALID_REQUEST;
    }
    self->driver = actor_defer(ctx, NULL);
    fill(self, actor_ctx_actor(ctx));
    return 0;
}

static int on_event(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct edge *self = arg;
    const struct msg_event *in = msg;

    if (in->edge == self->index && in->is_last) {
        run_end(self, actor_ctx_actor(ctx), in->number);
    }
    return 0;
}

/* A run whose end was left out would be waited for without end. */
static void on_gap(void *arg, struct actor *actor, const struct actor_gap *gap)
{
    (void)arg;
    (void)fprintf(stderr, "bench_scaling: %s missed %llu events\n", actor_address(actor),
                  (unsigned long long)gap->lost + gap->dropped);
    exit(1);
}

static int edge_init(void *arg, struct actor *actor, const char *text)
{
    (void)actor;
    ((struct edge *)arg)->index = strtoull(text, NULL, 10);
    return 0;
}

static void edge_deinit(void *arg, struct actor *actor)
{
    struct edge *self = arg;

    (void)actor;
    free(self->began_ns);
    free(self->took_us);
}

static const struct actor_route edge_routes[] = { { &scaling_load, on_load, 0 } };
static const struct actor_route edge_topics[] = { { &scaling_event, on_event, 0 } };
const struct actor_def scaling_edge = { .name = "edge",
                                        .state_size = sizeof(struct edge),
                                        .routes = edge_routes,
                                        .routes_n = ARRAY_LEN(edge_routes),
                                        .topics = edge_topics,
                                        .topics_n = ARRAY_LEN(edge_topics),
                                        .init = edge_init,
                                        .deinit = edge_deinit,
                                        .on_gap = on_gap };
