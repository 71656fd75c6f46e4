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
        size_t waiting = conn_waiting(conn);

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
    } else if (!conn->ops->on_unread || !conn->ops->on_unread(conn)) {
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

/* --- what is not complete ------------------------------------------------------------------ */

static void input_set(struct conn *conn, size_t cost)
{
    size_t more = cost - conn->in_cost; /* wraps when it is less, and so do the sums */

    conn->in_cost = cost;
    conn->edge->input.all += more;
    conn->peer->input.all += more;
    if (!conn->is_known) {
        conn->edge->input.strangers += more;
        conn->peer->input.strangers += more;
    }
}

void budget_input_note(struct conn *conn)
{
    size_t cost = conn->in.len + (conn->state ? conn->ops->held(conn) : 0);

    if (cost != conn->in_cost) {
        input_set(conn, cost);
    }
}

void budget_input_know(struct conn *conn)
{
    size_t cost = conn->in_cost;

    input_set(conn, 0);
    conn->is_known = true;
    input_set(conn, cost);
}

void budget_input_forget(struct conn *conn)
{
    input_set(conn, 0);
}

/* One sum that has a limit, and whose it is. */
struct input_sum {
    const size_t *bytes;
    size_t limit;
    const struct peer *peer; /* NULL: everybody's */
    bool is_of_strangers;
};

static struct conn *input_fullest(const struct edge *edge, const struct input_sum *sum)
{
    struct conn *found = NULL;

    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        if (conn->phase == CONN_OPEN && !conn->is_killed && conn->in_cost > (found ? found->in_cost : 0) &&
            (!sum->peer || conn->peer == sum->peer) && !(sum->is_of_strangers && conn->is_known)) {
            found = conn;
        }
    }
    return found;
}

/* An eighth more than must be, so that not every byte that comes next has all looked through again. */
static void input_relieve(struct edge *edge, const struct input_sum *sum)
{
    struct conn *conn;

    while (*sum->bytes > sum->limit - sum->limit / 8 && (conn = input_fullest(edge, sum)) != NULL) {
        large_note(edge, LARGE_INPUT, conn->in_cost);
        conn->ops->on_overfull(conn);
        budget_input_note(conn);
    }
}

void budget_input_check(struct conn *conn)
{
    struct edge *edge = conn->edge;
    size_t before = conn->in_cost;
    /* Behind a proxy everybody is loopback, so that one has no limit of its own. */
    const struct input_sum sums[] = {
        { &edge->input.all, LIMIT_INPUT_ALL, NULL, false },
        { &edge->input.strangers, LIMIT_STRANGERS_ALL, NULL, true },
        { &conn->peer->input.all, LIMIT_INPUT_PEER, conn->peer, false },
        { &conn->peer->input.strangers, LIMIT_STRANGERS_PEER, conn->peer, true },
    };

    budget_input_note(conn);
    for (size_t i = 0; conn->in_cost > before && i < ARRAY_LEN(sums); i++) {
        if (*sums[i].bytes > sums[i].limit && !(sums[i].peer && sums[i].peer->is_loopback)) {
            input_relieve(edge, &sums[i]);
        }
    }
}
