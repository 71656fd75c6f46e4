/*
 * A call that an operator makes by hand, of any actor, on behalf of nobody. What comes back
 * is redacted as the tap would. Each is logged before it is made.
 */
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/process_internal.h"
#include "bus/tap_subject.h"
#include "bus/value.h"

#define CALL_DEADLINE_MS 10000U
#define CALL_DEADLINE_MAX_MS 3600000U
#define CALL_CHUNKS_MAX 10000U

struct process_call {
    struct process_call *next;
    struct process *process;
    uint64_t ticket;
    const struct schema_msg *msg;
    struct trace_id trace;
    uint64_t began_ns;
    uint64_t id;        /* of the call */
    struct pack chunks; /* an open array */
    unsigned chunks_n;
};

static void call_free(struct process_call *call)
{
    pack_deinit(&call->chunks);
    free(call);
}

static void call_unlink(struct process_call *call)
{
    struct process_call **at = &call->process->calls;

    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
}

/* --- the answer ---------------------------------------------------------------------------- */

/* A body as anybody may see it. */
static void body_pack(const struct process_call *call, enum envelope_kind kind, struct span name, struct span body,
                      struct pack *out)
{
    struct envelope env = { .kind = kind, .name = name };
    const struct schema_msg *row = tap_subject_row(call->process->opts->registry, &env);

    if (!row) {
        pack_text(out, "[redacted]");
    } else if (body.len == 0 || codec_redact(row->type, body, out)) {
        pack_nil(out);
    }
}

static void failure_pack(const struct process_call *call, const struct failure *failure, struct pack *out)
{
    const char *name = failure_name(failure->code);

    pack_map_begin(out);
    pack_kv_i64(out, "code", failure->code);
    if (name) {
        pack_kv_text(out, "name", name);
    }
    pack_kv_str(out, "message", failure->message);
    pack_kv_bool(out, "retryable", failure->retryable);
    pack_kv_u64(out, "retryAfterMs", failure->retry_after_ms);
    if (failure->details.len) {
        pack_key(out, "details");
        body_pack(call, ENVELOPE_FAIL, (struct span){ "", 0 }, failure->details, out);
    }
    pack_map_end(out);
}

static void answer_pack(struct process_call *call, const struct actor_answer *answer, struct pack *out)
{
    char trace[TAP_TRACE_TEXT];

    tap_subject_trace(call->trace, trace);
    pack_map_begin(out);
    pack_kv_str(out, "from", answer->from);
    pack_kv_text(out, "trace", trace);
    pack_kv_f64(out, "latencyMs", (double)(clock_mono_ns() - call->began_ns) / 1e6);
    if (call->chunks_n) {
        pack_array_end(&call->chunks);
        pack_kv_raw(out, "chunks", pack_span(&call->chunks));
    }
    if (answer->failure) {
        pack_key(out, "failure");
        failure_pack(call, answer->failure, out);
    } else {
        pack_key(out, "reply");
        body_pack(call, ENVELOPE_REPLY, (struct span){ call->msg->name, call->msg->name_len }, answer->body, out);
    }
    pack_map_end(out);
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct process_call *call = cookie;
    CLEANUP(pack_deinit) struct pack out;

    (void)state;
    (void)actor;
    pack_init(&out, 0);
    answer_pack(call, answer, &out);
    if (pack_error(&out) || pack_error(&call->chunks)) {
        control_refuse(call->process->control, call->ticket, "INTERNAL", "the answer is too large");
    } else {
        control_answer(call->process->control, call->ticket, pack_span(&out));
    }
    call_unlink(call);
    call_free(call);
}

static void on_chunk(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct process_call *call = cookie;
    struct span name = schema ? (struct span){ schema->name, schema->name_len } : SPAN_LIT("");

    (void)state;
    (void)msg;
    if (call->chunks_n++ == 0) {
        pack_array_begin(&call->chunks);
    }
    if (call->chunks_n <= CALL_CHUNKS_MAX) {
        pack_map_begin(&call->chunks);
        pack_kv_str(&call->chunks, "name", name);
        pack_key(&call->chunks, "body");
        body_pack(call, ENVELOPE_CHUNK, name, body, &call->chunks);
        pack_map_end(&call->chunks);
    }
    actor_call_grant(actor, call->id, (uint32_t)body.len);
}

