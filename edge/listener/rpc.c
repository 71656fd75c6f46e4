#include "edge/listener/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/listener/budget.h"
#include "edge/listener/frame.h"
#include "edge/listener/hello.h"
#include "edge/listener/subscription.h"
#include "edge/listener/surface.h"
#include "edge/listener/tapping.h"
#include "edge/listener/traceparent.h"
#include "schema_gen.h"

#define ID_MAX 514U /* raw, with quotes */
#define RETRY_START_MS 500U
#define TRACEPARENT_MAX 128U
#define PHASES_WINDOW 65536U

struct rpc {
    struct call call;
    struct edge *edge;
    const struct schema_msg *msg;
    uint64_t asked_ns;
    uint16_t id_len;
    char id[]; /* raw JSON */
};

/* The frame in hand. */
struct frame {
    struct conn *conn;
    struct ws *ws;
    struct span id;     /* raw JSON */
    struct span method; /* text */
    struct span params; /* raw JSON, "{}" when absent */
    struct trace_id trace;
};

/* --- refusals ------------------------------------------------------------------------- */

/* Before it went to anybody. */
static void turn_away(const struct frame *frame, const struct failure *failure)
{
    frame->conn->edge->tally.rpc_refused_n++;
    ws_refuse(frame->conn, frame->id, failure);
}

static void refuse(const struct frame *frame, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void refuse(const struct frame *frame, int code, const char *fmt, ...)
{
    char text[1280];
    struct failure failure = { .code = code, .message = { text, 0 }, .retryable = code == FAIL_UNAVAILABLE };
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    failure.message.len = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    failure.retry_after_ms = failure.retryable ? 250 : 0;
    turn_away(frame, &failure);
}

static bool is_text(struct span raw)
{
    return raw.len > 2 && raw.ptr[0] == '"' && raw.len <= ID_MAX;
}

/* Says what is wrong with a frame that is no request, in the protocol's words. */
static void frame_refuse(struct frame *frame, struct span text)
{
    struct edge *edge = frame->conn->edge;
    struct json_opts opts = { .depth_max = LIMIT_JSON_DEPTH, .type = TYPE_REQUEST_FRAME };
    struct json_error error;
    int r;

    if (!is_text(frame->id)) {
        frame->id = SPAN_LIT("\"invalid\"");
    }
    pack_reset(&edge->pack);
    r = json_to_pack(text, &opts, &edge->pack, &error);
    if (r == JSON_E_SCHEMA) {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid request frame: %s", error.message);
    } else if (r == JSON_E_DEPTH) {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid request frame: nested deeper than %u levels", LIMIT_JSON_DEPTH);
    } else if (r == JSON_E_SYNTAX) {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid request frame: not JSON at line %u, column %u: expected %s",
               error.line, error.column, error.expected);
    } else {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid request frame: id or method is too long");
    }
}

/* --- the call ------------------------------------------------------------------------- */

static struct conn *rpc_end(struct rpc *self)
{
    struct conn *conn = self->call.conn;

    call_unlink(&self->call);
    if (conn) {
        ws_of(conn)->requests_n--;
    }
    return conn;
}

/* A change of the config or its secrets, which may end the very credential that asked for it. */
static bool is_change(const struct schema_msg *msg)
{
    return msg == MSG_CONFIG_SET || msg == MSG_CONFIG_PATCH || msg == MSG_CONFIG_APPLY || msg == MSG_CONFIG_REPAIR ||
           msg == MSG_SECRETS_RELOAD;
}

bool rpc_has_change(const struct ws *ws)
{
    for (struct call *call = ws->requests; call; call = call->next) {
        if (is_change(CONTAINER_OF(call, struct rpc, call)->msg)) {
            return true;
        }
    }
    return false;
}

