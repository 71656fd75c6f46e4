/*
 * node
 *
 * Accepts    bus.resolve bus.topic bus.subscribe bus.unsubscribe bus.watch bus.state
 *            bus.exit bus.spawn bus.despawn bus.restart bus.hello bus.sync
 *            bus.host_down bus.stop bus.tap
 * Answers    bus.actors
 * On restart of its process the directory is empty; the other nodes sync it again.
 */
#include "bus/node.h"

#include <stdio.h>
#include <unistd.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "bus/wire.h"

/* A spawn that the supervisor repeats when the host comes back. */
struct spawn_record {
    struct spawn_record *next;
    char address[ACTOR_ADDRESS_MAX];
    char def[32];
    char *arg;
};

struct node {
    struct actor actor; /* first: its opts callbacks find the node by it */
    struct actor_stats stats;
    struct node_opts opts;
    struct directory directory;
    struct spawn_record *spawns;
    char address[ACTOR_ADDRESS_MAX];
    char local[LINK_ENDPOINT_MAX];
    char remote[LINK_ENDPOINT_MAX];
};

static struct node *node_of(struct actor *actor)
{
    return CONTAINER_OF(actor, struct node, actor);
}

static bool is_supervisor(const struct node *self)
{
    return !self->opts.host;
}

void node_endpoint(const char *run_dir, const char *host, char *out, size_t cap)
{
    if (host) {
        (void)snprintf(out, cap, "ipc://%s/host-%s.sock", run_dir, host); /* run_dir is short; see process */
    } else {
        (void)snprintf(out, cap, "ipc://%s/supervisor.sock", run_dir);
    }
}

/* --- telling ------------------------------------------------------------------------------------ */

static void entry_pack(struct pack *pack, const struct directory_entry *entry, const char *endpoint)
{
    pack_map_begin(pack);
    pack_kv_text(pack, "address", entry->address);
    pack_kv_text(pack, "host", entry->host);
    pack_kv_text(pack, "endpoint", entry->is_up ? endpoint : "");
    pack_kv_u64(pack, "incarnation", entry->incarnation);
    pack_kv_i64(pack, "life", entry->life);
    pack_kv_u64(pack, "retryAfterMs", entry->retry_after_ms);
    pack_kv_text(pack, "status", entry->status);
    pack_map_end(pack);
}

static const char *endpoint_here(const struct directory_entry *entry)
{
    return entry->local[0] ? entry->local : entry->endpoint;
}

static void cast_to(struct node *self, const char *to, const struct schema_msg *msg, struct pack *pack)
{
    if (pack_error(pack) == 0) {
        (void)actor_cast_span(&self->actor, to, msg, pack_span(pack), NULL); /* memory only */
    }
}

static void entry_tell(struct node *self, const char *who, const struct directory_entry *entry)
{
    struct pack pack;

    if (strcmp(who, self->address) == 0) {
        /* Our own watch hears it at once: what we do next may depend on it. */
        node_talk_on_life(&self->actor, span_from(entry->address), entry->life, span_from(entry->status));
        return;
    }
    pack_init(&pack, 4096);
    entry_pack(&pack, entry, endpoint_here(entry));
    cast_to(self, who, &wire_entry, &pack);
    pack_deinit(&pack);
}

