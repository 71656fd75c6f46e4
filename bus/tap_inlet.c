#include "bus/tap_inlet.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/actor_internal.h"
#include "bus/base/clock.h"
#include "bus/base/descriptors.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/tap_order.h"
#include "bus/value.h"
#include "bus/zport.h"

#define INLET_BATCHES_TURN 16U
#define INLET_BATCHES_WAITING 256
#define INLET_SENDERS 4096   /* each of them connects once and not again */
#define INLET_HOLD_US 150000 /* how far apart batches of different senders may come */
#define INLET_LOOK_MS 20U    /* while something is held */
#define INLET_BURST_MS 100U  /* what may be given at once after a while of less */
#define INLET_BATCH_DEPTH 72

struct tap_inlet {
    struct tap_inlet_opts opts; /* `filter` is not kept: it is borrowed */
    char endpoint[TAP_ENDPOINT_MAX];
    struct zport in;
    uv_timer_t timer;
    unsigned handles_n;
    bool is_closed;
    char text[TAP_FILTER_TEXT_MAX + 1];
    struct tap_filter filter;
    struct tap_order order;
    struct tap_calls calls;
    uint64_t lost;
    uint64_t told;      /* what tap_inlet_lost said when the owner last heard of it */
    uint32_t budget;    /* records that may still be given */
    uint64_t budget_ms; /* when it was last filled */
};

uint64_t tap_inlet_lost(const struct tap_inlet *self)
{
    return self->lost + tap_order_dropped(&self->order);
}

void tap_inlet_lose(struct tap_inlet *self)
{
    self->lost++;
}

/* --- records ------------------------------------------------------------------------------ */

static void budget_fill(struct tap_inlet *self)
{
    uint64_t now_ms = uv_now(actor_loop(self->opts.actor));
    uint64_t passed_ms = now_ms - self->budget_ms;
    uint64_t most = (uint64_t)INLET_BURST_MS * TAP_INLET_RECORDS_PER_MS;
    uint64_t budget = passed_ms > INLET_BURST_MS ? most : self->budget + passed_ms * TAP_INLET_RECORDS_PER_MS;

    self->budget = (uint32_t)(budget < most ? budget : most);
    self->budget_ms = now_ms;
}

/* Every record is paired, also one that is lost: its answer tells how long it took. */
static bool is_wanted(struct tap_inlet *self, struct tap_record *record)
{
    struct tap_filter_subject subject;

    tap_record_pair(record, &self->calls);
    subject = tap_record_subject(record);
    return tap_filter_fits(&self->filter, &subject);
}

