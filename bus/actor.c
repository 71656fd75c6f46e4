/*
 * actor: the runtime of one actor: its loop, its mailbox, and one message at a time.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "bus/actor_internal.h"
#include "bus/base/clock.h"
#include "bus/base/descriptors.h"
#include "bus/base/mem.h"

#define BATCH_LOOK 8   /* mails between two looks at the clock */
#define CLOSE_SPINS 16 /* turns of a loop that is to be closed, before they are slowed down */

static _Thread_local struct actor *current_actor;

/* --- small things -------------------------------------------------------------------------- */

struct actor *actor_current(void)
{
    return current_actor;
}

const char *actor_address(const struct actor *self)
{
    return self->address;
}

const char *actor_node(const struct actor *self)
{
    return self->node_address;
}

void *actor_state(const struct actor *self)
{
    return self->state;
}

uv_loop_t *actor_loop(struct actor *self)
{
    return self->loop;
}

const char *actor_process_end(const struct actor *self)
{
    bool is_news = clock_mono_ms() < self->opts.process_start_ms + PROCESS_END_NEWS_MS;

    return self->opts.process_end && is_news ? self->opts.process_end : "";
}

uint32_t actor_incarnation(const struct actor *self)
{
    return self->opts.incarnation;
}

/* splitmix64 over a seed from the kernel: unique, not secret. */
static uint64_t random_next(struct actor *self)
{
    uint64_t z = self->random[0] += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

struct trace_id actor_trace_new(struct actor *self)
{
    return (struct trace_id){ random_next(self) ^ self->random[1], random_next(self) | 1 };
}

int actor_fault(struct actor *self, int fault)
{
    if (!self->fault) {
        self->fault = fault;
    }
    actor_stop(self);
    return fault;
}

void actor_stop(struct actor *self)
{
    self->is_stopping = true;
    if (self->loop == &self->own_loop) {
        uv_stop(self->loop);
    }
}

bool actor_is_restarting(const struct actor *self)
{
    return self->is_restarting;
}

const char *actor_life_name(enum actor_life life)
{
    static const char *const names[] = {
        "absent", "starting", "ready", "backoff", "gave_up", "stopped", "unresponsive"
    };

    return (size_t)life < ARRAY_LEN(names) ? names[life] : "unknown";
}

/* --- the message in hand --------------------------------------------------------------------- */

struct actor *actor_ctx_actor(struct actor_ctx *ctx)
{
    return ctx->actor;
}

struct span actor_ctx_from(const struct actor_ctx *ctx)
{
    return ctx->mail->env.from;
}

struct span actor_ctx_principal(const struct actor_ctx *ctx)
{
    return ctx->mail->env.principal;
}

struct trace_id actor_ctx_trace(const struct actor_ctx *ctx)
{
    return ctx->mail->env.trace;
}

uint32_t actor_ctx_left_ms(const struct actor_ctx *ctx)
{
    return ctx->mail->env.left_ms; /* handled in the turn it arrived in, so nothing to subtract */
}

const struct schema_msg *actor_ctx_msg(const struct actor_ctx *ctx)
{
    return ctx->msg;
}

struct span actor_ctx_body(const struct actor_ctx *ctx)
{
    return body_span(&ctx->mail->body);
}

const struct body *actor_ctx_body_shared(const struct actor_ctx *ctx)
{
    return &ctx->mail->body;
}

/* --- casts ----------------------------------------------------------------------------------- */

static int cast_frame(struct actor *self, const char *to, const struct schema_msg *msg, zmq_msg_t *frame,
                      const struct actor_ctx *cause)
{
    struct envelope env = { .kind = ENVELOPE_CAST,
                            .from = span_from(self->address),
                            .name = { msg->name, msg->name_len },
                            .flags = msg->flags & SCHEMA_LASTING ? ENVELOPE_LASTING : 0,
                            .left_ms = UINT32_MAX };

    if (cause) {
        env.trace = actor_ctx_trace(cause);
        env.principal = actor_ctx_principal(cause);
    }
    return link_send(self, link_get(self, span_from(to)), &env, frame);
}

int actor_cast(struct actor *self, const char *to, const struct schema_msg *msg, const void *in,
               const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = message_make(self, msg, in, (struct span){ 0 }, &frame);

    return r < 0 ? r : cast_frame(self, to, msg, &frame, cause);
}

int actor_cast_span(struct actor *self, const char *to, const struct schema_msg *msg, struct span body,
                    const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = message_frame(body, schema_body_is_secret(msg), &frame);

    return r < 0 ? r : cast_frame(self, to, msg, &frame, cause);
}

/* --- the loop ------------------------------------------------------------------------------- */

static void depth_publish(struct actor *self)
{
    atomic_store_explicit(&self->opts.stats->mailbox_msgs, self->mailbox.msgs, memory_order_relaxed);
    atomic_store_explicit(&self->opts.stats->mailbox_bytes, self->mailbox.bytes, memory_order_relaxed);
}

/* The clock is read around the batch alone: within it a message is taken to have waited for half of it. */
static void batch_account(struct actor *self, unsigned handled, uint64_t waited_ns, uint64_t busy_ns)
{
    struct actor_stats *stats = self->opts.stats;

    atomic_fetch_add_explicit(&stats->handled, handled, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->waited_ns, waited_ns + busy_ns * (handled - 1) / 2, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->busy_ns, busy_ns, memory_order_relaxed);
}

void actor_cork(struct actor *self)
{
    self->is_corked = true;
}

void actor_uncork(struct actor *self)
{
    self->is_corked = false;
    link_uncork(self);
}

void actor_work_begin(struct actor *self)
{
    pulse_work(self->opts.pulse);
}

void actor_work_end(struct actor *self)
{
    pulse_rest(self->opts.pulse);
}

/* For those who watch how long things take. */
static void handled_show(struct actor *self, struct mail *mail, uint64_t began_ns)
{
    if (tap_port_see(&self->tap,
                     &(struct tap_sight){ .env = &mail->env,
                                          .header = { zmq_msg_data(&mail->header), zmq_msg_size(&mail->header) },
                                          .body = body_span(&mail->body),
                                          .body_bytes = mail->bytes - zmq_msg_size(&mail->header),
                                          .is_handled = true,
                                          .waited_ns = began_ns - mail->arrived_ns,
                                          .busy_ns = clock_mono_ns() - began_ns })) {
        actor_wake(self);
    }
}

/* Enough for one turn of the loop? */
static bool batch_is_over(unsigned handled, uint64_t began_ns)
{
    return handled >= ACTOR_BATCH ||
           (handled % BATCH_LOOK == 0 && handled && clock_mono_ns() - began_ns >= ACTOR_BATCH_NS);
}

static void handle_batch(struct actor *self)
{
    uint64_t began_ns = self->mailbox.msgs ? clock_mono_ns() : 0;
    uint64_t waited_ns = 0;
    unsigned handled = 0;
    bool is_timed = self->mailbox.msgs && tap_port_wants_times(&self->tap);

    for (; !self->is_stopping && !batch_is_over(handled, began_ns); handled++) {
        struct mail *mail = mailbox_pop(&self->mailbox);

        if (!mail) {
            break;
        }
        pulse_work(self->opts.pulse);
        waited_ns += began_ns - mail->arrived_ns;
        struct link *link = mail->link;
        uint32_t incarnation = mail->env.incarnation;
        size_t bytes = mail->bytes;
        uint64_t handler_ns = is_timed ? clock_mono_ns() : 0;
        link_hear(self, link, incarnation);
        if (mail->env.via.len) {
            link_hear(self, link_get(self, mail->env.from), mail->env.asker);
        }
        dispatch_mail(self, mail);
        if (is_timed) {
            handled_show(self, mail, handler_ns);
        }
        mailbox_recycle(&self->mailbox, &mail);
        link_account(self, link, incarnation, bytes);
    }
    if (handled) {
        batch_account(self, handled, waited_ns, clock_mono_ns() - began_ns);
    }
}

/* A batch that left whenever the actor is idle would wake libzmq and the watcher each time. */
static void tap_rest(struct actor *self)
{
    if (self->tap.is_open) {
        actor_timer_at(self, uv_now(self->loop) + TAP_GATHER_MS);
    }
}

static void pump(struct actor *self)
{
    struct actor *outer = current_actor;

    current_actor = self;
    pulse_work(self->opts.pulse);
    tap_port_turn(&self->tap);
    (void)call_run_ended(self);
    bool is_empty = intake_drain(self);
    tap_port_turn(&self->tap);
    depth_publish(self);
    handle_batch(self);
    (void)call_run_ended(self);
    if (self->mailbox.msgs || self->ended || !is_empty) {
        actor_wake(self);
    } else {
        tap_rest(self);
        uv_idle_stop(
            &self->work); /* what arrived while the batch was handled has raised the descriptor, see on_readable */
    }
    tap_port_turn(&self->tap);
    depth_publish(self);
    pulse_rest(self->opts.pulse);
    current_actor = outer;
}

/* ZMQ_FD tells of commands to the socket, and stays readable until they are taken, which only a receive does here: what
 * comes after intake_drain() has found nothing is not missed (zmq_getsockopt(3), ZMQ_FD). */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct actor *self = poll->data;

    (void)status;
    (void)events;
    if (!uv_is_active((uv_handle_t *)&self->work)) { /* else it has had its batch in this turn */
        pump(self);
    }
}