/* Everyone in this process who asked about it, this node's own link included. */
static void entry_spread(struct node *self, const struct directory_entry *entry)
{
    struct span address = span_from(entry->address);
    struct link *link = link_find(&self->actor, address);

    if (link && !link->is_fixed) {
        link_apply(&self->actor, link, span_from(entry->is_up ? endpoint_here(entry) : ""), entry->incarnation,
                   entry->life, entry->retry_after_ms);
    }
    for (struct directory_interest *at = self->directory.interests; at; at = at->next) {
        if (!at->is_topic && directory_matches(at->pattern, address)) {
            entry_tell(self, at->who, entry);
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

static void subscribers_tell(struct node *self, const char *who, const char *topic)
{
    struct pack pack;

    pack_init(&pack, 0);
    subscribers_pack(self, &pack, topic);
    cast_to(self, who, &wire_subscribers, &pack);
    pack_deinit(&pack);
}

static void subscribers_spread(struct node *self, const char *topic)
{
    struct pack pack;

    for (struct directory_interest *at = self->directory.interests; at; at = at->next) {
        if (at->is_topic && strcmp(at->pattern, topic) == 0) {
            subscribers_tell(self, at->who, topic);
        }
    }
    pack_init(&pack, 0);
    subscribers_pack(self, &pack, topic);
    topic_on_subscribers(&self->actor, pack_span(&pack)); /* what this node itself publishes */
    pack_deinit(&pack);
}

/* --- syncing with the other nodes ------------------------------------------------------------------ */

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
    if (!is_supervisor(self)) {
        if (self->opts.has_supervisor) {
            cast_to(self, NODE_SUPERVISOR, &wire_sync, pack);
        }
    } else {
        for (size_t i = 0; i < self->opts.topology->hosts_n; i++) {
            const char *name = self->opts.topology->hosts[i].name;
            char to[ACTOR_ADDRESS_MAX];

            (void)snprintf(to, sizeof(to), "host/%s", name);
            struct directory_entry *host = directory_find(&self->directory, span_from(to));
            if (strcmp(name, about_host) != 0 && host && host->is_up) {
                cast_to(self, to, &wire_sync, pack);
            }
        }
    }
    pack_deinit(pack);
}

static void entry_sync(struct node *self, const struct directory_entry *entry)
{
    struct pack pack;

    sync_begin(&pack);
    pack_key(&pack, "entries");
    pack_array_begin(&pack);
    entry_pack(&pack, entry, entry->endpoint);
    pack_array_end(&pack);
    sync_send(self, &pack, entry->host);
}

static void topic_sync(struct node *self, const char *name, const char *address, const char *host, bool is_on)
{
    struct pack pack;

    sync_begin(&pack);
    pack_key(&pack, "topics");
    pack_array_begin(&pack);
    topic_pack(&pack, name, address, host, is_on);
    pack_array_end(&pack);
    sync_send(self, &pack, host);
}

void node_entry_set(struct node *self, const struct directory_entry *entry)
{
    struct directory_entry *mine = directory_get(&self->directory, span_from(entry->address));
    struct directory_entry *next = mine->next;

    *mine = *entry;
    mine->next = next;
    if (!mine->is_up) {
        mine->endpoint[0] = '\0';
        mine->local[0] = '\0';
    }
    entry_spread(self, mine);
    entry_sync(self, mine);
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
            topic_sync(self, name, at->address, at->host, false);
            (void)directory_topic_remove(&self->directory, span_from(name), address);
            subscribers_spread(self, name);
        }
    }
}

/* --- what local actors ask ------------------------------------------------------------------------------ */

static struct span text_in(struct actor_ctx *ctx, const char *key, size_t limit)
{
    struct span text = value_str(value_get(actor_ctx_body(ctx), key), (struct span){ "", 0 });

    return text.len < limit ? text : (struct span){ "", 0 };
}

/* Who asks, and the one name that most words consist of. */
struct asked {
    char who[ACTOR_ADDRESS_MAX];
    char name[ACTOR_ADDRESS_MAX];
};

/* False when the name is missing or longer than `limit`, with its terminator. */
static bool asked_read(struct actor_ctx *ctx, const char *key, size_t limit, struct asked *ret_asked)
{
    struct span name = text_in(ctx, key, limit);

    (void)snprintf(ret_asked->who, sizeof(ret_asked->who), "%.*s", SPAN_FMT(actor_ctx_from(ctx)));
    (void)snprintf(ret_asked->name, sizeof(ret_asked->name), "%.*s", SPAN_FMT(name));
    return name.len > 0;
}

static int on_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct directory_entry absent = { .life = ACTOR_LIFE_ABSENT };
    struct asked asked;

    (void)arg;
    (void)msg;
    if (!asked_read(ctx, "address", ACTOR_ADDRESS_MAX, &asked)) {
        return FAIL_INVALID_REQUEST;
    }
    (void)directory_interest_add(&self->directory, span_from(asked.who), span_from(asked.name), false);
    struct directory_entry *entry = directory_find(&self->directory, span_from(asked.name));
    if (!entry) {
        (void)snprintf(absent.address, sizeof(absent.address), "%s", asked.name);
        entry = &absent;
    }
    entry_tell(self, asked.who, entry);
    return 0;
}

