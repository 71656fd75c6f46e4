/*
 * A host with config, router, the agents that the config names, health, webchat and a
 * driver in place of the edge, that does what its standard input says. One JSON object
 * per line:
 *
 *   {"id": 1, "to": "router", "method": "chat.send", "params": {…}, "window": 65536, "deadline": 1000}
 *   {"cancel": 1}
 *   {"cast": "presence_join", "to": "health", "params": {…}}
 *   {"restart": "router"}
 *
 * It prints {"id", "chunk", "body"}, {"id", "ok", "body"} or {"id", "ok", "code", "message", …},
 * {"event", "body"} of topics and {"life", "state"} of actors. The end of the input stops it.
 * An agent whose id begins with "bad" cannot start; one with "deaf" starts and then hangs for ever.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/agent/agent.h"
#include "actors/channel/channel.h"
#include "actors/config/config.h"
#include "actors/health/health.h"
#include "actors/router/router.h"
#include "bus/host.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema_gen.h"

#define CALLS_MAX 65536
#define NOTHING ((struct span){ 0 })

struct driver {
    struct actor *actor;
    uv_pipe_t in;
    struct text_buf line;
    uint64_t calls[CALLS_MAX]; /* by the id of the test */
};

static void print(struct pack *pack)
{
    struct text_buf text = { 0 };

    pack_map_end(pack);
    if (pack_error(pack) || json_from_value(pack_span(pack), &text)) {
        (void)fprintf(stderr, "rig: an answer cannot be printed\n");
        abort();
    }
    (void)printf("%.*s\n", (int)text.len, text.data);
    (void)fflush(stdout);
    text_buf_deinit(&text);
    pack_deinit(pack);
}

static void open_map(struct pack *pack)
{
    pack_init(pack, 0);
    pack_map_begin(pack);
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct pack pack;

    (void)state;
    (void)actor;
    open_map(&pack);
    pack_kv_i64(&pack, "id", (int64_t)(intptr_t)cookie);
    pack_kv_bool(&pack, "ok", !answer->failure);
    pack_kv_str(&pack, "from", answer->from);
    if (answer->failure) {
        pack_kv_i64(&pack, "code", answer->failure->code);
        pack_kv_str(&pack, "message", answer->failure->message);
        pack_kv_bool(&pack, "retryable", answer->failure->retryable);
    } else {
        pack_kv_raw(&pack, "body", answer->body);
    }
    print(&pack);
}

static void on_chunk(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct driver *self = state;
    struct pack pack;

    (void)msg;
    open_map(&pack);
    pack_kv_i64(&pack, "id", (int64_t)(intptr_t)cookie);
    pack_kv_text(&pack, "chunk", schema->name);
    pack_kv_raw(&pack, "body", body);
    print(&pack);
    actor_call_grant(actor, self->calls[(intptr_t)cookie], (uint32_t)body.len);
}

static const struct schema_msg *message_of(struct span name)
{
    const struct schema_msg *msg = schema_find(&schema_registry, name);

    if (!msg) {
        (void)fprintf(stderr, "rig: no message %.*s\n", SPAN_FMT(name));
        abort();
    }
    return msg;
}

static void call_make(struct driver *self, struct span root, const char *to)
{
    int64_t id = value_i64(value_get(root, "id"), -1);
    struct actor_call call = { .to = to,
                               .msg = message_of(value_str(value_get(root, "method"), NOTHING)),
                               .body = value_get(root, "params"),
                               .deadline_ms = (uint32_t)value_i64(value_get(root, "deadline"), 20000),
                               .on_answer = on_answer,
                               .on_chunk = on_chunk,
                               .window_bytes = (uint32_t)value_i64(value_get(root, "window"), 0),
                               .cookie = (void *)(intptr_t)id };

    if (id < 0 || id >= CALLS_MAX || actor_call(self->actor, &call, &self->calls[id])) {
        abort();
    }
}

static void command_do(struct driver *self, struct span root)
{
    struct span to_text = value_str(value_get(root, "to"), SPAN_LIT("router"));
    struct span restart = value_str(value_get(root, "restart"), NOTHING);
    char to[ACTOR_ADDRESS_MAX];

    (void)snprintf(to, sizeof(to), "%.*s", SPAN_FMT(restart.len ? restart : to_text));
    if (restart.len) {
        (void)actor_restart(self->actor, to);
    } else if (value_get(root, "method").len) {
        call_make(self, root, to);
    } else if (value_get(root, "cast").len) {
        (void)actor_cast_span(self->actor, to, message_of(value_str(value_get(root, "cast"), NOTHING)),
                              value_get(root, "params"), NULL);
    } else {
        actor_call_cancel(self->actor, self->calls[value_i64(value_get(root, "cancel"), 0) % CALLS_MAX]);
    }
}

