/*
 * trunk_leaf
 *
 * Every attempt to connect has a socket of its own, so that nothing of an earlier one is on
 * its way any more. While there is no connection, everybody beyond it is silent: calls to
 * them end at once, everything else waits in the session.
 */
#include "bus/trunk_leaf.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/trunk.h"
#include "bus/trunk_relay.h"
#include "bus/trunk_tap.h"

#define LEAF_BATCH 256U
#define LEAF_TRY_MS 1000U   /* an attempt that has no answer by then is given up */
#define LEAF_TELL_MS 30000U /* so often it is logged that there is no answer */
#define SWEEP_LOOKS 40U     /* looks between two looks for mailboxes that are gone */

/* One attempt, or the connection that it became. */
struct leaf_try {
    struct zport port;
    struct trunk_leaf *leaf;
};

struct trunk_leaf {
    struct trunk_leaf_opts opts;
    uv_loop_t *loop;
    struct node *node; /* NULL: not yet */
    void (*on_over)(void *arg, const char *why);
    void *arg;
    struct trunk_relay *relay;
    struct trunk_taps *taps;
    struct pulse_page *pulses;    /* NULL: nobody watches who hangs */
    bool hangs[PULSE_ACTORS_MAX]; /* those of which that was said */
    struct leaf_try *attempt;     /* NULL: none */
    zsock_t *joined;              /* the socket by which it joined, before there is a loop */
    uint64_t session;
    uint32_t incarnation;
    uint32_t wire;                   /* the version that holds for this connection */
    char release[TRUNK_RELEASE_MAX]; /* of the gateway; empty when it does not say */
    uv_timer_t look;
    uint64_t look_ms;
    uint64_t tried_ms;
    uint64_t heard_ms;
    uint64_t told_ms;
    unsigned looks_n;
    bool is_silent;
    bool is_over;
};

/* --- one attempt ------------------------------------------------------------------------- */

static zsock_t *dealer_open(const struct trunk_leaf *self)
{
    zsock_t *sock = zsock_new(ZMQ_DEALER);

    if (!sock) {
        return NULL;
    }
    zsock_set_linger(sock, 0);
    zsock_set_sndhwm(sock, 0); /* bounded by the session */
    zsock_set_rcvhwm(sock, 0);
    zsock_set_reconnect_ivl(sock, -1); /* the next attempt is ours, with a socket of its own */
    zsock_set_ipv6(sock, 1);
    zsock_set_tcp_keepalive(sock, 1);
    zsock_set_maxmsgsize(sock, (int)ACTOR_BODY_MAX);
    zsock_set_curve_serverkey(sock, self->opts.tcp->curve);
    zsock_set_curve_publickey(sock, self->opts.pair->public_key);
    zsock_set_curve_secretkey(sock, self->opts.pair->secret_key);
    if (zmq_connect(zsock_resolve(sock), self->opts.tcp->endpoint)) {
        zsock_destroy(&sock);
    }
    return sock;
}