/* --- the request --------------------------------------------------------------------------- */

static uint32_t number_in(struct span body, const char *key, uint32_t fallback, uint32_t max)
{
    int64_t number = value_i64(value_get(body, key), fallback);

    return number < 0 ? fallback : number > max ? max : (uint32_t)number;
}

/* NULL when there is no such call; whoever asked has been told. */
static const struct schema_msg *msg_find(struct process *self, const struct control_request *request, struct span to)
{
    struct span method = value_str(value_get(request->body, "method"), (struct span){ "", 0 });
    const struct schema_msg *msg = schema_find(self->opts->registry, method);

    if (to.len >= ACTOR_ADDRESS_MAX || !directory_find(node_directory(self->node), to)) {
        control_refuse(self->control, request->ticket, "INVALID_REQUEST", "there is no actor \"%.*s\"",
                       (int)(to.len < ACTOR_ADDRESS_MAX ? to.len : ACTOR_ADDRESS_MAX), to.ptr);
        return NULL;
    }
    if (!msg || (msg->kind != SCHEMA_MSG_CALL && msg->kind != SCHEMA_MSG_CAST)) {
        control_refuse(self->control, request->ticket, "UNKNOWN_METHOD", "the schema has no call or cast \"%.*s\"",
                       (int)(method.len < 96 ? method.len : 96), method.ptr);
        return NULL;
    }
    return msg;
}

static void call_make(struct process *self, const struct control_request *request, const char *to, struct span params)
{
    struct process_call *call = mem_new(sizeof(*call));
    struct actor *actor = node_actor(self->node);

    call->process = self;
    call->ticket = request->ticket;
    call->msg =
        schema_find(self->opts->registry, value_str(value_get(request->body, "method"), (struct span){ "", 0 }));
    call->trace = actor_trace_new(actor);
    call->began_ns = clock_mono_ns();
    pack_init(&call->chunks, 0);
    call->next = self->calls;
    self->calls = call;
    if (actor_call(actor,
                   &(struct actor_call){
                       .to = to,
                       .msg = call->msg,
                       .body = params,
                       .deadline_ms = number_in(request->body, "timeoutMs", CALL_DEADLINE_MS, CALL_DEADLINE_MAX_MS),
                       .trace = call->trace,
                       .on_answer = on_answer,
                       .on_chunk = on_chunk,
                       .window_bytes = number_in(request->body, "window", 0, INT32_MAX),
                       .cookie = call },
                   &call->id)) {
        control_refuse(self->control, request->ticket, "INTERNAL", "it could not be asked");
        call_unlink(call);
        call_free(call);
    }
}

void process_call_on_request(struct process *self, const struct control_request *request)
{
    static const struct span empty_map = { "\x80", 1 };
    struct span address = value_str(value_get(request->body, "address"), (struct span){ "", 0 });
    struct span params = value_get(request->body, "params");
    const struct schema_msg *msg = msg_find(self, request, address);
    char to[ACTOR_ADDRESS_MAX];

    if (!msg) {
        return;
    }
    memcpy(to, address.ptr, address.len);
    to[address.len] = '\0';
    params = params.len ? params : empty_map;
    log_info("bus_call", "client=%llu uid=%u pid=%d address=%s method=%s", (unsigned long long)request->client,
             request->uid, request->pid, to, msg->name);
    if (msg->kind == SCHEMA_MSG_CALL) {
        call_make(self, request, to, params);
    } else if (actor_cast_span(node_actor(self->node), to, msg, params, NULL)) {
        control_refuse(self->control, request->ticket, "INTERNAL", "it could not be sent");
    } else {
        process_accept(self, (struct process_asker){ .ticket = request->ticket });
    }
}

void process_call_deinit(struct process *self)
{
    while (self->calls) {
        struct process_call *call = self->calls;

        self->calls = call->next;
        call_free(call);
    }
}
