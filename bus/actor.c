/*
 * actor: the runtime of one actor: its loop, its mailbox, and one message at a time.
 */
#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

#include "bus/actor_internal.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "bus/wire.h"

#define DEAD_LETTER_LOG_MS 1000U /* at most one line per second and actor */

static _Thread_local struct actor *current_actor;

/* --- bodies ------------------------------------------------------------------------------------ */

int actor_body_make(struct actor *self, const struct schema_msg *msg, const void *in, struct span body,
                    zmq_msg_t *ret_frame)
{
    struct codec_error error;

    if (!in || !msg->type) {
        return frame_copy(body, ret_frame);
    }
    pack_reset(&self->scratch);
    int r = codec_encode(msg->type, in, &self->scratch, &error);
    if (r > 0) {
        log_debug("body_refused", "msg=%s field=%s why=%s", msg->name, error.path, error.text);
        return FAULT(-EBADMSG);
    }
    return r < 0 ? r : frame_copy(pack_span(&self->scratch), ret_frame);
}

int actor_decode(void **buf, size_t *cap, const struct schema_msg *msg, struct span body, char *ret_text,
                 size_t text_len)
{
    struct codec_error error = { 0 };

    if (msg->type->size > *cap) {
        free(*buf);
        *buf = mem_new(msg->type->size);
        *cap = msg->type->size;
    }
    int r = codec_decode(msg->type, body, *buf, &error);
    if (r > 0) {
        (void)snprintf(ret_text, text_len, "%s: %s%s%s", msg->name, error.path, error.path[0] ? ": " : "", error.text);
    }
    return r;
}

/* --- small things ---------------------------------------------------------------------------------- */

struct actor *actor_current(void)
{
    return current_actor;
}

const char *actor_address(const struct actor *self)
{
    return self->address;
}

void *actor_state(const struct actor *self)
{
    return self->state;
}

uv_loop_t *actor_loop(struct actor *self)
{
    return self->loop;
}

uint32_t actor_incarnation(const struct actor *self)
{
    return self->opts.incarnation;
}

/* splitmix64 over a seed from the kernel: unique, not secret. */
static uint64_t random_next(struct actor *self)
{
    uint64_t z = self->random[0] += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

struct trace_id actor_trace_new(struct actor *self)
{
    return (struct trace_id){ random_next(self) ^ self->random[1], random_next(self) | 1 };
}

static void node_tell(struct actor *self, const struct schema_msg *msg, const char *key, const char *value)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, key, value);
    pack_map_end(&self->scratch);
    (void)actor_cast_span(self, self->node_address, msg, pack_span(&self->scratch), NULL); /* memory only */
}

static void state_tell(struct actor *self, const char *life, const char *status)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    if (life) {
        pack_kv_text(&self->scratch, "life", life);
    }
    if (status) {
        pack_kv_text(&self->scratch, "status", status);
    }
    pack_map_end(&self->scratch);
    (void)actor_cast_span(self, self->node_address, &wire_state, pack_span(&self->scratch), NULL); /* memory only */
}

void actor_ready(struct actor *self)
{
    if (!self->is_ready) {
        self->is_ready = true;
        state_tell(self, actor_life_name(ACTOR_LIFE_READY), NULL);
    }
}

void actor_status(struct actor *self, const char *text)
{
    state_tell(self, NULL, text);
}

int actor_fault(struct actor *self, int fault)
{
    if (!self->fault) {
        self->fault = fault;
    }
    actor_stop(self);
    return fault;
}

void actor_stop(struct actor *self)
{
    self->is_stopping = true;
    if (self->loop == &self->own_loop) {
        uv_stop(self->loop);
    }
}

const char *actor_life_name(enum actor_life life)
{
    static const char *const names[] = { "absent", "starting", "ready", "backoff", "gave_up", "stopped" };

    return (size_t)life < ARRAY_LEN(names) ? names[life] : "unknown";
}

/* --- the message in hand ------------------------------------------------------------------------------ */

struct actor *actor_ctx_actor(struct actor_ctx *ctx)
{
    return ctx->actor;
}

struct span actor_ctx_from(const struct actor_ctx *ctx)
{
    return ctx->mail->env.from;
}

struct span actor_ctx_principal(const struct actor_ctx *ctx)
{
    return ctx->mail->env.principal;
}

struct trace_id actor_ctx_trace(const struct actor_ctx *ctx)
{
    return ctx->mail->env.trace;
}

