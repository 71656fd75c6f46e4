/*
 * trunk_leaf
 *
 * While there is no connection, everybody beyond it is silent: calls to them end at once,
 * everything else waits in the session. A connection that has just ended is another matter.
 * It may be only that somebody on the way forgot it: so nobody is told while the next attempt
 * has a chance to come in. When nobody listens there, it is no forgotten connection: the
 * gateway is gone, and so is everybody beyond it.
 */
#include "bus/trunk_leaf.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/trunk_leaf_internal.h"

#define LEAF_BATCH 256U
#define SWEEP_LOOKS 40U /* looks between two looks for mailboxes that are gone */

/* --- what the relay asks ---------------------------------------------------------------------- */

static void message_send(struct trunk_leaf *self, const struct trunk_head *head, const zmq_msg_t *const *parts,
                         size_t parts_n)
{
    uint8_t bytes[TRUNK_HEAD_LEN];

    if (!self->attempt) {
        return;
    }
    trunk_head_encode(head, bytes);
    void *raw = self->attempt->port.raw;
    if (zmq_send(raw, bytes, sizeof(bytes), ZMQ_DONTWAIT | (parts_n ? ZMQ_SNDMORE : 0)) < 0) {
        return; /* the connection is gone, and that shows by its silence */
    }
    for (size_t i = 0; i < parts_n; i++) {
        zmq_msg_t copy;

        (void)zmq_msg_init(&copy);
        (void)zmq_msg_copy(&copy, (zmq_msg_t *)(uintptr_t)parts[i]); /* shares the bytes; only counts */
        (void)frame_send(&copy, raw, i + 1 < parts_n);
    }
    zport_kick(&self->attempt->port);
}

static void on_transmit(void *arg, const struct trunk_head *head, const zmq_msg_t *header, const zmq_msg_t *body)
{
    message_send(arg, head, (const zmq_msg_t *[]){ header, body }, header ? 2 : 0);
}

static bool on_find(void *arg, struct span to, char out[LINK_ENDPOINT_MAX])
{
    const struct trunk_leaf *self = arg;

    if (!self->node) {
        return false;
    }
    if (span_is_text(to, node_address(self->node))) {
        (void)snprintf(out, LINK_ENDPOINT_MAX, "%s", node_local(self->node));
        return true;
    }
    const struct directory_entry *entry = directory_find(node_directory(self->node), to);
    if (!entry || !entry->is_up || !entry->local[0]) {
        return false;
    }
    (void)snprintf(out, LINK_ENDPOINT_MAX, "%s", entry->local);
    return true;
}

static bool on_is_known(void *arg, const char *endpoint)
{
    const struct trunk_leaf *self = arg;

    for (const struct directory_entry *at = node_directory(self->node)->entries; at; at = at->next) {
        if (at->is_up && strcmp(at->local, endpoint) == 0) {
            return true;
        }
    }
    return strcmp(endpoint, node_local(self->node)) == 0;
}

/* --- watchers ------------------------------------------------------------------------------------- */

