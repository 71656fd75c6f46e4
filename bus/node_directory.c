/*
 * node_directory: who is where and who hears what, as this node's process knows it: asked
 * by its actors, changed by them and by what other nodes say.
 */
#include <stdio.h>

#include "bus/node_internal.h"
#include "bus/value.h"

/* --- what is known of this process ------------------------------------------------------------------ */

void node_entry_set(struct node *self, const struct directory_entry *entry)
{
    struct directory_entry *mine = directory_get(&self->directory, span_from(entry->address));
    struct directory_entry *next = mine->next;
    bool is_silent = mine->is_silent && entry->is_up && mine->incarnation == entry->incarnation;
    char silence[sizeof(mine->silence)];

    memcpy(silence, mine->silence, sizeof(silence));
    *mine = *entry;
    mine->next = next;
    mine->is_silent = is_silent;
    memcpy(mine->silence, silence, sizeof(silence));
    if (!mine->is_up) {
        mine->endpoint[0] = '\0';
        mine->local[0] = '\0';
    }
    node_tell_entry_spread(self, mine);
    node_tell_entry_sync(self, mine);
}

void node_actor_gone(struct node *self, struct span address)
{
    directory_interest_drop(&self->directory, address);
    struct directory_topic *next = NULL;
    for (struct directory_topic *at = self->directory.topics; at; at = next) {
        next = at->next;
        if (span_is_text(address, at->address)) {
            char name[ACTOR_ADDRESS_MAX];

            (void)snprintf(name, sizeof(name), "%s", at->name);
            node_tell_topic_sync(self, name, at->address, at->host, false);
            (void)directory_topic_remove(&self->directory, span_from(name), address);
            node_tell_subscribers_spread(self, name);
        }
    }
}

/* --- what local actors ask -------------------------------------------------------------------------- */

/* Who asks, and the one name that most words consist of. */
struct asked {
    char who[ACTOR_ADDRESS_MAX];
    char name[ACTOR_ADDRESS_MAX];
};

/* False when the name is missing or longer than `limit`, with its terminator. */
static bool asked_read(struct actor_ctx *ctx, const char *key, size_t limit, struct asked *ret_asked)
{
    struct span name = node_text_in(ctx, key, limit);

    (void)snprintf(ret_asked->who, sizeof(ret_asked->who), "%.*s", SPAN_FMT(actor_ctx_from(ctx)));
    (void)snprintf(ret_asked->name, sizeof(ret_asked->name), "%.*s", SPAN_FMT(name));
    return name.len > 0;
}

/* No host has told of it: the supervisor, which an operator may speak through, or nobody. */
static void entry_missing(const struct node *self, const char *address, struct directory_entry *ret_entry)
{
    *ret_entry = (struct directory_entry){ .life = ACTOR_LIFE_ABSENT };
    (void)snprintf(ret_entry->address, sizeof(ret_entry->address), "%s", address);
    if (self->opts.has_supervisor && strcmp(address, NODE_SUPERVISOR) == 0) {
        ret_entry->life = ACTOR_LIFE_READY;
        ret_entry->is_up = true;
        ret_entry->incarnation = 1;
        node_supervisor_endpoint(self, ret_entry->endpoint, sizeof(ret_entry->endpoint));
    }
}

int node_directory_on_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct directory_entry missing;
    struct asked asked;

    (void)arg;
    (void)msg;
    if (!asked_read(ctx, "address", ACTOR_ADDRESS_MAX, &asked)) {
        return FAIL_INVALID_REQUEST;
    }
    (void)directory_interest_add(&self->directory, span_from(asked.who), span_from(asked.name), false);
    struct directory_entry *entry = directory_find(&self->directory, span_from(asked.name));
    if (!entry) {
        entry_missing(self, asked.name, &missing);
        entry = &missing;
    }
    node_tell_entry(self, asked.who, entry);
    return 0;
}

int node_directory_on_watch(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct asked asked;

    (void)arg;
    (void)msg;
    if (!asked_read(ctx, "pattern", ACTOR_ADDRESS_MAX, &asked)) {
        return FAIL_INVALID_REQUEST;
    }
    (void)directory_interest_add(&self->directory, span_from(asked.who), span_from(asked.name), false);
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (directory_matches(asked.name, span_from(at->address))) {
            node_tell_entry(self, asked.who, at);
        }
    }
    return 0;
}

int node_directory_on_topic(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct asked asked;

    (void)arg;
    (void)msg;
    if (!asked_read(ctx, "name", ENVELOPE_NAME_MAX, &asked)) {
        return FAIL_INVALID_REQUEST;
    }
    (void)directory_interest_add(&self->directory, span_from(asked.who), span_from(asked.name), true);
    node_tell_subscribers(self, asked.who, asked.name);
    return 0;
}