static void records_give(struct tap_inlet *self, int64_t until_us)
{
    struct tap_held *held;

    while (!self->is_closed && self->budget && self->opts.has_room(self->opts.arg) &&
           (held = tap_order_take(&self->order, until_us))) {
        if (is_wanted(self, &held->record)) {
            self->budget--;
            self->opts.on_record(self->opts.arg, &held->record);
        }
        free(held);
    }
    while (!self->is_closed && (held = tap_order_take(&self->order, INT64_MIN))) { /* there is too much of it */
        self->lost += is_wanted(self, &held->record);
        free(held);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct tap_inlet *self = timer->data;
    uint64_t lost;

    budget_fill(self);
    records_give(self, clock_wall_us() - INLET_HOLD_US);
    lost = self->is_closed ? 0 : tap_inlet_lost(self);
    if (!self->is_closed && (self->order.n == 0 || lost != self->told)) {
        self->told = lost;
        self->opts.on_rest(self->opts.arg);
    }
    if (!self->is_closed && self->order.n == 0) {
        (void)uv_timer_stop(timer); /* cannot fail */
    }
}

/* What is full takes no more; what is in the batch is not even looked at. */
static void batch_take(struct tap_inlet *self, struct span batch)
{
    unsigned malformed = 0;

    if (self->order.bytes > TAP_INLET_BYTES_MAX) {
        self->lost +=
            wire_check(batch.ptr, batch.len, INLET_BATCH_DEPTH) && value_count(batch) ? value_count(batch) - 1 : 0;
        return;
    }
    if (tap_order_add(&self->order, batch, &malformed)) {
        malformed++;
    }
    self->lost += malformed;
}

static bool on_turn(void *arg)
{
    struct tap_inlet *self = arg;
    bool has_more = true;

    for (unsigned i = 0; has_more && i < INLET_BATCHES_TURN; i++) {
        zmq_msg_t batch;

        (void)zmq_msg_init(&batch);
        has_more = !self->is_closed && frame_receive(&batch, self->in.raw);
        if (!has_more) {
            (void)zmq_msg_close(&batch); /* empty */
        } else {
            batch_take(self, (struct span){ zmq_msg_data(&batch), zmq_msg_size(&batch) });
            frame_close(&batch);
        }
    }
    if (!self->is_closed && !uv_is_active((uv_handle_t *)&self->timer)) {
        (void)uv_timer_start(&self->timer, on_look, INLET_LOOK_MS, INLET_LOOK_MS); /* fails only without a callback */
    }
    return has_more;
}

void tap_inlet_rest(struct tap_inlet *self)
{
    (void)on_turn(self); /* what has come and is not looked at yet */
    budget_fill(self);
    records_give(self, INT64_MAX);
    if (!self->is_closed) {
        self->lost += self->order.n; /* there is no room for them */
        self->opts.on_rest(self->opts.arg);
    }
}

/* --- its life ------------------------------------------------------------------------------- */

static void handle_gone(struct tap_inlet *self)
{
    if (--self->handles_n == 0) {
        tap_order_deinit(&self->order);
        free(self);
    }
}

static void on_port_closed(void *arg)
{
    handle_gone(arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void tap_inlet_close(struct tap_inlet **self_p)
{
    struct tap_inlet *self = *self_p;

    *self_p = NULL;
    if (!self || self->is_closed) {
        return;
    }
    self->is_closed = true;
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
    zport_close(&self->in, on_port_closed);
}

static zsock_t *socket_bind(const struct tap_inlet *self)
{
    zsock_t *pull = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PULL);

    if (!pull) {
        return NULL;
    }
    zsock_set_rcvhwm(pull, INLET_BATCHES_WAITING);
    zsock_set_backlog(pull, INLET_SENDERS);
    zsock_set_linger(pull, 0);
    if (zmq_bind(zsock_resolve(pull), self->endpoint)) {
        zsock_destroy(&pull);
    }
    return pull;
}

/* A name that no other has: of this life of the actor, and the number of what it opens. */
static bool endpoint_make(struct tap_inlet *self)
{
    struct actor *actor = self->opts.actor;
    char name[ACTOR_ADDRESS_MAX];
    int len = -1;

    (void)snprintf(name, sizeof(name), "%s", actor_address(actor));
    for (char *at = name; *at; at++) {
        *at = *at == '/' ? '-' : *at;
    }
    if (actor->opts.run_dir) {
        len = snprintf(self->endpoint, sizeof(self->endpoint), "ipc://%s/tap-%s-%x-%llx.sock", actor->opts.run_dir,
                       name, actor_incarnation(actor), (unsigned long long)++actor->next_id);
    }
    return len > 0 && (size_t)len < sizeof(self->endpoint);
}

int tap_inlet_open(const struct tap_inlet_opts *opts, struct tap_inlet **ret_self, struct tap_filter_error *ret_error)
{
    struct tap_inlet *self = mem_new(sizeof(*self));
    zsock_t *pull;
    int r = 0;

    self->opts = *opts;
    self->opts.filter = (struct span){ NULL, 0 };
    self->order.bytes_max = TAP_INLET_BYTES_MAX;
    if (opts->filter.len && tap_filter_parse(opts->filter, &self->filter, ret_error)) {
        free(self);
        return TAP_INLET_E_FILTER;
    }
    (void)snprintf(self->text, sizeof(self->text), "%.*s", SPAN_FMT(opts->filter)); /* a longer one was refused */
    pull = endpoint_make(self) ? socket_bind(self) : NULL;
    if (!pull) {
        free(self);
        return TAP_INLET_E_ALONE;
    }
    (void)uv_timer_init(actor_loop(opts->actor), &self->timer); /* cannot fail */
    self->timer.data = self;
    self->handles_n = 2;
    r = zport_open(&self->in, actor_loop(opts->actor), &pull, on_turn, self);
    self->in.arg = self;
    if (r) {
        tap_inlet_close(&self);
        return r;
    }
    *ret_self = self;
    return 0;
}

void tap_inlet_request(const struct tap_inlet *self, bool is_on, const char *who, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "op", is_on ? "tap" : "untap");
    pack_kv_text(out, "who", who);
    pack_kv_text(out, "endpoint", self->endpoint);
    pack_kv_text(out, "filter", self->text);
    pack_kv_bool(out, "bodies", self->opts.with_bodies);
    pack_kv_bool(out, "times", self->opts.with_times);
    pack_kv_bool(out, "sessions", self->opts.with_sessions);
    pack_map_end(out);
}
