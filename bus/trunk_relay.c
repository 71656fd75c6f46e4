#include "bus/trunk_relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/descriptors.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/frame.h"

#define RELAY_BATCHES_WAITING 256 /* of a tap; more is dropped */
#define RELAY_BATCH 256U          /* messages before other handles of the loop get a turn */

/* The way to one mailbox. */
struct trunk_outlet {
    struct trunk_outlet *next;
    zsock_t *push;
    void *raw;
    char endpoint[LINK_ENDPOINT_MAX];
};

/* --- from the actors ------------------------------------------------------------------- */

static void item_transmit(struct trunk_relay *self, const struct trunk_item *item)
{
    struct trunk_head head = { .kind = TRUNK_DATA, .number = item->number, .seen = trunk_session_tell(&self->session) };

    self->opts.transmit(self->opts.arg, &head, &item->header, &item->body);
}

/* The two frames of one message, of which one of ZeroMQ's may bring several; false when there is none now. */
static bool frames_take(struct trunk_relay *self, zmq_msg_t *header, zmq_msg_t *body, bool *ret_is_good)
{
    (void)zmq_msg_init(header);
    (void)zmq_msg_init(body);
    if (!frame_receive(header, self->in.raw)) {
        return false;
    }
    *ret_is_good = zmq_msg_more(header);
    if (*ret_is_good) {
        (void)frame_receive(body, self->in.raw); /* all frames of a message arrive together (zmq_msg_recv(3)) */
    }
    return true;
}

static bool on_turn(void *arg)
{
    struct trunk_relay *self = arg;

    for (unsigned i = 0; i < RELAY_BATCH; i++) {
        zmq_msg_t header;
        zmq_msg_t body;
        bool is_good = false;

        if (trunk_session_is_full(&self->session)) {
            zport_pause(&self->in, true); /* the rest waits where it is, bounded by the senders' credit */
            return false;
        }
        if (!frames_take(self, &header, &body, &is_good)) {
            return false;
        }
        if (is_good) {
            const struct trunk_item *item = trunk_session_push(&self->session, &header, &body);

            if (self->is_connected) {
                item_transmit(self, item);
            }
        }
        (void)zmq_msg_close(&header); /* empty, or of no use */
        (void)zmq_msg_close(&body);
    }
    return true;
}

/* --- to the actors --------------------------------------------------------------------- */

static struct trunk_outlet *outlet_open(struct trunk_relay *self, const char *endpoint, int most)
{
    struct trunk_outlet *outlet;
    zsock_t *push = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PUSH);

    if (!push) {
        return NULL;
    }
    zsock_set_sndhwm(push, most);
    zsock_set_linger(push, 0);
    if (zmq_connect(zsock_resolve(push), endpoint)) {
        zsock_destroy(&push);
        return NULL;
    }
    outlet = mem_new(sizeof(*outlet));
    outlet->push = push;
    outlet->raw = zsock_resolve(push);
    (void)snprintf(outlet->endpoint, sizeof(outlet->endpoint), "%s", endpoint);
    outlet->next = self->outlets;
    self->outlets = outlet;
    return outlet;
}

/* `most` messages may wait there; 0: the credit of their senders bounds them. */
static struct trunk_outlet *outlet_get(struct trunk_relay *self, const char *endpoint, int most)
{
    struct trunk_outlet *outlet = self->outlets;

    while (outlet && strcmp(outlet->endpoint, endpoint) != 0) {
        outlet = outlet->next;
    }
    return outlet ? outlet : outlet_open(self, endpoint, most);
}

static void outlet_close(struct trunk_outlet **at)
{
    struct trunk_outlet *outlet = *at;

    *at = outlet->next;
    zsock_destroy(&outlet->push);
    free(outlet);
}

/* Whoever waits for an answer of somebody who is gone hears that from the directory. */
static void deliver(struct trunk_relay *self, zmq_msg_t *header, zmq_msg_t *body)
{
    char endpoint[LINK_ENDPOINT_MAX];
    struct envelope env;
    struct trunk_outlet *outlet;

    if (!envelope_decode((struct span){ zmq_msg_data(header), zmq_msg_size(header) }, &env) ||
        !self->opts.find(self->opts.arg, env.to, endpoint)) {
        log_debug("trunk_undelivered", "endpoint=%s", self->endpoint);
        return;
    }
    outlet = outlet_get(self, endpoint, 0);
    if (outlet && frame_send(header, outlet->raw, true)) {
        (void)frame_send(body, outlet->raw, false); /* cannot fail once the first was accepted (zmq_msg_send(3)) */
    }
}