static void on_work(uv_idle_t *idle)
{
    pump(idle->data);
}

void actor_wake(struct actor *self)
{
    if (!uv_is_active((uv_handle_t *)&self->work)) {
        (void)uv_idle_start(&self->work, on_work); /* fails only without a callback */
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct actor *self = timer->data;
    struct actor *outer = current_actor;

    current_actor = self;
    pulse_work(self->opts.pulse);
    self->timer_at_ms = UINT64_MAX;
    call_run_due(self);
    tap_port_flush(&self->tap);
    uint64_t in_ms = wheel_next_ms(&self->wheel, uv_now(self->loop));
    if (in_ms != UINT64_MAX) {
        actor_timer_at(self, uv_now(self->loop) + in_ms);
    }
    pulse_rest(self->opts.pulse);
    current_actor = outer;
}

void actor_timer_at(struct actor *self, uint64_t at_ms)
{
    uint64_t now_ms = uv_now(self->loop);

    if (at_ms < self->timer_at_ms) {
        self->timer_at_ms = at_ms;
        (void)uv_timer_start(&self->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0,
                             0); /* fails only without a callback */
    }
}

/* --- life ------------------------------------------------------------------------------------ */

/* The path of an endpoint that is a file; NULL for others. */
static const char *endpoint_path(const char *endpoint)
{
    static const char scheme[] = "ipc://";

    return strncmp(endpoint, scheme, sizeof(scheme) - 1) == 0 ? endpoint + sizeof(scheme) - 1 : NULL;
}

void actor_bind_again(struct actor *self)
{
    for (size_t i = 0; i < ARRAY_LEN(self->opts.endpoints) && self->opts.endpoints[i]; i++) {
        const char *path = endpoint_path(self->opts.endpoints[i]);

        /* The old listener stays until this life is over: its end would be that of all connections that came by it,
         * with what is under way on them. */
        if (path && access(path, F_OK) && zmq_bind(self->pull_raw, self->opts.endpoints[i])) {
            log_error("endpoint_lost", "actor=%s path=%s error=\"%s\"", self->address, path, fault_text(-zmq_errno()));
        }
    }
    actor_wake(self); /* zmq_bind() takes the commands that the descriptor told of, see on_readable() */
}

static int pull_open(struct actor *self)
{
    if (descriptors_few(DESCRIPTORS_SOCKET)) {
        return FAULT(-EMFILE);
    }
    self->pull = zsock_new(ZMQ_PULL);
    if (!self->pull) {
        return FAULT(-zmq_errno());
    }
    zsock_set_rcvhwm(self->pull, 0); /* bounded by credit; see link.c */
    zsock_set_linger(self->pull, 0);
    self->pull_raw = zsock_resolve(self->pull);
    for (size_t i = 0; i < ARRAY_LEN(self->opts.endpoints) && self->opts.endpoints[i]; i++) {
        if (zmq_bind(self->pull_raw, self->opts.endpoints[i]) != 0) {
            return FAULT(-zmq_errno());
        }
    }
    return 0;
}

static void on_rest(uv_prepare_t *prepare)
{
    struct actor *self = prepare->data;

    pulse_rest(self->opts.pulse);
}

static void pulse_open(struct actor *self)
{
    if (self->opts.pulse) {
        pulse_start(self->opts.pulse);
        (void)uv_prepare_init(self->loop, &self->rest); /* neither can fail */
        self->rest.data = self;
        (void)uv_prepare_start(&self->rest, on_rest);
        self->handles_open++;
    }
}

static int handles_open(struct actor *self)
{
    int r = uv_poll_init(self->loop, &self->poll, zsock_fd(self->pull));

    if (r < 0) {
        return FAULT(r);
    }
    (void)uv_idle_init(self->loop, &self->work); /* cannot fail */
    (void)uv_timer_init(self->loop, &self->timer);
    self->handles_open = 3;
    self->poll.data = self;
    self->work.data = self;
    self->timer.data = self;
    pulse_open(self);
    r = uv_poll_start(&self->poll, UV_READABLE, on_readable);
    return r < 0 ? FAULT(r) : 0;
}

static void random_seed(struct actor *self)
{
    if (getrandom(self->random, sizeof(self->random), 0) != (ssize_t)sizeof(self->random)) {
        self->random[0] = clock_mono_ns();
        self->random[1] = (uint64_t)(uintptr_t)self;
    }
    /* Numbers of calls differ from those of an earlier life at the same address. */
    self->call_generation = (uint32_t)random_next(self);
}

static void parts_init(struct actor *self)
{
    mailbox_init(&self->mailbox, self->def->mailbox_msgs ? self->def->mailbox_msgs : MAILBOX_MSGS_DEFAULT,
                 self->def->mailbox_bytes ? self->def->mailbox_bytes : MAILBOX_BYTES_DEFAULT);
    wheel_init(&self->wheel, uv_now(self->loop));
    pack_init(&self->scratch, ACTOR_BODY_MAX);
    tap_port_init(&self->tap, self->host, self->address, self->opts.registry);
    self->timer_at_ms = UINT64_MAX;
    self->ended_tail = &self->ended;
    outbox_init(&self->outbox);
    random_seed(self);
}

static void routes_init(struct actor *self)
{
    for (size_t i = 0; i < self->def->routes_n; i++) {
        route_table_add(&self->routes, &self->def->routes[i]);
    }
    for (size_t i = 0; i < self->def->topics_n; i++) {
        (void)actor_subscribe(self, &self->def->topics[i]); /* cannot fail */
    }
}

/* Its loop and its mailbox: what it is before it can talk. */
static int ground_open(struct actor *self, uv_loop_t *loop)
{
    self->loop = loop ? loop : &self->own_loop;
    int r = loop ? 0 : uv_loop_init(&self->own_loop);
    if (r < 0) {
        return FAULT(r);
    }
    parts_init(self);
    r = pull_open(self);
    return r < 0 ? r : handles_open(self);
}

static int life_begin(struct actor *self)
{
    node_talk_open(self);
    if (self->opts.node_endpoint) { /* the mailbox is bound: the directory may send others to it */
        node_talk_state(self, actor_life_name(ACTOR_LIFE_STARTING), NULL);
    }
    routes_init(self);
    self->state = mem_new(self->def->state_size ? self->def->state_size : 1);
    self->is_init = true;
    int r = self->def->init ? self->def->init(self->state, self, self->opts.arg ? self->opts.arg : "") : 0;
    if (r == 0 && !self->def->is_ready_late) {
        actor_ready(self);
    }
    return r > 0 ? FAULT(-EPROTO) : r;
}

/* One that failed without a word: whoever starts it again has at least the place to look at. */
static void status_of_fault(struct actor *self, int fault)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "its start failed: %s, at %s", fault_text(fault), fault_place());
    actor_status(self, text);
}

