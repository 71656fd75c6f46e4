#include "edge/listener/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/http/header_limits.h"
#include "edge/http/openresponses_reply.h"
#include "edge/listener/budget.h"
#include "edge/listener/edge.h"
#include "edge/listener/http.h"
#include "edge/listener/scope.h"
#include "edge/listener/shown.h"
#include "edge/listener/traceparent.h"
#include "schema_gen.h"

/* --- answers -------------------------------------------------------------------------- */

void exchange_destroy(struct exchange *self)
{
    call_unlink(&self->call);
    text_buf_deinit(&self->body);
    text_buf_deinit(&self->decision);
    free(self->model);
    free(self->previous);
    if (self->reply) {
        openresponses_reply_deinit(self->reply);
        free(self->reply);
    }
    if (self->head) {
        mem_wipe(self->head, strlen(self->head));
    }
    free(self->head);
    free(self);
}

bool exchange_is_awaited(struct exchange *self)
{
    self->call.id = 0;
    if (self->stream) {
        return true;
    }
    exchange_destroy(self);
    return false;
}

void exchange_break(struct exchange *self)
{
    if (self->stream) {
        self->stream->ops->break_off(self->stream);
    }
}

void exchange_abandon(struct exchange *self)
{
    self->stream = NULL;
    if (!self->call.id) {
        exchange_destroy(self);
        return;
    }
    /* The answer to the cancelled call frees it. */
    call_link(&self->call, &self->edge->orphan_exchanges);
    actor_call_cancel(self->edge->actor, self->call.id);
}

void exchange_give_up(struct exchange *self)
{
    struct actor *actor = self->edge->actor;

    if (self->call.id) {
        actor_call_give_up(actor, self->call.id,
                           actor_is_restarting(actor) ? "the gateway is restarting" : "the gateway is stopping");
    }
}

void exchange_free_orphans(struct edge *edge)
{
    struct call *call;

    while ((call = call_pop(&edge->orphan_exchanges)) != NULL) {
        exchange_destroy(CONTAINER_OF(call, struct exchange, call));
    }
}

struct stream *exchange_detach(struct exchange *self)
{
    struct stream *stream = self->stream;

    if (stream) {
        stream->exchange = NULL;
        self->stream = NULL;
    }
    return stream;
}

static void answer(struct exchange *self, struct response response)
{
    struct stream *stream = exchange_detach(self);

    if (stream) {
        stream->is_kept_alive = stream->is_kept_alive && stream->body == REQUEST_BODY_NONE;
        response.is_head = self->request.method == REQUEST_HEAD;
        http_answer(stream, response);
    }
    exchange_destroy(self);
    if (stream) {
        stream->ops->resume(stream);
    }
}

void exchange_answer(struct exchange *self, int status, struct span json, uint32_t retry_after_s)
{
    answer(self,
           (struct response){ .status = status, .type = RESPONSE_JSON, .body = json, .retry_after_s = retry_after_s });
}

void exchange_text(struct exchange *self, int status, const char *type, struct span text)
{
    answer(self, (struct response){ .status = status, .type = type, .body = text, .cache = "no-store" });
}

void exchange_nothing(struct exchange *self)
{
    answer(self, (struct response){ .status = 204 });
}

void exchange_text_later(struct exchange *self, int status, struct span text, uint32_t retry_after_s)
{
    answer(self,
           (struct response){ .status = status, .type = RESPONSE_TEXT, .body = text, .retry_after_s = retry_after_s });
}

static void error_answer(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s)
{
    struct text_buf text = { 0 };

    if (openai_error_write(error, &text)) {
        exchange_break(self);
    }
    exchange_answer(self, error->status, (struct span){ text.data, text.len }, retry_after_s);
    text_buf_deinit(&text);
}

void exchange_error(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s)
{
    if (self->kind.on_error) {
        self->kind.on_error(self, error, retry_after_s);
    } else {
        error_answer(self, error, retry_after_s);
    }
}

void exchange_stream_begin(struct exchange *self)
{
    self->has_begun = true;
    http_head(self->stream,
              (struct response){ .status = 200, .type = RESPONSE_SSE, .cache = "no-cache", .is_streamed = true });
}