static void answer_send(struct conn *conn, struct span id, struct span body, bool is_secret)
{
    struct failure broken = { .code = FAIL_INTERNAL, .message = SPAN_LIT("the answer cannot be written as JSON") };
    struct text_buf *out;
    size_t at;
    int r;

    if (conn_pending(conn) > LIMIT_BUFFERED) {
        ws_close_slow(conn, "answer");
        return;
    }
    if (is_secret) {
        conn_out_secret(conn);
    }
    out = ws_begin(conn, &at);
    if (!out) {
        return;
    }
    r = frame_answer_open(id, out);
    if (!r && !body.len) {
        r = text_buf_add(out, SPAN_LIT("{}"));
    } else if (!r) {
        r = is_secret ? json_from_value(body, out) : memo_json(&conn->edge->memo, body, out);
    }
    r = r ? r : text_buf_add(out, SPAN_LIT("}"));
    if (!r) {
        ws_end(conn, out, at);
        budget_check_of(conn);
        return;
    }
    ws_undo(out, at);
    if (r == -EPROTO) {
        ws_refuse(conn, id, &broken);
    } else {
        conn_kill(conn);
    }
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct rpc *self = cookie;
    struct conn *conn = rpc_end(self);
    struct span id = { self->id, self->id_len };

    (void)state;
    (void)actor;
    tally_rpc(&self->edge->tally, self->msg, reply->failure != NULL, clock_mono_ns() - self->asked_ns);
    if (conn && (ws_client_of(conn) || (ws_leaving_of(conn) && is_change(self->msg)))) {
        if (reply->failure) {
            ws_refuse(conn, id, reply->failure);
        } else {
            answer_send(conn, id, reply->body, schema_reply_is_secret(self->msg));
        }
    }
    if (conn) {
        ws_leave_check(conn);
    }
    free(self);
}

/* A method in two phases: the first one is a chunk, the second one the answer. */
static void on_phase(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct rpc *self = cookie;
    struct conn *conn = self->call.conn;

    (void)state;
    (void)schema;
    (void)msg;
    if (conn && ws_client_of(conn)) {
        answer_send(conn, (struct span){ self->id, self->id_len }, body, false);
    }
    actor_call_grant(actor, self->call.id, (uint32_t)body.len);
}

/* A request is given the time it names, and some more for the way, so that its owner has the last word. */
static uint32_t deadline_of(struct span body)
{
    int64_t asked = value_i64(value_get(body, "timeoutMs"), 0);

    if (asked < (int64_t)ACTOR_DEADLINE_DEFAULT_MS) {
        asked = ACTOR_DEADLINE_DEFAULT_MS;
    }
    if (asked > (int64_t)(TIME_CALL_MAX_MS - TIME_CALL_SLACK_MS)) {
        return TIME_CALL_MAX_MS;
    }
    return (uint32_t)asked + TIME_CALL_SLACK_MS;
}

/* Answered in two frames. */
static bool is_phased(const struct schema_msg *msg)
{
    return msg == MSG_AGENT || msg == MSG_EXEC_APPROVAL_REQUEST || msg == MSG_PLUGIN_APPROVAL_REQUEST;
}

/* What is waited for has a limit of its own: that of the run, of the approval or of the request. */
static bool has_own_limit(const struct schema_msg *msg)
{
    return is_phased(msg) || msg == MSG_EXEC_APPROVAL_WAIT_DECISION || msg == MSG_PLUGIN_APPROVAL_WAIT_DECISION ||
           msg == MSG_DEVICE_SCOPES_WAIT_UPGRADE;
}

static void forward(const struct frame *frame, const struct schema_msg *msg, struct span body)
{
    struct rpc *self = malloc(sizeof(*self) + frame->id.len);
    struct actor_call call = { .to = schema_method_of(msg)->owner,
                               .msg = msg,
                               .body = body,
                               .deadline_ms = deadline_of(body),
                               .principal = span_from(frame->ws->principal),
                               .trace = frame->trace,
                               .on_answer = on_answer,
                               .cookie = self };

    if (!self) {
        refuse(frame, FAIL_UNAVAILABLE, "the gateway is short of memory");
        return;
    }
    *self = (struct rpc){ .call = { .conn = frame->conn },
                          .edge = frame->conn->edge,
                          .msg = msg,
                          .asked_ns = clock_mono_ns(),
                          .id_len = (uint16_t)frame->id.len };
    memcpy(self->id, frame->id.ptr, frame->id.len);
    if (has_own_limit(msg)) {
        call.deadline_ms = UINT32_MAX;
    }
    if (is_phased(msg)) {
        call.on_chunk = on_phase;
        call.window_bytes = PHASES_WINDOW;
    }
    if (actor_call(frame->conn->edge->actor, &call, &self->call.id)) {
        free(self);
        refuse(frame, FAIL_UNAVAILABLE, "the request could not be passed on");
        return;
    }
    call_link(&self->call, &frame->ws->requests);
    frame->ws->requests_n++;
}

