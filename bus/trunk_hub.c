/*
 * trunk_hub
 *
 * A connection is known by the routing id that ROUTER gives it, and trusted by the name that
 * ZAP gave its key. A host's life here is a session. It ends when another one begins, when
 * its key is denied, when the host says goodbye; until then a host that is not heard of is
 * silent: calls to it end at once, everything else waits for it.
 */
#include "bus/trunk_hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/trunk_hub_internal.h"

#define HUB_BATCH 256U
#define ENDED "it has ended in order"
#define KEYS_LOOKS 4U   /* looks between two looks at the list of who may join */
#define SWEEP_LOOKS 40U /* looks between two looks for mailboxes that are gone */

/* --- sending ----------------------------------------------------------------------------- */

/* False when that connection is gone. The frames stay the caller's. */
bool trunk_hub_send(struct trunk_hub *self, const uint8_t *routing, size_t routing_len, const struct trunk_head *head,
                    const zmq_msg_t *const *parts, size_t parts_n)
{
    uint8_t bytes[TRUNK_HEAD_LEN];
    void *raw = self->router.raw;

    trunk_head_encode(head, bytes);
    if (zmq_send(raw, routing, routing_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        return false;
    }
    /* The rest cannot fail once the first was accepted. */
    (void)zmq_send(raw, bytes, sizeof(bytes), parts_n ? ZMQ_SNDMORE | ZMQ_DONTWAIT : ZMQ_DONTWAIT);
    for (size_t i = 0; i < parts_n; i++) {
        zmq_msg_t copy;

        (void)zmq_msg_init(&copy);
        (void)zmq_msg_copy(&copy, (zmq_msg_t *)(uintptr_t)parts[i]); /* shares the bytes; only counts */
        (void)frame_send(&copy, raw, i + 1 < parts_n);
    }
    zport_kick(&self->router);
    return true;
}

static void on_transmit(void *arg, const struct trunk_head *head, const zmq_msg_t *header, const zmq_msg_t *body)
{
    struct hub_peer *peer = arg;
    const zmq_msg_t *parts[] = { header, body };

    if (peer->routing_len &&
        !trunk_hub_send(peer->hub, peer->routing, peer->routing_len, head, parts, header ? ARRAY_LEN(parts) : 0)) {
        trunk_hub_lost(peer); /* the next look tells; we may be within one of its own messages */
    }
}

/* An answer to a HELLO. */
void trunk_hub_body_send(struct trunk_hub *self, const uint8_t *routing, size_t routing_len, enum trunk_kind kind,
                         const struct pack *pack)
{
    zmq_msg_t body;
    const zmq_msg_t *parts[] = { &body };

    if (pack_error(pack) == 0 && frame_copy(pack_span(pack), &body) == 0) {
        (void)trunk_hub_send(self, routing, routing_len, &(struct trunk_head){ .kind = kind }, parts, 1);
        frame_close(&body);
    }
}

struct span trunk_hub_part(struct arrival *arrival, size_t i)
{
    return i < arrival->parts_n ? (struct span){ zmq_msg_data(&arrival->parts[i]), zmq_msg_size(&arrival->parts[i]) }
                                : (struct span){ "", 0 };
}

/* --- the mailboxes ------------------------------------------------------------------------- */

static bool on_find(void *arg, struct span to, char out[LINK_ENDPOINT_MAX])
{
    struct hub_peer *peer = arg;
    const struct node *node = peer->hub->opts.node;

    if (span_is_text(to, NODE_SUPERVISOR)) {
        (void)snprintf(out, LINK_ENDPOINT_MAX, "%s", node_local(node));
        return true;
    }
    const struct directory_entry *entry = directory_find(node_directory(node), to);
    if (!entry || !entry->is_up) {
        return false;
    }
    (void)snprintf(out, LINK_ENDPOINT_MAX, "%s", entry->endpoint);
    return true;
}

static bool on_is_known(void *arg, const char *endpoint)
{
    const struct hub_peer *peer = arg;
    const struct node *node = peer->hub->opts.node;

    for (const struct directory_entry *at = node_directory(node)->entries; at; at = at->next) {
        if (at->is_up && strcmp(at->endpoint, endpoint) == 0) {
            return true;
        }
    }
    return strcmp(endpoint, node_local(node)) == 0;
}

/* --- lives --------------------------------------------------------------------------------- */

void trunk_hub_silence(struct hub_peer *peer, bool is_silent)
{
    if (peer->is_silent != is_silent) {
        peer->is_silent = is_silent;
        (void)node_silence(peer->hub->opts.node, peer->host->name, NULL,
                           is_silent ? "nothing is heard of its machine" : NULL); /* or it has not said hello yet */
        peer->hub->opts.on_silent(peer->hub->opts.arg, peer->host->name, is_silent);
    }
}

static void peer_end(struct hub_peer *peer, enum actor_life life, const char *why)
{
    if (peer->relay) {
        trunk_relay_destroy(&peer->relay);
        trunk_hub_drop(peer);
        peer->lost_ms = 0;
        peer->is_silent = false;
        node_host_down(peer->hub->opts.node, peer->host->name, life, 0, why);
        peer->hub->opts.on_down(peer->hub->opts.arg, peer->host->name, why);
    }
}

static uint64_t session_new(void)
{
    uint64_t id = 0;

    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
        id = clock_mono_ns();
    }
    return (id & INT64_MAX) | 1;
}

