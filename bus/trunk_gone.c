/*
 * trunk_gone: connections of hosts that end. libzmq says that one has, not whose it was: to
 * send by each of them tells. It may be only that somebody on the way forgot it, so the host
 * is given time to come back before calls to it end.
 */
#include "bus/base/clock.h"
#include "bus/trunk_hub_internal.h"

#define PROBE_MS 20U
#define PROBES_N 3U /* libzmq lets go of a connection a little after it has said so */

void trunk_hub_lost(struct hub_peer *peer)
{
    peer->routing_len = 0;
    peer->lost_ms = clock_mono_ms();
}

void trunk_hub_drop(struct hub_peer *peer)
{
    peer->routing_len = 0;
    peer->heard_len = 0;
}

void trunk_hub_gone(struct hub_peer *peer, uint64_t now_ms)
{
    peer->routing_len = 0;
    trunk_relay_disconnect(peer->relay);
    if (!peer->lost_ms || now_ms - peer->lost_ms >= TRUNK_GATEWAY_GRACE_MS) {
        peer->lost_ms = 0;
        peer->heard_len = 0;
        trunk_hub_silence(peer, true);
    }
}

static void probe(struct hub_peer *peer, uint64_t now_ms)
{
    if (peer->relay && peer->routing_len) {
        trunk_relay_say(peer->relay, TRUNK_BEAT);
    }
    if (peer->relay && !peer->routing_len) {
        trunk_hub_gone(peer, now_ms);
    }
}

static void on_probe(uv_timer_t *timer)
{
    struct trunk_hub *self = timer->data;
    uint64_t now_ms = clock_mono_ms();
    bool is_waiting = false;

    (void)zsock_events(self->router.sock); /* so that it takes notice */
    zport_kick(&self->router);             /* which may have taken the edge */
    for (size_t i = 0; i < self->peers_n; i++) {
        probe(&self->peers[i], now_ms);
        is_waiting |= self->peers[i].lost_ms != 0;
    }
    self->probes_n -= self->probes_n > 0;
    if (self->probes_n || is_waiting) {
        (void)uv_timer_start(timer, on_probe, PROBE_MS, 0); /* fails only without a callback */
    }
}

/* Anybody may cause it: however many end, it is looked at no more often than that. */
bool trunk_hub_on_ends(void *arg)
{
    struct trunk_hub *self = arg;
    bool is_any = false;

    while (trunk_watch_next(self->watch.sock) != TRUNK_WATCH_NONE) {
        is_any = true;
    }
    self->probes_n = is_any ? PROBES_N : self->probes_n;
    if (is_any && !uv_is_active((const uv_handle_t *)&self->probe)) {
        (void)uv_timer_start(&self->probe, on_probe, 0, 0); /* fails only without a callback */
    }
    return false;
}