uint32_t actor_ctx_left_ms(const struct actor_ctx *ctx)
{
    return ctx->mail->env.left_ms; /* handled in the turn it arrived in, so nothing to subtract */
}

const struct schema_msg *actor_ctx_msg(const struct actor_ctx *ctx)
{
    return ctx->msg;
}

struct span actor_ctx_body(const struct actor_ctx *ctx)
{
    return body_span(&ctx->mail->body);
}

const struct body *actor_ctx_body_shared(const struct actor_ctx *ctx)
{
    return &ctx->mail->body;
}

bool actor_ctx_is_call(const struct actor_ctx *ctx)
{
    return ctx->mail->env.kind == ENVELOPE_CALL;
}

/* --- casts, subscriptions, supervision requests --------------------------------------------------------- */

static int cast_frame(struct actor *self, const char *to, const struct schema_msg *msg, zmq_msg_t *frame,
                      const struct actor_ctx *cause)
{
    struct envelope env = { .kind = ENVELOPE_CAST,
                            .from = span_from(self->address),
                            .name = { msg->name, msg->name_len },
                            .left_ms = UINT32_MAX };

    if (cause) {
        env.trace = actor_ctx_trace(cause);
        env.principal = actor_ctx_principal(cause);
    }
    return link_send(self, link_get(self, span_from(to)), &env, frame);
}

int actor_cast(struct actor *self, const char *to, const struct schema_msg *msg, const void *in,
               const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = actor_body_make(self, msg, in, (struct span){ 0 }, &frame);

    return r < 0 ? r : cast_frame(self, to, msg, &frame, cause);
}

int actor_cast_span(struct actor *self, const char *to, const struct schema_msg *msg, struct span body,
                    const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = frame_copy(body, &frame);

    return r < 0 ? r : cast_frame(self, to, msg, &frame, cause);
}

int actor_subscribe(struct actor *self, const struct actor_route *route)
{
    route_table_add(&self->topics, route);
    node_tell(self, &wire_subscribe, "name", route->msg->name);
    return 0;
}

int actor_unsubscribe(struct actor *self, const struct schema_msg *topic)
{
    node_tell(self, &wire_unsubscribe, "name", topic->name);
    return 0;
}

int actor_watch(struct actor *self, const char *pattern, actor_on_life on)
{
    struct watch *watch = mem_new(sizeof(*watch));

    assert(strlen(pattern) < sizeof(watch->pattern));
    strcpy(watch->pattern, pattern);
    watch->on = on;
    watch->next = self->watches;
    self->watches = watch;
    node_tell(self, &wire_watch, "pattern", pattern);
    return 0;
}

int actor_spawn(struct actor *self, const char *address, const char *def, const char *arg)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "address", address);
    pack_kv_text(&self->scratch, "def", def);
    pack_kv_text(&self->scratch, "arg", arg ? arg : "");
    pack_map_end(&self->scratch);
    return actor_cast_span(self, self->node_address, &wire_spawn, pack_span(&self->scratch), NULL);
}

int actor_despawn(struct actor *self, const char *address)
{
    node_tell(self, &wire_despawn, "address", address);
    return 0;
}

int actor_restart(struct actor *self, const char *address)
{
    node_tell(self, &wire_restart, "address", address);
    return 0;
}

/* --- dead letters ------------------------------------------------------------------------------------------ */

static void dead_letter_publish(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason)
{
    struct pack pack;

    pack_init(&pack, 4096);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "reason", reason);
    pack_kv_text(&pack, "kind", envelope_kind_name(env->kind));
    pack_kv_str(&pack, "from", env->from);
    pack_kv_str(&pack, "to", env->to);
    pack_kv_str(&pack, "name", env->name);
    pack_kv_u64(&pack, "bytes", body_bytes);
    pack_map_end(&pack);
    (void)actor_publish_span(self, &wire_dead_letters, pack_span(&pack), NULL); /* memory only */
    pack_deinit(&pack);
}

static void dead_letter_tap(struct actor *self, const struct envelope *env, const char *reason)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    size_t len = envelope_encode(env, header);

    tap_port_record(&self->tap, self->host, self->address, (struct span){ (const char *)header, len },
                    (struct span){ 0 }, NULL, reason);
    actor_wake(self);
}