static void line_do(struct driver *self, struct span line)
{
    struct json_opts opts = { 0 };
    struct json_error error;
    struct pack pack;

    pack_init(&pack, 0);
    if (json_to_pack(line, &opts, &pack, &error)) {
        (void)fprintf(stderr, "rig: not JSON: %.*s\n", SPAN_FMT(line));
        abort();
    }
    command_do(self, pack_span(&pack));
    pack_deinit(&pack);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(malloc(size), (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct driver *self = stream->data;
    const char *end;

    if (n < 0) {
        (void)kill(getpid(), SIGTERM);
        (void)uv_read_stop(stream);
    } else if (text_buf_add(&self->line, (struct span){ buf->base, (size_t)n })) {
        abort();
    }
    free(buf->base);
    while (self->line.len && (end = memchr(self->line.data, '\n', self->line.len))) {
        size_t len = (size_t)(end - self->line.data);

        line_do(self, (struct span){ self->line.data, len });
        memmove(self->line.data, end + 1, self->line.len - len - 1);
        self->line.len -= len + 1;
    }
}

static int on_event(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct pack pack;

    (void)state;
    (void)msg;
    open_map(&pack);
    pack_kv_text(&pack, "event", actor_ctx_msg(ctx)->name);
    pack_kv_raw(&pack, "body", actor_ctx_body(ctx));
    print(&pack);
    return 0;
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct pack pack;

    (void)state;
    (void)actor;
    open_map(&pack);
    pack_kv_str(&pack, "life", address);
    pack_kv_text(&pack, "state", actor_life_name(life));
    print(&pack);
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    (void)arg;
    self->actor = actor;
    (void)uv_pipe_init(actor_loop(actor), &self->in, 0);
    self->in.data = self;
    if (uv_pipe_open(&self->in, STDIN_FILENO) || actor_watch(actor, "*", on_life)) {
        return FAULT(-EIO);
    }
    return uv_read_start((uv_stream_t *)&self->in, on_alloc, on_read);
}

static void driver_deinit(void *state, struct actor *actor)
{
    struct driver *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->in, NULL);
    text_buf_deinit(&self->line);
}

static const struct actor_route topics[] = {
    { .msg = EVENT_CHAT, .on = on_event },          { .msg = EVENT_PRESENCE, .on = on_event },
    { .msg = EVENT_HEALTH, .on = on_event },        { .msg = MSG_CLIENTS_CHANGED, .on = on_event },
    { .msg = MSG_CHANNEL_CHANGED, .on = on_event }, { .msg = MSG_ROUTER_AGENTS_CHANGED, .on = on_event },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .topics = topics,
    .topics_n = ARRAY_LEN(topics),
    .init = driver_init,
    .deinit = driver_deinit,
};

/* In place of the one that decides who may connect: health wants to see it ready. */
static const struct actor_def auth_stand_in = { .name = "auth" };

static int bad_init(void *state, struct actor *actor, const char *arg)
{
    (void)state;
    (void)actor;
    (void)arg;
    return FAULT(-EIO);
}

static void on_deaf(uv_timer_t *timer)
{
    (void)timer;
    for (;;) {
        (void)pause();
    }
}

/* Ready like any other, and then never back in its loop. */
static int deaf_init(void *state, struct actor *actor, const char *arg)
{
    static uv_timer_t timer; /* there is one such agent, and it never ends */
    int r = agent_actor.init(state, actor, arg);

    r = r ? r : uv_timer_init(actor_loop(actor), &timer);
    return r ? r : uv_timer_start(&timer, on_deaf, 200, 0);
}

static int agent_init(void *state, struct actor *actor, const char *arg)
{
    if (strncmp(arg, "deaf", 4) == 0) {
        return deaf_init(state, actor, arg);
    }
    return strncmp(arg, "bad", 3) == 0 ? bad_init(state, actor, arg) : agent_actor.init(state, actor, arg);
}

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    if (strncmp(address, "agent/", 6) == 0) {
        *ret_arg = address + 6;
        return "agent";
    }
    return strcmp(address, "edge/0") == 0 ? "driver" : strcmp(address, "channel/webchat") == 0 ? "webchat" : address;
}

static void on_ready(void *arg)
{
    (void)arg;
    (void)printf("{\"ready\":true}\n");
    (void)fflush(stdout);
}

int main(void)
{
    static const char text[] = "{ hosts: { main: { actors: [\"edge/0\", \"config\", \"auth\", \"health\", \"router\","
                               " \"channel/webchat\", \"agent/*\"] } } }";
    struct actor_def agent = agent_actor;
    const struct actor_def *defs[] = { &config_actor, &auth_stand_in, &health_actor, &router_actor,
                                       &agent,        &webchat_actor, &driver_actor, NULL };
    struct topology topology;
    struct topology_error error;
    struct host_opts opts = { .name = "main",
                              .topology = &topology,
                              .defs = defs,
                              .registry = &schema_registry,
                              .def_of = def_of,
                              .incarnation = 1,
                              .on_ready = on_ready };
    int rc;

    agent.init = agent_init;
    if (topology_parse(span_from(text), &topology, &error)) {
        (void)fprintf(stderr, "rig: %s\n", error.text);
        return 2;
    }
    rc = host_run(&opts);
    topology_deinit(&topology);
    return rc ? 1 : 0;
}
