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

int guards_init(struct guards *self, struct limiter_rules rules)
{
    uint64_t seeds[4];

    if (getrandom(seeds, sizeof(seeds), 0) != (ssize_t)sizeof(seeds)) {
        return FAULT(-EIO);
    }
    limiter_init(&self->origins, origin_rules, seeds[1]);
    limiter_init(&self->here, here_rules, seeds[3]);
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

void guard_init(struct guard *guard, struct guards *guards, const struct connect_peer *peer, const char *device_id,
                const char *scope, uint64_t now_ms)
{
    bool is_on_socket = peer->is_loopback && !peer->has_proxy_header;

    guard->now_ms = now_ms;
    guard->forgives = true;
    if (device_id) {
        guard->limiter = &guards->devices;
        guard->name = limiter_name(scope, span_from(device_id), guard->buf);
    } else if (is_on_socket && peer->origin.len) {
        guard->limiter = &guards->origins;
        guard->name = limiter_name(scope, peer->origin, guard->buf);
    } else if (is_on_socket && guards->is_loopback_exempt) {
        /* One success, by whomever, must not buy a guesser another ten tries. */
        guard->limiter = &guards->here;
        guard->forgives = false;
        guard->name = limiter_name(scope, SPAN_LIT("here"), guard->buf);
    } else {
        guard->limiter = &guards->addresses;
        guard->name = limiter_name(scope, peer->client.len ? peer->client : peer->remote, guard->buf);
    }
}

uint32_t guard_wait_ms(struct guard *guard)
{
    return limiter_wait_ms(guard->limiter, guard->name, guard->now_ms);
}

void guard_note(struct guard *guard, bool is_right)
{
    if (!is_right) {
        limiter_failed(guard->limiter, guard->name, guard->now_ms);
    } else if (guard->forgives) {
        limiter_succeeded(guard->limiter, guard->name, guard->now_ms);
    }
}
