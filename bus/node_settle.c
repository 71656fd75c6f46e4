/*
 * node_settle: when do all publishers know of a subscription? Every way that the news of
 * it took is taken once more, by a call: to the publishers of this process, and by way of
 * the supervisor to those of the others. Messages keep their order on each, so who has
 * answered has heard. Calls always end, and a publisher that has ended needs no news.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/node_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

#define SETTLE_PUBLISHER_MS 1000U
#define SETTLE_NODE_MS 1500U /* it waits for publishers in turn */

struct settle {
    struct settle *next;
    struct node *node;
    struct actor_token token;
    unsigned pending_n;
};

static void settle_end(struct settle *settle)
{
    static const struct span empty_map = { "\x80", 1 };
    struct settle **at = &settle->node->settles;

    while (*at != settle) {
        at = &(*at)->next;
    }
    *at = settle->next;
    (void)actor_token_reply_span(&settle->node->actor, settle->token, empty_map); /* memory: the deadline ends it */
    free(settle);
}

static void on_settled(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct settle *settle = cookie;

    (void)state;
    (void)actor;
    (void)answer; /* a failure: it has ended, or is too busy to be asked anything */
    if (--settle->pending_n == 0) {
        settle_end(settle);
    }
}

static void settle_ask(struct settle *settle, const char *to, const struct schema_msg *msg, struct span who,
                       uint32_t deadline_ms)
{
    struct pack body;

    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_str(&body, "who", who);
    pack_map_end(&body);
    struct actor_call call = { .to = to,
                               .msg = msg,
                               .body = pack_span(&body),
                               .deadline_ms = deadline_ms,
                               .on_answer = on_settled,
                               .cookie = settle };
    settle->pending_n += actor_call(&settle->node->actor, &call, NULL) == 0;
    pack_deinit(&body);
}

/* Does it publish something that `who` is subscribed to? */
static bool is_publisher(const struct directory *directory, const struct directory_interest *interest, struct span who)
{
    for (const struct directory_topic *at = directory->topics; interest->is_topic && at; at = at->next) {
        if (span_is_text(who, at->address) && strcmp(at->name, interest->pattern) == 0) {
            return true;
        }
    }
    return false;
}

static void publishers_ask(struct settle *settle, struct span who)
{
    const struct directory *directory = &settle->node->directory;

    for (const struct directory_interest *at = directory->interests; at; at = at->next) {
        bool is_asked = !is_publisher(directory, at, who);

        for (const struct directory_interest *one = directory->interests; one != at && !is_asked; one = one->next) {
            is_asked = strcmp(one->who, at->who) == 0 && is_publisher(directory, one, who);
        }
        if (!is_asked) {
            settle_ask(settle, at->who, &wire_settled, who, SETTLE_PUBLISHER_MS);
        }
    }
}

/* A host asks the supervisor, the supervisor every other host. */
static void nodes_ask(struct settle *settle, struct span from, struct span who)
{
    struct node *self = settle->node;

    if (!node_is_supervisor(self)) {
        if (self->opts.has_supervisor && !span_is_text(from, NODE_SUPERVISOR)) {
            settle_ask(settle, NODE_SUPERVISOR, &wire_settle, who, 2 * SETTLE_NODE_MS);
        }
        return;
    }
    for (size_t i = 0; i < self->opts.topology->hosts_n; i++) {
        char to[ACTOR_ADDRESS_MAX];

        (void)snprintf(to, sizeof(to), "host/%s", self->opts.topology->hosts[i].name);
        const struct directory_entry *host = directory_find(&self->directory, span_from(to));
        if (host && host->is_up && !span_is_text(from, to)) {
            settle_ask(settle, to, &wire_settle, who, SETTLE_NODE_MS);
        }
    }
}

int node_settle_on_settle(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct span who = node_text_in(ctx, "who", ACTOR_ADDRESS_MAX);

    (void)arg;
    (void)msg;
    if (who.len == 0) {
        return FAIL_INVALID_REQUEST;
    }
    struct settle *settle = mem_new(sizeof(*settle));
    settle->node = self;
    settle->pending_n = 1; /* answers come later, from the loop */
    settle->token = actor_defer(ctx, NULL);
    settle->next = self->settles;
    self->settles = settle;
    publishers_ask(settle, who);
    nodes_ask(settle, actor_ctx_from(ctx), who);
    if (--settle->pending_n == 0) {
        settle_end(settle);
    }
    return 0;
}

void node_settle_deinit(struct node *self)
{
    while (self->settles) {
        struct settle *settle = self->settles;

        self->settles = settle->next;
        free(settle);
    }
}
