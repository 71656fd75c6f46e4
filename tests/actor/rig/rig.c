#include "tests/actor/rig/rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/fault.h"
#include "bus/value.h"
#include "schema_gen.h"

#define DEADLINE_MS 60000
#define NOTHING ((struct span){ 0 })

static _Noreturn void die(const char *what, struct span about)
{
    (void)fprintf(stderr, "rig: %s: %.*s\n", what, SPAN_FMT(about));
    abort();
}

/* --- printing -------------------------------------------------------------------------- */

static void line_print(struct span text)
{
    (void)printf("%.*s\n", SPAN_FMT(text));
    (void)fflush(stdout);
}

void rig_map_begin(struct pack *out)
{
    pack_init(out, 0);
    pack_map_begin(out);
}

void rig_print(struct pack *out)
{
    struct text_buf text = { 0 };

    pack_map_end(out);
    if (pack_error(out) || json_from_value(pack_span(out), &text)) {
        die("cannot be printed", NOTHING);
    }
    line_print((struct span){ text.data, text.len });
    text_buf_deinit(&text);
    pack_deinit(out);
}

void rig_print_body(const char *key, const char *name, struct span body)
{
    struct pack out;

    rig_map_begin(&out);
    pack_kv_text(&out, key, name);
    pack_kv_raw(&out, "body", body);
    rig_print(&out);
}

int rig_on_event(void *state, struct actor_ctx *ctx, const void *msg)
{
    (void)state;
    (void)msg;
    rig_print_body("event", actor_ctx_msg(ctx)->name, actor_ctx_body(ctx));
    return 0;
}

/* --- calls ------------------------------------------------------------------------------- */

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct pack out;

    (void)state;
    (void)actor;
    rig_map_begin(&out);
    pack_kv_i64(&out, "id", (int64_t)(intptr_t)cookie);
    pack_kv_bool(&out, "ok", !answer->failure);
    pack_kv_str(&out, "from", answer->from);
    if (answer->failure) {
        pack_kv_i64(&out, "code", answer->failure->code);
        pack_kv_str(&out, "message", answer->failure->message);
        pack_kv_bool(&out, "retryable", answer->failure->retryable);
        pack_kv_i64(&out, "retryAfterMs", answer->failure->retry_after_ms);
        if (answer->failure->details.len) {
            pack_kv_raw(&out, "details", answer->failure->details);
        }
    } else {
        pack_kv_raw(&out, "body", answer->body);
    }
    rig_print(&out);
}

static void on_chunk(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct rig *self = state;
    intptr_t id = (intptr_t)cookie;
    struct pack out;

    (void)msg;
    rig_map_begin(&out);
    pack_kv_i64(&out, "id", id);
    pack_kv_text(&out, "chunk", schema->name);
    pack_kv_raw(&out, "body", body);
    rig_print(&out);
    if (!self->is_held[id]) {
        actor_call_grant(actor, self->calls[id], (uint32_t)body.len);
    }
}

const struct schema_msg *rig_message(struct span name)
{
    const struct schema_msg *msg = schema_find(&schema_registry, name);

    return msg ? msg : (die("there is no such message", name), NULL);
}

static void message_send(struct rig *self, struct span order, int64_t id)
{
    struct span to = value_str(value_get(order, "to"), NOTHING);
    char address[ACTOR_ADDRESS_MAX];
    struct actor_call call = { .to = address,
                               .msg = rig_message(value_str(value_get(order, "method"), NOTHING)),
                               .body = value_get(order, "params"),
                               .deadline_ms = (uint32_t)value_i64(value_get(order, "deadline"), DEADLINE_MS),
                               .on_answer = on_answer,
                               .on_chunk = on_chunk,
                               .window_bytes = (uint32_t)value_i64(value_get(order, "window"), 0),
                               .cookie = (void *)(intptr_t)id };

    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(to));
    self->is_held[id] = !value_bool(value_get(order, "grants"), true);
    if (call.msg->kind == SCHEMA_MSG_CAST ? actor_cast_span(self->actor, address, call.msg, call.body, NULL)
                                          : actor_call(self->actor, &call, &self->calls[id])) {
        die("cannot be sent", order);
    }
}

/* --- orders ------------------------------------------------------------------------------- */

static void order_do(struct rig *self, struct span order)
{
    int64_t id = value_i64(value_get(order, "id"), 0);
    struct span restart = value_str(value_get(order, "restart"), NOTHING);
    char address[ACTOR_ADDRESS_MAX];

    if (id < 0 || id >= RIG_CALLS_MAX) {
        die("too many calls", order);
    }
    if (self->on_order && self->on_order(self, order)) {
        return;
    }
    if (restart.len) {
        (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(restart));
        (void)actor_restart(self->actor, address); /* one that is not there is missed by the test */
    } else if (value_get(order, "method").len) {
        message_send(self, order, id);
    } else if (value_get(order, "cancel").len) {
        actor_call_cancel(self->actor, self->calls[id]);
    } else {
        actor_call_grant(self->actor, self->calls[id], (uint32_t)value_i64(value_get(order, "grant"), 0));
    }
}

static void line_do(struct rig *self, struct span line)
{
    struct json_opts opts = { 0 };
    struct json_error error;
    struct pack pack;

    pack_init(&pack, 0);
    if (json_to_pack(line, &opts, &pack, &error)) {
        die("not JSON", line);
    }
    order_do(self, pack_span(&pack));
    pack_deinit(&pack);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(malloc(size), (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct rig *self = stream->data;
    const char *end;

    if (n < 0) {
        (void)kill(getpid(), SIGTERM);
        (void)uv_read_stop(stream);
    } else if (text_buf_add(&self->line, (struct span){ buf->base, (size_t)n })) {
        die("out of memory", NOTHING);
    }
    free(buf->base);
    while (self->line.len && (end = memchr(self->line.data, '\n', self->line.len))) {
        size_t len = (size_t)(end - self->line.data);

        line_do(self, (struct span){ self->line.data, len });
        memmove(self->line.data, end + 1, self->line.len - len - 1);
        self->line.len -= len + 1;
    }
}

/* --- life ------------------------------------------------------------------------------------ */

int rig_init(void *state, struct actor *actor, const char *arg)
{
    struct rig *self = state;

    (void)arg;
    self->actor = actor;
    (void)uv_pipe_init(actor_loop(actor), &self->in, 0);
    self->in.data = self;
    if (uv_pipe_open(&self->in, STDIN_FILENO)) {
        return FAULT(-EIO);
    }
    return uv_read_start((uv_stream_t *)&self->in, on_alloc, on_read);
}

void rig_deinit(void *state, struct actor *actor)
{
    struct rig *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->in, NULL);
    text_buf_deinit(&self->line);
}

static void on_ready(void *arg)
{
    (void)arg;
    line_print(SPAN_LIT("{\"ready\":true}"));
}

int rig_run(const char *addresses, const struct actor_def *const *defs,
            const char *(*def_of)(const char *address, const char **ret_arg))
{
    char text[1024];
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

    (void)snprintf(text, sizeof(text), "{ hosts: { main: { actors: %s } } }", addresses);
    if (topology_parse(span_from(text), &topology, &error)) {
        die(error.text, NOTHING);
    }
    rc = host_run(&opts);
    topology_deinit(&topology);
    return rc ? 1 : 0;
}
