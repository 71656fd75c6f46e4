#include "bus/trunk_tap.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/descriptors.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "bus/zport.h"

#define TAPS_BATCH 64U
#define TAPS_BYTES_LOOK ((size_t)1024 * 1024) /* between two looks: who watches must not crowd out what is watched */
#define TAPS_WAITING 256

struct tap_port_far {
    struct tap_port_far *next;
    struct trunk_taps *taps; /* NULL: it is being closed */
    char endpoint[TAP_ENDPOINT_MAX];
    char local[TAP_ENDPOINT_MAX];
    struct zport in;
    uint64_t dropped; /* records */
};

struct trunk_taps {
    struct trunk_taps_opts opts;
    struct tap_port_far *ports;
    unsigned ports_n;
    unsigned number;
    size_t bytes; /* sent since the last look */
};

/* A batch without records says how many there would have been. */
static bool dropped_tell(struct tap_port_far *port)
{
    struct trunk_taps *self = port->taps;
    CLEANUP(pack_deinit) struct pack batch;

    pack_init(&batch, 1024);
    pack_array_begin(&batch);
    pack_map_begin(&batch);
    pack_kv_text(&batch, "host", self->opts.host);
    pack_kv_text(&batch, "address", "trunk");
    pack_kv_u64(&batch, "dropped", port->dropped);
    pack_map_end(&batch);
    pack_array_end(&batch);
    return pack_error(&batch) == 0 && self->opts.send(self->opts.arg, span_from(port->endpoint), pack_span(&batch));
}

static void batch_take(struct tap_port_far *port, struct span batch)
{
    struct trunk_taps *self = port->taps;
    bool has_room = self->bytes + batch.len <= TAPS_BYTES_LOOK;

    if (has_room && port->dropped && dropped_tell(port)) {
        port->dropped = 0;
    }
    if (has_room && self->opts.send(self->opts.arg, span_from(port->endpoint), batch)) {
        self->bytes += batch.len;
    } else if (wire_check(batch.ptr, batch.len, PACK_DEPTH_MAX) && value_count(batch) > 0) {
        port->dropped += value_count(batch) - 1;
    }
}

static bool on_turn(void *arg)
{
    struct tap_port_far *port = arg;

    for (unsigned i = 0; i < TAPS_BATCH; i++) {
        zmq_msg_t batch;

        (void)zmq_msg_init(&batch);
        if (!port->taps || !frame_receive(&batch, port->in.raw)) {
            (void)zmq_msg_close(&batch); /* empty */
            return false;
        }
        batch_take(port, (struct span){ zmq_msg_data(&batch), zmq_msg_size(&batch) });
        frame_close(&batch);
    }
    return true;
}

static void on_closed(void *arg)
{
    free(arg);
}

static void port_close(struct tap_port_far **at)
{
    struct tap_port_far *port = *at;

    *at = port->next;
    port->taps->ports_n--;
    port->taps = NULL;
    port->in.arg = port;
    zport_close(&port->in, on_closed);
}

static struct tap_port_far **port_find(struct trunk_taps *self, struct span endpoint)
{
    struct tap_port_far **at = &self->ports;

    while (*at && !span_is_text(endpoint, (*at)->endpoint)) {
        at = &(*at)->next;
    }
    return at;
}

int trunk_taps_open(struct trunk_taps *self, struct span endpoint, char ret_local[TAP_ENDPOINT_MAX])
{
    struct tap_port_far *port = *port_find(self, endpoint);
    zsock_t *pull;

    if (port) {
        memcpy(ret_local, port->local, sizeof(port->local));
        return 0;
    }
    if (self->ports_n >= TAP_WATCHERS_MAX || endpoint.len >= TAP_ENDPOINT_MAX) {
        return TAP_E_FULL;
    }
    pull = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PULL);
    if (!pull) {
        return FAULT(-EMFILE);
    }
    port = mem_new(sizeof(*port));
    (void)snprintf(port->endpoint, sizeof(port->endpoint), "%.*s", SPAN_FMT(endpoint));
    (void)snprintf(port->local, sizeof(port->local), "inproc://trunk-tap-%u", ++self->number);
    zsock_set_rcvhwm(pull, TAPS_WAITING);
    if (zmq_bind(zsock_resolve(pull), port->local)) {
        int r = FAULT(-zmq_errno());

        zsock_destroy(&pull);
        free(port);
        return r;
    }
    int r = zport_open(&port->in, self->opts.loop, &pull, on_turn, port);
    port->taps = self;
    port->next = self->ports;
    self->ports = port;
    self->ports_n++;
    if (r) {
        port_close(&self->ports);
        return r;
    }
    memcpy(ret_local, port->local, sizeof(port->local));
    return 0;
}

bool trunk_taps_close(struct trunk_taps *self, struct span endpoint, char ret_local[TAP_ENDPOINT_MAX])
{
    struct tap_port_far **at = port_find(self, endpoint);

    if (!*at) {
        return false;
    }
    memcpy(ret_local, (*at)->local, sizeof((*at)->local));
    port_close(at);
    return true;
}

void trunk_taps_look(struct trunk_taps *self)
{
    self->bytes = 0;
}

struct trunk_taps *trunk_taps_new(const struct trunk_taps_opts *opts)
{
    struct trunk_taps *self = mem_new(sizeof(*self));

    self->opts = *opts;
    return self;
}

void trunk_taps_destroy(struct trunk_taps **self_p)
{
    struct trunk_taps *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    while (self->ports) {
        port_close(&self->ports);
    }
    free(self);
}
