/*
 * node_host: the life of whole hosts: one has come, is down, is told to stop.
 */
#include <stdio.h>
#include <unistd.h>

#include "bus/node_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

/* A host's node has a known endpoint, so its entry needs no word but hello. */
static void host_entry_set(struct node *self, const char *host, bool is_up, uint32_t incarnation, enum actor_life life)
{
    struct directory_entry entry = { .is_up = is_up, .incarnation = incarnation, .life = life };

    (void)snprintf(entry.address, sizeof(entry.address), "host/%s", host);
    (void)snprintf(entry.host, sizeof(entry.host), "%s", host);
    if (is_up) {
        node_host_endpoint(self, host, entry.endpoint, sizeof(entry.endpoint));
    }
    node_entry_set(self, &entry);
}

int node_host_on_hello(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char host[DIRECTORY_HOST_MAX];
    uint32_t incarnation = (uint32_t)value_i64(value_get(actor_ctx_body(ctx), "incarnation"), 1);
    int64_t pid = value_i64(value_get(actor_ctx_body(ctx), "pid"), 0);

    (void)arg;
    (void)msg;
    (void)snprintf(host, sizeof(host), "%.*s", SPAN_FMT(node_text_in(ctx, "host", sizeof(host))));
    struct span from = actor_ctx_from(ctx);
    if (!node_is_supervisor(self) || !topology_host_find(self->opts.topology, host) || !span_starts(from, "host/") ||
        !span_is_text((struct span){ from.ptr + 5, from.len - 5 }, host)) {
        return FAIL_INVALID_REQUEST;
    }
    host_entry_set(self, host, true, incarnation, ACTOR_LIFE_READY);
    node_tell_snapshot(self, host);
    node_spawn_repeat(self, host);
    if (self->opts.on_hello) {
        self->opts.on_hello(self->opts.arg, host, pid, incarnation);
    }
    return 0;
}

void node_host_status(struct node *self, const char *host, const char *status)
{
    struct directory_entry *entry;
    char address[ACTOR_ADDRESS_MAX];

    (void)snprintf(address, sizeof(address), "host/%s", host);
    entry = directory_find(&self->directory, span_from(address));
    if (entry && entry->is_up && strcmp(entry->status, status) != 0) {
        (void)snprintf(entry->status, sizeof(entry->status), "%s", status);
        node_tell_entry_spread(self, entry);
        node_tell_entry_sync(self, entry);
    }
}

/* --- those that are not there ------------------------------------------------------------- */

/* Not of a host itself: its own status says that already. */
static bool is_lost(const struct directory_entry *entry, const char *host)
{
    return !entry->is_up && strcmp(entry->host, host) == 0 && !span_starts(span_from(entry->address), "host/") &&
           (entry->life != ACTOR_LIFE_ABSENT || span_starts(span_from(entry->status), DIRECTORY_LOST));
}

/* Who was there, or is to be, is where nobody reaches it: for who asks, with the reason. */
static void lost_actors_tell(struct node *self, const char *host, const char *why)
{
    char status[DIRECTORY_STATUS_MAX];

    (void)snprintf(status, sizeof(status), DIRECTORY_LOST "%s: %s", host, why);
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (is_lost(at, host) && strcmp(at->status, status) != 0) {
            memcpy(at->status, status, sizeof(status));
            node_tell_entry_spread(self, at);
            node_tell_entry_sync(self, at);
        }
    }
}

static struct directory_entry *host_entry(struct node *self, const char *host)
{
    char address[ACTOR_ADDRESS_MAX];

    (void)snprintf(address, sizeof(address), "host/%s", host);
    return directory_find(&self->directory, span_from(address));
}

void node_host_lost(struct node *self, const char *host, enum actor_life life, const char *why)
{
    struct directory_entry *entry;
    char address[ACTOR_ADDRESS_MAX];

    (void)snprintf(address, sizeof(address), "host/%s", host);
    entry = directory_get(&self->directory, span_from(address));
    if (!entry->is_up) {
        (void)snprintf(entry->host, sizeof(entry->host), "%s", host);
        entry->life = life;
        (void)snprintf(entry->status, sizeof(entry->status), "%s", why);
        (void)snprintf(entry->lost, sizeof(entry->lost), "%s", why);
        node_tell_entry_spread(self, entry);
        node_tell_entry_sync(self, entry);
        lost_actors_tell(self, host, entry->lost);
    }
}

