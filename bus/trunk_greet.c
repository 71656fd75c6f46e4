/*
 * trunk_greet: who says hello: a new life of a host, or one whose connection broke. Nobody
 * comes this far whose key was not known when it connected.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/trunk_hub_internal.h"

/* These cannot be mended by asking again in this life of the host. */
static bool is_final(enum trunk_no code)
{
    return code == TRUNK_NO_DENIED || code == TRUNK_NO_FORGOTTEN || code == TRUNK_NO_ACTORS;
}

void trunk_hub_refuse(struct trunk_hub *self, const uint8_t *routing, size_t routing_len, enum trunk_no code,
                      const char *reason)
{
    struct trunk_refused refused = { .is_final = is_final(code), .code = code, .speaks = self->opts.speaks };
    struct pack pack;

    (void)snprintf(refused.reason, sizeof(refused.reason), "%s", reason);
    pack_init(&pack, TRUNK_BODY_MAX);
    trunk_refused_pack(&refused, &pack);
    trunk_hub_body_send(self, routing, routing_len, TRUNK_REFUSED, &pack);
    pack_deinit(&pack);
}

__attribute__((format(printf, 4, 5))) static void refuse(struct trunk_hub *self, const struct arrival *arrival,
                                                         enum trunk_no code, const char *fmt, ...)
{
    char reason[TRUNK_REASON_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args); /* cut texts are fine */
    va_end(args);
    log_warning("trunk_refused", "host=%s why=\"%s\"", arrival->user.name, reason);
    trunk_hub_knock_refused(self, &arrival->user, code, reason);
    trunk_hub_refuse(self, arrival->routing, arrival->routing_len, code, reason);
}

static void welcome(struct hub_peer *peer, uint32_t wire)
{
    struct trunk_welcome words = { .wire = wire,
                                   .incarnation = peer->incarnation,
                                   .session = peer->relay->session.id,
                                   .seen = trunk_session_tell(&peer->relay->session) };
    struct pack pack;

    if (wire >= TRUNK_WIRE_NAMED) {
        (void)snprintf(words.release, sizeof(words.release), "%s", peer->hub->opts.release);
    }
    pack_init(&pack, TRUNK_BODY_MAX);
    trunk_welcome_pack(&words, &pack);
    trunk_hub_body_send(peer->hub, peer->routing, peer->routing_len, TRUNK_WELCOME, &pack);
    pack_deinit(&pack);
}

static void peer_take(struct hub_peer *peer, const struct arrival *arrival, uint32_t wire)
{
    peer->wire = wire;
    memcpy(peer->routing, arrival->routing, arrival->routing_len);
    peer->routing_len = arrival->routing_len;
    peer->heard_len = arrival->routing_len;
    memcpy(peer->key, arrival->user.public_key, sizeof(peer->key));
    peer->heard_ms = clock_mono_ms();
    peer->lost_ms = 0;
}

/* Another machine with the same key would otherwise take the place of the first, which would take it back, for ever. */
static bool is_taken(const struct hub_peer *peer)
{
    return peer->relay && peer->routing_len && clock_mono_ms() - peer->heard_ms < TRUNK_DEAD_MS &&
           trunk_hub_send(peer->hub, peer->routing, peer->routing_len,
                          &(struct trunk_head){ .kind = TRUNK_BEAT, .seen = peer->relay->session.seen }, NULL, 0);
}

/* The first that it is about to run and is not to; NULL when there is none. */
static const char *foreign_actor(const struct hub_peer *peer, const struct trunk_hello *hello,
                                 char out[ACTOR_ADDRESS_MAX])
{
    const char *at = hello->actors;

    while (*at) {
        size_t len = strcspn(at, " ");

        (void)snprintf(out, ACTOR_ADDRESS_MAX, "%.*s", (int)(len < ACTOR_ADDRESS_MAX ? len : ACTOR_ADDRESS_MAX - 1),
                       at);
        if (!topology_is_pattern(span_from(out)) || !topology_covers(peer->hub->opts.topology, peer->host, out)) {
            return out;
        }
        at += len + (at[len] == ' ');
    }
    return NULL;
}