static int on_watch(void *arg, struct actor_ctx *ctx, const void *msg)
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
            entry_tell(self, asked.who, at);
        }
    }
    return 0;
}

static int on_topic(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct asked asked;

    (void)arg;
    (void)msg;
    if (!asked_read(ctx, "name", ENVELOPE_NAME_MAX, &asked)) {
        return FAIL_INVALID_REQUEST;
    }
    (void)directory_interest_add(&self->directory, span_from(asked.who), span_from(asked.name), true);
    subscribers_tell(self, asked.who, asked.name);
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
        topic_sync(self, asked.name, asked.who, host, is_on);
        subscribers_spread(self, asked.name);
    }
    return 0;
}

static int on_subscribe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)msg;
    return subscription(ctx, true);
}

static int on_unsubscribe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)msg;
    return subscription(ctx, false);
}

static int on_state(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));

    (void)arg;
    (void)msg;
    if (self->opts.on_state) {
        self->opts.on_state(self->opts.arg, actor_ctx_from(ctx),
                            value_str(value_get(actor_ctx_body(ctx), "life"), (struct span){ 0 }),
                            value_str(value_get(actor_ctx_body(ctx), "status"), (struct span){ 0 }));
    }
    return 0;
}

static int on_exit_word(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));

    (void)arg;
    (void)msg;
    if (self->opts.on_exit) {
        self->opts.on_exit(self->opts.arg, actor_ctx_from(ctx),
                           (int)value_i64(value_get(actor_ctx_body(ctx), "fault"), 0), text_in(ctx, "place", 256));
    }
    return 0;
}

/* --- spawning ------------------------------------------------------------------------------------------------ */

static struct spawn_record **spawn_slot(struct node *self, struct span address)
{
    struct spawn_record **at = &self->spawns;

    while (*at && !span_is_text(address, (*at)->address)) {
        at = &(*at)->next;
    }
    return at;
}

static void spawn_record_set(struct node *self, const char *address, const char *def, struct span arg)
{
    struct spawn_record **at = spawn_slot(self, span_from(address));

    if (!*at) {
        *at = mem_new(sizeof(**at));
        (void)snprintf((*at)->address, sizeof((*at)->address), "%s", address);
    }
    (void)snprintf((*at)->def, sizeof((*at)->def), "%s", def);
    free((*at)->arg);
    (*at)->arg = mem_text(arg.ptr, arg.len);
}

static void spawn_record_drop(struct node *self, const char *address)
{
    struct spawn_record **at = spawn_slot(self, span_from(address));

    if (*at) {
        struct spawn_record *record = *at;

        *at = record->next;
        free(record->arg);
        free(record);
    }
}

/* Where `address` is to run: NULL here, else the next node on the way. Empty when nowhere. */
static const char *way_to(struct node *self, const char *address, char *out, size_t cap)
{
    const struct topology_host *host = topology_place(self->opts.topology, address);

    if (!host) {
        return "";
    }
    if (self->opts.host && strcmp(host->name, self->opts.host) == 0) {
        return NULL;
    }
    if (!is_supervisor(self)) {
        return NODE_SUPERVISOR;
    }
    (void)snprintf(out, cap, "host/%s", host->name);
    return out;
}

static int on_spawn(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct span spawn_arg = text_in(ctx, "arg", 65536);
    char address[ACTOR_ADDRESS_MAX];
    char def[32];
    char hop[ACTOR_ADDRESS_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(text_in(ctx, "address", ACTOR_ADDRESS_MAX)));
    (void)snprintf(def, sizeof(def), "%.*s", SPAN_FMT(text_in(ctx, "def", sizeof(def))));
    const char *to = way_to(self, address, hop, sizeof(hop));
    if (!address[0] || !def[0] || (to && !to[0])) {
        log_error("spawn_refused", "actor=%s def=%s why=\"the topology places it nowhere\"", address, def);
        return FAIL_INVALID_REQUEST;
    }
    if (is_supervisor(self)) {
        spawn_record_set(self, address, def, spawn_arg);
    }
    if (to) {
        return actor_cast_span(&self->actor, to, &wire_spawn, actor_ctx_body(ctx), ctx);
    }
    if (self->opts.on_spawn) {
        char *text = mem_text(spawn_arg.ptr, spawn_arg.len);

        (void)self->opts.on_spawn(self->opts.arg, address, def, text);
        free(text);
    }
    return 0;
}