static int subscription(struct actor_ctx *ctx, bool is_on)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    const char *host = self->opts.host ? self->opts.host : "";
    struct asked asked;

    if (!asked_read(ctx, "name", ENVELOPE_NAME_MAX, &asked)) {
        return FAIL_INVALID_REQUEST;
    }
    struct span name = span_from(asked.name);
    struct span who = span_from(asked.who);
    bool is_changed = is_on ? directory_topic_add(&self->directory, name, who, host)
                            : directory_topic_remove(&self->directory, name, who);
    if (is_changed) {
        node_tell_topic_sync(self, asked.name, asked.who, host, is_on);
        node_tell_subscribers_spread(self, asked.name);
    }
    return 0;
}

int node_directory_on_subscribe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)msg;
    return subscription(ctx, true);
}

int node_directory_on_unsubscribe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)msg;
    return subscription(ctx, false);
}

/* --- what other nodes say --------------------------------------------------------------------------- */

/* Who is on another machine is reached by the way there, whatever its endpoint is in its own process. */
static struct span way_of(struct node *self, struct span host, struct span endpoint)
{
    char name[DIRECTORY_HOST_MAX];

    if (endpoint.len == 0) {
        return endpoint;
    }
    if (self->opts.trunk) {
        return span_from(self->opts.trunk);
    }
    (void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(host));
    const char *way = self->opts.on_way ? self->opts.on_way(self->opts.arg, name) : NULL;
    return way ? span_from(way) : endpoint;
}

/* Does it live there, as the topology has it? */
static bool is_placed(const struct node *self, struct span address, struct span host)
{
    char text[ACTOR_ADDRESS_MAX];

    if (span_starts(address, "host/")) {
        return address.len == host.len + 5 && memcmp(address.ptr + 5, host.ptr, host.len) == 0;
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(address));
    const struct topology_host *place = topology_place(self->opts.topology, text);
    return place && span_is_text(host, place->name);
}

/* A host speaks for itself and for who lives there, the supervisor for all. */
static bool may_tell(struct node *self, struct actor_ctx *ctx, struct span host, struct span address)
{
    struct span from = actor_ctx_from(ctx);

    if (!node_is_supervisor(self)) {
        return true;
    }
    if (span_starts(from, "host/") && from.len == host.len + 5 && memcmp(from.ptr + 5, host.ptr, host.len) == 0 &&
        is_placed(self, address, host)) {
        return true;
    }
    blame_peer(&self->actor, from, &ctx->mail->header, "tells of actors that are not its own");
    return false;
}

static void synced_entry(struct node *self, struct actor_ctx *ctx, struct span map)
{
    struct span address = value_str(value_get(map, "address"), (struct span){ "", 0 });
    struct span host = value_str(value_get(map, "host"), (struct span){ "", 0 });
    struct span endpoint = value_str(value_get(map, "endpoint"), (struct span){ "", 0 });
    struct span status = value_str(value_get(map, "status"), (struct span){ "", 0 });
    uint32_t incarnation = (uint32_t)value_i64(value_get(map, "incarnation"), 0);

    if (address.len == 0 || address.len >= ACTOR_ADDRESS_MAX || host.len >= DIRECTORY_HOST_MAX ||
        endpoint.len >= DIRECTORY_ENDPOINT_MAX || (self->opts.host && span_is_text(host, self->opts.host)) ||
        !may_tell(self, ctx, host, address)) {
        return; /* of our own actors nobody else knows better */
    }
    endpoint = way_of(self, host, endpoint);
    struct directory_entry *entry = directory_get(&self->directory, address);
    (void)snprintf(entry->host, sizeof(entry->host), "%.*s", SPAN_FMT(host));
    (void)snprintf(entry->endpoint, sizeof(entry->endpoint), "%.*s", SPAN_FMT(endpoint));
    (void)snprintf(entry->status, sizeof(entry->status), "%.*s",
                   (int)(status.len < DIRECTORY_STATUS_MAX ? status.len : DIRECTORY_STATUS_MAX - 1), status.ptr);
    entry->local[0] = '\0';
    entry->is_up = endpoint.len > 0;
    entry->life = (enum actor_life)value_i64(value_get(map, "life"), ACTOR_LIFE_ABSENT);
    entry->is_silent &= entry->is_up && incarnation == entry->incarnation;
    entry->incarnation = incarnation;
    entry->retry_after_ms = (uint32_t)value_i64(value_get(map, "retryAfterMs"), 0);
    node_tell_entry_spread(self, entry);
    if (node_is_supervisor(self)) {
        node_tell_entry_sync(self, entry);
    }
}