static void session_begin(struct hub_peer *peer, const struct arrival *arrival, const struct trunk_hello *hello,
                          uint32_t wire)
{
    char text[ACTOR_ADDRESS_MAX];
    const char *foreign = foreign_actor(peer, hello, text);

    if (foreign) {
        refuse(peer->hub, arrival, TRUNK_NO_ACTORS,
               "\"%.48s\" is not for host \"%s\" to run: %s, or leave it out of its own file", foreign,
               peer->host->name,
               peer->host->is_guest ? "allow it that with --actors" : "the gateway's topology must say so");
        return;
    }
    if (is_taken(peer)) {
        refuse(peer->hub, arrival, TRUNK_NO_TAKEN, "a host \"%s\" is connected already", peer->host->name);
        return;
    }
    int r = trunk_hub_begin(peer);
    if (r) {
        refuse(peer->hub, arrival, TRUNK_NO_BUSY, "the gateway cannot take a host now: %s", fault_text(r));
        return;
    }
    peer_take(peer, arrival, wire);
    welcome(peer, wire);
    (void)trunk_relay_connect(peer->relay, 0);
    peer->hub->opts.on_up(
        peer->hub->opts.arg, peer->host->name,
        &(struct trunk_hub_life){ .incarnation = peer->incarnation, .wire = wire, .release = hello->release });
}

static void session_resume(struct hub_peer *peer, const struct arrival *arrival, const struct trunk_hello *hello,
                           uint32_t wire)
{
    if (!peer->relay || peer->relay->session.id != hello->session || hello->seen > peer->relay->session.sent) {
        refuse(peer->hub, arrival, TRUNK_NO_FORGOTTEN,
               "the gateway was started again, and knows nothing of this life of the host");
        return;
    }
    peer_take(peer, arrival, wire);
    welcome(peer, wire);
    (void)trunk_relay_connect(peer->relay, hello->seen); /* looked at above */
    trunk_hub_silence(peer, false);
}

/* ZAP was asked when it connected, which may be long ago. */
static bool is_allowed_still(const struct trunk_hub *self, const struct curve_peer *user)
{
    struct curve_peer found;

    return curve_find(self->opts.keys_dir, user->public_key, &found) && strcmp(found.name, user->name) == 0;
}

/* It has a key, and nothing to do. */
static void unknown_refuse(struct trunk_hub *self, const struct arrival *arrival)
{
    const char *why = self->opts.why_not(self->opts.arg, arrival->user.name);

    if (why[0]) {
        refuse(self, arrival, TRUNK_NO_ACTORS, "%s", why);
    } else {
        refuse(self, arrival, TRUNK_NO_HOST,
               "the topology of the gateway has no host \"%s\" with link \"tcp\", and it was not allowed any actors: "
               "allow it again with --actors",
               arrival->user.name);
    }
}

void trunk_greet(struct trunk_hub *self, struct hub_peer *peer, struct arrival *arrival)
{
    struct trunk_hello hello;
    char reason[TRUNK_REASON_MAX];
    struct span body = trunk_hub_part(arrival, 0);

    if (!is_allowed_still(self, &arrival->user)) {
        refuse(self, arrival, TRUNK_NO_DENIED, TRUNK_HUB_DENIED);
        return;
    }
    if (arrival->parts_n != 1 || !trunk_hello_read(body, &hello)) {
        refuse(self, arrival, TRUNK_NO_UNREADABLE, "the gateway does not understand this greeting");
        return;
    }
    uint32_t wire = trunk_wire_choose(&self->opts.speaks, &hello.speaks, reason);
    if (!wire) {
        refuse(self, arrival, TRUNK_NO_VERSION, "%s", reason);
    } else if (!peer) {
        unknown_refuse(self, arrival);
    } else if (strcmp(hello.host, arrival->user.name) != 0) {
        refuse(self, arrival, TRUNK_NO_HOST, "this key was allowed for host \"%s\", not for \"%s\"", arrival->user.name,
               hello.host);
    } else if (hello.session == 0) {
        session_begin(peer, arrival, &hello, wire);
    } else {
        session_resume(peer, arrival, &hello, wire);
    }
}
