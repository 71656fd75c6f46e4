#include "edge/listener/budget.h"

#include "edge/listener/ws.h"

static bool is_over(const struct edge *edge, const struct quota *quota)
{
    return quota ? quota->bytes > LIMIT_QUEUED_ONE_LOW : budget_used(edge) > LIMIT_QUEUED_LOW;
}

/* Who keeps most waiting; of those that were told to go when `is_leaving`. */
static struct conn *largest(const struct edge *edge, const struct quota *quota, bool is_leaving)
{
    struct conn *found = NULL;
    size_t most = LIMIT_WAITING_MIN;

    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        size_t waiting = conn_pending(conn) + conn->held;

        if (!conn->is_killed && (conn->phase != CONN_OPEN) == is_leaving && waiting >= most &&
            (!quota || conn->quota == quota)) {
            found = conn;
            most = waiting;
        }
    }
    return found;
}

static void end(struct conn *conn)
{
    if (ws_of(conn)) {
        ws_close_slow(conn, "budget");
    } else {
        conn_discard(conn); /* an answer over HTTP that nobody takes */
    }
}

void budget_relieve(struct edge *edge, struct quota *quota)
{
    struct conn *conn;

    while (is_over(edge, quota) && (conn = largest(edge, quota, false)) != NULL) {
        end(conn);
    }
    /* Those on their way out get the time to hear why only while there is room for it. */
    while (is_over(edge, quota) && (conn = largest(edge, quota, true)) != NULL) {
        conn_discard(conn);
    }
}