void trunk_relay_drop_off(struct trunk_relay *self, const char *endpoint, zmq_msg_t *frame)
{
    struct trunk_outlet *outlet = outlet_get(self, endpoint, RELAY_BATCHES_WAITING);

    if (!outlet || !frame_send(frame, outlet->raw, false)) {
        frame_close(frame);
    }
}

enum trunk_session_verdict trunk_relay_on_data(struct trunk_relay *self, const struct trunk_head *head,
                                               zmq_msg_t *header, zmq_msg_t *body)
{
    size_t bytes = zmq_msg_size(header) + zmq_msg_size(body);
    enum trunk_session_verdict verdict = trunk_session_on_data(&self->session, head->number, bytes);

    if (verdict == TRUNK_SESSION_NEW) {
        deliver(self, header, body);
        if (trunk_session_owes(&self->session)) {
            trunk_relay_say(self, TRUNK_BEAT);
        }
    }
    frame_close(header);
    frame_close(body);
    return verdict;
}

/* --- the connection ---------------------------------------------------------------------- */

void trunk_relay_say(struct trunk_relay *self, enum trunk_kind kind)
{
    if (self->is_connected) {
        self->opts.transmit(self->opts.arg,
                            &(struct trunk_head){ .kind = kind, .seen = trunk_session_tell(&self->session) }, NULL,
                            NULL);
    }
}

bool trunk_relay_on_seen(struct trunk_relay *self, uint64_t seen)
{
    if (!trunk_session_on_seen(&self->session, seen)) {
        return false;
    }
    if (self->in.is_paused && !trunk_session_is_full(&self->session)) {
        zport_pause(&self->in, false);
    }
    return true;
}

bool trunk_relay_connect(struct trunk_relay *self, uint64_t seen)
{
    if (!trunk_relay_on_seen(self, seen)) {
        return false;
    }
    self->is_connected = true;
    for (const struct trunk_item *item = self->session.head; item; item = item->next) {
        item_transmit(self, item);
    }
    return true;
}

void trunk_relay_disconnect(struct trunk_relay *self)
{
    self->is_connected = false;
}

/* --- life ---------------------------------------------------------------------------------- */

void trunk_relay_sweep(struct trunk_relay *self)
{
    struct trunk_outlet **at = &self->outlets;

    while (*at) {
        if (self->opts.is_known(self->opts.arg, (*at)->endpoint)) {
            at = &(*at)->next;
        } else {
            outlet_close(at);
        }
    }
}

void trunk_relay_bind_again(struct trunk_relay *self)
{
    static const char scheme[] = "ipc://";

    if (strncmp(self->endpoint, scheme, sizeof(scheme) - 1) == 0 && access(self->endpoint + sizeof(scheme) - 1, F_OK) &&
        zmq_bind(self->in.raw, self->endpoint)) {
        log_error("endpoint_lost", "path=%s error=\"%s\"", self->endpoint, fault_text(-zmq_errno()));
    }
}

int trunk_relay_new(const struct trunk_relay_opts *opts, uint64_t session, struct trunk_relay **ret_self)
{
    zsock_t *pull = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PULL);

    if (!pull) {
        return FAULT(-EMFILE);
    }
    zsock_set_rcvhwm(pull, 0); /* bounded by credit; see link.c */
    zsock_set_linger(pull, 0);
    if (zmq_bind(zsock_resolve(pull), opts->endpoint)) {
        int r = FAULT(-zmq_errno());

        zsock_destroy(&pull);
        return r;
    }
    struct trunk_relay *self = mem_new(sizeof(*self));
    self->opts = *opts;
    (void)snprintf(self->endpoint, sizeof(self->endpoint), "%s", opts->endpoint);
    trunk_session_init(&self->session, session);
    int r = zport_open(&self->in, opts->loop, &pull, on_turn, self);
    if (r) {
        trunk_relay_destroy(&self);
        return r;
    }
    *ret_self = self;
    return 0;
}

static void on_closed(void *arg)
{
    free(arg);
}

void trunk_relay_destroy(struct trunk_relay **self_p)
{
    struct trunk_relay *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    while (self->outlets) {
        outlet_close(&self->outlets);
    }
    trunk_session_deinit(&self->session);
    self->is_connected = false;
    self->in.is_paused = true;
    self->in.arg = self;
    zport_close(&self->in, on_closed);
}
