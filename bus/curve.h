/*
 * curve: the keys by which machines know each other, as czmq certificates in one directory:
 * `curve.cert` and `curve.cert_secret` of this machine, `allowed/<host>.cert` of the others.
 */
#ifndef BUS_CURVE_H
#define BUS_CURVE_H

#include <limits.h>
#include <stdbool.h>

#include "bus/topology.h"

#define CURVE_RAW_LEN 32

enum {
    CURVE_E_MISSING = 1, /* there is no such certificate */
    CURVE_E_THERE = 2,   /* there is one already */
    CURVE_E_BAD = 3,     /* what is there is none, or its secret can be read by others */
};

/* A key pair; both in Z85. */
struct curve_pair {
    char public_key[TOPOLOGY_KEY_LEN + 1];
    char secret_key[TOPOLOGY_KEY_LEN + 1];
};

/* Another machine that may join, under the name of its host. */
struct curve_peer {
    char name[32];
    char public_key[TOPOLOGY_KEY_LEN + 1]; /* "": what lies there is no certificate, and lets nobody join */
    /* What it may run as a guest (bus/topology.h); without any, the topology says it. */
    char actors[TOPOLOGY_GUEST_ACTORS_MAX][TOPOLOGY_PATTERN_MAX];
    size_t actors_n;
};

/* Wipes. */
void curve_pair_deinit(struct curve_pair *self);
/* Makes a pair in `dir` (made 0700), both files 0600. CURVE_E_THERE unless `is_forced`. */
int curve_make(const char *dir, bool is_forced, struct curve_pair *ret_pair);
int curve_load(const char *dir, struct curve_pair *ret_pair);

/* A host name as the topology has them. */
bool curve_is_name(const char *name);
/* Forty characters that are a key. */
bool curve_is_key(const char *text);
/* Takes the place of what that name had; on disk when it returns. */
int curve_allow(const char *dir, const struct curve_peer *peer);
/* CURVE_E_MISSING when nobody of that name was allowed. */
int curve_get(const char *dir, const char *name, struct curve_peer *ret_peer);
/* CURVE_E_MISSING when nobody of that name was allowed. */
int curve_deny(const char *dir, const char *name);
/* Calls `on` for everyone who has a place in `allowed`, until it returns false. A directory that is not there has
 * nobody. */
int curve_each(const char *dir, bool (*on)(void *arg, const struct curve_peer *peer), void *arg);
/* Whether it is certain that `name` may not join with this key any more: it is not in the list, or with another key. A
 * list or a certificate that is there and cannot be read now (too many files are open, somebody is writing it) says
 * nothing. With `is_for_actors` one that may join and is given nothing to run counts as well; the key may be NULL. */
bool curve_is_denied(const char *dir, const char *name, const char *public_key, bool is_for_actors);
/* Who joins with this key; false when nobody may. */
bool curve_find(const char *dir, const char *public_key, struct curve_peer *ret_peer);

#endif