static bool on_batch(void *arg, struct span endpoint, struct span batch)
{
    struct trunk_leaf *self = arg;
    uint8_t head[TRUNK_HEAD_LEN];

    if (!self->attempt || !self->relay->is_connected) {
        return false;
    }
    void *raw = self->attempt->port.raw;
    trunk_head_encode(&(struct trunk_head){ .kind = TRUNK_TAP, .seen = trunk_session_tell(&self->relay->session) },
                      head);
    if (zmq_send(raw, head, sizeof(head), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return false;
    }
    /* The rest cannot fail once the first was accepted. */
    (void)zmq_send(raw, endpoint.ptr, endpoint.len, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(raw, batch.ptr, batch.len, ZMQ_DONTWAIT);
    zport_kick(&self->attempt->port);
    return true;
}

int trunk_leaf_tap(struct trunk_leaf *self, struct span endpoint, bool is_on, char ret_local[TAP_ENDPOINT_MAX])
{
    if (is_on) {
        return trunk_taps_open(self->taps, endpoint, ret_local);
    }
    return trunk_taps_close(self->taps, endpoint, ret_local) ? 0 : TAP_E_UNKNOWN;
}

/* --- what hangs ----------------------------------------------------------------------------------- */

static void hangs_say(struct trunk_leaf *self, size_t i, bool is_on)
{
    struct trunk_hangs hangs = { .is_on = is_on };
    struct pack pack;
    zmq_msg_t body;

    (void)snprintf(hangs.actor, sizeof(hangs.actor), "%s", self->pulses->actors[i].address);
    self->hangs[i] = is_on;
    if (!hangs.actor[0]) {
        return; /* it ended meanwhile, which the directory has */
    }
    pack_init(&pack, TRUNK_BODY_MAX);
    trunk_hangs_pack(&hangs, &pack);
    if (pack_error(&pack) == 0 && frame_copy(pack_span(&pack), &body) == 0) {
        message_send(self,
                     &(struct trunk_head){ .kind = TRUNK_HANGS, .seen = trunk_session_tell(&self->relay->session) },
                     (const zmq_msg_t *[]){ &body }, 1);
        frame_close(&body);
    }
    pack_deinit(&pack);
}

/* A connection may have lost what was said by the one before: then all is said again. */
static void hangs_tell(struct trunk_leaf *self, bool is_again)
{
    uint32_t used = self->pulses ? atomic_load_explicit(&self->pulses->used, memory_order_relaxed) : 0;

    if (self->wire < TRUNK_WIRE_HANGS || !self->relay->is_connected) {
        return;
    }
    for (uint32_t i = 0; i < used && i < PULSE_ACTORS_MAX; i++) {
        bool is_on = pulse_is_silent(&self->pulses->actors[i]);

        if (is_on != self->hangs[i] || (is_again && is_on)) {
            hangs_say(self, i, is_on);
        }
    }
}

/* --- the connection ------------------------------------------------------------------------------ */

static void on_try_closed(void *arg)
{
    struct leaf_try *attempt = arg;

    if (--attempt->ports_n == 0) {
        free(attempt);
    }
}

static void try_close(struct leaf_try *attempt)
{
    attempt->leaf = NULL;
    attempt->ports_n = 2;
    attempt->port.is_paused = true;
    attempt->port.arg = attempt;
    attempt->watch.is_paused = true;
    attempt->watch.arg = attempt;
    if (attempt->port.sock) {
        trunk_watch_end(attempt->port.sock);
    }
    zport_close(&attempt->watch, on_try_closed);
    zport_close(&attempt->port, on_try_closed); /* attempt may be gone from here on */
}

static void attempt_end(struct trunk_leaf *self)
{
    struct leaf_try *attempt = TAKE(self->attempt);

    if (self->relay) {
        trunk_relay_disconnect(self->relay);
    }
    if (attempt) {
        try_close(attempt);
    }
}

static void silence(struct trunk_leaf *self, bool is_silent)
{
    if (self->is_silent == is_silent || !self->node) {
        return;
    }
    self->is_silent = is_silent;
    if (is_silent) {
        self->told_ms = clock_mono_ms(); /* this says it */
        log_warning("trunk_lost", "host=%s endpoint=%s", self->opts.host, self->opts.tcp->endpoint);
    } else {
        log_warning("trunk_healed", "host=%s endpoint=%s", self->opts.host, self->opts.tcp->endpoint);
    }
    node_silence_others(self->node, is_silent);
}

static void on_again(uv_timer_t *timer);

static void again_start(struct trunk_leaf *self, uint64_t delay_ms)
{
    (void)uv_timer_start(&self->again, on_again, delay_ms, 0); /* fails only without a callback */
}

enum leaf_end {
    LEAF_END_TOLD,    /* as the kernel says */
    LEAF_END_REFUSED, /* nobody listens there */
    LEAF_END_OURS,    /* we let go of it */
};

/* How long until the next attempt begins. */
static uint64_t again_in(const struct trunk_leaf *self, enum leaf_end how, bool was_connected, uint64_t now_ms)
{
    uint64_t tried_ms = now_ms - self->tried_ms;
    uint64_t gone_ms = now_ms - self->lost_ms;

    if (tried_ms >= LEAF_TRY_MS && was_connected) {
        return 0;
    }
    /* Within the grace it may be a gateway that takes connections while it ends. */
    if (how == LEAF_END_REFUSED || (how == LEAF_END_TOLD && gone_ms < TRUNK_HOST_GRACE_MS)) {
        return trunk_leaf_pace(gone_ms);
    }
    return tried_ms < LEAF_TRY_MS ? LEAF_TRY_MS - tried_ms : 0;
}

/* The connection, or the attempt, is over. Nobody beyond is silent before the next one had the time to come in, unless
 * nobody listens there. */
static void lost(struct trunk_leaf *self, enum leaf_end how)
{
    uint64_t now_ms = clock_mono_ms();
    bool was_connected = self->relay->is_connected;

    self->lost_ms = was_connected ? now_ms : self->lost_ms;
    attempt_end(self);
    if (self->is_over) {
        return;
    }
    if (how == LEAF_END_REFUSED) {
        silence(self, true);
        trunk_leaf_tell(self, trunk_leaf_no_listener);
    }
    again_start(self, again_in(self, how, was_connected, now_ms));
}

static void on_welcome(struct trunk_leaf *self, struct leaf_arrival *arrival)
{
    struct trunk_welcome welcome;

    if (trunk_leaf_welcome_read(self, arrival, &welcome) && welcome.session == self->session &&
        trunk_relay_connect(self->relay, welcome.seen)) {
        silence(self, false);
        hangs_tell(self, true);
    } else {
        lost(self, LEAF_END_OURS);
    }
}

static void on_refused(struct trunk_leaf *self, struct leaf_arrival *arrival)
{
    struct trunk_refused refused;

    if (!trunk_refused_read(trunk_leaf_body(arrival), &refused)) {
        return;
    }
    if (refused.is_final && !self->is_over) {
        self->is_over = true;
        log_warning("trunk_refused", "host=%s why=\"%s\"", self->opts.host, refused.reason);
        self->on_over(self->arg, refused.reason);
    } else {
        trunk_leaf_tell(self, refused.reason);
    }
    lost(self, LEAF_END_OURS);
}

static void on_arrival(struct trunk_leaf *self, struct leaf_arrival *arrival)
{
    self->heard_ms = clock_mono_ms();
    if (arrival->head.kind == TRUNK_WELCOME && !self->relay->is_connected) {
        on_welcome(self, arrival);
        return;
    }
    if (arrival->head.kind == TRUNK_REFUSED) {
        on_refused(self, arrival);
        return;
    }
    if (!self->relay->is_connected) {
        return;
    }
    if (!trunk_relay_on_seen(self->relay, arrival->head.seen)) {
        lost(self, LEAF_END_OURS);
    } else if (arrival->head.kind == TRUNK_DATA && arrival->parts_n == 2) {
        arrival->parts_n = 0; /* taken */
        if (trunk_relay_on_data(self->relay, &arrival->head, &arrival->parts[0], &arrival->parts[1]) ==
            TRUNK_SESSION_BROKEN) {
            lost(self, LEAF_END_OURS);
        }
    }
}

static bool on_turn(void *arg)
{
    struct leaf_try *attempt = arg;

    for (unsigned i = 0; i < LEAF_BATCH; i++) {
        struct leaf_arrival arrival;

        if (!attempt->leaf || !trunk_leaf_receive(attempt->port.raw, &arrival)) {
            return false;
        }
        if (arrival.is_good) {
            on_arrival(attempt->leaf, &arrival);
        }
        trunk_leaf_arrival_close(&arrival);
    }
    return true;
}

static bool on_watch_turn(void *arg)
{
    struct leaf_try *attempt = arg;
    enum trunk_watch_event event = trunk_watch_next(attempt->watch.sock);

    if (event == TRUNK_WATCH_NONE || !attempt->leaf) {
        return false;
    }
    while (on_turn(attempt)) { /* what came before it broke */
    }
    if (attempt->leaf) {
        lost(attempt->leaf, event == TRUNK_WATCH_REFUSED ? LEAF_END_REFUSED : LEAF_END_TOLD);
    }
    return false; /* there is one end of one connection */
}

/* Takes the sockets. */
static int attempt_make(struct trunk_leaf *self, struct leaf_socks *socks)
{
    struct leaf_try *attempt = mem_new(sizeof(*attempt));
    int r = zport_open(&attempt->port, self->loop, &socks->sock, on_turn, attempt);

    if (r == 0 && socks->watch) {
        r = zport_open(&attempt->watch, self->loop, &socks->watch, on_watch_turn, attempt);
    }
    attempt->leaf = self;
    if (r) {
        trunk_leaf_hang_up(socks); /* what was not taken */
        try_close(attempt);
        return r;
    }
    self->attempt = attempt;
    return 0;
}

static void attempt_begin(struct trunk_leaf *self)
{
    struct leaf_socks socks;

    attempt_end(self);
    self->tried_ms = clock_mono_ms();
    again_start(self, LEAF_TRY_MS); /* unless it is over before */
    if (trunk_leaf_dial(self, &socks) && attempt_make(self, &socks) == 0) {
        (void)trunk_leaf_hello(self, self->attempt->port.raw, trunk_session_tell(&self->relay->session));
    }
}

static void on_again(uv_timer_t *timer)
{
    struct trunk_leaf *self = timer->data;

    if (!self->relay->is_connected && !self->is_over) {
        if (self->attempt) {
            trunk_leaf_tell(self, trunk_leaf_no_answer);
        }
        attempt_begin(self);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct trunk_leaf *self = timer->data;
    uint64_t now_ms = clock_mono_ms();
    bool is_late = now_ms - self->look_ms > TRUNK_DEAD_MS / 2;

    self->look_ms = now_ms;
    self->looks_n++;
    trunk_taps_look(self->taps);
    hangs_tell(self, false);
    if (is_late) {
        self->heard_ms = now_ms; /* we were away ourselves */
    }
    if (self->looks_n % (TRUNK_BEAT_MS / TRUNK_LOOK_MS) == 0) {
        trunk_relay_say(self->relay, TRUNK_BEAT);
    }
    if (self->relay->is_connected && now_ms - self->heard_ms >= TRUNK_DEAD_MS) {
        lost(self, LEAF_END_OURS);
        silence(self, true);
    }
    if (!self->relay->is_connected && !self->is_over && now_ms - self->lost_ms >= TRUNK_HOST_GRACE_MS) {
        silence(self, true);
    }
    if (self->looks_n % SWEEP_LOOKS == 0) {
        trunk_relay_sweep(self->relay);
    }
}

/* --- life ------------------------------------------------------------------------------------------ */

int trunk_leaf_open(struct trunk_leaf *self, uv_loop_t *loop)
{
    self->loop = loop;
    int r = trunk_relay_new(&(struct trunk_relay_opts){ .loop = loop,
                                                        .endpoint = TRUNK_LEAF_ENDPOINT,
                                                        .transmit = on_transmit,
                                                        .find = on_find,
                                                        .is_known = on_is_known,
                                                        .arg = self },
                            self->session, &self->relay);
    r = r ? r : attempt_make(self, &self->joined);
    if (r == 0) {
        (void)uv_timer_init(loop, &self->look); /* neither can fail */
        (void)uv_timer_init(loop, &self->again);
        self->look.data = self;
        self->again.data = self;
        self->timers_n = 2;
        (void)trunk_relay_connect(self->relay, 0); /* nothing was said yet */
        self->taps = trunk_taps_new(
            &(struct trunk_taps_opts){ .loop = loop, .host = self->opts.host, .send = on_batch, .arg = self });
    }
    return r;
}

void trunk_leaf_serve(struct trunk_leaf *self, struct node *node, struct pulse_page *pulses,
                      void (*on_over)(void *arg, const char *why), void *arg)
{
    self->node = node;
    self->pulses = pulses;
    self->on_over = on_over;
    self->arg = arg;
    self->look_ms = clock_mono_ms();
    self->heard_ms = self->look_ms;
    self->tried_ms = self->look_ms;
    (void)uv_timer_start(&self->look, on_look, TRUNK_LOOK_MS, TRUNK_LOOK_MS); /* fails only without a callback */
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct trunk_leaf *self = handle->data;

    if (--self->timers_n == 0) {
        free(self);
    }
}

void trunk_leaf_destroy(struct trunk_leaf **self_p)
{
    struct trunk_leaf *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    if (self->relay && !self->is_over) {
        trunk_relay_say(self->relay, TRUNK_BYE);
    }
    if (self->attempt) {
        zsock_set_linger(self->attempt->port.sock, 1000); /* the goodbye */
    }
    attempt_end(self);
    trunk_taps_destroy(&self->taps);
    trunk_relay_destroy(&self->relay);
    trunk_leaf_hang_up(&self->joined);
    if (self->timers_n) {
        uv_close((uv_handle_t *)&self->look, on_timer_closed);
        uv_close((uv_handle_t *)&self->again, on_timer_closed);
    } else {
        free(self);
    }
}
