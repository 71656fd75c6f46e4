/*
 * limiter: how many wrong secrets an address may offer before it is locked out.
 *
 * Bounded: a fixed table, sets of four by a keyed hash of the name; the entry that was
 * quiet for longest makes room. Pure; the caller brings the time.
 */
#ifndef ACTORS_AUTH_LIMITER_H
#define ACTORS_AUTH_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define LIMITER_SETS 512
#define LIMITER_WAYS 4
#define LIMITER_GLOBAL_MAX 200 /* failures a minute from all addresses together */
#define LIMITER_KEY_MAX 600

struct limiter_rules {
    uint32_t attempts_max; /* 0 switches the limiter off */
    uint32_t window_ms;
    uint32_t lockout_ms;
    uint32_t global_max; /* failures a minute of all names together; 0: no bound */
    bool is_throttle;    /* after the first lock-out each failure is one, until a quiet window */
};

struct limiter_entry {
    uint64_t key; /* 0: free */
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t locked_until_ms; /* 0: not locked */
    uint32_t failures;
    bool is_trusted; /* succeeded since it was entered: exempt from the global bound */
};

struct limiter {
    struct limiter_rules rules;
    uint64_t seed;
    uint64_t global_first_ms;
    uint32_t global_failures;
    struct limiter_entry entries[LIMITER_SETS][LIMITER_WAYS];
};

/* `self` is zeroed memory (untouched pages cost nothing). `seed` should be random, so that nobody can choose names that
 * fall into one set. */
void limiter_init(struct limiter *self, struct limiter_rules rules, uint64_t seed);
/* Keeps what is known about everyone. */
void limiter_rules_set(struct limiter *self, struct limiter_rules rules);
/* 0: go ahead; else milliseconds until it may try again. */
uint32_t limiter_wait_ms(struct limiter *self, struct span name, uint64_t now_ms);
void limiter_failed(struct limiter *self, struct span name, uint64_t now_ms);
void limiter_succeeded(struct limiter *self, struct span name, uint64_t now_ms);

/* "<scope>:<address>"; an IPv6 address counts by its /64, which one machine has for itself. */
struct span limiter_name(const char *scope, struct span address, char buf[LIMITER_KEY_MAX]);

#endif
