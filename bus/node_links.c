/*
 * node_links: who talks to whom in this process. Every actor of it is asked; one that does
 * not answer in time is left out.
 */
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/node_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

#define LINKS_ACTOR_MS 800U /* less than those wait who ask us */

/* One who wants to know. */
struct links_ask {
    struct links_ask *next;
    struct node *node;
    struct actor_token token;
    struct pack out; /* the actors so far */
    unsigned pending_n;
};

static void ask_free(struct links_ask *ask)
{
    pack_deinit(&ask->out);
    free(ask);
}

static void ask_end(struct links_ask *ask)
{
    struct links_ask **at = &ask->node->links_asks;

    while (*at != ask) {
        at = &(*at)->next;
    }
    *at = ask->next;
    pack_array_end(&ask->out);
    pack_map_end(&ask->out);
    if (pack_error(&ask->out) == 0) {
        /* memory: the deadline ends it */
        (void)actor_token_reply_span(&ask->node->actor, ask->token, pack_span(&ask->out));
    } else {
        (void)actor_token_fail_text(&ask->node->actor, ask->token, FAIL_INTERNAL, "there are too many links to tell");
    }
    ask_free(ask);
}

static void on_actor_links(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct links_ask *ask = cookie;

    (void)state;
    (void)actor;
    if (!answer->failure) {
        pack_raw(&ask->out, answer->body);
    }
    if (--ask->pending_n == 0) {
        ask_end(ask);
    }
}

static void actors_ask(struct links_ask *ask)
{
    static const struct span empty_map = { "\x80", 1 };
    struct node *self = ask->node;

    for (const struct directory_entry *entry = self->directory.entries; entry; entry = entry->next) {
        struct actor_call call = { .to = entry->address,
                                   .msg = &wire_links,
                                   .body = empty_map,
                                   .deadline_ms = LINKS_ACTOR_MS,
                                   .on_answer = on_actor_links,
                                   .cookie = ask };

        if (entry->local[0] && entry->is_up && strcmp(entry->address, self->address) != 0) {
            ask->pending_n += actor_call(&self->actor, &call, NULL) == 0;
        }
    }
}

int node_links_on_links(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct links_ask *ask = mem_new(sizeof(*ask));

    (void)arg;
    (void)msg;
    ask->node = self;
    ask->token = actor_defer(ctx, NULL);
    ask->next = self->links_asks;
    self->links_asks = ask;
    pack_init(&ask->out, wire_links.max_bytes);
    pack_map_begin(&ask->out);
    pack_key(&ask->out, "actors");
    pack_array_begin(&ask->out);
    link_tell_pack(&self->actor, &ask->out);
    ask->pending_n = 1; /* answers come later, from the loop */
    actors_ask(ask);
    if (--ask->pending_n == 0) {
        ask_end(ask);
    }
    return 0;
}

void node_links_deinit(struct node *self)
{
    while (self->links_asks) {
        struct links_ask *ask = self->links_asks;

        self->links_asks = ask->next;
        ask_free(ask);
    }
}