/* Every life has a mailbox of its own: what was meant for the one before ends with it. */
int trunk_hub_begin(struct hub_peer *peer)
{
    struct trunk_hub *self = peer->hub;
    char endpoint[LINK_ENDPOINT_MAX];

    peer_end(peer, ACTOR_LIFE_BACKOFF, "it was started again");
    peer->incarnation++;
    self->incarnation = peer->incarnation > self->incarnation ? peer->incarnation : self->incarnation;
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%.100s/link-%s-%u.sock", self->opts.run_dir, peer->host->name,
                   peer->incarnation);
    return trunk_relay_new(&(struct trunk_relay_opts){ .loop = self->opts.loop,
                                                       .endpoint = endpoint,
                                                       .transmit = on_transmit,
                                                       .find = on_find,
                                                       .is_known = on_is_known,
                                                       .arg = peer },
                           session_new(), &peer->relay);
}

/* --- what else comes --------------------------------------------------------------------------- */

static void on_data(struct hub_peer *peer, struct arrival *arrival)
{
    const char *why = arrival->parts_n == 2
                          ? trunk_word_refusal(peer->hub->opts.topology, peer->host, trunk_hub_part(arrival, 0))
                          : "it sent what is no message of the bus";

    if (why) {
        log_warning("trunk_word_refused", "host=%s why=\"%s\"", peer->host->name, why);
        peer_end(peer, ACTOR_LIFE_BACKOFF, why);
        node_host_lost(peer->hub->opts.node, peer->host->name, ACTOR_LIFE_BACKOFF, why);
        return;
    }
    if (trunk_relay_on_data(peer->relay, &arrival->head, &arrival->parts[0], &arrival->parts[1]) ==
        TRUNK_SESSION_BROKEN) {
        trunk_hub_drop(peer); /* it connects again when it hears nothing */
    }
    (void)zmq_msg_init(&arrival->parts[0]);
    (void)zmq_msg_init(&arrival->parts[1]);
}

/* For somebody who watches on this machine (process_tap.c checks where that may be). */
static void on_tap(struct hub_peer *peer, struct arrival *arrival)
{
    struct trunk_hub *self = peer->hub;
    struct span endpoint = trunk_hub_part(arrival, 0);
    char prefix[TAP_ENDPOINT_MAX];
    char text[TAP_ENDPOINT_MAX];
    int len = snprintf(prefix, sizeof(prefix), "ipc://%s/tap-", self->opts.run_dir);

    if (arrival->parts_n != 2 || len <= 0 || endpoint.len <= (size_t)len || endpoint.len >= sizeof(text) ||
        !span_starts(endpoint, prefix) || memchr(endpoint.ptr + len, '/', endpoint.len - (size_t)len) ||
        memchr(endpoint.ptr, '\0', endpoint.len)) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(endpoint));
    trunk_relay_drop_off(peer->relay, text, &arrival->parts[1]);
    (void)zmq_msg_init(&arrival->parts[1]);
}

