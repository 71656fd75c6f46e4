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
#define CURVE_PEERS_MAX 256 /* of a list; those behind them are passed over */

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

#define CURVE_NAME_MAX 32

/* Another machine that may join, under the name of its host. */
struct curve_peer {
    char name[CURVE_NAME_MAX];
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
/* Takes the place of what that name had; on disk when it returns. What it may run is kept beside it, too. */
int curve_allow(const char *dir, const struct curve_peer *peer);
/* CURVE_E_MISSING when nobody of that name was allowed. */
int curve_get(const char *dir, const char *name, struct curve_peer *ret_peer);
/* CURVE_E_MISSING when nobody of that name was allowed. */
int curve_deny(const char *dir, const char *name);
/* Calls `on` for everyone who has a place in `allowed`, until it returns false. A directory that is not there has
 * nobody. */
int curve_each(const char *dir, bool (*on)(void *arg, const struct curve_peer *peer), void *arg);
/* The same as a list, in the order of the names. */
struct curve_list {
    struct curve_peer *peers; /* owned, CURVE_PEERS_MAX */
    size_t n;
};
int curve_list_read(const char *dir, struct curve_list *ret_list);
void curve_list_deinit(struct curve_list *self);
/* Whose key that of the i-th is as well: a key has one name, the first of those that claim it. NULL: it is its own. */
const char *curve_list_twin(const struct curve_list *self, size_t i);
/* What is wrong with `name` then, and what to do. */
void curve_twin_explain(const char *name, const char *twin, char *out, size_t cap);

/* What `peer` may run, for when its certificate cannot be read. Writes when it was kept otherwise before. */
int curve_keep(const char *dir, const struct curve_peer *peer);
/* CURVE_E_MISSING when nothing was kept. */
int curve_forget(const char *dir, const char *name);
/* What that name was kept with; without actors when nothing was. */
void curve_kept(const char *dir, const char *name, struct curve_peer *ret_peer);

/* Whether it is certain that `name` may not join with this key any more: it is not in the list, or with another key. A
 * list or a certificate that is there and cannot be read now (too many files are open, somebody is writing it) says
 * nothing. With `is_for_actors` one that may join and is given nothing to run counts as well; the key may be NULL. */
bool curve_is_denied(const char *dir, const char *name, const char *public_key, bool is_for_actors);
/* Who joins with this key: of two names that claim it, the first; false when nobody may. */
bool curve_find(const char *dir, const char *public_key, struct curve_peer *ret_peer);

#endif
