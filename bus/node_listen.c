/*
 * node_listen: where the gateway listens. The supervisor's process holds the sockets; the
 * nodes of hosts hand on what their actors ask of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/node_internal.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "bus/wire.h"

#define LISTEN_HOST_MAX 64

/* One that was handed on. */
struct listen_ask {
    struct listen_ask *next;
    struct node *node;
    struct actor_token token;
};

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct listen_ask *ask = cookie;
    struct listen_ask **at = &ask->node->listen_asks;

    (void)state;
    while (*at != ask) {
        at = &(*at)->next;
    }
    *at = ask->next;
    /* Without memory for it the deadline ends the call. */
    if (answer->failure) {
        (void)actor_token_fail(actor, ask->token, answer->failure);
    } else {
        (void)actor_token_reply_span(actor, ask->token, answer->body);
    }
    free(ask);
}

static int hand_on(struct node *self, struct actor_ctx *ctx)
{
    struct listen_ask *ask = mem_new(sizeof(*ask));

    ask->node = self;
    ask->token = actor_defer(ctx, NULL);
    ask->next = self->listen_asks;
    self->listen_asks = ask;
    return actor_call(&self->actor,
                      &(struct actor_call){ .to = NODE_SUPERVISOR,
                                            .msg = &wire_listen,
                                            .body = actor_ctx_body(ctx),
                                            .cause = ctx,
                                            .on_answer = on_answer,
                                            .cookie = ask },
                      NULL);
}

static int answer(struct actor_ctx *ctx, const char *host, int64_t port, bool is_other)
{
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "host", host);
    pack_kv_i64(&pack, "port", port);
    pack_kv_bool(&pack, "isOther", is_other);
    pack_map_end(&pack);
    int r = pack_error(&pack);
    return r ? r : actor_reply_span(ctx, pack_span(&pack));
}

static int do_listen(struct node *self, struct actor_ctx *ctx, int64_t port)
{
    struct span host = node_text_in(ctx, "host", LISTEN_HOST_MAX);
    bool is_taken = value_bool(value_get(actor_ctx_body(ctx), "take"), false);
    char text[LISTEN_HOST_MAX];
    char why[FAILURE_MESSAGE_MAX];

    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(host));
    int r = self->opts.on_listen(self->opts.arg, text, (uint16_t)port, is_taken, why, sizeof(why));
    return r < 0 ? actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", why) : answer(ctx, text, port, r > 0);
}

int node_listen_on_listen(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    int64_t port = value_i64(value_get(actor_ctx_body(ctx), "port"), 0);

    (void)arg;
    (void)msg;
    if (!node_is_supervisor(self) && self->opts.has_supervisor) {
        return hand_on(self, ctx);
    }
    if (!self->opts.on_listen) {
        return answer(ctx, "", 0, false); /* nobody holds sockets here, so none are to be exchanged */
    }
    if (port < 1 || port > UINT16_MAX) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "there is no such port");
    }
    return do_listen(self, ctx, port);
}

void node_listen_deinit(struct node *self)
{
    while (self->listen_asks) {
        struct listen_ask *ask = self->listen_asks;

        self->listen_asks = ask->next;
        free(ask);
    }
}