void node_host_absence(struct node *self, const char *host, const char *why)
{
    struct directory_entry *entry = host_entry(self, host);

    if (entry && !entry->is_up && strcmp(entry->status, why) != 0) {
        (void)snprintf(entry->status, sizeof(entry->status), "%s", why);
        node_tell_entry_spread(self, entry);
        node_tell_entry_sync(self, entry);
    }
}

/* An actor that has never been is as absent as before; only whoever asks for it hears why. */
void node_host_expect(struct node *self, const char *address, const char *host)
{
    const struct directory_entry *there = host_entry(self, host);
    const struct directory_entry *before = directory_find(&self->directory, span_from(address));
    struct directory_entry entry = { .life = ACTOR_LIFE_ABSENT };

    if (!there || there->is_up || !there->lost[0] || (before && before->is_up)) {
        return; /* it is about to come, and then says itself how its actors are */
    }
    entry.incarnation = before ? before->incarnation : 0;
    (void)snprintf(entry.address, sizeof(entry.address), "%s", address);
    (void)snprintf(entry.host, sizeof(entry.host), "%s", host);
    (void)snprintf(entry.status, sizeof(entry.status), DIRECTORY_LOST "%s: %s", host, there->lost);
    node_entry_set(self, &entry);
}

void node_host_unexpect(struct node *self, const char *address)
{
    struct directory_entry *entry = directory_find(&self->directory, span_from(address));
    const struct directory_entry *there = entry ? host_entry(self, entry->host) : NULL;

    if (entry && there && !there->is_up && is_lost(entry, entry->host)) {
        entry->life = ACTOR_LIFE_ABSENT;
        entry->status[0] = '\0';
        node_tell_entry_spread(self, entry);
        node_tell_entry_sync(self, entry);
    }
}

void node_host_forget(struct node *self, const char *host)
{
    node_host_down(self, host, ACTOR_LIFE_ABSENT, 0, "");
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (strcmp(at->host, host) == 0) {
            at->life = ACTOR_LIFE_ABSENT;
            at->status[0] = '\0';
            at->lost[0] = '\0';
            node_tell_entry_spread(self, at);
            node_tell_entry_sync(self, at);
        }
    }
}

void node_host_down(struct node *self, const char *host, enum actor_life life, uint32_t retry_after_ms, const char *why)
{
    struct pack pack;

    node_directory_host_down(self, host, life, retry_after_ms, span_from(why));
    for (size_t i = 0; i < self->opts.topology->hosts_n; i++) {
        char to[ACTOR_ADDRESS_MAX];

        (void)snprintf(to, sizeof(to), "host/%s", self->opts.topology->hosts[i].name);
        struct directory_entry *other = directory_find(&self->directory, span_from(to));
        if (!other || !other->is_up) {
            continue;
        }
        pack_init(&pack, 0);
        pack_map_begin(&pack);
        pack_kv_text(&pack, "host", host);
        pack_kv_i64(&pack, "life", life);
        pack_kv_u64(&pack, "retryAfterMs", retry_after_ms);
        pack_kv_text(&pack, "why", why);
        pack_map_end(&pack);
        node_tell_cast(self, to, &wire_host_down, &pack);
        pack_deinit(&pack);
    }
}

int node_host_on_down(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char host[DIRECTORY_HOST_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(host, sizeof(host), "%.*s", SPAN_FMT(node_text_in(ctx, "host", sizeof(host))));
    if (self->opts.host && strcmp(host, self->opts.host) != 0) {
        node_directory_host_down(self, host,
                                 (enum actor_life)value_i64(value_get(actor_ctx_body(ctx), "life"), ACTOR_LIFE_BACKOFF),
                                 (uint32_t)value_i64(value_get(actor_ctx_body(ctx), "retryAfterMs"), 0),
                                 node_text_in(ctx, "why", DIRECTORY_STATUS_MAX / 2));
    }
    return 0;
}

/* --- what hangs ------------------------------------------------------------------------- */

static void silent_tell(struct node *self, const struct directory_entry *entry)
{
    struct pack pack;
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "host/%s", entry->host);
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "address", entry->address);
    pack_kv_bool(&pack, "silent", entry->is_silent);
    pack_map_end(&pack);
    node_tell_cast(self, to, &wire_silent, &pack);
    pack_deinit(&pack);
}

