/*
 * node_talk: what an actor and the node of its process say to each other.
 */
#include <assert.h>

#include "bus/actor_internal.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "bus/wire.h"

static void tell(struct actor *self, const struct schema_msg *msg, const char *key, const char *value)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, key, value);
    pack_map_end(&self->scratch);
    (void)actor_cast_span(self, self->node_address, msg, pack_span(&self->scratch), NULL); /* memory only */
}

void node_talk_state(struct actor *self, const char *life, const char *status)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    if (life) {
        pack_kv_text(&self->scratch, "life", life);
    }
    if (status) {
        pack_kv_text(&self->scratch, "status", status);
    }
    pack_map_end(&self->scratch);
    (void)actor_cast_span(self, self->node_address, &wire_state, pack_span(&self->scratch), NULL); /* memory only */
}

void actor_ready(struct actor *self)
{
    if (!self->is_ready) {
        self->is_ready = true;
        node_talk_state(self, actor_life_name(ACTOR_LIFE_READY), NULL);
    }
}

void actor_status(struct actor *self, const char *text)
{
    self->has_status = true;
    node_talk_state(self, NULL, text);
}

int actor_subscribe(struct actor *self, const struct actor_route *route)
{
    route_table_add(&self->topics, route);
    self->is_unsettled = true;
    tell(self, &wire_subscribe, "name", route->msg->name);
    return 0;
}

int actor_unsubscribe(struct actor *self, const struct schema_msg *topic)
{
    tell(self, &wire_unsubscribe, "name", topic->name);
    return 0;
}

int actor_watch(struct actor *self, const char *pattern, actor_on_life on)
{
    struct watch *watch = mem_new(sizeof(*watch));

    assert(strlen(pattern) < sizeof(watch->pattern));
    strcpy(watch->pattern, pattern);
    watch->on = on;
    watch->next = self->watches;
    self->watches = watch;
    tell(self, &wire_watch, "pattern", pattern);
    return 0;
}

int actor_spawn(struct actor *self, const char *address, const char *def, const char *arg)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "address", address);
    pack_kv_text(&self->scratch, "def", def);
    pack_kv_text(&self->scratch, "arg", arg ? arg : "");
    pack_map_end(&self->scratch);
    return actor_cast_span(self, self->node_address, &wire_spawn, pack_span(&self->scratch), NULL);
}

int actor_despawn(struct actor *self, const char *address)
{
    tell(self, &wire_despawn, "address", address);
    return 0;
}

int actor_restart(struct actor *self, const char *address)
{
    tell(self, &wire_restart, "address", address);
    return 0;
}

void node_talk_resolve(struct actor *self, struct link *link)
{
    tell(self, &wire_resolve, "address", link->address);
}

void node_talk_open(struct actor *self)
{
    self->node = link_get(self, span_from(self->node_address));
    self->node->is_fixed = true;
    self->node->lane.is_patient = true; /* the end of a peer comes behind its last words */
    if (self->opts.node_endpoint) {
        link_apply(self, self->node, span_from(self->opts.node_endpoint), 1, ACTOR_LIFE_READY, 0);
    }
}

void node_talk_exit(struct actor *self)
{
    if (self->opts.node_endpoint) {
        if (!self->node) {
            node_talk_open(self);
        }
        pack_reset(&self->scratch);
        pack_map_begin(&self->scratch);
        pack_kv_i64(&self->scratch, "fault", self->fault);
        pack_kv_text(&self->scratch, "place", self->fault ? fault_place() : "");
        pack_map_end(&self->scratch);
        (void)actor_cast_span(self, self->node_address, &wire_exit, pack_span(&self->scratch), NULL);
    }
}

/* --- what the node says ------------------------------------------------------------------- */

static void entry_apply(struct actor *self, struct span body)
{
    struct span address = value_str(value_get(body, "address"), (struct span){ 0 });
    enum actor_life life = (enum actor_life)value_i64(value_get(body, "life"), ACTOR_LIFE_ABSENT);

    if (address.len == 0 || address.len >= ACTOR_ADDRESS_MAX) {
        return;
    }
    struct span status = value_str(value_get(body, "status"), (struct span){ "", 0 });
    struct link *link = link_find(self, address);
    if (link && !link->is_fixed) {
        link_place(link, value_str(value_get(body, "host"), (struct span){ "", 0 }), status);
        link_apply(self, link, value_str(value_get(body, "endpoint"), (struct span){ "", 0 }),
                   (uint32_t)value_i64(value_get(body, "incarnation"), 0), life,
                   (uint32_t)value_i64(value_get(body, "retryAfterMs"), 0));
    }
    node_talk_on_life(self, address, life, status);
}

static bool pattern_matches(const char *pattern, struct span address)
{
    size_t len = strlen(pattern);

    if (len && pattern[len - 1] == '*') {
        return address.len >= len - 1 && memcmp(address.ptr, pattern, len - 1) == 0;
    }
    return span_is(address, (struct span){ pattern, len });
}

void node_talk_on_life(struct actor *self, struct span address, enum actor_life life, struct span status)
{
    self->life_status = status;
    for (struct watch *watch = self->watches; watch; watch = watch->next) {
        if (pattern_matches(watch->pattern, address)) {
            watch->on(self->state, self, address, life);
        }
    }
    self->life_status = (struct span){ "", 0 };
}

struct span actor_life_status(const struct actor *self)
{
    return self->life_status;
}

static bool is_node_word(const struct actor *self, const struct mail *mail)
{
    return span_starts(mail->env.name, "bus.") && span_is_text(mail->env.from, self->node_address);
}

/* Who is where, and who hears what. */
static bool on_directory_word(struct actor *self, const struct mail *mail)
{
    struct span body = body_span(&mail->body);

    if (span_is_text(mail->env.name, wire_entry.name)) {
        entry_apply(self, body);
    } else if (span_is_text(mail->env.name, wire_subscribers.name)) {
        topic_on_subscribers(self, body);
    } else {
        return false;
    }
    return true;
}

void node_talk_on_last_words(struct actor *self, struct mail *mail)
{
    struct span body = body_span(&mail->body);

    if (is_node_word(self, mail) && wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
        (void)on_directory_word(self, mail); /* another word, such as to stop, says nothing new */
    }
}

/* What the node says; true when the mail was such a word. */
bool node_talk_on_word(struct actor *self, struct mail *mail)
{
    struct span body = body_span(&mail->body);

    if (!is_node_word(self, mail)) {
        return false;
    }
    if (!wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
        return true;
    }
    if (on_directory_word(self, mail)) {
        return true;
    }
    if (span_is_text(mail->env.name, wire_rebind.name)) {
        actor_bind_again(self);
        return true;
    }
    if (!span_is_text(mail->env.name, wire_stop.name)) {
        return false;
    }
    self->is_restarting = value_bool(value_get(body, "restart"), false);
    if (self->def->on_stop) {
        self->def->on_stop(self->state, self);
    } else {
        actor_stop(self);
    }
    return true;
}