int actor_open(struct actor *self, uv_loop_t *loop, const struct actor_opts *opts)
{
    struct actor *outer = current_actor;

    *self = (struct actor){ .opts = *opts, .def = opts->def };
    (void)snprintf(self->address, sizeof(self->address), "%s", opts->address);
    (void)snprintf(self->host, sizeof(self->host), "%s", opts->host);
    (void)snprintf(self->node_address, sizeof(self->node_address), "%s", opts->node_address);
    int r = ground_open(self, loop);
    if (r == 0) {
        if (!self->opts.resolve) {
            self->opts.resolve = node_talk_resolve;
        }
        current_actor = self;
        r = life_begin(self);
    }
    if (r < 0 && self->opts.node_endpoint && !self->has_status) {
        status_of_fault(self, r);
    }
    current_actor = outer;
    return r;
}

void actor_serve(struct actor *self)
{
    current_actor = self;
    while (!self->is_stopping) {
        (void)uv_run(self->loop, UV_RUN_DEFAULT);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct actor *self = handle->data;

    self->handles_open--;
}

static void own_loop_close(struct actor *self)
{
    if (self->loop != &self->own_loop) {
        return;
    }
    /* deinit may leave closes pending; a handle left open is a bug that must not hang the stop. */
    for (int i = 0; i < 1000 && uv_loop_close(self->loop) == UV_EBUSY; i++) {
        struct pollfd backend = { .fd = uv_backend_fd(self->loop), .events = POLLIN };

        (void)uv_run(self->loop, UV_RUN_NOWAIT);
        if (i >= CLOSE_SPINS) {
            (void)poll(&backend, 1, 1); /* a handle that waits for something outside, like a process that was killed */
        }
    }
}

static void watches_free(struct actor *self)
{
    while (self->watches) {
        struct watch *watch = self->watches;

        self->watches = watch->next;
        free(watch);
    }
}

void actor_close(struct actor *self)
{
    struct actor *outer = current_actor;

    current_actor = self;
    self->is_stopping = true;
    pulse_stop(self->opts.pulse); /* its end has a deadline of its own */
    if (self->is_init && self->def->deinit) {
        self->def->deinit(self->state, self);
    }
    if (self->pull_raw) {
        watches_free(self); /* its state is gone */
        serve_fail_all(self);
        flush_all(self);
    }
    node_talk_exit(self);
    tap_port_flush(&self->tap);
    if (self->handles_open) {
        uv_close((uv_handle_t *)&self->poll, on_handle_closed);
        uv_close((uv_handle_t *)&self->work, on_handle_closed);
        uv_close((uv_handle_t *)&self->timer, on_handle_closed);
        if (self->opts.pulse) {
            uv_close((uv_handle_t *)&self->rest, on_handle_closed);
        }
    }
    own_loop_close(self);
    call_free_all(self);
    topic_free_all(self);
    mailbox_deinit(&self->mailbox); /* its lanes are of the links */
    link_close_all(self);
    zsock_destroy(&self->pull);
    tap_port_deinit(&self->tap);
    pack_deinit(&self->scratch);
    watches_free(self);
    route_table_deinit(&self->routes);
    route_table_deinit(&self->topics);
    free(self->in_buf);
    free(self->answer_buf);
    free(self->state);
    self->state = NULL;
    current_actor = outer;
}
