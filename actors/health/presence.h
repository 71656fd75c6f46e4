/*
 * presence: connections, and the list of who they belong to. Pure: time is given.
 *
 * Connections of one device (or one instance of a program) share an entry. Who has left
 * stays listed for five minutes; of those that said neither device nor instance, the last
 * one of each name. Short connections of the control plane (modes cli, backend, probe)
 * are counted and not listed.
 */
#ifndef ACTORS_HEALTH_PRESENCE_H
#define ACTORS_HEALTH_PRESENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/health/table.h"
#include "bus/base/span.h"
#include "bus/pack.h"

#define PRESENCE_LISTED_MAX 200
#define PRESENCE_LEFT_MS 300000
#define PRESENCE_EDGES_MAX 64
#define PRESENCE_WORDS_MAX 32 /* roles, scopes of one entry */
#define PRESENCE_WORD_MAX 128 /* bytes */
#define PRESENCE_CONNECTIONS_MAX 100000

/* What the handshake told; texts may be empty. */
struct presence_who {
    struct span conn_id;
    struct span client_id;
    struct span display_name;
    struct span version;
    struct span platform;
    struct span device_family;
    struct span model_identifier;
    struct span mode;
    struct span role;
    struct span scopes; /* msgpack array of str, or empty */
    struct span device_id;
    struct span instance_id;
    struct span ip;
    bool is_local;
};

struct presence_entry {
    struct table_node node;
    struct presence_entry *newer;
    struct presence_entry *older;
    char key[160];
    uint32_t live_n;  /* connections */
    bool is_nameless; /* keyed by its one connection, for want of anything better */
    int64_t ts;       /* of the last joining or leaving */
    char *packed;     /* its map in the list, owned */
    size_t packed_len;
};

struct presence_conn {
    struct table_node node;
    char id[65];
    struct presence_entry *entry; /* NULL: not listed */
    uint16_t edge;
    bool is_reader;
    bool is_approver;
};

struct presence {
    struct table conns;
    struct table entries;
    struct presence_entry *newest;
    struct presence_entry *oldest;
    uint32_t connections_n;
    uint32_t readers_n;   /* operators that may see events of sessions */
    uint32_t approvers_n; /* operators that may approve */
    size_t gone_n;        /* entries without a connection */
    int64_t trim_at;      /* none of them expires before */
    uint64_t version;     /* grows with every change of the list */
    char edges[PRESENCE_EDGES_MAX][128];
    size_t edges_n;
    char *self_packed; /* the gateway's own entry without its time, owned */
    size_t self_len;
    struct pack list; /* the packed list, while is_listed */
    bool is_listed;
    int64_t listed_until; /* an entry expires then */
};

enum {
    PRESENCE_E_FULL = 1,    /* too many connections */
    PRESENCE_E_UNKNOWN = 2, /* no such connection */
    PRESENCE_E_BAD = 3,     /* an id that cannot be kept */
};

/* `self_map` is the packed map of the gateway's own entry, without ts. 0 or -ENOMEM. */
int presence_init(struct presence *self, uint64_t seed, uint64_t first_version, struct span self_map);
void presence_deinit(struct presence *self);
/* A connection that `edge` (an address) has accepted; joining twice is joining once. */
int presence_join(struct presence *self, struct span edge, const struct presence_who *who, int64_t now_ms);
int presence_leave(struct presence *self, struct span conn_id, int64_t now_ms);
/* Everyone who came through `edge`; how many they were. */
size_t presence_leave_edge(struct presence *self, struct span edge, int64_t now_ms);
/* What a program says of itself or of another; texts may be empty, lists of str too. */
struct presence_note {
    struct span text;
    struct span device_id;
    struct span instance_id;
    struct span host;
    struct span ip;
    struct span version;
    struct span platform;
    struct span device_family;
    struct span model_identifier;
    struct span mode;
    struct span reason;
    bool has_last_input;
    double last_input_s;
    struct span roles;
    struct span scopes;
    struct span tags;
};
/* Lists it, or brings its entry up to date; what is not said stays. `ret_is_changed`: more
 * than its time. 0, PRESENCE_E_FULL or a fault. */
int presence_note(struct presence *self, const struct presence_note *note, int64_t now_ms, bool *ret_is_changed);
/* Operators that may approve, without the connection of that id. */
uint32_t presence_approvers(const struct presence *self, struct span except_conn_id);
/* The packed list, newest first with the gateway at the head; valid until the next call. */
struct span presence_list(struct presence *self, int64_t now_ms);

#endif
