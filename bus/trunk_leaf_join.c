/*
 * trunk_leaf_join
 *
 * Every attempt to connect has a socket of its own, so that nothing of an earlier one is on
 * its way any more.
 */
#include <poll.h>
#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/trunk_leaf_internal.h"

#define LEAF_TELL_MS 30000U /* so often it is logged that there is no answer */
#define PACE_LEAST_MS 50U

/* --- one attempt ------------------------------------------------------------------------- */

static bool dealer_connect(const struct trunk_leaf *self, zsock_t *sock)
{
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
    return zmq_connect(zsock_resolve(sock), self->opts.tcp->endpoint) == 0;
}

bool trunk_leaf_dial(struct trunk_leaf *self, struct leaf_socks *ret_socks)
{
    struct leaf_socks socks = { .sock = zsock_new(ZMQ_DEALER) };
    char name[32];

    if (!socks.sock) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "trunk-try-%u", ++self->tries_n);
    socks.watch = trunk_watch_begin(socks.sock, name);
    if (!dealer_connect(self, socks.sock)) {
        trunk_leaf_hang_up(&socks);
        return false;
    }
    *ret_socks = socks;
    return true;
}

void trunk_leaf_hang_up(struct leaf_socks *socks)
{
    if (socks->sock) {
        trunk_watch_end(socks->sock);
    }
    zsock_destroy(&socks->watch);
    zsock_destroy(&socks->sock);
}

uint32_t trunk_leaf_pace(uint64_t gone_ms)
{
    uint64_t pace_ms = gone_ms / 16;

    return pace_ms < PACE_LEAST_MS ? PACE_LEAST_MS : pace_ms < LEAF_TRY_MS ? (uint32_t)pace_ms : LEAF_TRY_MS;
}