void actor_dead_letter(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason)
{
    uint64_t now_ms = uv_now(self->loop);

    atomic_fetch_add_explicit(&self->opts.stats->dead_letters, 1, memory_order_relaxed);
    self->dead_unlogged++;
    if (tap_is_watched()) {
        dead_letter_tap(self, env, reason);
    }
    if (span_is_text(env->name, wire_dead_letters.name)) {
        return; /* one about one would never end */
    }
    /* A log line's own dead letter must not log: the sink would send the next one. */
    if (now_ms - self->dead_logged_ms >= DEAD_LETTER_LOG_MS && !span_is_text(env->to, "log")) {
        self->dead_logged_ms = now_ms;
        log_warning("dead_letter", "from=%.*s to=%.*s kind=%s name=%.*s reason=\"%s\" count=%u", SPAN_FMT(env->from),
                    SPAN_FMT(env->to), envelope_kind_name(env->kind), SPAN_FMT(env->name), reason, self->dead_unlogged);
        self->dead_unlogged = 0;
    }
    if (topic_has_subscribers(self, &wire_dead_letters)) {
        dead_letter_publish(self, env, body_bytes, reason);
    }
}

/* --- dispatch ------------------------------------------------------------------------------------------------- */

static void fail_code(struct actor_ctx *ctx, int code)
{
    if (ctx->mail->env.kind != ENVELOPE_CALL || ctx->is_answered) {
        return;
    }
    if (!ctx->has_failure || ctx->failure.code != code) {
        const char *name = failure_name(code);

        (void)actor_fail(ctx, code, "%s", name ? name : "refused");
    }
    ctx->is_answered = true;
    (void)serve_fail(ctx->actor, ctx->mail, &ctx->failure); /* memory: the asker's deadline ends it */
}

/* Decodes for the handler; a body that breaks its table is the asker's mistake. */
static bool in_decode(struct actor_ctx *ctx, const struct actor_route *route, const void **ret_msg)
{
    struct actor *self = ctx->actor;
    struct span body = body_span(&ctx->mail->body);
    char why[FAILURE_MESSAGE_MAX] = "body is not well-formed msgpack";

    *ret_msg = NULL;
    if ((route->flags & ACTOR_RAW) || !route->msg->type) {
        if (body.len == 0 || wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
            return true;
        }
    } else if (actor_decode(&self->in_buf, &self->in_cap, route->msg, body, why, sizeof(why)) == 0) {
        *ret_msg = self->in_buf;
        return true;
    }
    (void)actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", why);
    fail_code(ctx, FAIL_INVALID_REQUEST);
    if (ctx->mail->env.kind != ENVELOPE_CALL) {
        actor_dead_letter(self, &ctx->mail->env, body.len, why);
    }
    return false;
}

static void handler_ended(struct actor_ctx *ctx, int r)
{
    struct actor *self = ctx->actor;

    if (r < 0) {
        log_error("actor_fault", "actor=%s msg=%s fault=\"%s\" at=%s", self->address, ctx->msg->name, fault_text(r),
                  fault_place());
        fail_code(ctx, FAIL_INTERNAL);
        actor_dead_letter(self, &ctx->mail->env, zmq_msg_size(&ctx->mail->body.msg), "quarantined: its handler broke");
        (void)actor_fault(self, r);
    } else if (r > 0) {
        fail_code(ctx, r);
    } else if (!ctx->is_answered && ctx->mail->env.kind == ENVELOPE_CALL) {
        log_error("call_unanswered", "actor=%s msg=%s", self->address, ctx->msg->name);
        (void)actor_fail(ctx, FAIL_INTERNAL, "the receiver forgot to answer");
        fail_code(ctx, FAIL_INTERNAL);
    }
}

static void handler_run(struct actor *self, struct mail *mail, const struct actor_route *route)
{
    struct actor_ctx ctx; /* not zeroed whole: its texts and stacks are large */
    const void *msg;

    ctx.actor = self;
    ctx.mail = mail;
    ctx.msg = route->msg;
    ctx.is_answered = false;
    ctx.has_failure = false;
    ctx.details.data = NULL;
    if (mail->env.kind == ENVELOPE_CALL) {
        pack_init(&ctx.details, FAILURE_MESSAGE_MAX * 64);
    }
    if (in_decode(&ctx, route, &msg)) {
        handler_ended(&ctx, route->on(self->state, &ctx, msg));
    }
    if (mail->env.kind == ENVELOPE_CALL) {
        pack_deinit(&ctx.details);
    }
}

