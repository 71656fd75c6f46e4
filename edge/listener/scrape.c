#include "edge/listener/scrape.h"

#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "schema_gen.h"

#define PROMETHEUS_TEXT "text/plain; version=0.0.4; charset=utf-8"

static void on_page(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    const struct msg_metrics_page *page = reply->msg;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure) {
        exchange_text(self, 503, RESPONSE_TEXT, SPAN_LIT("The numbers cannot be had now."));
    } else {
        exchange_text(self, 200, PROMETHEUS_TEXT, page->text);
    }
}

void scrape_start(struct exchange *self)
{
    struct msg_metrics_text in = { 0 };
    struct actor_call call = {
        .to = "health", .msg = MSG_METRICS_TEXT, .in = &in, .trace = self->trace, .on_answer = on_page, .cookie = self
    };

    if (actor_call(self->edge->actor, &call, &self->call.id)) {
        exchange_text(self, 503, RESPONSE_TEXT, SPAN_LIT("The numbers cannot be had now."));
    }
}