struct text_buf *exchange_event_begin(struct exchange *self, const char *name, size_t *ret_at)
{
    struct stream *stream = self->stream;
    struct text_buf *out = stream ? stream->ops->open(stream, ret_at) : NULL;
    int r = 0;

    if (!out) {
        return NULL;
    }
    if (name) {
        r = text_buf_add(out, SPAN_LIT("event: "));
        r = r ? r : text_buf_add(out, span_from(name));
        r = r ? r : text_buf_add(out, SPAN_LIT("\n"));
    }
    r = r ? r : text_buf_add(out, SPAN_LIT("data: "));
    if (r) {
        stream->ops->break_off(stream);
        return NULL;
    }
    return out;
}

void exchange_event_end(struct exchange *self, struct text_buf *out, size_t at)
{
    struct stream *stream = self->stream;

    if (text_buf_add(out, SPAN_LIT("\n\n"))) {
        stream->ops->break_off(stream);
    } else {
        stream->ops->commit(stream, out, at);
    }
}

void exchange_stream_end(struct exchange *self, bool is_broken)
{
    struct stream *stream = exchange_detach(self);

    exchange_destroy(self);
    if (!stream) {
        return;
    }
    stream->is_kept_alive = stream->is_kept_alive && !is_broken;
    stream->ops->end(stream);
    stream->ops->resume(stream);
}

/* --- the body ------------------------------------------------------------------------- */

bool exchange_body_add(struct exchange *self, struct span data)
{
    if (self->body.len + data.len > self->stream->body_max) {
        large_note(self->edge, LARGE_BODY, self->body.len + data.len);
        exchange_body_refuse(self, 413, "Payload too large");
        return false;
    }
    if (text_buf_add(&self->body, data)) {
        exchange_break(self);
        return false;
    }
    return true;
}

void exchange_body_end(struct exchange *self)
{
    struct stream *stream = self->stream;

    stream->body = REQUEST_BODY_NONE;
    stream->is_kept_alive = self->request.is_kept_alive && !self->edge->is_stopping;
    stream->ops->wait(stream);
    self->kind.on_body(self);
}

void exchange_body_refuse(struct exchange *self, int status, const char *message)
{
    struct openai_error error = { .status = status, .type = "invalid_request_error" };

    (void)snprintf(error.message, sizeof(error.message), "%s", message);
    exchange_error(self, &error, 0);
}

/* --- auth ----------------------------------------------------------------------------- */

static void auth_refused(struct exchange *self, const struct failure *failure)
{
    int64_t status = value_i64(value_get(failure->details, "_httpStatus"), 0);
    uint32_t retry_s = (failure->retry_after_ms + 999) / 1000;
    struct openai_error error = { .status = 401, .type = "unauthorized", .message = "Unauthorized" };

    if (status == 429 || failure->code == FAIL_RATE_LIMITED) {
        error = (struct openai_error){ .status = 429,
                                       .type = "rate_limited",
                                       .message = "Too many failed authentication attempts. Please try again later." };
    } else if (status == 403) {
        error = (struct openai_error){ .status = 403, .type = "forbidden", .message = "Forbidden" };
    } else if (status != 401) {
        error = (struct openai_error){ .status = 503, .type = "api_error" };
        (void)snprintf(error.message, sizeof(error.message), "%.*s", SPAN_FMT(failure->message));
        retry_s = retry_s ? retry_s : 1;
    }
    exchange_error(self, &error, retry_s);
}

static void body_begin(struct exchange *self)
{
    if (self->stream->body == REQUEST_BODY_NONE) {
        self->kind.on_body(self);
    } else {
        self->stream->ops->body_want(self->stream, self->request.expects_continue);
    }
}

static void scope_refused(struct exchange *self)
{
    struct openai_error error = { .status = 403, .type = "forbidden" };

    (void)snprintf(error.message, sizeof(error.message), "missing scope: %s", self->kind.scope); /* fits */
    exchange_error(self, &error, 0);
}

