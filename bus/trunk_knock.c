/*
 * trunk_knock: who knocks and is let no further. Only the log would know; so the host that it is, or may be, is told of
 * as one that knocks, with the reason and what lets it in, until it comes or has been quiet for a while.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/trunk_hub_internal.h"

#define KNOCK_LOOK_MS 1000U    /* anybody can knock, and each look reads files */
#define MAPPED "::ffff:"       /* so a socket for both families shows an IPv4 address */
#define KNOCK_FORGET_MS 30000U /* a host that waits knocks every second */

__attribute__((format(printf, 2, 3))) static void knock_tell(struct hub_peer *peer, const char *fmt, ...)
{
    char why[TRUNK_REASON_MAX + 64];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args); /* cut texts are fine */
    va_end(args);
    peer->knocked_ms = clock_mono_ms();
    peer->hub->opts.on_refused(peer->hub->opts.arg, peer->host->name, why);
}

static bool is_missed(const struct hub_peer *peer)
{
    return peer->host->name[0] && !peer->relay;
}

static void denied_tell(struct hub_peer *peer, const char *key)
{
    knock_tell(peer, "its key was denied, and it knocks; this lets it in again: openclaw bus allow %s '%s'",
               peer->host->name, key);
}

/* One that has come by this key before. */
static bool known_tell(struct trunk_hub *self, const char *key)
{
    for (size_t i = 0; i < self->peers_n; i++) {
        if (is_missed(&self->peers[i]) && strcmp(self->peers[i].key, key) == 0) {
            denied_tell(&self->peers[i], key);
            return true;
        }
    }
    return false;
}

/* Those that have a key, or those that have none. */
static bool others_tell(struct trunk_hub *self, struct span address, const char *key, bool has_key)
{
    bool is_mapped = span_starts(address, MAPPED);
    struct span shown = { address.ptr + (is_mapped ? sizeof(MAPPED) - 1 : 0),
                          address.len - (is_mapped ? sizeof(MAPPED) - 1 : 0) };
    bool is_any = false;

    for (size_t i = 0; i < self->peers_n; i++) {
        struct hub_peer *peer = &self->peers[i];
        struct curve_peer allowed;

        if (is_missed(peer) && (curve_get(self->opts.keys_dir, peer->host->name, &allowed) == 0) == has_key) {
            is_any = true;
            knock_tell(peer,
                       "%.*s knocks with a key that is not allowed; if it is this host: openclaw bus allow %s '%s'",
                       (int)(shown.len < 64 ? shown.len : 64), shown.ptr, peer->host->name, key);
        }
    }
    return is_any;
}

void trunk_hub_on_stranger(void *arg, struct span address, const char *key)
{
    struct trunk_hub *self = arg;
    uint64_t now_ms = clock_mono_ms();

    if (self->stranger_ms && now_ms - self->stranger_ms < KNOCK_LOOK_MS) {
        return;
    }
    self->stranger_ms = now_ms;
    if (!known_tell(self, key) && !others_tell(self, address, key, false)) {
        (void)others_tell(self, address, key, true); /* it may have a new pair */
    }
}

void trunk_hub_knock_refused(struct trunk_hub *self, const struct curve_peer *user, enum trunk_no code,
                             const char *reason)
{
    for (size_t i = 0; i < self->peers_n; i++) {
        struct hub_peer *peer = &self->peers[i];

        if (!is_missed(peer) || strcmp(peer->host->name, user->name) != 0 || code == TRUNK_NO_FORGOTTEN) {
            continue; /* one that the gateway has forgotten starts again, and joins */
        }
        if (code == TRUNK_NO_DENIED) {
            denied_tell(peer, user->public_key);
        } else {
            knock_tell(peer, "it knocks and is let no further: %s", reason);
        }
    }
}

void trunk_hub_knock_sweep(struct trunk_hub *self, uint64_t now_ms)
{
    for (size_t i = 0; i < self->peers_n; i++) {
        struct hub_peer *peer = &self->peers[i];

        if (peer->knocked_ms && (peer->relay || now_ms - peer->knocked_ms >= KNOCK_FORGET_MS)) {
            peer->knocked_ms = 0;
            if (peer->host->name[0]) { /* else it has lost its place */
                self->opts.on_refused(self->opts.arg, peer->host->name, "");
            }
        }
    }
}