static void params_read(const struct frame *frame, const struct schema_msg *msg)
{
    struct edge *edge = frame->conn->edge;
    struct json_opts opts = { .depth_max = LIMIT_JSON_DEPTH,
                              .type = msg->type,
                              .tail = { frame->ws->client.data, frame->ws->client.len },
                              .tail_n = 1 };
    struct json_error error;
    struct span body;
    int r = json_to_pack(frame->params, &opts, &edge->pack, &error);

    if (r == JSON_E_SCHEMA) {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid %s params: %s", msg->name, error.message);
    } else if (r == JSON_E_DEPTH) {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid %s params: nested deeper than %u levels", msg->name,
               LIMIT_JSON_DEPTH);
    } else if (r > 0) {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid request frame: params is not JSON at column %u: expected %s",
               error.column, error.expected);
    } else if (r < 0) {
        refuse(frame, FAIL_UNAVAILABLE, "the request is too large to pass on");
    } else {
        body = pack_span(&edge->pack);
        if (msg->max_bytes && body.len > msg->max_bytes) {
            refuse(frame, FAIL_INVALID_REQUEST, "invalid %s params: larger than %u bytes", msg->name, msg->max_bytes);
        } else if (strcmp(schema_method_of(msg)->owner, "edge") == 0) {
            if (!surface_take(frame->conn, frame->id, msg, body) &&
                !tapping_take(frame->conn, frame->id, frame->trace, msg, body)) {
                subscription_take(frame->conn, frame->id, frame->trace, msg, body);
            }
        } else {
            forward(frame, msg, body);
        }
    }
}

static void params_take(const struct frame *frame, const struct schema_msg *msg)
{
    struct pack *pack = &frame->conn->edge->pack;
    bool is_secret = schema_body_is_secret(msg);

    pack_reset_secret(pack, is_secret);
    if (is_secret) {
        conn_input_secret(frame->conn);
    }
    params_read(frame, msg);
    if (is_secret) {
        pack_reset_secret(pack, false);
    }
}

/* --- who may what --------------------------------------------------------------------- */

static void role_refuse(const struct frame *frame)
{
    refuse(frame, FAIL_INVALID_REQUEST, "unauthorized role: %s", frame->ws->scopes.is_node ? "node" : "operator");
    if (++frame->ws->role_refusals > LIMIT_ROLE_REFUSALS) {
        ws_close(frame->conn, WS_CODE_POLICY, SPAN_LIT("repeated unauthorized calls"));
    }
}

/* Protocol 4 says it in a form for programs; its words are those that older clients read. */
static void scope_refuse(const struct frame *frame, const char *scope)
{
    struct pack *pack = &frame->conn->edge->pack;
    char text[256];
    struct failure failure = { .code = FAIL_MISSING_SCOPE };

    if (frame->ws->protocol < HELLO_PROTOCOL_MAX) {
        refuse(frame, FAIL_INVALID_REQUEST, "missing scope: %s", scope);
        return;
    }
    (void)snprintf(text, sizeof(text), "missing scope: %s", scope);
    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "code", "MISSING_SCOPE");
    pack_kv_text(pack, "missingScope", scope);
    pack_key(pack, "requiredScopes");
    pack_array_begin(pack);
    pack_text(pack, scope);
    pack_array_end(pack);
    pack_map_end(pack);
    failure.message = span_from(text);
    failure.details = pack_span(pack);
    turn_away(frame, &failure);
}

