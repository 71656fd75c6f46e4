/*
 * node_spawn: actors that are to run, to end or to start again. The supervisor alone knows of all hosts, as some come
 * and go: who asks, asks it, and it hands on to the node of the host that has the actor's place. It remembers what it
 * has handed on, for a host that comes back.
 */
#include <stdio.h>

#include "bus/base/mem.h"
#include "bus/node_internal.h"
#include "bus/topology.h"
#include "bus/value.h"
#include "bus/wire.h"

/* A spawn that the supervisor repeats when the host comes back. */
struct spawn_record {
    struct spawn_record *next;
    char address[ACTOR_ADDRESS_MAX];
    char def[32];
    char host[DIRECTORY_HOST_MAX]; /* that has its place */
    char from[ACTOR_ADDRESS_MAX];  /* the node of whoever asked for it, which asks again when its own process comes back
                                    */
    char *arg;
};

static struct spawn_record **spawn_slot(struct node *self, struct span address)
{
    struct spawn_record **at = &self->spawns;

    while (*at && !span_is_text(address, (*at)->address)) {
        at = &(*at)->next;
    }
    return at;
}

static void spawn_record_set(struct node *self, const char *address, const char *def, struct span arg, struct span from)
{
    struct spawn_record **at = spawn_slot(self, span_from(address));
    const struct topology_host *host = topology_place(self->opts.topology, address);

    if (!*at) {
        *at = mem_new(sizeof(**at));
        (void)snprintf((*at)->address, sizeof((*at)->address), "%s", address);
    }
    (void)snprintf((*at)->def, sizeof((*at)->def), "%s", def);
    (void)snprintf((*at)->host, sizeof((*at)->host), "%s", host ? host->name : "");
    (void)snprintf((*at)->from, sizeof((*at)->from), "%.*s", SPAN_FMT(from));
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

/* Where `address` is to run: NULL here, else the next node on the way. Empty when nowhere. A host on another machine
 * places nothing (trunk_words.c); what it has itself it knows. */
static const char *way_to(struct node *self, struct span from, const char *address, char *out, size_t cap)
{
    const struct topology_host *host = topology_place(self->opts.topology, address);
    bool is_asked = !node_is_supervisor(self) && self->opts.has_supervisor && !self->opts.trunk;

    if (!node_is_supervisor(self) && span_is_text(from, NODE_SUPERVISOR)) {
        return NULL;
    }
    if (is_asked) {
        return NODE_SUPERVISOR;
    }
    if (!host) {
        return "";
    }
    if (self->opts.host && strcmp(host->name, self->opts.host) == 0) {
        return NULL;
    }
    if (!node_is_supervisor(self)) {
        return NODE_SUPERVISOR;
    }
    (void)snprintf(out, cap, "host/%s", host->name);
    return out;
}

int node_spawn_on_spawn(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct span spawn_arg = node_text_in(ctx, "arg", 65536);
    char address[ACTOR_ADDRESS_MAX];
    char def[32];
    char hop[ACTOR_ADDRESS_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(node_text_in(ctx, "address", ACTOR_ADDRESS_MAX)));
    (void)snprintf(def, sizeof(def), "%.*s", SPAN_FMT(node_text_in(ctx, "def", sizeof(def))));
    const char *to = way_to(self, actor_ctx_from(ctx), address, hop, sizeof(hop));
    if (!address[0] || !def[0] || (to && !to[0])) {
        log_error("spawn_refused", "actor=%s def=%s why=\"the topology places it nowhere\"", address, def);
        return FAIL_INVALID_REQUEST;
    }
    if (node_is_supervisor(self)) {
        spawn_record_set(self, address, def, spawn_arg, actor_ctx_from(ctx));
        if (to) {
            node_host_expect(self, address, to + sizeof("host/") - 1);
        }
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

int node_spawn_on_despawn(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char address[ACTOR_ADDRESS_MAX];
    char hop[ACTOR_ADDRESS_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(node_text_in(ctx, "address", ACTOR_ADDRESS_MAX)));
    spawn_record_drop(self, address);
    if (node_is_supervisor(self)) {
        node_host_unexpect(self, address);
    }
    const char *to = way_to(self, actor_ctx_from(ctx), address, hop, sizeof(hop));
    if (to && to[0]) {
        return actor_cast_span(&self->actor, to, &wire_despawn, actor_ctx_body(ctx), ctx);
    }
    if (!to && self->opts.on_despawn) {
        self->opts.on_despawn(self->opts.arg, address);
    }
    return 0;
}

int node_spawn_on_restart(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    char address[ACTOR_ADDRESS_MAX];
    char hop[ACTOR_ADDRESS_MAX];

    (void)arg;
    (void)msg;
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(node_text_in(ctx, "address", ACTOR_ADDRESS_MAX)));
    const char *to = way_to(self, actor_ctx_from(ctx), address, hop, sizeof(hop));
    if (to && to[0]) {
        return actor_cast_span(&self->actor, to, &wire_restart, actor_ctx_body(ctx), ctx);
    }
    if (!to && self->opts.on_restart) {
        (void)self->opts.on_restart(self->opts.arg, address);
    }
    return 0;
}

static void record_tell(struct node *self, const struct spawn_record *record)
{
    struct pack pack;
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "host/%s", record->host);
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "address", record->address);
    pack_kv_text(&pack, "def", record->def);
    pack_kv_text(&pack, "arg", record->arg);
    pack_map_end(&pack);
    node_tell_cast(self, to, &wire_spawn, &pack);
    pack_deinit(&pack);
}

void node_spawn_repeat(struct node *self, const char *host)
{
    char node[ACTOR_ADDRESS_MAX];

    (void)snprintf(node, sizeof(node), "host/%s", host);
    for (struct spawn_record *at = self->spawns; at; at = at->next) {
        if (strcmp(at->host, host) == 0 && strcmp(at->from, node) != 0) {
            record_tell(self, at);
        }
    }
}

void node_places_changed(struct node *self, const char *host)
{
    for (struct spawn_record *at = self->spawns; at; at = at->next) {
        const struct topology_host *place = topology_place(self->opts.topology, at->address);

        if (strcmp(at->host, host) != 0 || !place || strcmp(place->name, host) == 0) {
            continue;
        }
        (void)snprintf(at->host, sizeof(at->host), "%s", place->name);
        log_info("actor_moved", "actor=%s from=%s host=%s", at->address, host, place->name);
        node_host_expect(self, at->address, at->host);
        record_tell(self, at); /* or, while it is not there, when it comes */
    }
}

bool node_placed_find(const struct node *self, bool (*is_it)(void *arg, const struct node_placed *at), void *arg,
                      struct node_placed *ret_placed)
{
    for (const struct spawn_record *at = self->spawns; at; at = at->next) {
        *ret_placed = (struct node_placed){ at->address, at->host };
        if (is_it(arg, ret_placed)) {
            return true;
        }
    }
    for (const struct directory_entry *at = self->directory.entries; at; at = at->next) {
        *ret_placed = (struct node_placed){ at->address, at->host };
        if (at->is_up && is_it(arg, ret_placed)) {
            return true;
        }
    }
    return false;
}

void node_spawn_deinit(struct node *self)
{
    while (self->spawns) {
        spawn_record_drop(self, self->spawns->address);
    }
}
