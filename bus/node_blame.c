/*
 * node_blame: who sends what it may not, as receivers have told. The supervisor knows which
 * host a process is, and shows it as the state of that host, or of the actor that was named,
 * until it has been quiet for a while.
 */
#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/node_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

#define BLAME_MS 10000U /* quiet for so long is well again */

/* The actor that was named, if there is one; else the host that this process is. */
static struct directory_entry *entry_of(struct node *self, struct span address, int64_t pid)
{
    struct directory_entry *named = directory_find(&self->directory, address);
    char host[ACTOR_ADDRESS_MAX];
    const char *name;

    if (named && named->is_up) {
        return named;
    }
    name = pid > 0 && self->opts.host_of ? self->opts.host_of(self->opts.arg, pid) : NULL;
    if (!name) {
        return NULL;
    }
    (void)snprintf(host, sizeof(host), "host/%s", name);
    return directory_find(&self->directory, span_from(host));
}

static void entry_tell(struct node *self, const struct directory_entry *entry)
{
    node_tell_entry_spread(self, entry);
    node_tell_entry_sync(self, entry);
}

int node_blame_on_blame(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = node_of(actor_ctx_actor(ctx));
    struct span body = actor_ctx_body(ctx);
    struct span why = node_text_in(ctx, "why", DIRECTORY_BLAME_MAX);
    struct directory_entry *entry;

    (void)arg;
    (void)msg;
    if (!node_is_supervisor(self)) {
        return self->opts.has_supervisor ? actor_cast_span(&self->actor, NODE_SUPERVISOR, &wire_blame, body, ctx) : 0;
    }
    entry = entry_of(self, node_text_in(ctx, "address", ACTOR_ADDRESS_MAX), value_i64(value_get(body, "pid"), 0));
    if (!entry || why.len == 0) {
        return 0; /* nobody of ours; the receiver has logged it */
    }
    bool is_news = !span_is_text(why, entry->blame);
    (void)snprintf(entry->blame, sizeof(entry->blame), "%.*s", SPAN_FMT(why));
    entry->blamed_ms = clock_mono_ms();
    if (is_news) {
        entry_tell(self, entry);
    }
    return 0;
}

void node_blame_forget(struct node *self, uint64_t now_ms)
{
    for (struct directory_entry *at = self->directory.entries; at; at = at->next) {
        if (at->blame[0] && now_ms - at->blamed_ms > BLAME_MS) {
            at->blame[0] = '\0';
            entry_tell(self, at);
        }
    }
}
