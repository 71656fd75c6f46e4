#include "actors/auth/limiter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define GLOBAL_WINDOW_MS 60000U

void limiter_init(struct limiter *self, struct limiter_rules rules, uint64_t seed)
{
    self->rules = rules;
    self->seed = seed;
}

void limiter_rules_set(struct limiter *self, struct limiter_rules rules)
{
    self->rules = rules;
}

/* FNV-1a from a random start, stirred, so that collisions cannot be prepared outside. */
static uint64_t key_of(const struct limiter *self, struct span name)
{
    uint64_t h = 0xcbf29ce484222325U ^ self->seed;

    for (size_t i = 0; i < name.len; i++) {
        h = (h ^ (unsigned char)name.ptr[i]) * 0x100000001b3U;
        h ^= h >> 29;
    }
    h = (h ^ self->seed) * 0x9e3779b97f4a7c15U;
    h ^= h >> 32;
    return h ? h : 1;
}

static struct limiter_entry *entry_find(struct limiter *self, uint64_t key)
{
    struct limiter_entry *set = self->entries[key % LIMITER_SETS];

    for (size_t i = 0; i < LIMITER_WAYS; i++) {
        if (set[i].key == key) {
            return &set[i];
        }
    }
    return NULL;
}

/* Prefers a free entry, then the quietest one that is not locked, then the quietest. */
static struct limiter_entry *entry_claim(struct limiter *self, uint64_t key, uint64_t now_ms)
{
    struct limiter_entry *set = self->entries[key % LIMITER_SETS];
    struct limiter_entry *best = &set[0];

    for (size_t i = 0; i < LIMITER_WAYS && best->key; i++) {
        bool is_locked = set[i].locked_until_ms > now_ms;
        bool is_best_locked = best->locked_until_ms > now_ms;
        if (!set[i].key || (is_best_locked && !is_locked) ||
            (is_best_locked == is_locked && set[i].last_ms < best->last_ms)) {
            best = &set[i];
        }
    }
    *best = (struct limiter_entry){ .key = key, .first_ms = now_ms, .last_ms = now_ms };
    return best;
}

static uint32_t global_wait_ms(const struct limiter *self, uint64_t now_ms)
{
    uint64_t end = self->global_first_ms + GLOBAL_WINDOW_MS;

    return self->rules.global_max && self->global_failures >= self->rules.global_max && now_ms < end
               ? (uint32_t)(end - now_ms)
               : 0;
}

uint32_t limiter_wait_ms(struct limiter *self, struct span name, uint64_t now_ms)
{
    const struct limiter_entry *entry = entry_find(self, key_of(self, name));

    if (!self->rules.attempts_max) {
        return 0;
    }
    if (entry && entry->locked_until_ms > now_ms) {
        uint64_t left = entry->locked_until_ms - now_ms;
        return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
    }
    return entry && entry->is_trusted ? 0 : global_wait_ms(self, now_ms);
}

/* The entry of a name, which is there from now on. */
static struct limiter_entry *entry_of(struct limiter *self, struct span name, uint64_t now_ms)
{
    uint64_t key = key_of(self, name);
    struct limiter_entry *entry = entry_find(self, key);

    return entry ? entry : entry_claim(self, key, now_ms);
}

void limiter_failed(struct limiter *self, struct span name, uint64_t now_ms)
{
    if (!self->rules.attempts_max) {
        return;
    }
    struct limiter_entry *entry = entry_of(self, name, now_ms);
    bool was_locked = entry->locked_until_ms != 0 && entry->locked_until_ms <= now_ms;
    bool is_over = self->rules.is_throttle ? now_ms - entry->last_ms >= self->rules.window_ms
                                           : was_locked || now_ms - entry->first_ms >= self->rules.window_ms;
    if (is_over) {
        entry->first_ms = now_ms;
        entry->failures = 0;
        entry->locked_until_ms = 0;
    }
    entry->last_ms = now_ms;
    if (++entry->failures >= self->rules.attempts_max) {
        entry->locked_until_ms = now_ms + self->rules.lockout_ms;
        entry->is_trusted = false;
    }
    if (now_ms - self->global_first_ms >= GLOBAL_WINDOW_MS) {
        self->global_first_ms = now_ms;
        self->global_failures = 0;
    }
    self->global_failures++;
}

void limiter_succeeded(struct limiter *self, struct span name, uint64_t now_ms)
{
    if (!self->rules.attempts_max) {
        return;
    }
    struct limiter_entry *entry = entry_of(self, name, now_ms);
    entry->last_ms = now_ms;
    entry->failures = 0;
    entry->locked_until_ms = 0;
    entry->is_trusted = true;
}

struct span limiter_name(const char *scope, struct span address, char buf[LIMITER_KEY_MAX])
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    int n;

    snprintf(text, sizeof(text), "%.*s", SPAN_FMT(address));
    if (address.len < sizeof(text) && inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
        memset(&v6.s6_addr[8], 0, 8);
        inet_ntop(AF_INET6, &v6, text, sizeof(text));
        n = snprintf(buf, LIMITER_KEY_MAX, "%s:%s/64", scope, text);
    } else {
        n = snprintf(buf, LIMITER_KEY_MAX, "%s:%.*s", scope, SPAN_FMT(address));
    }
    return (struct span){ buf, n < LIMITER_KEY_MAX ? (size_t)n : LIMITER_KEY_MAX - 1 };
}