static int on_despawn(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char address[ACTOR_ADDRESS_MAX];
    char hop[ACTOR_ADDRESS_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(text_in(ctx, "address", ACTOR_ADDRESS_MAX)));
    spawn_record_drop(self, address);
    const char *to = way_to(self, address, hop, sizeof(hop));
    if (to && to[0]) {
        return actor_cast_span(&self->actor, to, &wire_despawn, actor_ctx_body(ctx), ctx);
    }
    if (!to && self->opts.on_despawn) {
        self->opts.on_despawn(self->opts.arg, address);
    }
    return 0;
}

static int on_restart(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char address[ACTOR_ADDRESS_MAX];
    char hop[ACTOR_ADDRESS_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(text_in(ctx, "address", ACTOR_ADDRESS_MAX)));
    const char *to = way_to(self, address, hop, sizeof(hop));
    if (to && to[0]) {
        return actor_cast_span(&self->actor, to, &wire_restart, actor_ctx_body(ctx), ctx);
    }
    if (!to && self->opts.on_restart) {
        (void)self->opts.on_restart(self->opts.arg, address);
    }
    return 0;
}

/* --- what other nodes say --------------------------------------------------------------------------------------- */

static void synced_entry(struct node *self, struct span map)
{
    struct span address = value_str(value_get(map, "address"), (struct span){ "", 0 });
    struct span host = value_str(value_get(map, "host"), (struct span){ "", 0 });
    struct span endpoint = value_str(value_get(map, "endpoint"), (struct span){ "", 0 });
    struct span status = value_str(value_get(map, "status"), (struct span){ "", 0 });

    if (address.len == 0 || address.len >= ACTOR_ADDRESS_MAX || host.len >= DIRECTORY_HOST_MAX ||
        endpoint.len >= DIRECTORY_ENDPOINT_MAX || (self->opts.host && span_is_text(host, self->opts.host))) {
        return; /* of our own actors nobody else knows better */
    }
    struct directory_entry *entry = directory_get(&self->directory, address);
    (void)snprintf(entry->host, sizeof(entry->host), "%.*s", SPAN_FMT(host));
    (void)snprintf(entry->endpoint, sizeof(entry->endpoint), "%.*s", SPAN_FMT(endpoint));
    (void)snprintf(entry->status, sizeof(entry->status), "%.*s",
                   (int)(status.len < DIRECTORY_STATUS_MAX ? status.len : DIRECTORY_STATUS_MAX - 1), status.ptr);
    entry->local[0] = '\0';
    entry->is_up = endpoint.len > 0;
    entry->life = (enum actor_life)value_i64(value_get(map, "life"), ACTOR_LIFE_ABSENT);
    entry->incarnation = (uint32_t)value_i64(value_get(map, "incarnation"), 0);
    entry->retry_after_ms = (uint32_t)value_i64(value_get(map, "retryAfterMs"), 0);
    entry_spread(self, entry);
    if (is_supervisor(self)) {
        entry_sync(self, entry);
    }
}