static void entry_apply(struct actor *self, struct span body)
{
    struct span address = value_str(value_get(body, "address"), (struct span){ 0 });
    enum actor_life life = (enum actor_life)value_i64(value_get(body, "life"), ACTOR_LIFE_ABSENT);

    if (address.len == 0 || address.len >= ACTOR_ADDRESS_MAX) {
        return;
    }
    struct link *link = link_find(self, address);
    if (link && !link->is_fixed) {
        link_apply(self, link, value_str(value_get(body, "endpoint"), (struct span){ "", 0 }),
                   (uint32_t)value_i64(value_get(body, "incarnation"), 0), life,
                   (uint32_t)value_i64(value_get(body, "retryAfterMs"), 0));
    }
    actor_life_notify(self, address, life);
}

static bool pattern_matches(const char *pattern, struct span address)
{
    size_t len = strlen(pattern);

    if (len && pattern[len - 1] == '*') {
        return address.len >= len - 1 && memcmp(address.ptr, pattern, len - 1) == 0;
    }
    return span_is(address, (struct span){ pattern, len });
}

void actor_life_notify(struct actor *self, struct span address, enum actor_life life)
{
    for (struct watch *watch = self->watches; watch; watch = watch->next) {
        if (pattern_matches(watch->pattern, address)) {
            watch->on(self->state, self, address, life);
        }
    }
}

/* What the node says; true when the mail was such a word. */
static bool node_word(struct actor *self, struct mail *mail)
{
    struct span body = body_span(&mail->body);

    if (!span_starts(mail->env.name, "bus.") || !span_is_text(mail->env.from, self->node_address)) {
        return false;
    }
    if (!wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
        return true;
    }
    if (span_is_text(mail->env.name, wire_entry.name)) {
        entry_apply(self, body);
    } else if (span_is_text(mail->env.name, wire_subscribers.name)) {
        topic_on_subscribers(self, body);
    } else if (span_is_text(mail->env.name, wire_stop.name)) {
        if (self->def->on_stop) {
            self->def->on_stop(self->state, self);
        } else {
            actor_stop(self);
        }
    } else {
        return false;
    }
    return true;
}

