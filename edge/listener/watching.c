#include "edge/listener/watching.h"

#include "edge/listener/edge.h"
#include "schema_gen.h"

#define REMIND_MS 1000U

static void tell(struct edge *edge)
{
    const struct msg_edge_watching out = { .is_watching = edge->clients_n > 0 };

    edge->was_watching = out.is_watching;
    edge->watching_told_ms = edge_now(edge);
    (void)actor_publish(edge->actor, MSG_EDGE_WATCHING, &out, NULL); /* memory alone; those who miss it go on telling */
}

void watching_changed(struct edge *edge)
{
    if (edge->was_watching != (edge->clients_n > 0)) {
        tell(edge);
    }
}

void watching_repeat(struct edge *edge)
{
    if (edge->clients_n > 0) {
        tell(edge);
    }
}

void watching_remind(struct edge *edge)
{
    if (edge->clients_n == 0 && edge_now(edge) - edge->watching_told_ms >= REMIND_MS) {
        tell(edge);
    }
}
