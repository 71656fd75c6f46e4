#include "bus/trunk_zap.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/span.h"
#include "bus/curve.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_VERSION "1.0"
#define REFUSED_LOG_MS 10000U /* anybody can cause it */

/* version, id, domain, address, identity, mechanism, key */
enum {
    ZAP_VERSION_AT,
    ZAP_ID_AT,
    ZAP_DOMAIN_AT,
    ZAP_ADDRESS_AT,
    ZAP_IDENTITY_AT,
    ZAP_MECHANISM_AT,
    ZAP_KEY_AT,
    ZAP_REQUEST_N,
};

static struct span frame_span(zmsg_t *msg, size_t at)
{
    zframe_t *frame = zmsg_first(msg);

    while (frame && at--) {
        frame = zmsg_next(msg);
    }
    return frame ? (struct span){ (const char *)zframe_data(frame), zframe_size(frame) } : (struct span){ "", 0 };
}

static bool is_allowed(const struct trunk_zap *self, zmsg_t *request, struct curve_peer *ret_peer)
{
    struct span key = frame_span(request, ZAP_KEY_AT);
    char text[TOPOLOGY_KEY_LEN + 1];

    return zmsg_size(request) == ZAP_REQUEST_N && span_is_text(frame_span(request, ZAP_VERSION_AT), ZAP_VERSION) &&
           span_is_text(frame_span(request, ZAP_DOMAIN_AT), TRUNK_ZAP_DOMAIN) &&
           span_is_text(frame_span(request, ZAP_MECHANISM_AT), "CURVE") && key.len == CURVE_RAW_LEN &&
           zmq_z85_encode(text, (const uint8_t *)key.ptr, key.len) && curve_find(self->dir, text, ret_peer);
}

static void refused_tell(struct trunk_zap *self, zmsg_t *request)
{
    struct span address = frame_span(request, ZAP_ADDRESS_AT);
    struct span key = frame_span(request, ZAP_KEY_AT);
    char text[TOPOLOGY_KEY_LEN + 1] = "";
    uint64_t now_ms = clock_mono_ms();

    if (key.len == CURVE_RAW_LEN && zmq_z85_encode(text, (const uint8_t *)key.ptr, key.len)) {
        self->on_refused(self->arg, address, text);
    }
    self->refused_n++;
    if (self->refused_ms && now_ms - self->refused_ms < REFUSED_LOG_MS) {
        return;
    }
    log_warning("trunk_key_refused",
                "address=%.*s key=\"%s\" times=%u why=\"nobody has allowed it: openclaw bus allow NAME KEY\"",
                (int)(address.len < 64 ? address.len : 64), address.ptr, text, self->refused_n);
    self->refused_n = 0;
    self->refused_ms = now_ms;
}

static void answer(struct trunk_zap *self, zmsg_t *request)
{
    struct curve_peer peer = { .name = "" };
    char user[sizeof(peer.name) + sizeof(peer.public_key)] = "";
    struct span id = frame_span(request, ZAP_ID_AT);
    bool is_welcome = is_allowed(self, request, &peer);
    zmsg_t *reply = zmsg_new();

    if (is_welcome) {
        (void)snprintf(user, sizeof(user), "%s %s", peer.name, peer.public_key);
    } else {
        refused_tell(self, request);
    }
    (void)zmsg_addstr(reply, ZAP_VERSION); /* none of these can fail: czmq ends the process first */
    (void)zmsg_addmem(reply, id.ptr, id.len);
    (void)zmsg_addstr(reply, is_welcome ? "200" : "400");
    (void)zmsg_addstr(reply, is_welcome ? "OK" : "this key is not allowed");
    (void)zmsg_addstr(reply, user); /* User-Id of all that comes by this connection */
    (void)zmsg_addmem(reply, "", 0);
    (void)zmsg_send(&reply, self->in.sock); /* libzmq gives up on whoever waits for it */
    zmsg_destroy(&reply);
}

static bool on_turn(void *arg)
{
    struct trunk_zap *self = arg;

    if (!(zsock_events(self->in.sock) & ZMQ_POLLIN)) {
        return false;
    }
    zmsg_t *request = zmsg_recv(self->in.sock);
    if (request) {
        answer(self, request);
    }
    zmsg_destroy(&request);
    return true;
}

int trunk_zap_open(struct trunk_zap *self, uv_loop_t *loop)
{
    zsock_t *sock = zsock_new(ZMQ_REP);

    if (!sock) {
        return FAULT(-EMFILE);
    }
    zsock_set_linger(sock, 0);
    if (zmq_bind(zsock_resolve(sock), ZAP_ENDPOINT)) {
        int r = FAULT(-zmq_errno());

        zsock_destroy(&sock);
        return r;
    }
    return zport_open(&self->in, loop, &sock, on_turn, self);
}

void trunk_zap_close(struct trunk_zap *self, void (*on_closed)(void *arg), void *arg)
{
    self->in.arg = arg;
    zport_close(&self->in, on_closed);
}
