/*
 * peer: what each remote address holds; for IPv6 each network of 64 bits. Pure.
 */
#ifndef EDGE_LISTENER_PEER_H
#define EDGE_LISTENER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PEER_BUCKETS 256U
#define PEER_TEXT_MAX 46U /* INET6_ADDRSTRLEN */

/* Bytes of messages and bodies that are not complete. */
struct peer_input {
    size_t all;
    size_t strangers; /* of them, before auth has agreed */
};

struct peer {
    struct peer *next;
    uint8_t key[16]; /* IPv4 as ::ffff:a.b.c.d; of IPv6, but for ::1, the first half */
    uint32_t connections_n;
    uint32_t preauth_n;
    struct peer_input input;
    bool is_loopback;
};

struct peer_table {
    struct peer *buckets[PEER_BUCKETS];
};

/* The row that this address counts on, made when absent; NULL without memory. Counts nothing.
 * A family other than IPv4 and IPv6 counts as loopback (Unix sockets). */
struct peer *peer_take(struct peer_table *self, const struct sockaddr *from);
/* Frees the row when nothing is counted on it any more. `peer` may be gone after it. */
void peer_release(struct peer_table *self, struct peer *peer);
/* The whole address as text, terminated. */
void peer_text(const struct sockaddr *from, char text[PEER_TEXT_MAX]);
void peer_table_deinit(struct peer_table *self);

#endif
