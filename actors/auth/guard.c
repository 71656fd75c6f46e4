#include "actors/auth/guard.h"

#include <errno.h>
#include <sys/random.h>

#include "bus/base/fault.h"

/* A program of this machine may claim any origin, so all of them together are bounded as well. */
static const struct limiter_rules origin_rules = {
    .attempts_max = 10, .window_ms = 60000, .lockout_ms = 300000, .global_max = LIMITER_GLOBAL_MAX
};
static const struct limiter_rules here_rules = {
    .attempts_max = 10, .window_ms = 60000, .lockout_ms = 1000, .is_throttle = true
};
static const struct limiter_rules hook_rules = {
    .attempts_max = 20, .window_ms = 60000, .lockout_ms = 60000, .global_max = LIMITER_GLOBAL_MAX
};

int guards_init(struct guards *self, struct limiter_rules rules)
{
    uint64_t seeds[5];

    if (getrandom(seeds, sizeof(seeds), 0) != (ssize_t)sizeof(seeds)) {
        return FAULT(-EIO);
    }
    limiter_init(&self->origins, origin_rules, seeds[1]);
    limiter_init(&self->here, here_rules, seeds[3]);
    limiter_init(&self->hooks, hook_rules, seeds[4]);
    limiter_init(&self->addresses, rules, seeds[0]);
    limiter_init(&self->devices, rules, seeds[2]);
    guards_rules_set(self, rules, true);
    return 0;
}

void guards_rules_set(struct guards *self, struct limiter_rules rules, bool is_loopback_exempt)
{
    rules.global_max = LIMITER_GLOBAL_MAX;
    limiter_rules_set(&self->addresses, rules);
    rules.global_max = 0;
    limiter_rules_set(&self->devices, rules);
    self->is_loopback_exempt = is_loopback_exempt;
}

static void count_add(struct guard *guard, struct limiter *limiter, const char *scope, struct span name, bool forgives)
{
    struct guard_count *count = &guard->counts[guard->counts_n++];

    count->limiter = limiter;
    count->forgives = forgives;
    count->name = limiter_name(scope, name, count->buf);
}

void guard_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, const char *device_id,
                const char *scope, uint64_t now_ms)
{
    bool is_on_socket = peer->is_loopback && !peer->has_proxy_header;

    guard->now_ms = now_ms;
    guard->counts_n = 0;
    if (device_id) {
        count_add(guard, &guards->devices, scope, span_from(device_id), true);
        return;
    }
    if (is_on_socket && peer->origin.len) {
        count_add(guard, &guards->origins, scope, peer->origin, true);
    }
    if (is_on_socket && guards->is_loopback_exempt) {
        /* One success, by whomever, must not buy a guesser another ten tries. */
        count_add(guard, &guards->here, scope, peer->origin.len ? SPAN_LIT("pages") : SPAN_LIT("here"), false);
    } else {
        count_add(guard, &guards->addresses, scope, peer->client.len ? peer->client : peer->remote, true);
    }
}

static void address_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, const char *scope,
                         uint64_t now_ms)
{
    guard->now_ms = now_ms;
    guard->counts_n = 0;
    count_add(guard, &guards->hooks, scope, peer->client.len ? peer->client : peer->remote, true);
}

void guard_hook_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, uint64_t now_ms)
{
    address_init(guard, guards, peer, "hook", now_ms);
}

void guard_join_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, uint64_t now_ms)
{
    address_init(guard, guards, peer, "join", now_ms);
}

uint32_t guard_wait_ms(struct guard *guard)
{
    uint32_t longest_ms = 0;

    for (size_t i = 0; i < guard->counts_n; i++) {
        uint32_t wait_ms = limiter_wait_ms(guard->counts[i].limiter, guard->counts[i].name, guard->now_ms);

        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
    }
    return longest_ms;
}

void guard_note(struct guard *guard, bool is_right)
{
    for (size_t i = 0; i < guard->counts_n; i++) {
        struct guard_count *count = &guard->counts[i];

        if (!is_right) {
            limiter_failed(count->limiter, count->name, guard->now_ms);
        } else if (count->forgives) {
            limiter_succeeded(count->limiter, count->name, guard->now_ms);
        }
    }
}
