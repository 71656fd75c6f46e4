/*
 * dead_letter: what could not be delivered: counted, shown to watchers and to whoever
 * subscribed to the topic of that name, and logged once per burst when it is a loss.
 */
#include "bus/actor_internal.h"
#include "bus/wire.h"

#define DEAD_LETTER_LOG_MS 1000U /* at most one line per second and actor */

static void dead_letter_publish(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason)
{
    struct pack pack;

    pack_init(&pack, 4096);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "reason", reason);
    pack_kv_text(&pack, "kind", envelope_kind_name(env->kind));
    pack_kv_str(&pack, "from", env->from);
    pack_kv_str(&pack, "to", env->to);
    pack_kv_str(&pack, "name", env->name);
    pack_kv_u64(&pack, "bytes", body_bytes);
    pack_map_end(&pack);
    (void)actor_publish_span(self, &wire_dead_letters, pack_span(&pack), NULL); /* memory only */
    pack_deinit(&pack);
}

static void dead_letter_tap(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    size_t len = envelope_encode(env, header);

    if (tap_port_see(&self->tap, &(struct tap_sight){ .env = env,
                                                      .header = { (const char *)header, len },
                                                      .body_bytes = body_bytes,
                                                      .note = reason })) {
        actor_wake(self);
    }
}

void dead_letter_report(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason,
                        bool is_loss)
{
    uint64_t now_ms = uv_now(self->loop);

    atomic_fetch_add_explicit(&self->opts.stats->dead_letters, 1, memory_order_relaxed);
    self->dead_unlogged += is_loss;
    if (tap_is_watched()) {
        dead_letter_tap(self, env, body_bytes, reason);
    }
    if (span_is_text(env->name, wire_dead_letters.name)) {
        return; /* one about one would never end */
    }
    /* A log line's own dead letter must not log: the sink would send the next one. */
    if (is_loss && now_ms - self->dead_logged_ms >= DEAD_LETTER_LOG_MS && !span_is_text(env->to, "log")) {
        self->dead_logged_ms = now_ms;
        log_warning("dead_letter", "from=%.*s to=%.*s kind=%s name=%.*s reason=\"%s\" count=%u", SPAN_FMT(env->from),
                    SPAN_FMT(env->to), envelope_kind_name(env->kind), SPAN_FMT(env->name), reason, self->dead_unlogged);
        self->dead_unlogged = 0;
    }
    if (topic_has_subscribers(self, &wire_dead_letters)) {
        dead_letter_publish(self, env, body_bytes, reason);
    }
}
