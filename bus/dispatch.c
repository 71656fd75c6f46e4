/*
 * dispatch: one mail to whoever handles it: a handler of the actor, or a part of the
 * runtime.
 */
#include <stdio.h>

#include "bus/actor_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

static void fail_code(struct actor_ctx *ctx, int code)
{
    if (ctx->mail->env.kind != ENVELOPE_CALL || ctx->is_answered) {
        return;
    }
    if (!ctx->has_failure || ctx->failure.code != code) {
        const char *text = failure_name(code);

        text = text ? text : schema_failure_text(ctx->actor->opts.registry, code);
        (void)actor_fail(ctx, code, "%s", text ? text : "refused");
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
    } else if (message_decode(&self->in_buf, &self->in_cap, route->msg, body, why, sizeof(why)) == 0) {
        *ret_msg = self->in_buf;
        return true;
    }
    (void)actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", why);
    fail_code(ctx, FAIL_INVALID_REQUEST);
    if (ctx->mail->env.kind != ENVELOPE_CALL) {
        dead_letter_report(self, &ctx->mail->env, body.len, why, true);
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
        dead_letter_report(self, &ctx->mail->env, zmq_msg_size(&ctx->mail->body.msg), "quarantined: its handler broke",
                           true);
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

/* It has come behind all that the node said before. */
static void settled_answer(struct actor *self, struct mail *mail)
{
    static const struct span empty_map = { "\x80", 1 };
    zmq_msg_t body;

    if (frame_copy(empty_map, &body) == 0) {
        (void)serve_answer(self, mail, ENVELOPE_REPLY, &body); /* memory: the asker's deadline ends it */
    }
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
    if (mail->env.kind == ENVELOPE_CAST && node_talk_on_word(self, mail)) {
        return;
    }
    if (mail->env.kind == ENVELOPE_CALL && span_is_text(mail->env.name, wire_settled.name)) {
        settled_answer(self, mail);
        return;
    }
    if (mail->env.kind == ENVELOPE_CALL && span_is_text(mail->env.name, wire_links.name)) {
        link_tell_answer(self, mail);
        return;
    }
    if (mail->env.kind == ENVELOPE_CALL) {
        char text[160];
        struct failure failure = { .code = FAIL_UNKNOWN_METHOD, .message = { text, 0 } };

        (void)snprintf(text, sizeof(text), "%s has no method %.*s", self->address, SPAN_FMT(mail->env.name));
        failure.message.len = strlen(text);
        (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
    } else {
        dead_letter_report(self, &mail->env, zmq_msg_size(&mail->body.msg), "receiver has no route for it", true);
    }
}

void dispatch_mail(struct actor *self, struct mail *mail)
{
    const struct actor_route *route;

    switch (mail->env.kind) {
    case ENVELOPE_CALL:
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