static void synced_topic(struct node *self, struct actor_ctx *ctx, struct span map)
{
    struct span name = value_str(value_get(map, "name"), (struct span){ "", 0 });
    struct span address = value_str(value_get(map, "address"), (struct span){ "", 0 });
    char topic[ENVELOPE_NAME_MAX];
    char who[ACTOR_ADDRESS_MAX];
    char host[DIRECTORY_HOST_MAX];
    bool is_on = value_bool(value_get(map, "on"), true);

    if (name.len == 0 || name.len >= sizeof(topic) || address.len == 0 || address.len >= sizeof(who) ||
        !may_tell(self, ctx, value_str(value_get(map, "host"), (struct span){ "", 0 }), address)) {
        return;
    }
    (void)snprintf(topic, sizeof(topic), "%.*s", SPAN_FMT(name));
    (void)snprintf(who, sizeof(who), "%.*s", SPAN_FMT(address));
    struct span host_in = value_str(value_get(map, "host"), (struct span){ "", 0 });
    (void)snprintf(host, sizeof(host), "%.*s", (int)(host_in.len < 31 ? host_in.len : 31), host_in.ptr);
    bool is_changed = is_on ? directory_topic_add(&self->directory, name, address, host)
                            : directory_topic_remove(&self->directory, name, address);
    if (is_changed) {
        node_tell_subscribers_spread(self, topic);
        if (node_is_supervisor(self)) {
            node_tell_topic_sync(self, topic, who, host, is_on);
        }
    }
}

int node_directory_on_sync(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct value_iter entries = value_iter(value_get(actor_ctx_body(ctx), "entries"));
    struct value_iter topics = value_iter(value_get(actor_ctx_body(ctx), "topics"));
    struct span key, item;

    (void)arg;
    (void)msg;
    /* Who is told that a subscriber is ready may publish at once. */
    while (value_next(&topics, &key, &item)) {
        synced_topic(self, ctx, item);
    }
    while (value_next(&entries, &key, &item)) {
        synced_entry(self, ctx, item);
    }
    return 0;
}

static void host_topics_drop(struct node *self, const char *host)
{
    struct directory_topic *at = self->directory.topics;

    while (at) {
        if (strcmp(at->host, host) == 0) {
            char name[ACTOR_ADDRESS_MAX];
            char address[ACTOR_ADDRESS_MAX];

            (void)snprintf(name, sizeof(name), "%s", at->name);
            (void)snprintf(address, sizeof(address), "%s", at->address);
            (void)directory_topic_remove(&self->directory, span_from(name), span_from(address));
            node_tell_subscribers_spread(self, name);
            at = self->directory.topics;
        } else {
            at = at->next;
        }
    }
}

/* What it said of itself it said of the life that is over. */
static void lost_status_set(struct directory_entry *entry, struct span why)
{
    bool is_host = span_starts(span_from(entry->address), "host/");

    (void)snprintf(entry->status, sizeof(entry->status), "%s%s%s%.*s", is_host || !why.len ? "" : DIRECTORY_LOST,
                   is_host || !why.len ? "" : entry->host, is_host || !why.len ? "" : ": ", SPAN_FMT(why));
}

/* Everything on `host` is down, in this node's view. */
void node_directory_host_down(struct node *self, const char *host, enum actor_life life, uint32_t retry_after_ms,
                              struct span why)
{
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (strcmp(at->host, host) == 0 && at->is_up) {
            at->is_up = false;
            at->is_silent = false;
            at->endpoint[0] = '\0';
            at->life = life;
            at->retry_after_ms = retry_after_ms;
            lost_status_set(at, why);
            node_tell_entry_spread(self, at);
        }
    }
    host_topics_drop(self, host);
}

/* --- what the node itself wants to know ------------------------------------------------------------- */

/* A node looks into its own directory; other nodes have endpoints that need no asking. */
void node_directory_resolve(struct actor *actor, struct link *link)
{
    struct node *self = node_of(actor);
    struct span address = { link->address, link->len };
    struct directory_entry *entry = directory_find(&self->directory, address);
    char endpoint[LINK_ENDPOINT_MAX];

    if (span_is_text(address, self->address)) {
        link_apply(actor, link, span_from(self->local), 1, ACTOR_LIFE_READY, 0);
    } else if (span_is_text(address, NODE_SUPERVISOR) && self->opts.has_supervisor) {
        node_supervisor_endpoint(self, endpoint, sizeof(endpoint));
        link_apply(actor, link, span_from(endpoint), 1, ACTOR_LIFE_READY, 0);
    } else if (entry) {
        link_place(link, span_from(entry->host), span_from(directory_status(entry)));
        link_apply(actor, link, span_from(entry->is_up ? node_tell_endpoint(entry) : ""), entry->incarnation,
                   directory_life(entry), directory_retry_ms(entry));
    } else {
        link_apply(actor, link, (struct span){ "", 0 }, 0, ACTOR_LIFE_ABSENT, 0);
    }
}

bool node_directory_subscribers(struct actor *actor, const char *topic)
{
    node_tell_subscribers_spread(node_of(actor), topic);
    return true;
}
