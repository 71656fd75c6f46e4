/*
 * A host with config, agent/main and a driver that does what its standard input says, so
 * that tests talk to the agent over the real bus without an edge. One JSON object per
 * line:
 *
 *   {"id": 1, "to": "agent/main", "method": "chat.send", "params": {…}, "window": 65536}
 *   {"id": 1, "grant": 65536}     {"id": 1, "cancel": true}
 *
 * It prints {"id", "chunk", "body"}, {"id", "ok", "body"} or {"id", "ok", "code", "message", …},
 * and {"event", "body"} of every topic of the agent. The end of the input stops it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/agent/agent.h"
#include "actors/config/config.h"
#include "bus/codec.h"
#include "bus/host.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema_gen.h"

#define CALLS_MAX 65536

struct driver {
    struct actor *actor;
    uv_pipe_t in;
    struct text_buf line;
    uint64_t calls[CALLS_MAX]; /* by the id of the test */
};

struct cookie {
    int64_t id;
    uint64_t auto_grant;
};

static void print(struct pack *pack)
{
    struct text_buf text = { 0 };

    if (pack_error(pack) || json_from_value(pack_span(pack), &text)) {
        (void)fprintf(stderr, "rig: an answer cannot be printed\n");
        abort();
    }
    (void)printf("%.*s\n", (int)text.len, text.data);
    (void)fflush(stdout);
    text_buf_deinit(&text);
    pack_deinit(pack);
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct cookie *call = cookie;
    struct pack pack;

    (void)state;
    (void)actor;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "id", call->id);
    pack_kv_bool(&pack, "ok", !answer->failure);
    if (answer->failure) {
        pack_kv_i64(&pack, "code", answer->failure->code);
        pack_kv_str(&pack, "message", answer->failure->message);
        pack_kv_bool(&pack, "retryable", answer->failure->retryable);
        pack_kv_i64(&pack, "retryAfterMs", answer->failure->retry_after_ms);
        if (answer->failure->details.len) {
            pack_kv_raw(&pack, "details", answer->failure->details);
        }
    } else {
        pack_kv_raw(&pack, "body", answer->body);
    }
    pack_map_end(&pack);
    print(&pack);
    free(call);
}

static void on_chunk(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct driver *self = state;
    struct cookie *call = cookie;
    struct pack pack;

    (void)msg;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "id", call->id);
    pack_kv_text(&pack, "chunk", schema->name);
    pack_kv_raw(&pack, "body", body);
    pack_map_end(&pack);
    print(&pack);
    if (call->auto_grant) {
        actor_call_grant(actor, self->calls[call->id], (uint32_t)body.len);
    }
}

static void call_make(struct driver *self, int64_t id, struct span root)
{
    struct span method = value_str(value_get(root, "method"), SPAN_LIT(""));
    struct span to = value_str(value_get(root, "to"), SPAN_LIT("agent/main"));
    const struct schema_msg *msg = schema_find(&schema_registry, method);
    struct cookie *cookie = calloc(1, sizeof(*cookie));
    char address[ACTOR_ADDRESS_MAX];
    struct actor_call call = { .to = address,
                               .msg = msg,
                               .body = value_get(root, "params"),
                               .deadline_ms = (uint32_t)value_i64(value_get(root, "deadline"), 60000),
                               .on_answer = on_answer,
                               .on_chunk = on_chunk,
                               .window_bytes = (uint32_t)value_i64(value_get(root, "window"), 0),
                               .cookie = cookie };

    if (!msg || !cookie) {
        (void)fprintf(stderr, "rig: no message %.*s\n", SPAN_FMT(method));
        abort();
    }
    if (msg->kind == SCHEMA_MSG_CAST) {
        (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(to));
        if (actor_cast_span(self->actor, address, msg, call.body, NULL)) {
            abort();
        }
        free(cookie);
        return;
    }
    cookie->id = id;
    cookie->auto_grant = value_bool(value_get(root, "grants"), true);
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(to));
    if (actor_call(self->actor, &call, &self->calls[id])) {
        abort();
    }
}

static void line_do(struct driver *self, struct span line)
{
    struct json_opts opts = { 0 };
    struct json_error error;
    struct pack pack;
    struct span root;
    int64_t id;

    pack_init(&pack, 0);
    if (json_to_pack(line, &opts, &pack, &error)) {
        (void)fprintf(stderr, "rig: not JSON: %.*s\n", SPAN_FMT(line));
        abort();
    }
    root = pack_span(&pack);
    id = value_i64(value_get(root, "id"), 0);
    if (id < 0 || id >= CALLS_MAX) {
        abort();
    }
    if (value_get(root, "method").len) {
        call_make(self, id, root);
    } else if (value_get(root, "cancel").len) {
        actor_call_cancel(self->actor, self->calls[id]);
    } else {
        actor_call_grant(self->actor, self->calls[id], (uint32_t)value_i64(value_get(root, "grant"), 0));
    }
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
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "event", actor_ctx_msg(ctx)->name);
    pack_kv_raw(&pack, "body", actor_ctx_body(ctx));
    pack_map_end(&pack);
    print(&pack);
    return 0;
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    (void)arg;
    self->actor = actor;
    (void)uv_pipe_init(actor_loop(actor), &self->in, 0);
    self->in.data = self;
    if (uv_pipe_open(&self->in, STDIN_FILENO)) {
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
    { .msg = EVENT_AGENT, .on = on_event },
    { .msg = EVENT_CHAT, .on = on_event },
    { .msg = EVENT_SESSION_MESSAGE, .on = on_event },
    { .msg = EVENT_SESSIONS_CHANGED, .on = on_event },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .topics = topics,
    .topics_n = ARRAY_LEN(topics),
    .init = driver_init,
    .deinit = driver_deinit,
};

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return strncmp(address, "agent/", 6) == 0 ? "agent" : address;
}

static void on_ready(void *arg)
{
    (void)arg;
    (void)printf("{\"ready\":true}\n");
    (void)fflush(stdout);
}

int main(void)
{
    static const struct actor_def *const defs[] = { &config_actor, &agent_actor, &driver_actor, NULL };
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

    if (topology_parse(span_from("{ hosts: { main: { actors: [\"config\", \"driver\", \"agent/main\"] } } }"),
                       &topology, &error)) {
        (void)fprintf(stderr, "rig: %s\n", error.text);
        return 2;
    }
    rc = host_run(&opts);
    topology_deinit(&topology);
    return rc ? 1 : 0;
}