static void synced_topic(struct node *self, struct span map)
{
    struct span name = value_str(value_get(map, "name"), (struct span){ "", 0 });
    struct span address = value_str(value_get(map, "address"), (struct span){ "", 0 });
    char topic[ENVELOPE_NAME_MAX];
    char who[ACTOR_ADDRESS_MAX];
    char host[DIRECTORY_HOST_MAX];
    bool is_on = value_bool(value_get(map, "on"), true);

    if (name.len == 0 || name.len >= sizeof(topic) || address.len == 0 || address.len >= sizeof(who)) {
        return;
    }
    (void)snprintf(topic, sizeof(topic), "%.*s", SPAN_FMT(name));
    (void)snprintf(who, sizeof(who), "%.*s", SPAN_FMT(address));
    struct span host_in = value_str(value_get(map, "host"), (struct span){ "", 0 });
    (void)snprintf(host, sizeof(host), "%.*s", (int)(host_in.len < 31 ? host_in.len : 31), host_in.ptr);
    bool is_changed = is_on ? directory_topic_add(&self->directory, name, address, host)
                            : directory_topic_remove(&self->directory, name, address);
    if (is_changed) {
        subscribers_spread(self, topic);
        if (is_supervisor(self)) {
            topic_sync(self, topic, who, host, is_on);
        }
    }
}

static int on_sync(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct value_iter entries = value_iter(value_get(actor_ctx_body(ctx), "entries"));
    struct value_iter topics = value_iter(value_get(actor_ctx_body(ctx), "topics"));
    struct span key, item;

    (void)arg;
    (void)msg;
    while (value_next(&entries, &key, &item)) {
        synced_entry(self, item);
    }
    while (value_next(&topics, &key, &item)) {
        synced_topic(self, item);
    }
    return 0;
}

/* Everything of the other hosts, for one that has just come. */
static void snapshot_send(struct node *self, const char *host)
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
    cast_to(self, to, &wire_sync, &pack);
    pack_deinit(&pack);
}

static void spawns_repeat(struct node *self, const char *host)
{
    for (struct spawn_record *at = self->spawns; at; at = at->next) {
        const struct topology_host *place = topology_place(self->opts.topology, at->address);
        struct pack pack;
        char to[ACTOR_ADDRESS_MAX];

        if (!place || strcmp(place->name, host) != 0) {
            continue;
        }
        (void)snprintf(to, sizeof(to), "host/%s", host);
        pack_init(&pack, 0);
        pack_map_begin(&pack);
        pack_kv_text(&pack, "address", at->address);
        pack_kv_text(&pack, "def", at->def);
        pack_kv_text(&pack, "arg", at->arg);
        pack_map_end(&pack);
        cast_to(self, to, &wire_spawn, &pack);
        pack_deinit(&pack);
    }
}

/* A host's node has a known endpoint, so its entry needs no word but hello. */
static void host_entry_set(struct node *self, const char *host, bool is_up, uint32_t incarnation, enum actor_life life)
{
    struct directory_entry entry = { .is_up = is_up, .incarnation = incarnation, .life = life };

    (void)snprintf(entry.address, sizeof(entry.address), "host/%s", host);
    (void)snprintf(entry.host, sizeof(entry.host), "%s", host);
    if (is_up) {
        node_endpoint(self->opts.run_dir, host, entry.endpoint, sizeof(entry.endpoint));
    }
    node_entry_set(self, &entry);
}

static int on_hello(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char host[DIRECTORY_HOST_MAX];
    uint32_t incarnation = (uint32_t)value_i64(value_get(actor_ctx_body(ctx), "incarnation"), 1);
    int64_t pid = value_i64(value_get(actor_ctx_body(ctx), "pid"), 0);

    (void)arg;
    (void)msg;
    (void)snprintf(host, sizeof(host), "%.*s", SPAN_FMT(text_in(ctx, "host", sizeof(host))));
    if (!is_supervisor(self) || !topology_host_find(self->opts.topology, host)) {
        return FAIL_INVALID_REQUEST;
    }
    host_entry_set(self, host, true, incarnation, ACTOR_LIFE_READY);
    snapshot_send(self, host);
    spawns_repeat(self, host);
    if (self->opts.on_hello) {
        self->opts.on_hello(self->opts.arg, host, pid, incarnation);
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
            subscribers_spread(self, name);
            at = self->directory.topics;
        } else {
            at = at->next;
        }
    }
}

/* Everything on `host` is down, in this node's view. */
static void host_down_apply(struct node *self, const char *host, enum actor_life life, uint32_t retry_after_ms)
{
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (strcmp(at->host, host) == 0 && at->is_up) {
            at->is_up = false;
            at->endpoint[0] = '\0';
            at->life = life;
            at->retry_after_ms = retry_after_ms;
            entry_spread(self, at);
        }
    }
    host_topics_drop(self, host);
}