static bool hello_send(const struct trunk_leaf *self, void *raw, uint64_t seen)
{
    struct trunk_hello hello = { .speaks = self->opts.speaks, .session = self->session, .seen = seen };
    uint8_t head[TRUNK_HEAD_LEN];
    struct pack pack;

    (void)snprintf(hello.host, sizeof(hello.host), "%s", self->opts.host);
    if (hello.speaks.most >= TRUNK_WIRE_NAMED) {
        (void)snprintf(hello.release, sizeof(hello.release), "%s", self->opts.release);
    }
    trunk_head_encode(&(struct trunk_head){ .kind = TRUNK_HELLO }, head);
    pack_init(&pack, TRUNK_BODY_MAX);
    trunk_hello_pack(&hello, &pack);
    struct span body = pack_span(&pack);
    bool is_sent = pack_error(&pack) == 0 && zmq_send(raw, head, sizeof(head), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                   zmq_send(raw, body.ptr, body.len, ZMQ_DONTWAIT) >= 0;
    pack_deinit(&pack);
    return is_sent;
}

/* One message as it came. */
struct arrival {
    struct trunk_head head;
    zmq_msg_t parts[2];
    size_t parts_n;
    bool is_good;
};

static void arrival_close(struct arrival *arrival)
{
    for (size_t i = 0; i < arrival->parts_n; i++) {
        frame_close(&arrival->parts[i]);
    }
}

/* False when there is none. */
static bool arrival_receive(void *raw, struct arrival *arrival)
{
    zmq_msg_t head;

    *arrival = (struct arrival){ .is_good = true };
    (void)zmq_msg_init(&head);
    if (!frame_receive(&head, raw)) {
        (void)zmq_msg_close(&head); /* empty */
        return false;
    }
    bool has_more = zmq_msg_more(&head);
    arrival->is_good = trunk_head_decode((struct span){ zmq_msg_data(&head), zmq_msg_size(&head) }, &arrival->head);
    frame_close(&head);
    while (has_more) {
        zmq_msg_t part;

        (void)zmq_msg_init(&part);
        (void)frame_receive(&part, raw); /* all frames of a message arrive together (zmq_msg_recv(3)) */
        has_more = zmq_msg_more(&part);
        if (arrival->parts_n < ARRAY_LEN(arrival->parts)) {
            arrival->parts[arrival->parts_n++] = part;
        } else {
            arrival->is_good = false;
            frame_close(&part);
        }
    }
    return true;
}

static struct span arrival_body(struct arrival *arrival)
{
    return arrival->parts_n == 1 ? (struct span){ zmq_msg_data(&arrival->parts[0]), zmq_msg_size(&arrival->parts[0]) }
                                 : (struct span){ "", 0 };
}

/* What can be done about it is at the gateway, or on the way there. */
static void waiting_tell(struct trunk_leaf *self, const char *why)
{
    uint64_t now_ms = clock_mono_ms();

    if (self->told_ms && now_ms - self->told_ms < LEAF_TELL_MS) {
        return;
    }
    self->told_ms = now_ms;
    log_warning("trunk_waiting", "host=%s endpoint=%s key=\"%s\" why=\"%s\"", self->opts.host, self->opts.tcp->endpoint,
                self->opts.pair->public_key, why);
}

static const char no_answer[] = "no answer: does the gateway run there, is its key the one in the topology, and has it "
                                "allowed this key (openclaw bus allow)?";

/* --- joining, before there is a loop -------------------------------------------------------- */

/* Nothing else runs in this process yet. */
static bool message_wait(void *raw, uint64_t until_ms, struct arrival *arrival)
{
    uint64_t now_ms = clock_mono_ms();

    while (now_ms < until_ms) {
        zmq_pollitem_t item = { .socket = raw, .events = ZMQ_POLLIN };

        if (zmq_poll(&item, 1, (long)(until_ms - now_ms)) > 0 && arrival_receive(raw, arrival)) {
            return true;
        }
        now_ms = clock_mono_ms();
    }
    return false;
}

/* False also when it chose a version that was not offered. */
static bool welcome_read(struct trunk_leaf *self, struct arrival *arrival, struct trunk_welcome *ret_welcome)
{
    if (!trunk_welcome_read(arrival_body(arrival), ret_welcome) || ret_welcome->wire < self->opts.speaks.least ||
        ret_welcome->wire > self->opts.speaks.most) {
        return false;
    }
    self->wire = ret_welcome->wire;
    return true;
}

static bool join_answer(struct trunk_leaf *self, struct arrival *arrival)
{
    struct trunk_welcome welcome;
    struct trunk_refused refused;

    if (arrival->is_good && arrival->head.kind == TRUNK_WELCOME && welcome_read(self, arrival, &welcome)) {
        self->session = welcome.session;
        self->incarnation = welcome.incarnation;
        (void)snprintf(self->release, sizeof(self->release), "%s", welcome.release);
        return true;
    }
    if (arrival->is_good && arrival->head.kind == TRUNK_REFUSED &&
        trunk_refused_read(arrival_body(arrival), &refused)) {
        waiting_tell(self, refused.reason);
    }
    return false;
}

static bool join_try(struct trunk_leaf *self)
{
    uint64_t until_ms = clock_mono_ms() + LEAF_TRY_MS;
    zsock_t *sock = dealer_open(self);
    struct arrival arrival;
    bool is_in = false;
    bool is_answered = false;

    if (sock && hello_send(self, zsock_resolve(sock), 0) && message_wait(zsock_resolve(sock), until_ms, &arrival)) {
        is_answered = true;
        is_in = join_answer(self, &arrival);
        arrival_close(&arrival);
    }
    if (is_in) {
        self->joined = sock;
        return true;
    }
    zsock_destroy(&sock);
    if (!is_answered) {
        waiting_tell(self, no_answer);
    }
    uint64_t now_ms = clock_mono_ms();
    if (now_ms < until_ms) {
        (void)poll(NULL, 0, (int)(until_ms - now_ms)); /* not more often than that */
    }
    return false;
}

int trunk_leaf_join(const struct trunk_leaf_opts *opts, struct trunk_leaf **ret_self)
{
    struct trunk_leaf *self = mem_new(sizeof(*self));

    self->opts = *opts;
    self->opts.speaks = opts->speaks.most ? opts->speaks : trunk_range_all;
    self->opts.release = opts->release ? opts->release : "";
    while (!join_try(self)) {
    }
    log_info("trunk_joined", "host=%s endpoint=%s incarnation=%u wire=%u release=%s", opts->host, opts->tcp->endpoint,
             self->incarnation, self->wire, self->release[0] ? self->release : "-");
    *ret_self = self;
    return 0;
}

uint32_t trunk_leaf_incarnation(const struct trunk_leaf *self)
{
    return self->incarnation;
}

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
    free(arg);
}

