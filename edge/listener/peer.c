#include "edge/listener/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void address_read(const struct sockaddr *from, uint8_t address[16])
{
    memset(address, 0, 16);
    if (from->sa_family == AF_INET6) {
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    } else if (from->sa_family == AF_INET) {
        memcpy(address, mapped_prefix, sizeof(mapped_prefix));
        memcpy(address + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else {
        address[15] = 1;
    }
}

static bool is_loopback(const uint8_t address[16])
{
    static const uint8_t one[16] = { [15] = 1 };

    if (memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        return address[12] == 127;
    }
    return memcmp(address, one, 16) == 0;
}

/* Whoever has an IPv6 address has all of its /64 (RFC 6177), so these count as one. */
static void key_make(const uint8_t address[16], uint8_t key[16])
{
    bool is_whole = is_loopback(address) || memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;

    memset(key, 0, 16);
    memcpy(key, address, is_whole ? 16 : 8);
}

static size_t bucket_of(const uint8_t address[16])
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < 16; i++) {
        hash = (hash ^ address[i]) * 16777619U;
    }
    return hash % PEER_BUCKETS;
}

struct peer *peer_take(struct peer_table *self, const struct sockaddr *from)
{
    uint8_t address[16];
    uint8_t key[16];
    struct peer *peer;
    size_t bucket;

    address_read(from, address);
    key_make(address, key);
    bucket = bucket_of(key);
    for (peer = self->buckets[bucket]; peer; peer = peer->next) {
        if (memcmp(peer->key, key, 16) == 0) {
            return peer;
        }
    }
    peer = calloc(1, sizeof(*peer));
    if (peer) {
        memcpy(peer->key, key, 16);
        peer->is_loopback = is_loopback(address);
        peer->next = self->buckets[bucket];
        self->buckets[bucket] = peer;
    }
    return peer;
}

void peer_release(struct peer_table *self, struct peer *peer)
{
    struct peer **at = &self->buckets[bucket_of(peer->key)];

    if (peer->connections_n || peer->preauth_n) {
        return;
    }
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    free(peer);
}

void peer_text(const struct sockaddr *from, char text[PEER_TEXT_MAX])
{
    uint8_t address[16];
    bool is_v4;

    address_read(from, address);
    is_v4 = memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;
    text[0] = '\0';
    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6, address + (is_v4 ? 12 : 0), text, PEER_TEXT_MAX); /* it fits */
}

void peer_table_deinit(struct peer_table *self)
{
    for (size_t i = 0; i < PEER_BUCKETS; i++) {
        while (self->buckets[i]) {
            struct peer *peer = self->buckets[i];

            self->buckets[i] = peer->next;
            free(peer);
        }
    }
}