void node_host_down(struct node *self, const char *host, enum actor_life life, uint32_t retry_after_ms)
{
    struct pack pack;

    host_down_apply(self, host, life, retry_after_ms);
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
        pack_map_end(&pack);
        cast_to(self, to, &wire_host_down, &pack);
        pack_deinit(&pack);
    }
}

static int on_host_down(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char host[DIRECTORY_HOST_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(host, sizeof(host), "%.*s", SPAN_FMT(text_in(ctx, "host", sizeof(host))));
    if (self->opts.host && strcmp(host, self->opts.host) != 0) {
        host_down_apply(self, host,
                        (enum actor_life)value_i64(value_get(actor_ctx_body(ctx), "life"), ACTOR_LIFE_BACKOFF),
                        (uint32_t)value_i64(value_get(actor_ctx_body(ctx), "retryAfterMs"), 0));
    }
    return 0;
}

void node_host_stop(struct node *self, const char *host)
{
    struct pack pack;
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "host/%s", host);
    pack_init(&pack, 64);
    pack_map_begin(&pack);
    pack_map_end(&pack);
    cast_to(self, to, &wire_stop, &pack);
    pack_deinit(&pack);
}

static int on_stop(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));

    (void)arg;
    (void)msg;
    if (self->opts.on_stop && span_is_text(actor_ctx_from(ctx), NODE_SUPERVISOR)) {
        self->opts.on_stop(self->opts.arg);
    }
    return 0;
}

/* --- what operators ask
 * ------------------------------------------------------------------------------------------------- */

static int on_actors(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct pack pack;

    (void)arg;
    (void)msg;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "host", self->opts.host ? self->opts.host : NODE_SUPERVISOR);
    pack_kv_i64(&pack, "pid", getpid());
    pack_key(&pack, "actors");
    pack_array_begin(&pack);
    if (self->opts.on_actors) {
        self->opts.on_actors(self->opts.arg, &pack);
    }
    pack_array_end(&pack);
    pack_map_end(&pack);
    int r = pack_error(&pack);
    r = r < 0 ? r : actor_reply_span(ctx, pack_span(&pack));
    pack_deinit(&pack);
    return r;
}

static int on_tap(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct span endpoint = text_in(ctx, "endpoint", TAP_ENDPOINT_MAX);
    char text[TAP_ENDPOINT_MAX];
    static const struct span empty_map = { "\x80", 1 };

    (void)arg;
    (void)msg;
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(endpoint));
    bool is_on = value_bool(value_get(actor_ctx_body(ctx), "on"), true);
    bool with_bodies = value_bool(value_get(actor_ctx_body(ctx), "bodies"), false);
    int r = is_on ? tap_attach(text, with_bodies) : tap_detach(text);
    if (r == TAP_E_FULL) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "%d taps are attached; detach one first", TAP_WATCHERS_MAX);
    }
    log_info(is_on ? "tap_attached" : "tap_detached", "endpoint=%s bodies=%d", text, with_bodies);
    return actor_reply_span(ctx, empty_map);
}

/* --- routes
 * ---------------------------------------------------------------------------------------------------------------- */

static const struct actor_route node_routes[] = {
    { &wire_resolve, on_resolve, ACTOR_RAW },     { &wire_topic, on_topic, ACTOR_RAW },
    { &wire_subscribe, on_subscribe, ACTOR_RAW }, { &wire_unsubscribe, on_unsubscribe, ACTOR_RAW },
    { &wire_watch, on_watch, ACTOR_RAW },         { &wire_state, on_state, ACTOR_RAW },
    { &wire_exit, on_exit_word, ACTOR_RAW },      { &wire_spawn, on_spawn, ACTOR_RAW },
    { &wire_despawn, on_despawn, ACTOR_RAW },     { &wire_restart, on_restart, ACTOR_RAW },
    { &wire_hello, on_hello, ACTOR_RAW },         { &wire_sync, on_sync, ACTOR_RAW },
    { &wire_host_down, on_host_down, ACTOR_RAW }, { &wire_stop, on_stop, ACTOR_RAW },
    { &wire_actors, on_actors, ACTOR_RAW },       { &wire_tap, on_tap, ACTOR_RAW },
};