static void attempt_end(struct trunk_leaf *self)
{
    struct leaf_try *attempt = TAKE(self->attempt);

    if (self->relay) {
        trunk_relay_disconnect(self->relay);
    }
    if (attempt) {
        attempt->leaf = NULL;
        attempt->port.is_paused = true;
        attempt->port.arg = attempt;
        zport_close(&attempt->port, on_try_closed);
    }
}

static void silence(struct trunk_leaf *self, bool is_silent)
{
    if (self->is_silent == is_silent) {
        return;
    }
    self->is_silent = is_silent;
    if (is_silent) {
        log_warning("trunk_lost", "host=%s endpoint=%s", self->opts.host, self->opts.tcp->endpoint);
    } else {
        log_warning("trunk_healed", "host=%s endpoint=%s", self->opts.host, self->opts.tcp->endpoint);
    }
    node_silence_others(self->node, is_silent);
}

static void on_welcome(struct trunk_leaf *self, struct arrival *arrival)
{
    struct trunk_welcome welcome;

    if (welcome_read(self, arrival, &welcome) && welcome.session == self->session &&
        trunk_relay_connect(self->relay, welcome.seen)) {
        silence(self, false);
        hangs_tell(self, true);
    } else {
        attempt_end(self);
    }
}

static void on_refused(struct trunk_leaf *self, struct arrival *arrival)
{
    struct trunk_refused refused;

    if (!trunk_refused_read(arrival_body(arrival), &refused)) {
        return;
    }
    if (refused.is_final && !self->is_over) {
        self->is_over = true;
        log_warning("trunk_refused", "host=%s why=\"%s\"", self->opts.host, refused.reason);
        self->on_over(self->arg, refused.reason);
    } else {
        waiting_tell(self, refused.reason);
    }
    attempt_end(self);
}

static void on_arrival(struct trunk_leaf *self, struct arrival *arrival)
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
        attempt_end(self);
    } else if (arrival->head.kind == TRUNK_DATA && arrival->parts_n == 2) {
        arrival->parts_n = 0; /* taken */
        if (trunk_relay_on_data(self->relay, &arrival->head, &arrival->parts[0], &arrival->parts[1]) ==
            TRUNK_SESSION_BROKEN) {
            attempt_end(self);
        }
    }
}

static bool on_turn(void *arg)
{
    struct leaf_try *attempt = arg;

    for (unsigned i = 0; i < LEAF_BATCH; i++) {
        struct arrival arrival;

        if (!attempt->leaf || !arrival_receive(attempt->port.raw, &arrival)) {
            return false;
        }
        if (arrival.is_good) {
            on_arrival(attempt->leaf, &arrival);
        }
        arrival_close(&arrival);
    }
    return true;
}

static int attempt_make(struct trunk_leaf *self, zsock_t **sock_p)
{
    struct leaf_try *attempt = mem_new(sizeof(*attempt));
    int r = zport_open(&attempt->port, self->loop, sock_p, on_turn, attempt);

    attempt->leaf = self;
    if (r) {
        attempt->port.arg = attempt;
        zport_close(&attempt->port, on_try_closed);
        return r;
    }
    self->attempt = attempt;
    return 0;
}

static void attempt_begin(struct trunk_leaf *self)
{
    zsock_t *sock;

    attempt_end(self);
    self->tried_ms = clock_mono_ms();
    sock = dealer_open(self);
    if (sock && attempt_make(self, &sock) == 0) {
        (void)hello_send(self, self->attempt->port.raw, trunk_session_tell(&self->relay->session));
    }
    waiting_tell(self, no_answer);
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
        attempt_end(self);
        self->told_ms = now_ms; /* trunk_lost says it */
    }
    if (!self->relay->is_connected && !self->is_over) {
        silence(self, true);
        if (now_ms - self->tried_ms >= LEAF_TRY_MS) {
            attempt_begin(self);
        }
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
        (void)uv_timer_init(loop, &self->look); /* cannot fail */
        self->look.data = self;
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
    (void)uv_timer_start(&self->look, on_look, TRUNK_LOOK_MS, TRUNK_LOOK_MS); /* fails only without a callback */
}

static void on_look_closed(uv_handle_t *handle)
{
    free(handle->data);
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
    zsock_destroy(&self->joined);
    if (self->look.loop) {
        uv_close((uv_handle_t *)&self->look, on_look_closed);
    } else {
        free(self);
    }
}