static void unknown_refuse(const struct frame *frame)
{
    if (!frame->ws->scopes.is_operator) {
        role_refuse(frame);
    } else if (!scope_is_admin(&frame->ws->scopes)) {
        scope_refuse(frame, "operator.admin");
    } else {
        refuse(frame, FAIL_INVALID_REQUEST, "unknown method: %.*s", SPAN_FMT(frame->method));
    }
}

/* The protocol has it and nobody here does: the answer names what is missing. */
static void later_refuse(const struct frame *frame, const struct schema_later *later)
{
    const char *capability = schema_later_capability(later);
    struct pack *pack = &frame->conn->edge->pack;
    char text[256];
    struct failure failure = { .code = FAIL_UNAVAILABLE };

    (void)snprintf(text, sizeof(text), "this gateway does not serve %.*s yet: it belongs to the capability \"%s\"",
                   SPAN_FMT(frame->method), capability);
    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "reason", "not-served");
    pack_kv_text(pack, "capability", capability);
    pack_map_end(pack);
    failure.message = span_from(text);
    failure.details = pack_span(pack);
    turn_away(frame, &failure);
}

/* False after a refusal. */
static bool may_call(const struct frame *frame, const char *scope)
{
    switch (scope_check(&frame->ws->scopes, scope)) {
    case SCOPE_WRONG_ROLE:
        role_refuse(frame);
        return false;
    case SCOPE_MISSING:
        scope_refuse(frame, scope);
        return false;
    case SCOPE_ALLOWED:
        break;
    }
    frame->ws->role_refusals = 0;
    return true;
}

static void unserved_route(const struct frame *frame)
{
    const struct schema_later *later = schema_later_find(frame->method);

    if (!later) {
        unknown_refuse(frame);
    } else if (may_call(frame, schema_later_scope(later))) {
        later_refuse(frame, later);
    }
}

/* Once everybody was ready; who is gone later answers for itself. */
static bool has_started(struct edge *edge)
{
    edge->has_started = edge->has_started || ready_is(&edge->ready);
    return edge->has_started;
}

/* Refuses for now; `details` gets `key` beside the method. */
static void refuse_later(const struct frame *frame, const char *text, const char *key, const char *value,
                         uint32_t after_ms)
{
    struct pack *pack = &frame->conn->edge->pack;
    struct failure failure = {
        .code = FAIL_UNAVAILABLE, .message = span_from(text), .retryable = true, .retry_after_ms = after_ms
    };

    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_str(pack, "method", frame->method);
    pack_kv_text(pack, key, value);
    pack_map_end(pack);
    failure.details = pack_span(pack);
    turn_away(frame, &failure);
}

static void start_refuse(const struct frame *frame)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "%.*s unavailable during gateway startup", SPAN_FMT(frame->method));
    refuse_later(frame, text, "reason", "startup-sidecars", RETRY_START_MS);
}

/* One budget of each kind for each device at each address; false after a refusal. */
static bool may_write(const struct frame *frame, const struct schema_method *method)
{
    bool is_often = method->flags & SCHEMA_METHOD_WRITES;
    const struct ws *ws = frame->ws;
    struct edge *edge = frame->conn->edge;
    char key[WRITE_RATE_KEY_MAX];
    char text[256];
    uint32_t wait_ms;

    if (!is_often && !(method->flags & SCHEMA_METHOD_RATE_LIMITED)) {
        return true;
    }
    (void)snprintf(key, sizeof(key), "%s%s|%s", is_often ? "often|" : "",
                   ws->device_id[0] ? ws->device_id : "unknown-device", ws->remote_ip);
    wait_ms = write_rate_take(&edge->writes, key, is_often ? WRITE_RATE_OFTEN : WRITE_RATE_MAX, edge_now(edge));
    if (wait_ms == 0) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "rate limit exceeded for %.*s; retry after %us", SPAN_FMT(frame->method),
                   (wait_ms + 999) / 1000);
    refuse_later(frame, text, "limit", is_often ? "120 per 60s" : "3 per 60s", wait_ms);
    return false;
}