/* Calls to that actor end at once; what nobody here knows of that host, nobody asks anything. */
static void on_hangs(struct hub_peer *peer, struct arrival *arrival)
{
    struct trunk_hub *self = peer->hub;
    struct trunk_hangs hangs;

    if (peer->wire >= TRUNK_WIRE_HANGS && arrival->parts_n == 1 &&
        trunk_hangs_read(trunk_hub_part(arrival, 0), &hangs) &&
        node_silence(self->opts.node, peer->host->name, hangs.actor, hangs.is_on ? "" : NULL)) {
        self->opts.on_hangs(self->opts.arg, peer->host->name, hangs.actor, hangs.is_on);
    }
}

static void on_arrival(struct trunk_hub *self, struct arrival *arrival)
{
    struct hub_peer *peer = NULL;

    for (size_t i = 0; i < self->peers_n; i++) {
        peer = strcmp(self->peers[i].host->name, arrival->user.name) == 0 ? &self->peers[i] : peer;
    }
    if (arrival->head.kind == TRUNK_HELLO) {
        trunk_greet(self, peer, arrival);
        return;
    }
    if (!peer || !peer->relay || peer->heard_len != arrival->routing_len ||
        memcmp(peer->routing, arrival->routing, arrival->routing_len) != 0) {
        return; /* of a connection that is over */
    }
    peer->heard_ms = clock_mono_ms();
    if (!trunk_relay_on_seen(peer->relay, arrival->head.seen)) {
        trunk_hub_drop(peer); /* it has heard what we have not said */
    } else if (arrival->head.kind == TRUNK_DATA) {
        on_data(peer, arrival);
    } else if (arrival->head.kind == TRUNK_TAP) {
        on_tap(peer, arrival);
    } else if (arrival->head.kind == TRUNK_HANGS) {
        on_hangs(peer, arrival);
    } else if (arrival->head.kind == TRUNK_BYE) {
        peer_end(peer, ACTOR_LIFE_STOPPED, ENDED);
        node_host_lost(peer->hub->opts.node, peer->host->name, ACTOR_LIFE_STOPPED, ENDED);
    }
}

/* --- receiving ----------------------------------------------------------------------------------- */

/* What ZAP has said of the connection: "name key". */
static bool user_read(const char *text, struct curve_peer *ret_user)
{
    const char *space = text ? strchr(text, ' ') : NULL;

    if (!space || (size_t)(space - text) >= sizeof(ret_user->name) || strlen(space + 1) != TOPOLOGY_KEY_LEN) {
        return false;
    }
    (void)snprintf(ret_user->name, sizeof(ret_user->name), "%.*s", (int)(space - text), text);
    (void)snprintf(ret_user->public_key, sizeof(ret_user->public_key), "%s", space + 1);
    return true;
}

/* The rest of a message; false when it is none of ours. */
static bool arrival_read(struct trunk_hub *self, zmq_msg_t *first, zmq_msg_t *head, struct arrival *arrival)
{
    bool has_more = zmq_msg_more(first);
    bool is_good = has_more && zmq_msg_size(first) <= ROUTING_MAX;

    (void)zmq_msg_init(head);
    if (has_more) {
        (void)frame_receive(head, self->router.raw); /* all frames of a message arrive together (zmq_msg_recv(3)) */
        has_more = zmq_msg_more(head);
    }
    while (has_more) {
        zmq_msg_t part;

        (void)zmq_msg_init(&part);
        (void)frame_receive(&part, self->router.raw);
        has_more = zmq_msg_more(&part);
        if (arrival->parts_n < ARRAY_LEN(arrival->parts)) {
            arrival->parts[arrival->parts_n++] = part;
        } else {
            is_good = false;
            frame_close(&part);
        }
    }
    is_good &= user_read(zmq_msg_gets(head, "User-Id"), &arrival->user);
    if (is_good) {
        memcpy(arrival->routing, zmq_msg_data(first), zmq_msg_size(first));
        arrival->routing_len = zmq_msg_size(first);
    }
    return is_good && trunk_head_decode((struct span){ zmq_msg_data(head), zmq_msg_size(head) }, &arrival->head);
}

