/*
 * node_tell: what a node says of its directory: to the actors of its process that asked,
 * to its own links, and to the other nodes.
 */
#include <stdio.h>

#include "bus/node_internal.h"
#include "bus/wire.h"

void node_tell_cast(struct node *self, const char *to, const struct schema_msg *msg, struct pack *pack)
{
    if (pack_error(pack) == 0) {
        (void)actor_cast_span(&self->actor, to, msg, pack_span(pack), NULL); /* memory only */
    }
}

/* --- to actors -------------------------------------------------------------------------------------- */

static void entry_pack(struct pack *pack, const struct directory_entry *entry, const char *endpoint)
{
    pack_map_begin(pack);
    pack_kv_text(pack, "address", entry->address);
    pack_kv_text(pack, "host", entry->host);
    pack_kv_text(pack, "endpoint", entry->is_up ? endpoint : "");
    pack_kv_u64(pack, "incarnation", entry->incarnation);
    pack_kv_i64(pack, "life", directory_life(entry));
    pack_kv_u64(pack, "retryAfterMs", directory_retry_ms(entry));
    pack_kv_text(pack, "status", directory_status(entry));
    pack_map_end(pack);
}

const char *node_tell_endpoint(const struct directory_entry *entry)
{
    return entry->local[0] ? entry->local : entry->endpoint;
}

void node_tell_entry(struct node *self, const char *who, const struct directory_entry *entry)
{
    struct pack pack;

    if (strcmp(who, self->address) == 0) {
        /* Our own watch hears it at once: what we do next may depend on it. */
        node_talk_on_life(&self->actor, span_from(entry->address), directory_life(entry),
                          span_from(directory_status(entry)));
        return;
    }
    pack_init(&pack, 4096);
    entry_pack(&pack, entry, node_tell_endpoint(entry));
    node_tell_cast(self, who, &wire_entry, &pack);
    pack_deinit(&pack);
}

/* Everyone in this process who asked about it, this node's own link included. */
void node_tell_entry_spread(struct node *self, const struct directory_entry *entry)
{
    struct span address = span_from(entry->address);
    struct link *link = link_find(&self->actor, address);

    if (link && !link->is_fixed) {
        link_place(link, span_from(entry->host), span_from(directory_status(entry)));
        link_apply(&self->actor, link, span_from(entry->is_up ? node_tell_endpoint(entry) : ""), entry->incarnation,
                   directory_life(entry), directory_retry_ms(entry));
    }
    for (struct directory_interest *at = self->directory.interests; at; at = at->next) {
        if (!at->is_topic && directory_matches(at->pattern, address)) {
            node_tell_entry(self, at->who, entry);
        }
    }
    if (self->opts.on_entry) {
        self->opts.on_entry(self->opts.arg, entry);
    }
}

static void subscribers_pack(struct node *self, struct pack *pack, const char *topic)
{
    pack_map_begin(pack);
    pack_kv_text(pack, "name", topic);
    pack_key(pack, "addresses");
    pack_array_begin(pack);
    for (struct directory_topic *at = self->directory.topics; at; at = at->next) {
        if (strcmp(at->name, topic) == 0) {
            pack_text(pack, at->address);
        }
    }
    pack_array_end(pack);
    pack_map_end(pack);
}

void node_tell_subscribers(struct node *self, const char *who, const char *topic)
{
    struct pack pack;

    pack_init(&pack, 0);
    subscribers_pack(self, &pack, topic);
    node_tell_cast(self, who, &wire_subscribers, &pack);
    pack_deinit(&pack);
}

void node_tell_subscribers_spread(struct node *self, const char *topic)
{
    struct pack pack;

    for (struct directory_interest *at = self->directory.interests; at; at = at->next) {
        if (at->is_topic && strcmp(at->pattern, topic) == 0) {
            node_tell_subscribers(self, at->who, topic);
        }
    }
    pack_init(&pack, 0);
    subscribers_pack(self, &pack, topic);
    topic_on_subscribers(&self->actor, pack_span(&pack)); /* what this node itself publishes */
    pack_deinit(&pack);
}

/* What others on this machine need to reach it; on another one it only says that it can be reached. */
static const char *far_endpoint(const struct node *self, const struct directory_entry *entry)
{
    return self->opts.trunk && entry->is_up ? self->opts.trunk : entry->endpoint;
}

/* --- to the other nodes ----------------------------------------------------------------------------- */

static void topic_pack(struct pack *pack, const char *name, const char *address, const char *host, bool is_on)
{
    pack_map_begin(pack);
    pack_kv_text(pack, "name", name);
    pack_kv_text(pack, "address", address);
    pack_kv_text(pack, "host", host);
    pack_kv_bool(pack, "on", is_on);
    pack_map_end(pack);
}

static void sync_begin(struct pack *pack)
{
    pack_init(pack, 0);
    pack_map_begin(pack);
}

/* A host tells the supervisor; the supervisor tells every host but the one it is about. */
static void sync_send(struct node *self, struct pack *pack, const char *about_host)
{
    pack_map_end(pack);
    if (!node_is_supervisor(self)) {
        if (self->opts.has_supervisor) {
            node_tell_cast(self, NODE_SUPERVISOR, &wire_sync, pack);
        }
    } else {
        for (size_t i = 0; i < self->opts.topology->hosts_n; i++) {
            const char *name = self->opts.topology->hosts[i].name;
            char to[ACTOR_ADDRESS_MAX];

            (void)snprintf(to, sizeof(to), "host/%s", name);
            struct directory_entry *host = directory_find(&self->directory, span_from(to));
            if (strcmp(name, about_host) != 0 && host && host->is_up) {
                node_tell_cast(self, to, &wire_sync, pack);
            }
        }
    }
    pack_deinit(pack);
}

void node_tell_entry_sync(struct node *self, const struct directory_entry *entry)
{
    struct directory_entry own = *entry;
    struct pack pack;

    /* That it hangs the supervisor has said itself, and takes back itself. */
    own.is_silent = entry->is_silent && node_is_supervisor(self);
    sync_begin(&pack);
    pack_key(&pack, "entries");
    pack_array_begin(&pack);
    entry_pack(&pack, &own, far_endpoint(self, entry));
    pack_array_end(&pack);
    sync_send(self, &pack, entry->host);
}

void node_tell_topic_sync(struct node *self, const char *name, const char *address, const char *host, bool is_on)
{
    struct pack pack;

    sync_begin(&pack);
    pack_key(&pack, "topics");
    pack_array_begin(&pack);
    topic_pack(&pack, name, address, host, is_on);
    pack_array_end(&pack);
    sync_send(self, &pack, host);
}

/* Everything of the other hosts, for one that has just come. */
void node_tell_snapshot(struct node *self, const char *host)
{
    struct pack pack;
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "host/%s", host);
    sync_begin(&pack);
    pack_key(&pack, "entries");
    pack_array_begin(&pack);
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (strcmp(at->host, host) != 0) {
            entry_pack(&pack, at, at->endpoint);
        }
    }
    pack_array_end(&pack);
    pack_key(&pack, "topics");
    pack_array_begin(&pack);
    for (struct directory_topic *at = self->directory.topics; at; at = at->next) {
        if (strcmp(at->host, host) != 0) {
            topic_pack(&pack, at->name, at->address, at->host, true);
        }
    }
    pack_array_end(&pack);
    pack_map_end(&pack);
    node_tell_cast(self, to, &wire_sync, &pack);
    pack_deinit(&pack);
}