static void silence_set(struct directory_entry *entry, bool is_all, const char *why)
{
    entry->is_silent = why != NULL;
    entry->silence[0] = '\0';
    if (why && is_all && !span_starts(span_from(entry->address), "host/")) {
        (void)snprintf(entry->silence, sizeof(entry->silence), DIRECTORY_LOST "%s: %s", entry->host, why);
    } else if (why && is_all) {
        (void)snprintf(entry->silence, sizeof(entry->silence), "%s", why);
    }
}

bool node_silence(struct node *self, const char *host, const char *address, const char *why)
{
    bool is_known = false;

    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (!at->is_up || strcmp(at->host, host) != 0 || (address && strcmp(at->address, address) != 0)) {
            continue;
        }
        is_known = true;
        if (at->is_silent != (why != NULL)) {
            silence_set(at, !address, why);
            node_tell_entry_spread(self, at);
            node_tell_entry_sync(self, at);
            if (address) { /* its process is alive, and others in it ask it */
                silent_tell(self, at);
            }
        }
    }
    return is_known;
}

void node_silence_others(struct node *self, bool is_silent)
{
    struct link *supervisor = link_find(&self->actor, span_from(NODE_SUPERVISOR));
    enum actor_life life = is_silent ? ACTOR_LIFE_UNRESPONSIVE : ACTOR_LIFE_READY;

    if (supervisor && supervisor->state == LINK_UP) {
        link_apply(&self->actor, supervisor, span_from(supervisor->endpoint), supervisor->incarnation, life,
                   DIRECTORY_SILENT_RETRY_MS);
    }
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (at->is_up && strcmp(at->host, self->opts.host) != 0 && at->is_silent != is_silent) {
            at->is_silent = is_silent;
            node_tell_entry_spread(self, at);
        }
    }
}

int node_host_on_silent(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct directory_entry *entry = directory_find(&self->directory, node_text_in(ctx, "address", ACTOR_ADDRESS_MAX));

    (void)arg;
    (void)msg;
    if (entry && self->opts.host && strcmp(entry->host, self->opts.host) == 0 &&
        span_is_text(actor_ctx_from(ctx), NODE_SUPERVISOR)) {
        entry->is_silent = value_bool(value_get(actor_ctx_body(ctx), "silent"), false);
        node_tell_entry_spread(self, entry);
    }
    return 0;
}

/* A word that says all by its name. */
static void word_send(struct node *self, const char *to, const struct schema_msg *msg)
{
    struct pack pack;

    pack_init(&pack, 64);
    pack_map_begin(&pack);
    pack_map_end(&pack);
    node_tell_cast(self, to, msg, &pack);
    pack_deinit(&pack);
}

void node_rebind(struct node *self)
{
    actor_bind_again(&self->actor);
}

void node_host_rebind(struct node *self, const char *host)
{
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "host/%s", host);
    word_send(self, to, &wire_rebind);
}

void node_host_stop(struct node *self, const char *host)
{
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "host/%s", host);
    word_send(self, to, &wire_stop);
}

int node_host_on_stop(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));

    (void)arg;
    (void)msg;
    if (self->opts.on_stop && span_is_text(actor_ctx_from(ctx), NODE_SUPERVISOR)) {
        self->opts.on_stop(self->opts.arg);
    }
    return 0;
}

int node_host_on_rebind(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));

    (void)arg;
    (void)msg;
    if (!span_is_text(actor_ctx_from(ctx), NODE_SUPERVISOR)) {
        return 0;
    }
    actor_bind_again(&self->actor);
    for (const struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (at->is_up && at->local[0]) {
            word_send(self, at->address, &wire_rebind);
        }
    }
    return 0;
}

void node_host_hello(struct node *self)
{
    struct pack pack;

    pack_init(&pack, 256);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "host", self->opts.host);
    pack_kv_i64(&pack, "pid", getpid());
    pack_kv_u64(&pack, "incarnation", self->opts.incarnation);
    pack_map_end(&pack);
    node_tell_cast(self, NODE_SUPERVISOR, &wire_hello, &pack);
    pack_deinit(&pack);
}