static void asked(struct actor *self, struct mail *mail)
{
    const struct actor_route *route = route_table_find(&self->routes, mail->env.name);

    if (route) {
        handler_run(self, mail, route);
        return;
    }
    if (mail->env.kind == ENVELOPE_CAST && span_is_text(mail->env.name, wire_gap.name)) {
        topic_on_gap(self, mail);
        return;
    }
    if (mail->env.kind == ENVELOPE_CAST && node_word(self, mail)) {
        return;
    }
    if (mail->env.kind == ENVELOPE_CALL) {
        char text[160];
        struct failure failure = { .code = FAIL_UNKNOWN_METHOD, .message = { text, 0 } };

        (void)snprintf(text, sizeof(text), "%s has no method %.*s", self->address, SPAN_FMT(mail->env.name));
        failure.message.len = strlen(text);
        (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
    } else {
        actor_dead_letter(self, &mail->env, zmq_msg_size(&mail->body.msg), "receiver has no route for it");
    }
}

static void dispatch(struct actor *self, struct mail *mail)
{
    const struct actor_route *route;

    switch (mail->env.kind) {
    case ENVELOPE_CALL:
        link_get(self, mail->env.from)->has_asked = true;
        asked(self, mail);
        break;
    case ENVELOPE_CAST:
        asked(self, mail);
        break;
    case ENVELOPE_PUBLISH:
        route = route_table_find(&self->topics, mail->env.name);
        if (route) {
            handler_run(self, mail, route);
        }
        break;
    case ENVELOPE_REPLY:
    case ENVELOPE_FAIL:
    case ENVELOPE_CHUNK:
    case ENVELOPE_FORWARDED:
        call_on_envelope(self, mail);
        break;
    case ENVELOPE_GRANT:
    case ENVELOPE_CANCEL:
        serve_on_envelope(self, mail);
        break;
    case ENVELOPE_CREDIT:
        link_on_credit(self, mail);
        break;
    }
}

/* --- receiving ------------------------------------------------------------------------------------------------ */

static void refuse(struct actor *self, struct mail *mail, int outcome)
{
    const char *why = outcome == MAILBOX_E_SHARE ? "this principal has too much waiting at the receiver"
                                                 : "the receiver's mailbox is full";

    atomic_fetch_add_explicit(&self->opts.stats->refused, 1, memory_order_relaxed);
    if (mail->env.kind == ENVELOPE_CALL) {
        struct failure failure = {
            .code = FAIL_UNAVAILABLE, .message = span_from(why), .retryable = true, .retry_after_ms = 100
        };
        (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
    }
    actor_dead_letter(self, &mail->env, zmq_msg_size(&mail->body.msg), why);
}

/* Receives the two frames of one message. False when there is none now. */
static bool frames_receive(struct actor *self, struct mail *mail)
{
    if (!frame_receive(&mail->header, self->pull_raw)) {
        return false;
    }
    bool more = zmq_msg_more(&mail->header);
    if (more) {
        /* All frames of a message arrive together (zmq_msg_recv(3)), so this does not wait. */
        (void)frame_receive(&mail->body.msg, self->pull_raw);
        more = zmq_msg_more(&mail->body.msg);
    }
    while (more) { /* a peer that sends more than two frames speaks another protocol */
        zmq_msg_t rest;

        (void)zmq_msg_init(&rest);
        (void)frame_receive(&rest, self->pull_raw);
        more = zmq_msg_more(&rest);
        frame_close(&rest);
    }
    return true;
}

/* Moves everything that has arrived into the mailbox. ZMQ_FD is edge-triggered, so it
 * must be emptied. */
static void drain(struct actor *self)
{
    uint64_t msgs = 0;
    uint64_t bytes = 0;

    for (;;) {
        struct mail *mail = mailbox_mail_new(&self->mailbox);

        if (!frames_receive(self, mail)) {
            mailbox_recycle(&self->mailbox, &mail);
            break;
        }
        size_t header_len = zmq_msg_size(&mail->header);
        mail->bytes = header_len + zmq_msg_size(&mail->body.msg);
        msgs++;
        bytes += mail->bytes;
        if (!envelope_decode((struct span){ zmq_msg_data(&mail->header), header_len }, &mail->env)) {
            atomic_fetch_add_explicit(&self->opts.stats->refused, 1, memory_order_relaxed);
            mailbox_recycle(&self->mailbox, &mail);
            continue;
        }
        int r = mailbox_push(&self->mailbox, &mail);
        if (r > 0 && mail->env.kind == ENVELOPE_PUBLISH && topic_mail_to_gap(self, mail)) {
            r = mailbox_push(&self->mailbox, &mail);
        }
        if (r > 0) {
            struct link *link = link_get(self, envelope_sender(&mail->env));

            link_account(self, link, mail->env.incarnation, mail->bytes);
            refuse(self, mail, r);
            mailbox_recycle(&self->mailbox, &mail);
        }
    }
    if (msgs) {
        atomic_fetch_add_explicit(&self->opts.stats->msgs_in, msgs, memory_order_relaxed);
        atomic_fetch_add_explicit(&self->opts.stats->bytes_in, bytes, memory_order_relaxed);
    }
}

static void depth_publish(struct actor *self)
{
    atomic_store_explicit(&self->opts.stats->mailbox_msgs, self->mailbox.msgs, memory_order_relaxed);
    atomic_store_explicit(&self->opts.stats->mailbox_bytes, self->mailbox.bytes, memory_order_relaxed);
}

static void handle_batch(struct actor *self)
{
    for (unsigned i = 0; i < ACTOR_BATCH && !self->is_stopping; i++) {
        struct mail *mail = mailbox_pop(&self->mailbox);

        if (!mail) {
            return;
        }
        struct link *link = link_get(self, envelope_sender(&mail->env));
        uint32_t incarnation = mail->env.incarnation;
        size_t bytes = mail->bytes;
        dispatch(self, mail);
        mailbox_recycle(&self->mailbox, &mail);
        link_account(self, link, incarnation, bytes);
    }
}

static void pump(struct actor *self)
{
    struct actor *outer = current_actor;

    current_actor = self;
    (void)call_run_ended(self);
    drain(self);
    depth_publish(self);
    handle_batch(self);
    (void)call_run_ended(self);
    if (self->mailbox.msgs || self->ended) {
        actor_wake(self);
    } else {
        tap_port_flush(&self->tap);
        uv_idle_stop(&self->work);
        /* What arrived while the batch was handled raised the descriptor; see drain(). */
        drain(self);
        if (self->mailbox.msgs) {
            actor_wake(self);
        }
    }
    depth_publish(self);
    current_actor = outer;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    pump(poll->data);
}

static void on_work(uv_idle_t *idle)
{
    pump(idle->data);
}

void actor_wake(struct actor *self)
{
    if (!uv_is_active((uv_handle_t *)&self->work)) {
        (void)uv_idle_start(&self->work, on_work); /* fails only without a callback */
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct actor *self = timer->data;
    struct actor *outer = current_actor;

    current_actor = self;
    self->timer_at_ms = UINT64_MAX;
    call_run_due(self);
    uint64_t in_ms = wheel_next_ms(&self->wheel, uv_now(self->loop));
    if (in_ms != UINT64_MAX) {
        actor_timer_at(self, uv_now(self->loop) + in_ms);
    }
    current_actor = outer;
}

void actor_timer_at(struct actor *self, uint64_t at_ms)
{
    uint64_t now_ms = uv_now(self->loop);

    if (at_ms < self->timer_at_ms) {
        self->timer_at_ms = at_ms;
        (void)uv_timer_start(&self->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0,
                             0); /* fails only without a callback */
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int pull_open(struct actor *self)
{
    self->pull = zsock_new(ZMQ_PULL);
    if (!self->pull) {
        return FAULT(-zmq_errno());
    }
    zsock_set_rcvhwm(self->pull, 0); /* bounded by credit; see link.c */
    zsock_set_linger(self->pull, 0);
    self->pull_raw = zsock_resolve(self->pull);
    for (size_t i = 0; i < ARRAY_LEN(self->opts.endpoints) && self->opts.endpoints[i]; i++) {
        if (zmq_bind(self->pull_raw, self->opts.endpoints[i]) != 0) {
            return FAULT(-zmq_errno());
        }
    }
    return 0;
}

static int handles_open(struct actor *self)
{
    int r = uv_poll_init(self->loop, &self->poll, zsock_fd(self->pull));

    if (r < 0) {
        return FAULT(r);
    }
    (void)uv_idle_init(self->loop, &self->work); /* cannot fail */
    (void)uv_timer_init(self->loop, &self->timer);
    self->handles_open = 3;
    self->poll.data = self;
    self->work.data = self;
    self->timer.data = self;
    r = uv_poll_start(&self->poll, UV_READABLE, on_readable);
    return r < 0 ? FAULT(r) : 0;
}

static void node_link_open(struct actor *self)
{
    self->node = link_get(self, span_from(self->node_address));
    self->node->is_fixed = true;
    if (self->opts.node_endpoint) {
        link_apply(self, self->node, span_from(self->opts.node_endpoint), 1, ACTOR_LIFE_READY, 0);
    }
}

static void resolve_by_node(struct actor *self, struct link *link)
{
    node_tell(self, &wire_resolve, "address", link->address);
}

static void random_seed(struct actor *self)
{
    if (getrandom(self->random, sizeof(self->random), 0) != (ssize_t)sizeof(self->random)) {
        self->random[0] = clock_mono_ns();
        self->random[1] = (uint64_t)(uintptr_t)self;
    }
    /* Numbers of calls differ from those of an earlier life at the same address. */
    self->call_generation = (uint32_t)random_next(self);
}

static void parts_init(struct actor *self)
{
    mailbox_init(&self->mailbox, self->def->mailbox_msgs ? self->def->mailbox_msgs : MAILBOX_MSGS_DEFAULT,
                 self->def->mailbox_bytes ? self->def->mailbox_bytes : MAILBOX_BYTES_DEFAULT);
    wheel_init(&self->wheel, uv_now(self->loop));
    pack_init(&self->scratch, ACTOR_BODY_MAX);
    tap_port_init(&self->tap);
    self->timer_at_ms = UINT64_MAX;
    self->ended_tail = &self->ended;
    self->events_tail = &self->events;
    random_seed(self);
}

static void routes_init(struct actor *self)
{
    for (size_t i = 0; i < self->def->routes_n; i++) {
        route_table_add(&self->routes, &self->def->routes[i]);
    }
    for (size_t i = 0; i < self->def->topics_n; i++) {
        (void)actor_subscribe(self, &self->def->topics[i]); /* cannot fail */
    }
}

int actor_open(struct actor *self, uv_loop_t *loop, const struct actor_opts *opts)
{
    struct actor *outer = current_actor;

    *self = (struct actor){ .opts = *opts, .def = opts->def };
    (void)snprintf(self->address, sizeof(self->address), "%s", opts->address);
    (void)snprintf(self->host, sizeof(self->host), "%s", opts->host);
    (void)snprintf(self->node_address, sizeof(self->node_address), "%s", opts->node_address);
    self->loop = loop ? loop : &self->own_loop;
    if (!loop) {
        int r = uv_loop_init(&self->own_loop);
        if (r < 0) {
            return FAULT(r);
        }
    }
    parts_init(self);
    int r = pull_open(self);
    r = r < 0 ? r : handles_open(self);
    if (r < 0) {
        return r;
    }
    if (!self->opts.resolve) {
        self->opts.resolve = resolve_by_node;
    }
    current_actor = self;
    node_link_open(self);
    if (self->opts.node_endpoint) { /* the mailbox is bound: the directory may send others to it */
        state_tell(self, actor_life_name(ACTOR_LIFE_STARTING), NULL);
    }
    routes_init(self);
    self->state = mem_new(self->def->state_size ? self->def->state_size : 1);
    self->is_init = true;
    r = self->def->init ? self->def->init(self->state, self, opts->arg ? opts->arg : "") : 0;
    if (r == 0 && !self->def->is_ready_late) {
        actor_ready(self);
    }
    current_actor = outer;
    return r > 0 ? FAULT(-EPROTO) : r;
}

void actor_serve(struct actor *self)
{
    current_actor = self;
    while (!self->is_stopping) {
        (void)uv_run(self->loop, UV_RUN_DEFAULT);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct actor *self = handle->data;

    self->handles_open--;
}

/* Calls still in the mailbox, or on their way into it, get an answer. */
static void mailbox_refuse_all(struct actor *self)
{
    struct failure failure = { .code = FAIL_UNAVAILABLE,
                               .message = SPAN_LIT("the receiver stopped before it handled this"),
                               .retryable = true,
                               .retry_after_ms = 250 };

    if (!self->pull_raw) {
        return;
    }
    drain(self);
    for (struct mail *mail = mailbox_pop(&self->mailbox); mail; mail = mailbox_pop(&self->mailbox)) {
        if (mail->env.kind == ENVELOPE_CALL) {
            (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
        }
        mailbox_recycle(&self->mailbox, &mail);
    }
}

static void exit_tell(struct actor *self)
{
    if (self->opts.node_endpoint) {
        if (!self->node) {
            node_link_open(self);
        }
        pack_reset(&self->scratch);
        pack_map_begin(&self->scratch);
        pack_kv_i64(&self->scratch, "fault", self->fault);
        pack_kv_text(&self->scratch, "place", self->fault ? fault_place() : "");
        pack_map_end(&self->scratch);
        (void)actor_cast_span(self, self->node_address, &wire_exit, pack_span(&self->scratch), NULL);
    }
}

static void own_loop_close(struct actor *self)
{
    if (self->loop != &self->own_loop) {
        return;
    }
    /* deinit may leave closes pending; a handle left open is a bug that must not hang the stop. */
    for (int i = 0; i < 1000 && uv_loop_close(self->loop) == UV_EBUSY; i++) {
        (void)uv_run(self->loop, UV_RUN_NOWAIT);
    }
}

void actor_close(struct actor *self)
{
    struct actor *outer = current_actor;

    current_actor = self;
    self->is_stopping = true;
    if (self->is_init && self->def->deinit) {
        self->def->deinit(self->state, self);
    }
    if (self->pull_raw) {
        serve_fail_all(self);
        mailbox_refuse_all(self);
    }
    exit_tell(self);
    tap_port_flush(&self->tap);
    if (self->handles_open) {
        uv_close((uv_handle_t *)&self->poll, on_handle_closed);
        uv_close((uv_handle_t *)&self->work, on_handle_closed);
        uv_close((uv_handle_t *)&self->timer, on_handle_closed);
    }
    own_loop_close(self);
    call_free_all(self);
    topic_free_all(self);
    link_close_all(self);
    zsock_destroy(&self->pull);
    mailbox_deinit(&self->mailbox);
    tap_port_deinit(&self->tap);
    pack_deinit(&self->scratch);
    while (self->watches) {
        struct watch *watch = self->watches;

        self->watches = watch->next;
        free(watch);
    }
    route_table_deinit(&self->routes);
    route_table_deinit(&self->topics);
    free(self->in_buf);
    free(self->answer_buf);
    free(self->state);
    self->state = NULL;
    current_actor = outer;
}