static bool on_turn(void *arg)
{
    struct trunk_hub *self = arg;

    for (unsigned i = 0; i < HUB_BATCH; i++) {
        struct arrival arrival = { .parts_n = 0 };
        zmq_msg_t first;
        zmq_msg_t head;

        (void)zmq_msg_init(&first);
        if (!frame_receive(&first, self->router.raw)) {
            (void)zmq_msg_close(&first); /* empty */
            return false;
        }
        if (arrival_read(self, &first, &head, &arrival)) {
            on_arrival(self, &arrival);
        }
        for (size_t k = 0; k < arrival.parts_n; k++) {
            frame_close(&arrival.parts[k]);
        }
        frame_close(&head);
        frame_close(&first);
    }
    return true;
}

/* --- looking --------------------------------------------------------------------------------------- */

static void peer_look(struct hub_peer *peer, uint64_t now_ms, bool is_late, bool is_beat)
{
    if (!peer->relay) {
        return;
    }
    if (is_late) {
        peer->heard_ms = now_ms; /* we were away ourselves */
    }
    if (is_beat && peer->routing_len) {
        trunk_relay_say(peer->relay, TRUNK_BEAT);
    }
    if (!peer->routing_len || now_ms - peer->heard_ms >= TRUNK_DEAD_MS) {
        trunk_hub_gone(peer, now_ms);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct trunk_hub *self = timer->data;
    uint64_t now_ms = clock_mono_ms();
    bool is_late = now_ms - self->look_ms > TRUNK_DEAD_MS / 2;
    bool is_beat = ++self->looks_n % (TRUNK_BEAT_MS / TRUNK_LOOK_MS) == 0;

    self->look_ms = now_ms;
    for (size_t i = 0; i < self->peers_n; i++) {
        peer_look(&self->peers[i], now_ms, is_late, is_beat);
        if (self->peers[i].relay && self->looks_n % SWEEP_LOOKS == 0) {
            trunk_relay_sweep(self->peers[i].relay);
        }
    }
    if (self->looks_n % KEYS_LOOKS == 0) {
        trunk_hub_keys_look(self);
        trunk_hub_knock_sweep(self, now_ms);
    }
}

/* --- life --------------------------------------------------------------------------------------------- */

static int router_open(struct trunk_hub *self)
{
    zsock_t *sock = zsock_new(ZMQ_ROUTER);
    zsock_t *watch;

    if (!sock) {
        return FAULT(-EMFILE);
    }
    zsock_set_linger(sock, 200); /* a last word to those who are told to go */
    zsock_set_sndhwm(sock, 0);   /* bounded by the sessions */
    zsock_set_rcvhwm(sock, 0);
    zsock_set_router_mandatory(sock, 1); /* a connection that is gone shows at once */
    zsock_set_ipv6(sock, 1);
    zsock_set_tcp_keepalive(sock, 1);
    zsock_set_heartbeat_ivl(sock, 2 * TRUNK_DEAD_MS); /* so that libzmq lets go of what is dead, too */
    zsock_set_heartbeat_timeout(sock, 2 * TRUNK_DEAD_MS);
    zsock_set_maxmsgsize(sock, (int)ACTOR_BODY_MAX);
    zsock_set_curve_server(sock, 1);
    zsock_set_curve_publickey(sock, self->opts.pair->public_key);
    zsock_set_curve_secretkey(sock, self->opts.pair->secret_key);
    zsock_set_zap_domain(sock, TRUNK_ZAP_DOMAIN);
    watch = trunk_watch_begin(sock, "trunk-hub");
    if (zmq_bind(zsock_resolve(sock), self->opts.topology->tcp.listen)) {
        int number = zmq_errno();

        log_error("trunk_listen_failed", "endpoint=%s error=\"%s\"", self->opts.topology->tcp.listen,
                  fault_text(-number));
        trunk_watch_end(sock);
        zsock_destroy(&watch);
        zsock_destroy(&sock);
        return TRUNK_HUB_E_ADDRESS;
    }
    int r = watch ? zport_open(&self->watch, self->opts.loop, &watch, trunk_hub_on_ends, self) : 0;
    return r ? r : zport_open(&self->router, self->opts.loop, &sock, on_turn, self);
}

static void peers_make(struct trunk_hub *self)
{
    const struct topology *topology = self->opts.topology;

    self->peers = mem_new(TOPOLOGY_HOSTS_MAX * sizeof(*self->peers));
    for (size_t i = 0; i < topology->hosts_n; i++) {
        if (topology->hosts[i].is_remote) {
            self->peers[self->peers_n++] = (struct hub_peer){ .hub = self, .host = &topology->hosts[i] };
        }
    }
}

/* ZAP first: without it libzmq would let in everybody who knows our public key. */
int trunk_hub_new(const struct trunk_hub_opts *opts, struct trunk_hub **ret_self)
{
    struct trunk_hub *self = mem_new(sizeof(*self));

    self->opts = *opts;
    self->opts.speaks = opts->speaks.most ? opts->speaks : trunk_range_all;
    self->opts.release = opts->release ? opts->release : "";
    self->look_ms = clock_mono_ms();
    peers_make(self);
    self->zap = (struct trunk_zap){ .dir = opts->keys_dir, .on_refused = trunk_hub_on_stranger, .arg = self };
    int r = trunk_zap_open(&self->zap, opts->loop);
    r = r ? r : trunk_hub_keys_watch(self);
    r = r ? r : router_open(self);
    if (r == 0) {
        (void)uv_timer_init(opts->loop, &self->look); /* neither can fail */
        (void)uv_timer_init(opts->loop, &self->probe);
        self->look.data = self;
        self->probe.data = self;
        (void)uv_timer_start(&self->look, on_look, TRUNK_LOOK_MS, TRUNK_LOOK_MS); /* fails only without a callback */
        log_info("trunk_listening", "endpoint=%s hosts=%zu", opts->topology->tcp.listen, self->peers_n);
    }
    *ret_self = self; /* the caller destroys it in any case */
    return r;
}

static void part_closed(void *arg)
{
    struct trunk_hub *self = arg;

    if (--self->open_n == 0) {
        free(self->peers);
        free(self);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

void trunk_hub_destroy(struct trunk_hub **self_p)
{
    struct trunk_hub *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->peers_n; i++) {
        trunk_relay_destroy(&self->peers[i].relay);
    }
    self->open_n = 1; /* until all below have been told */
    if (self->zap.in.handles_n) {
        self->open_n++;
        trunk_zap_close(&self->zap, part_closed, self);
    }
    if (self->router.sock) {
        trunk_watch_end(self->router.sock);
    }
    if (self->watch.handles_n) {
        self->open_n++;
        zport_close(&self->watch, part_closed);
    }
    if (self->router.handles_n) {
        self->open_n++;
        zport_close(&self->router, part_closed);
    }
    if (self->keys.loop) {
        self->open_n += 2;
        uv_close((uv_handle_t *)&self->keys, on_handle_closed);
        uv_close((uv_handle_t *)&self->keys_settle, on_handle_closed);
    }
    if (self->look.loop) {
        self->open_n += 2;
        uv_close((uv_handle_t *)&self->look, on_handle_closed);
        uv_close((uv_handle_t *)&self->probe, on_handle_closed);
    }
    part_closed(self);
}

/* Messages that are still on their way are told from those of another life by its number, whichever host had it. */
void trunk_hub_guest(struct trunk_hub *self, const struct topology_host *host)
{
    size_t i = 0;

    while (i < self->peers_n && self->peers[i].host != host) {
        i++;
    }
    self->peers_n += i == self->peers_n;
    self->peers[i] = (struct hub_peer){ .hub = self, .host = host, .incarnation = self->incarnation };
}

void trunk_hub_end(struct trunk_hub *self, const char *host, enum trunk_no code, const char *word, const char *why)
{
    for (size_t i = 0; i < self->peers_n; i++) {
        struct hub_peer *peer = &self->peers[i];

        if (peer->relay && strcmp(peer->host->name, host) == 0) {
            trunk_hub_refuse(self, peer->routing, peer->routing_len, code, word);
            peer_end(peer, ACTOR_LIFE_STOPPED, why);
            node_host_lost(self->opts.node, host, ACTOR_LIFE_STOPPED, why);
        }
    }
}

const char *trunk_hub_endpoint(const struct trunk_hub *self, const char *host)
{
    for (size_t i = 0; i < self->peers_n; i++) {
        if (self->peers[i].relay && strcmp(self->peers[i].host->name, host) == 0) {
            return self->peers[i].relay->endpoint;
        }
    }
    return "";
}

void trunk_hub_bind_again(struct trunk_hub *self)
{
    for (size_t i = 0; i < self->peers_n; i++) {
        if (self->peers[i].relay) {
            trunk_relay_bind_again(self->peers[i].relay);
        }
    }
}