static const struct actor_def node_def = {
    .name = "node",
    .routes = node_routes,
    .routes_n = ARRAY_LEN(node_routes),
    .is_ready_late = true, /* nobody supervises it but its process */
};

/* --- life
 * --------------------------------------------------------------------------------------------------------------------
 */

/* A node looks into its own directory; other nodes have endpoints that need no asking. */
static void node_resolve(struct actor *actor, struct link *link)
{
    struct node *self = node_of(actor);
    struct span address = { link->address, link->len };
    struct directory_entry *entry = directory_find(&self->directory, address);
    char endpoint[LINK_ENDPOINT_MAX];

    if (span_is_text(address, self->address)) {
        link_apply(actor, link, span_from(self->local), 1, ACTOR_LIFE_READY, 0);
    } else if (span_is_text(address, NODE_SUPERVISOR) && self->opts.has_supervisor) {
        node_endpoint(self->opts.run_dir, NULL, endpoint, sizeof(endpoint));
        link_apply(actor, link, span_from(endpoint), 1, ACTOR_LIFE_READY, 0);
    } else if (entry) {
        link_apply(actor, link, span_from(entry->is_up ? endpoint_here(entry) : ""), entry->incarnation, entry->life,
                   entry->retry_after_ms);
    } else {
        link_apply(actor, link, (struct span){ "", 0 }, 0, ACTOR_LIFE_ABSENT, 0);
    }
}

static bool node_subscribers(struct actor *actor, const char *topic)
{
    subscribers_spread(node_of(actor), topic);
    return true;
}

static void hello_send(struct node *self)
{
    struct pack pack;

    pack_init(&pack, 256);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "host", self->opts.host);
    pack_kv_i64(&pack, "pid", getpid());
    pack_kv_u64(&pack, "incarnation", self->opts.incarnation);
    pack_map_end(&pack);
    cast_to(self, NODE_SUPERVISOR, &wire_hello, &pack);
    pack_deinit(&pack);
}

int node_new(const struct node_opts *opts, struct node **ret_node)
{
    struct node *self = mem_new(sizeof(*self));

    self->opts = *opts;
    if (opts->host) {
        (void)snprintf(self->address, sizeof(self->address), "host/%s", opts->host);
    } else {
        (void)snprintf(self->address, sizeof(self->address), NODE_SUPERVISOR);
    }
    (void)snprintf(self->local, sizeof(self->local), "inproc://node-%s", self->address);
    if (opts->run_dir) {
        node_endpoint(opts->run_dir, opts->host, self->remote, sizeof(self->remote));
    }
    struct actor_opts actor_opts = {
        .def = &node_def,
        .address = self->address,
        .incarnation = opts->incarnation ? opts->incarnation : 1,
        .host = opts->host ? opts->host : NODE_SUPERVISOR,
        .node_address = self->address,
        .endpoints = { self->local, opts->run_dir ? self->remote : NULL },
        .registry = opts->registry,
        .stats = &self->stats,
        .resolve = node_resolve,
        .subscribers = node_subscribers,
    };
    int r = actor_open(&self->actor, opts->loop, &actor_opts);
    if (r < 0) {
        node_close(self);
        *ret_node = self; /* the caller frees it after the closes */
        return r;
    }
    if (opts->has_supervisor && opts->host) {
        hello_send(self);
    }
    *ret_node = self;
    return 0;
}

void node_close(struct node *self)
{
    actor_close(&self->actor);
}

bool node_is_closed(const struct node *self)
{
    return self->actor.handles_open == 0;
}

void node_free(struct node **node_p)
{
    struct node *self = TAKE(*node_p);

    if (!self) {
        return;
    }
    directory_deinit(&self->directory);
    while (self->spawns) {
        spawn_record_drop(self, self->spawns->address);
    }
    free(self);
}

struct actor *node_actor(struct node *self)
{
    return &self->actor;
}

const struct directory *node_directory(const struct node *self)
{
    return &self->directory;
}