bool trunk_leaf_hello(const struct trunk_leaf *self, void *raw, uint64_t seen)
{
    struct trunk_hello hello = { .speaks = self->opts.speaks, .session = self->session, .seen = seen };
    uint8_t head[TRUNK_HEAD_LEN];
    struct pack pack;

    (void)snprintf(hello.host, sizeof(hello.host), "%s", self->opts.host);
    if (self->opts.actors && strlen(self->opts.actors) < sizeof(hello.actors)) {
        (void)strcpy(hello.actors, self->opts.actors);
    }
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

void trunk_leaf_arrival_close(struct leaf_arrival *arrival)
{
    for (size_t i = 0; i < arrival->parts_n; i++) {
        frame_close(&arrival->parts[i]);
    }
}

bool trunk_leaf_receive(void *raw, struct leaf_arrival *arrival)
{
    zmq_msg_t head;

    *arrival = (struct leaf_arrival){ .is_good = true };
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

struct span trunk_leaf_body(struct leaf_arrival *arrival)
{
    return arrival->parts_n == 1 ? (struct span){ zmq_msg_data(&arrival->parts[0]), zmq_msg_size(&arrival->parts[0]) }
                                 : (struct span){ "", 0 };
}

/* What can be done about it is at the gateway, or on the way there. */
void trunk_leaf_tell(struct trunk_leaf *self, const char *why)
{
    uint64_t now_ms = clock_mono_ms();

    if (self->told_ms && now_ms - self->told_ms < LEAF_TELL_MS) {
        return;
    }
    self->told_ms = now_ms;
    log_warning("trunk_waiting", "host=%s endpoint=%s key=\"%s\" why=\"%s\"", self->opts.host, self->opts.tcp->endpoint,
                self->opts.pair->public_key, why);
}

const char trunk_leaf_no_answer[] =
    "no answer: does the gateway run there, is its key the one in the topology, and has "
    "it allowed this key (openclaw bus allow)?";
const char trunk_leaf_no_listener[] = "nobody listens there: does the gateway run, with this topology?";

/* --- joining, before there is a loop -------------------------------------------------------- */

/* Nothing else runs in this process yet. False when none came; `ret_is_refused` when none can. */
static bool answer_wait(const struct leaf_socks *socks, uint64_t until_ms, struct leaf_arrival *arrival,
                        bool *ret_is_refused)
{
    void *raw = zsock_resolve(socks->sock);

    for (uint64_t now_ms = clock_mono_ms(); now_ms < until_ms; now_ms = clock_mono_ms()) {
        zmq_pollitem_t items[2] = { { .socket = raw, .events = ZMQ_POLLIN }, { .events = ZMQ_POLLIN } };

        items[1].socket = socks->watch ? zsock_resolve(socks->watch) : NULL;
        (void)zmq_poll(items, socks->watch ? 2 : 1, (long)(until_ms - now_ms)); /* or a signal has ended it */
        if (trunk_leaf_receive(raw, arrival)) {
            return true;
        }
        enum trunk_watch_event event = socks->watch ? trunk_watch_next(socks->watch) : TRUNK_WATCH_NONE;
        if (event != TRUNK_WATCH_NONE) {
            *ret_is_refused = event == TRUNK_WATCH_REFUSED;
            return false;
        }
    }
    return false;
}

bool trunk_leaf_welcome_read(struct trunk_leaf *self, struct leaf_arrival *arrival, struct trunk_welcome *ret_welcome)
{
    if (!trunk_welcome_read(trunk_leaf_body(arrival), ret_welcome) || ret_welcome->wire < self->opts.speaks.least ||
        ret_welcome->wire > self->opts.speaks.most) {
        return false;
    }
    self->wire = ret_welcome->wire;
    return true;
}

static bool join_answer(struct trunk_leaf *self, struct leaf_arrival *arrival)
{
    struct trunk_welcome welcome;
    struct trunk_refused refused;

    if (arrival->is_good && arrival->head.kind == TRUNK_WELCOME && trunk_leaf_welcome_read(self, arrival, &welcome)) {
        self->session = welcome.session;
        self->incarnation = welcome.incarnation;
        (void)snprintf(self->release, sizeof(self->release), "%s", welcome.release);
        return true;
    }
    if (arrival->is_good && arrival->head.kind == TRUNK_REFUSED &&
        trunk_refused_read(trunk_leaf_body(arrival), &refused)) {
        trunk_leaf_tell(self, refused.reason);
    }
    return false;
}

/* `gone_ms`: how long it has been tried. */
static bool join_try(struct trunk_leaf *self, uint64_t gone_ms)
{
    uint64_t until_ms = clock_mono_ms() + LEAF_TRY_MS;
    struct leaf_socks socks = { .sock = NULL };
    struct leaf_arrival arrival;
    bool is_in = false;
    bool is_answered = false;
    bool is_refused = false;

    if (trunk_leaf_dial(self, &socks) && trunk_leaf_hello(self, zsock_resolve(socks.sock), 0) &&
        answer_wait(&socks, until_ms, &arrival, &is_refused)) {
        is_answered = true;
        is_in = join_answer(self, &arrival);
        trunk_leaf_arrival_close(&arrival);
    }
    if (is_in) {
        self->joined = socks;
        return true;
    }
    trunk_leaf_hang_up(&socks);
    if (!is_answered) {
        trunk_leaf_tell(self, is_refused ? trunk_leaf_no_listener : trunk_leaf_no_answer);
    }
    uint64_t now_ms = clock_mono_ms();
    uint64_t next_ms = is_refused ? now_ms + trunk_leaf_pace(gone_ms) : until_ms;
    if (now_ms < next_ms) {
        (void)poll(NULL, 0, (int)(next_ms - now_ms)); /* not more often than that */
    }
    return false;
}

int trunk_leaf_join(const struct trunk_leaf_opts *opts, struct trunk_leaf **ret_self)
{
    struct trunk_leaf *self = mem_new(sizeof(*self));

    self->opts = *opts;
    self->opts.speaks = opts->speaks.most ? opts->speaks : trunk_range_all;
    self->opts.release = opts->release ? opts->release : "";
    uint64_t began_ms = clock_mono_ms();
    while (!join_try(self, clock_mono_ms() - began_ms)) {
    }
    self->opts.actors = NULL; /* who goes on with a session has said it */
    log_info("trunk_joined", "host=%s endpoint=%s incarnation=%u wire=%u release=%s", opts->host, opts->tcp->endpoint,
             self->incarnation, self->wire, self->release[0] ? self->release : "-");
    *ret_self = self;
    return 0;
}

uint32_t trunk_leaf_incarnation(const struct trunk_leaf *self)
{
    return self->incarnation;
}
