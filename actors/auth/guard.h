/*
 * guard: who may try a secret now. Each attempt is counted against one name, or two; which, and
 * how strictly, depends on what the socket and the device's signature prove. Pure.
 *
 * the device          paired and just signed: its own count; strangers cannot lock it out
 * browser-origin      a page that connects over loopback: by its origin, and with all other pages as well, since
 *                     whoever is no browser can claim another origin each time
 * here, pages         programs of this machine, and what says to be a page of it: slowed down to a guess a second,
 *                     never locked out
 * the address         everybody else, an IPv6 address by its /64; all of them together are bounded too
 * a sender of hooks   by its address, this machine too
 * who follows a link  the same
 */
#ifndef ACTORS_AUTH_GUARD_H
#define ACTORS_AUTH_GUARD_H

#include "actors/auth/connect.h"
#include "actors/auth/limiter.h"

struct guards {
    struct limiter addresses;
    struct limiter origins;
    struct limiter devices;
    struct limiter here;
    struct limiter hooks;
    bool is_loopback_exempt; /* gateway.auth.rateLimit.exemptLoopback */
};

/* `self` is zeroed memory. 0 or a fault. */
int guards_init(struct guards *self, struct limiter_rules rules);
void guards_rules_set(struct guards *self, struct limiter_rules rules, bool is_loopback_exempt);

struct guard_count {
    struct limiter *limiter;
    bool forgives; /* a success wipes out the failures */
    char buf[LIMITER_KEY_MAX];
    struct span name;
};

struct guard {
    uint64_t now_ms;
    size_t counts_n;
    struct guard_count counts[2];
};

/* `scope` tells kinds of secrets apart; `device_id` of a paired device that has signed, else NULL. */
void guard_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, const char *device_id,
                const char *scope, uint64_t now_ms);
/* The same for the token of hooks. */
void guard_hook_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, uint64_t now_ms);
/* The same for the codes of links to join. */
void guard_join_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, uint64_t now_ms);
/* 0: go ahead; else milliseconds until it may try again. */
uint32_t guard_wait_ms(struct guard *guard);
void guard_note(struct guard *guard, bool is_right);

#endif
