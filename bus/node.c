/*
 * node
 *
 * Accepts    bus.resolve bus.topic bus.subscribe bus.unsubscribe bus.watch bus.state
 *            bus.exit bus.spawn bus.despawn bus.restart bus.hello bus.sync
 *            bus.host_down bus.silent bus.blame bus.stop bus.rebind bus.tap
 * Answers    bus.actors bus.links bus.settle bus.listen bus.operate
 * On restart of its process the directory is empty; the other nodes sync it again.
 */
#include "bus/node.h"

#include <stdio.h>
#include <unistd.h>

#include "bus/base/mem.h"
#include "bus/node_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

void node_endpoint(const char *run_dir, const char *host, char *out, size_t cap)
{
    if (host) {
        (void)snprintf(out, cap, "ipc://%s/host-%s.sock", run_dir, host); /* run_dir is short; see process */
    } else {
        (void)snprintf(out, cap, "ipc://%s/supervisor.sock", run_dir);
    }
}

void node_supervisor_endpoint(const struct node *self, char *out, size_t cap)
{
    if (self->opts.trunk) {
        (void)snprintf(out, cap, "%s", self->opts.trunk);
    } else {
        node_endpoint(self->opts.run_dir, NULL, out, cap);
    }
}

void node_host_endpoint(const struct node *self, const char *host, char *out, size_t cap)
{
    const char *way = self->opts.on_way ? self->opts.on_way(self->opts.arg, host) : NULL;

    if (way) {
        (void)snprintf(out, cap, "%s", way);
    } else {
        node_endpoint(self->opts.run_dir, host, out, cap);
    }
}

struct span node_text_in(struct actor_ctx *ctx, const char *key, size_t limit)
{
    struct span text = value_str(value_get(actor_ctx_body(ctx), key), (struct span){ "", 0 });

    return text.len < limit ? text : (struct span){ "", 0 };
}

/* --- how local actors are --------------------------------------------------------------------------- */

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
                           (int)value_i64(value_get(actor_ctx_body(ctx), "fault"), 0), node_text_in(ctx, "place", 256));
    }
    return 0;
}

/* --- what operators ask ----------------------------------------------------------------------------- */

/* What this process costs; 0 where the system does not say. */
static void use_pack(struct pack *pack)
{
    size_t rss = 0;
    uv_rusage_t use = { 0 };

    (void)uv_resident_set_memory(&rss);
    (void)uv_getrusage(&use);
    pack_kv_u64(pack, "rssBytes", rss);
    pack_kv_f64(pack, "cpuSeconds",
                (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
}

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
    use_pack(&pack);
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
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct tap_wish wish = { .endpoint = node_text_in(ctx, "endpoint", TAP_ENDPOINT_MAX),
                             .filter = node_text_in(ctx, "filter", TAP_FILTER_TEXT_MAX + 1),
                             .with_bodies = value_bool(value_get(actor_ctx_body(ctx), "bodies"), false),
                             .with_times = value_bool(value_get(actor_ctx_body(ctx), "times"), false),
                             .with_sessions = value_bool(value_get(actor_ctx_body(ctx), "sessions"), false) };
    bool is_on = value_bool(value_get(actor_ctx_body(ctx), "on"), true);
    static const struct span empty_map = { "\x80", 1 };

    char local[TAP_ENDPOINT_MAX];
    struct span endpoint = wish.endpoint;
    int r = 0;

    (void)arg;
    (void)msg;
    if (self->opts.on_tap) {
        r = self->opts.on_tap(self->opts.arg, wish.endpoint, is_on, local);
        wish.endpoint = r ? wish.endpoint : span_from(local);
    }
    if (r == 0) {
        r = is_on ? tap_attach(&wish) : tap_detach(wish.endpoint);
    }
    if (r < 0) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "this process has no room for a tap");
    }
    if (r == TAP_E_FILTER) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "endpoint or filter of the tap are not understood");
    }
    if (r == TAP_E_FULL) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "%d taps are attached; detach one first", TAP_WATCHERS_MAX);
    }
    log_info(is_on ? "tap_attached" : "tap_detached", "endpoint=%.*s bodies=%d", SPAN_FMT(endpoint), wish.with_bodies);
    return actor_reply_span(ctx, empty_map);
}

static int on_operate(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));

    (void)arg;
    (void)msg;
    if (!self->opts.on_operate) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "it is the supervisor who is asked that");
    }
    return self->opts.on_operate(self->opts.arg, ctx);
}

/* --- routes ----------------------------------------------------------------------------------------- */

static const struct actor_route node_routes[] = {
    { &wire_resolve, node_directory_on_resolve, ACTOR_RAW },
    { &wire_topic, node_directory_on_topic, ACTOR_RAW },
    { &wire_subscribe, node_directory_on_subscribe, ACTOR_RAW },
    { &wire_unsubscribe, node_directory_on_unsubscribe, ACTOR_RAW },
    { &wire_watch, node_directory_on_watch, ACTOR_RAW },
    { &wire_state, on_state, ACTOR_RAW },
    { &wire_exit, on_exit_word, ACTOR_RAW },
    { &wire_spawn, node_spawn_on_spawn, ACTOR_RAW },
    { &wire_despawn, node_spawn_on_despawn, ACTOR_RAW },
    { &wire_restart, node_spawn_on_restart, ACTOR_RAW },
    { &wire_hello, node_host_on_hello, ACTOR_RAW },
    { &wire_sync, node_directory_on_sync, ACTOR_RAW },
    { &wire_host_down, node_host_on_down, ACTOR_RAW },
    { &wire_silent, node_host_on_silent, ACTOR_RAW },
    { &wire_blame, node_blame_on_blame, ACTOR_RAW },
    { &wire_stop, node_host_on_stop, ACTOR_RAW },
    { &wire_rebind, node_host_on_rebind, ACTOR_RAW },
    { &wire_actors, on_actors, ACTOR_RAW },
    { &wire_tap, on_tap, ACTOR_RAW },
    { &wire_links, node_links_on_links, ACTOR_RAW },
    { &wire_settle, node_settle_on_settle, ACTOR_RAW },
    { &wire_listen, node_listen_on_listen, ACTOR_RAW },
    { &wire_operate, on_operate, ACTOR_RAW },
};

static const struct actor_def node_def = {
    .name = "node",
    .routes = node_routes,
    .routes_n = ARRAY_LEN(node_routes),
    .is_ready_late = true, /* nobody supervises it but its process */
};

/* --- life ------------------------------------------------------------------------------------------- */

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
        .pulse = opts->pulse,
        .resolve = node_directory_resolve,
        .subscribers = node_directory_subscribers,
    };
    int r = actor_open(&self->actor, opts->loop, &actor_opts);
    if (r < 0) {
        node_close(self);
        *ret_node = self; /* the caller frees it after the closes */
        return r;
    }
    if (opts->has_supervisor && opts->host) {
        node_host_hello(self);
    }
    *ret_node = self;
    return 0;
}

void node_close(struct node *self)
{
    actor_close(&self->actor);
}

void node_free(struct node **node_p)
{
    struct node *self = TAKE(*node_p);

    if (!self) {
        return;
    }
    directory_deinit(&self->directory);
    node_spawn_deinit(self);
    node_settle_deinit(self);
    node_listen_deinit(self);
    node_links_deinit(self);
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

const char *node_address(const struct node *self)
{
    return self->address;
}

const char *node_local(const struct node *self)
{
    return self->local;
}
