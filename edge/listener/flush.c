#include "edge/listener/flush.h"

#include "bus/base/clock.h"
#include "edge/listener/budget.h"
#include "edge/listener/conn_internal.h"
#include "edge/listener/edge.h"

#define TURN_NS 250000U /* of one turn of the loop, for those that take turns */
#define TURN_LOOK 4U    /* writes between two looks at the clock */

static void on_flush(uv_idle_t *idle);

void flush_want(struct conn *conn)
{
    struct edge *edge = conn->edge;
    struct flush_queue *queue;

    if (conn->flush != FLUSH_NONE) {
        return;
    }
    conn->flush = conn->is_streaming ? FLUSH_IN_TURN : FLUSH_AT_ONCE;
    conn->flush_next = NULL;
    queue = &edge->flushes[conn->flush];
    *(queue->last ? &queue->last->flush_next : &queue->head) = conn;
    queue->last = conn;
    (void)uv_idle_start(&edge->flush, on_flush); /* fails only without a callback */
}

void flush_forget(struct conn *conn)
{
    struct flush_queue *queue = &conn->edge->flushes[conn->flush];
    struct conn *before = NULL;

    if (conn->flush == FLUSH_NONE) {
        return;
    }
    for (struct conn *at = queue->head; at != conn; at = at->flush_next) {
        before = at;
    }
    *(before ? &before->flush_next : &queue->head) = conn->flush_next;
    if (queue->last == conn) {
        queue->last = before;
    }
    conn->flush = FLUSH_NONE;
}

static void first_write(struct edge *edge, enum flush_lane lane)
{
    struct flush_queue *queue = &edge->flushes[lane];
    struct conn *conn = queue->head;

    queue->head = conn->flush_next;
    if (!queue->head) {
        queue->last = NULL;
    }
    conn->flush = FLUSH_NONE;
    if (conn_on_writable(conn)) {
        conn_kill(conn);
    }
}

/* Those that were to be written when this turn began; one that has more to say is behind them, for the next turn. A
 * write may end other connections, which are then in no queue any more. */
static void all_write(struct edge *edge)
{
    const struct flush_queue *queue = &edge->flushes[FLUSH_AT_ONCE];
    size_t waiting_n = 0;

    for (const struct conn *conn = queue->head; conn; conn = conn->flush_next) {
        waiting_n++;
    }
    for (; waiting_n > 0 && queue->head; waiting_n--) {
        first_write(edge, FLUSH_AT_ONCE);
    }
}

static void some_write(struct edge *edge)
{
    uint64_t began_ns = clock_mono_ns();
    unsigned written = 0;

    while (edge->flushes[FLUSH_IN_TURN].head) {
        first_write(edge, FLUSH_IN_TURN);
        if (++written % TURN_LOOK == 0 && clock_mono_ns() - began_ns >= TURN_NS) {
            return;
        }
    }
}

static void on_flush(uv_idle_t *idle)
{
    struct edge *edge = idle->data;

    budget_check(edge);
    all_write(edge);
    if (edge->flushes[FLUSH_IN_TURN].head) {
        some_write(edge);
    }
    if (!edge->flushes[FLUSH_AT_ONCE].head && !edge->flushes[FLUSH_IN_TURN].head) {
        (void)uv_idle_stop(idle); /* cannot fail */
    }
}