static void on_auth(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    const struct msg_auth_decision *decision = reply->msg;
    struct scope_set scopes;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure) {
        auth_refused(self, reply->failure);
        return;
    }
    scopes = scope_set_of(decision->role, decision->scopes);
    if (self->kind.scope && scope_check(&scopes, self->kind.scope) != SCOPE_ALLOWED) {
        scope_refused(self);
        return;
    }
    if (text_buf_add(&self->decision, reply->body)) {
        exchange_break(self);
        return;
    }
    budget_input_know(self->stream->conn);
    body_begin(self);
}

static struct span bearer_of(const struct request *request)
{
    struct span value = request_header(request, "authorization");
    struct span scheme = { value.ptr, value.len > 7 ? 7 : 0 };

    if (!request_is_word(scheme, "bearer ")) {
        return (struct span){ NULL, 0 };
    }
    value.ptr += 7;
    value.len -= 7;
    while (value.len > 0 && value.ptr[0] == ' ') {
        value.ptr++;
        value.len--;
    }
    return value;
}

static int auth_ask(struct exchange *self)
{
    const struct conn *conn = self->stream->conn;
    const struct request *request = &self->request;
    struct msg_auth_http in = { .is_loopback = conn->peer->is_loopback,
                                .path = request->path,
                                .has_peer_uid = conn->has_peer_uid,
                                .peer_uid = conn->peer_uid,
                                .has_headers = true };
    struct actor_call call = {
        .to = "auth", .msg = MSG_AUTH_HTTP, .in = &in, .trace = self->trace, .on_answer = on_auth, .cookie = self
    };

    if (self->edge->header_names.len == 0) {
        return FAIL_UNAVAILABLE; /* auth has not yet said what it needs to see */
    }
    pack_reset(&self->edge->pack);
    shown_headers((struct span){ self->edge->header_names.data, self->edge->header_names.len }, request,
                  &self->edge->pack);
    in.headers = pack_span(&self->edge->pack);
    in.remote = span_from(conn->remote);
    in.origin = request_header(request, "origin");
    in.has_origin = in.origin.len > 0;
    in.host = request_header(request, "host");
    in.has_host = in.host.len > 0;
    in.has_has_proxy_header = true;
    in.has_proxy_header = http_is_proxied(request);
    in.bearer = self->kind.credential ? self->kind.credential(request) : bearer_of(request);
    in.has_surface = self->kind.surface != NULL;
    if (in.has_surface) {
        in.surface = span_from(self->kind.surface);
        in.bearer = in.bearer.len ? in.bearer : request_header(request, "x-openclaw-token");
    }
    in.has_bearer = in.bearer.len > 0;
    return actor_call(self->edge->actor, &call, &self->call.id);
}

/* The head is copied: the answer of auth comes after the bytes it was read from are gone. */
static struct exchange *exchange_new(struct stream *stream, struct span head)
{
    struct exchange *self = calloc(1, sizeof(*self));

    if (!self) {
        return NULL;
    }
    self->edge = stream->conn->edge;
    self->decision.is_secret = true;
    self->head = malloc(head.len + 1);
    if (!self->head) {
        free(self);
        return NULL;
    }
    memcpy(self->head, head.ptr, head.len);
    self->head[head.len] = '\0';
    if (request_parse((struct span){ self->head, head.len }, &self->request)) {
        exchange_destroy(self);
        return NULL;
    }
    self->trace = traceparent_of(&self->request);
    self->stream = stream;
    return self;
}

void exchange_begin(struct stream *stream, struct span head, const struct exchange_kind *kind)
{
    struct exchange *self = exchange_new(stream, head);
    struct openai_error error;

    if (!self) {
        http_refuse(stream, 503, "Service Unavailable");
        return;
    }
    self->kind = *kind;
    stream->exchange = self;
    stream->ops->wait(stream);
    if (header_limits_check(&self->request, &error)) {
        exchange_error(self, &error, 0);
    } else if (kind->is_let_in) {
        body_begin(self);
    } else if (auth_ask(self)) {
        exchange_error(self, &(struct openai_error){ .status = 503, .type = "api_error", .message = "Busy." }, 1);
    }
}
