#include "edge/listener/agent_find.h"

#include "edge/listener/edge.h"
#include "edge/listener/http.h"
#include "edge/listener/run_ask.h"
#include "schema_gen.h"

static void on_found(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    struct stream *stream;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure && reply->failure->code == FAIL_AGENT_UNKNOWN) {
        exchange_text(self, 404, RESPONSE_TEXT, SPAN_LIT("Not Found"));
        return;
    }
    if (reply->failure) {
        run_ask_fail(self, reply->failure);
        return;
    }
    stream = exchange_detach(self);
    self->kind.on_agent(stream, &self->request, reply->msg);
    exchange_destroy(self);
    stream->ops->resume(stream);
}

void agent_find(struct exchange *self, const char *id)
{
    struct msg_router_agent_find in = { .has_agent_id = id[0] != '\0', .agent_id = span_from(id) };
    struct actor_call call = { .to = "router",
                               .msg = MSG_ROUTER_AGENT_FIND,
                               .in = &in,
                               .trace = self->trace,
                               .on_answer = on_found,
                               .cookie = self };
    int r = actor_call(self->edge->actor, &call, &self->call.id);

    if (r) {
        run_ask_refuse(self, r, NULL);
    }
}
