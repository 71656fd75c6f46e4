/*
 * greeter: greets whoever asks, and counts.
 *
 * Accepts    greet
 * Answers    greeting
 * On restart the count begins again.
 */
#include "docs/examples/greeter/greeter.h"

#include <stdio.h>

#include "bus/actor.h"
#include "schema_gen.h"

struct greeter {
    uint64_t count;
};

static int on_greet(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct greeter *self = arg;
    const struct msg_greet *in = msg;
    char text[128];
    int len;

    if (span_is_text(in->name, "nobody")) {
        return actor_fail(ctx, FAIL_NOBODY_THERE, "there is nobody to greet");
    }
    len = snprintf(text, sizeof(text), "Hello, %.*s!", SPAN_FMT(in->name));
    self->count++;
    return actor_reply(ctx, MSG_GREETING,
                       &(struct msg_greeting){ .text = { text, (size_t)len }, .count = self->count });
}

static const struct actor_route greeter_routes[] = {
    { MSG_GREET, on_greet, 0 },
};
_Static_assert(ARRAY_LEN(greeter_routes) == GREETER_ACCEPTS_N, "greeter: routes, schema differ");

const struct actor_def greeter_actor = {
    .name = "greeter",
    .state_size = sizeof(struct greeter),
    .routes = greeter_routes,
    .routes_n = ARRAY_LEN(greeter_routes),
};