static void frame_route(const struct frame *frame)
{
    const struct schema_msg *msg = schema_find(&schema_registry, frame->method);
    const struct schema_method *method = schema_method_of(msg);

    if (!method) {
        unserved_route(frame);
        return;
    }
    if (method->flags & SCHEMA_METHOD_HANDSHAKE) {
        refuse(frame, FAIL_INVALID_REQUEST, "connect is only valid as the first request");
        return;
    }
    if (!may_call(frame, method->scope)) {
        return;
    }
    if ((method->flags & SCHEMA_METHOD_LATE) && !has_started(frame->conn->edge)) {
        start_refuse(frame);
        return;
    }
    if (!may_write(frame, method)) {
        return;
    }
    if (frame->ws->requests_n >= LIMIT_IN_FLIGHT) {
        refuse(frame, FAIL_UNAVAILABLE, "more than %u requests are in flight on this connection", LIMIT_IN_FLIGHT);
        return;
    }
    params_take(frame, msg);
}

/* False when the frame was refused. */
static bool trace_take(struct frame *frame, struct span raw)
{
    if (raw.ptr[0] != '"') {
        refuse(frame, FAIL_INVALID_REQUEST, "invalid request frame: at /traceparent: must be string");
        return false;
    }
    if (raw.len - 2 > TRACEPARENT_MAX) {
        refuse(frame, FAIL_INVALID_REQUEST,
               "invalid request frame: at /traceparent: must NOT have more than %u characters", TRACEPARENT_MAX);
        return false;
    }
    frame->trace = traceparent_parse((struct span){ raw.ptr + 1, raw.len - 2 });
    return true;
}

void rpc_take(struct conn *conn, struct span text)
{
    struct json_member members[] = {
        { .key = "type" }, { .key = "id" }, { .key = "method" }, { .key = "params" }, { .key = NULL }, { .key = NULL },
    };
    const struct span *foreign;
    struct frame frame = { .conn = conn, .ws = ws_of(conn) };
    struct text_buf *scratch = &conn->edge->scratch;
    bool is_new = frame.ws->protocol == HELLO_PROTOCOL_MAX;
    int r;

    members[4].key = is_new ? "traceparent" : NULL;
    foreign = &members[is_new ? 5 : 4].raw;
    r = json_split(text, LIMIT_JSON_DEPTH, members, is_new ? 6 : 5, NULL);
    frame.id = members[1].raw;
    if (r || !span_is(members[0].raw, SPAN_LIT("\"req\"")) || !is_text(frame.id) || !is_text(members[2].raw)) {
        frame_refuse(&frame, text);
        return;
    }
    if (foreign->len) {
        refuse(&frame, FAIL_INVALID_REQUEST, "invalid request frame: at root: unexpected property '%.*s'",
               (int)(foreign->len - 2 < 64 ? foreign->len - 2 : 64), foreign->ptr + 1);
        return;
    }
    frame.method = (struct span){ members[2].raw.ptr + 1, members[2].raw.len - 2 };
    if (memchr(frame.method.ptr, '\\', frame.method.len)) {
        scratch->len = 0;
        if (json_unquote(members[2].raw, scratch)) {
            frame_refuse(&frame, text);
            return;
        }
        frame.method = (struct span){ scratch->data, scratch->len };
    }
    if (is_new && members[4].raw.len && !trace_take(&frame, members[4].raw)) {
        return;
    }
    frame.params = members[3].raw.len ? members[3].raw : SPAN_LIT("{}");
    frame_route(&frame);
}

void rpc_drop(struct conn *conn, struct ws *ws)
{
    call_orphan_all(&ws->requests, &conn->edge->orphan_requests);
    ws->requests_n = 0;
}

void rpc_free_orphans(struct edge *edge)
{
    struct call *call;

    while ((call = call_pop(&edge->orphan_requests)) != NULL) {
        free(CONTAINER_OF(call, struct rpc, call));
    }
}
