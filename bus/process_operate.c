/*
 * What operators ask of the gateway by way of an edge, which has judged whether they may: the
 * same as over the control socket, as far as it only looks. A trunk lets no host of another
 * machine say this word (trunk_words.c).
 */
#include "bus/process_internal.h"
#include "bus/value.h"

static const struct span nothing = { "", 0 };

static struct span text_in(struct actor_ctx *ctx, const char *key)
{
    return value_str(value_get(actor_ctx_body(ctx), key), nothing);
}

int process_operate(void *arg, struct actor_ctx *ctx)
{
    struct process *self = arg;
    struct span from = actor_ctx_from(ctx);
    struct span op = text_in(ctx, "op");

    if (!span_starts(from, "edge/")) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "only an edge speaks for operators");
    }
    if (span_is_text(op, "actors")) {
        process_actors_ask(self, (struct process_asker){ .token = actor_defer(ctx, NULL) });
        return 0;
    }
    if (span_is_text(op, "tap")) {
        process_tap_of_actor(self, (struct process_asker){ .token = actor_defer(ctx, NULL) }, from, text_in(ctx, "who"),
                             actor_ctx_body(ctx));
        return 0;
    }
    if (span_is_text(op, "untap") && process_tap_end(self, from, text_in(ctx, "endpoint"))) {
        return actor_reply_span(ctx, (struct span){ "\x80", 1 });
    }
    return actor_fail(ctx, FAIL_INVALID_REQUEST, "there is no operation \"%.*s\", or nothing that it would end",
                      (int)(op.len < 64 ? op.len : 64), op.ptr);
}
