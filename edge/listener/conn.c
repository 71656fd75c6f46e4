#include "edge/listener/conn.h"

#include <libwebsockets.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bus/base/mem.h"
#include "edge/listener/budget.h"
#include "edge/listener/conn_internal.h"
#include "edge/listener/edge.h"
#include "edge/listener/flush.h"
#include "edge/listener/http.h"
#include "edge/listener/http1.h"
#include "edge/listener/http2.h"
#include "edge/listener/tls.h"

/* --- the queue ------------------------------------------------------------------------ */

size_t conn_pending(const struct conn *self)
{
    return outq_pending(&self->out);
}

size_t conn_waiting(const struct conn *self)
{
    return outq_pending(&self->out) + self->ahead + self->held;
}

/* Once in this turn of the loop; libwebsockets calls by itself when a partial write is out. */
static void write_want(struct conn *self)
{
    if (!self->is_partial && !self->is_filling && self->wsi) {
        flush_want(self);
    }
}

void conn_wake(struct conn *self)
{
    write_want(self);
}

/* Memory that waits for readers is added up for all, and for whom it is. */
static void cost_note(struct conn *self)
{
    size_t cost = outq_cost(&self->out) + self->ahead + self->held;

    self->edge->queued_bytes += cost - self->cost;
    if (self->quota) {
        self->quota->bytes += cost - self->cost;
    }
    self->cost = cost;
}

void conn_ahead(struct conn *self, size_t before, size_t now)
{
    self->ahead += now - before; /* wraps when it is less */
    cost_note(self);
}

/* Buffers are lent while there is something to say, so that an idle connection has none. */
static void out_release(struct conn *self)
{
    struct edge *edge = self->edge;
    struct text_buf own = outq_release(&self->out);

    if (own.is_secret) {
        mem_wipe(own.data, own.cap);
        mem_wipe(edge->stage, LIMIT_WRITE);
        own.is_secret = false;
    }
    if (own.cap <= EDGE_SPARE_BYTES && edge->spares_n < EDGE_SPARES_MAX && own.data) {
        edge->spares[edge->spares_n++] = own;
    } else {
        edge->freed_bytes += own.cap;
        text_buf_deinit(&own);
    }
    self->is_slow = false;
    cost_note(self);
}

struct text_buf *conn_out(struct conn *self)
{
    struct edge *edge = self->edge;

    if (self->phase != CONN_OPEN || self->is_killed) {
        return NULL;
    }
    if (!self->out.own.data && edge->spares_n > 0) {
        self->out.own = edge->spares[--edge->spares_n];
    }
    outq_tidy(&self->out);
    return &self->out.own;
}

void conn_out_secret(struct conn *self)
{
    struct text_buf *out = conn_out(self);

    if (out) {
        out->is_secret = true;
    }
}

/* `len` bytes came on top of what waited. */
static void queue_grown(struct conn *self, size_t len)
{
    size_t pending = conn_pending(self);

    if (pending == len) {
        self->progress_ms = edge_now(self->edge);
    }
    if (pending > LIMIT_OUT_HIGH) {
        conn_hold(self, CONN_HOLD_OUT);
    }
    cost_note(self);
    write_want(self);
}

void conn_commit(struct conn *self, size_t len_before)
{
    queue_grown(self, self->out.own.len - len_before);
}

void conn_share(struct conn *self, struct span head, struct outq_text *text, struct span tail, uint64_t key)
{
    size_t before = conn_pending(self);

    if (self->phase != CONN_OPEN || self->is_killed) {
        return;
    }
    if (outq_share(&self->out, head, text, tail, key)) {
        conn_kill(self);
        return;
    }
    queue_grown(self, before ? 0 : conn_pending(self));
}

int conn_charge(struct conn *self, struct span principal)
{
    self->quota = quota_take(&self->edge->quotas, principal);
    if (!self->quota) {
        return FAULT(-ENOMEM);
    }
    self->quota->bytes += self->cost;
    return 0;
}

void conn_cut(struct conn *self)
{
    self->edge->freed_bytes += self->cost;
    outq_cut(&self->out);
    cost_note(self);
}

bool conn_send(struct conn *self, struct span bytes)
{
    struct text_buf *out = conn_out(self);
    size_t before = out ? out->len : 0;

    if (!out) {
        return false;
    }
    if (text_buf_add(out, bytes)) {
        conn_kill(self);
        return false;
    }
    conn_commit(self, before);
    return true;
}

/* --- reading -------------------------------------------------------------------------- */

static void holds_set(struct conn *self, unsigned holds)
{
    bool was_held = self->holds != 0;

    self->holds = holds;
    if (was_held != (holds != 0) && self->wsi) {
        lws_rx_flow_control(self->wsi, holds == 0);
    }
}

void conn_hold(struct conn *self, unsigned why)
{
    holds_set(self, self->holds | why);
}

void conn_release(struct conn *self, unsigned why)
{
    holds_set(self, self->holds & ~why);
}

void conn_deadline(struct conn *self, uint64_t after_ms)
{
    self->deadline_ms = after_ms ? edge_now(self->edge) + after_ms : 0;
}

static bool is_secret_input(const struct conn *self)
{
    return self->is_secret_input || !self->quota;
}

void conn_input_secret(struct conn *self)
{
    self->is_secret_input = true;
    self->in.is_secret = true;
}

/* Lets ops read; an upgrade replaces them midway. Returns the bytes done with. */
static size_t input_offer(struct conn *self, uint8_t *data, size_t len)
{
    const struct conn_ops *ops;
    size_t used = 0;

    self->is_in_input = true;
    do {
        ops = self->ops;
        used += ops->on_input(self, data + used, len - used);
    } while (self->ops != ops && used < len && self->phase == CONN_OPEN && !self->is_killed);
    self->is_in_input = false;
    return used;
}

static void input_drop(struct conn *self)
{
    self->edge->freed_bytes += self->in.cap;
    text_buf_deinit(&self->in);
    self->in = (struct text_buf){ 0 };
    self->in_need = 0;
}

static void input_ahead_check(struct conn *self)
{
    if (self->in.len > LIMIT_WAITING_INPUT && self->in.len >= self->in_need) {
        conn_hold(self, CONN_HOLD_AHEAD);
    } else {
        conn_release(self, CONN_HOLD_AHEAD);
    }
}

/* Takes what ops want of the waiting input. */
static void input_use(struct conn *self)
{
    size_t used;

    if (self->phase != CONN_OPEN || self->is_killed) {
        input_drop(self);
        return;
    }
    if (self->in.len == 0 || self->in.len < self->in_need) {
        return;
    }
    self->in_need = 0;
    used = input_offer(self, (uint8_t *)self->in.data, self->in.len);
    if (self->phase != CONN_OPEN) {
        input_drop(self);
        return;
    }
    if (used == self->in.len) {
        size_t need = self->in_need;

        input_drop(self);
        self->in_need = need;
    } else if (used) {
        memmove(self->in.data, self->in.data + used, self->in.len - used);
        self->in.len -= used;
    }
    input_ahead_check(self);
}

void conn_pump(struct conn *self)
{
    if (!self->is_in_input) { /* else whoever offers it goes on by itself */
        input_use(self);
        budget_input_note(self);
    }
}

/* Bytes behind a refusal or a close: read so that the peer can read what we said. */
static void linger_take(struct conn *self, size_t len)
{
    self->lingered += len;
    if (self->lingered > LINGER_MAX || edge_now(self->edge) > self->progress_ms + TIME_BODY_MS) {
        conn_kill(self);
    } else if (self->phase == CONN_LINGERING) {
        conn_deadline(self, TIME_CLOSE_MS);
    }
}

static int on_rx_plain(struct conn *self, uint8_t *data, size_t len)
{
    size_t used = 0;

    if (self->is_killed) {
        return -1;
    }
    if (self->phase != CONN_OPEN) {
        linger_take(self, len);
        return self->is_killed ? -1 : 0;
    }
    if (self->in.len == 0) {
        self->in_need = 0;
        used = input_offer(self, data, len);
    }
    if (used < len && self->phase == CONN_OPEN && !self->is_killed) {
        size_t want = self->in_need > self->in.len ? self->in_need - self->in.len : 0;
        bool was_waiting = self->in.len > 0;

        self->in.is_secret |= is_secret_input(self);
        if (text_buf_reserve(&self->in, want > len - used ? want : len - used) ||
            text_buf_add(&self->in, (struct span){ (const char *)data + used, len - used })) {
            return -1;
        }
        if (was_waiting) {
            input_use(self);
        } else {
            input_ahead_check(self);
        }
    }
    return self->is_killed ? -1 : 0;
}

/* Who speaks plainly to a port of TLS is told so in his own words. */
static int plain_refuse(struct conn *self)
{
    self->edge->tally.tls_failures_n++;
    tls_destroy(&self->tls);
    http_refuse(http1_stream(self), 400, "This port speaks TLS: use https:// or wss://");
    return self->is_killed ? -1 : 0;
}

/* Nothing that waits can be said any more but the word that it is over. */
static void sealed_fail(struct conn *self)
{
    self->edge->tally.tls_failures_n++;
    self->tls->is_ended = true;
    self->edge->freed_bytes += self->cost;
    outq_deinit(&self->out);
    cost_note(self);
    conn_finish(self);
}

/* The time for the first request begins when it can be sent. */
static void opened_note(struct conn *self, bool was_open)
{
    if (!was_open && self->tls->is_open) {
        self->edge->tally.tls_handshakes_n++;
        conn_deadline(self, edge_head_ms(self->edge));
        if (tls_is_for_http2(self->tls)) {
            http2_attach(self);
        }
    }
}

/* What was inside the records, which all connections share. */
static int on_rx_opened(struct conn *self, size_t len)
{
    bool is_secret = is_secret_input(self);
    int r = on_rx_plain(self, self->edge->cert.plain, len);

    if (is_secret || self->is_secret_input) {
        mem_wipe(self->edge->cert.plain, len);
    }
    return r;
}

static int on_rx_sealed(struct conn *self, const uint8_t *data, size_t len)
{
    struct tls *tls = self->tls;
    size_t got;
    int r;

    if (self->is_killed || self->phase != CONN_OPEN) {
        return on_rx_plain(self, NULL, len);
    }
    if (!tls->is_begun && !tls_is_hello(data[0])) {
        return plain_refuse(self);
    }
    tls_feed(tls, (struct span){ (const char *)data, len });
    do {
        bool was_open = tls->is_open;

        r = tls_read(tls, self->edge->cert.plain, LIMIT_READ, &got);
        opened_note(self, was_open);
        if (r == 0 && on_rx_opened(self, got)) {
            return -1;
        }
    } while (r == 0);
    if (r == TLS_E_BROKEN) {
        sealed_fail(self);
    } else if (r == TLS_E_CLOSED) {
        conn_finish(self);
    }
    if (tls->wire.len) {
        write_want(self);
    }
    return self->is_killed ? -1 : 0;
}

int conn_on_rx(struct conn *self, uint8_t *data, size_t len)
{
    bool is_secret = !self->quota; /* hello-ok may come of these very bytes */
    int r = self->tls && len ? on_rx_sealed(self, data, len) : on_rx_plain(self, data, len);

    if (is_secret || self->is_secret_input) {
        mem_wipe(data, len);
        self->is_secret_input = false;
    }
    if (!r) {
        budget_input_check(self);
    }
    return r || self->is_killed ? -1 : 0;
}

/* --- writing -------------------------------------------------------------------------- */

static void linger_begin(struct conn *self)
{
    self->phase = CONN_LINGERING;
    (void)shutdown(lws_get_socket_fd(self->wsi), SHUT_WR); /* the peer may be gone already */
    holds_set(self, 0);
    self->progress_ms = edge_now(self->edge);
    conn_deadline(self, TIME_CLOSE_MS);
}

static int bytes_write(struct conn *self, struct outq_run bytes)
{
    if (lws_write(self->wsi, (unsigned char *)bytes.ptr, bytes.len, LWS_WRITE_RAW) < 0) {
        return -1;
    }
    self->held = bytes.len;
    self->progress_ms = edge_now(self->edge);
    return 0;
}

/* The same bytes as records, and what TLS itself has to say. They leave at once, so one buffer serves all. */
static int sealed_write(struct conn *self, struct outq_run bytes)
{
    struct tls *tls = self->tls;
    struct text_buf *spare = &self->edge->cert.wire;
    int r = 0;

    if (!tls->wire.data) {
        tls->wire = *spare;
        *spare = (struct text_buf){ 0 };
    }
    if (bytes.len) {
        r = tls->is_open ? tls_write(tls, (struct span){ bytes.ptr, bytes.len }) : TLS_E_BROKEN;
    }
    if (self->phase == CONN_FLUSHING && tls->is_open && bytes.len == conn_pending(self)) {
        tls_end(tls);
    }
    if (!r && tls->wire.len) {
        r = bytes_write(self, (struct outq_run){ tls->wire.data, tls->wire.len });
    }
    tls->wire.len = 0;
    if (spare->data) {
        text_buf_deinit(&tls->wire);
    } else {
        *spare = tls->wire;
    }
    tls->wire = (struct text_buf){ 0 };
    return r ? -1 : 0;
}

/* One write, so that a socket that is full holds no more than that of ours. */
static int write_some(struct conn *self)
{
    size_t max = self->is_slow ? LIMIT_WRITE_SLOW : LIMIT_WRITE;
    struct outq_run bytes = outq_peek(&self->out, self->edge->stage, max);

    if (self->tls ? sealed_write(self, bytes) : bytes_write(self, bytes)) {
        return -1;
    }
    outq_consume(&self->out, bytes.len);
    return 0;
}

/* Whether something waits for the socket, be it only the words of TLS. */
static bool has_output(const struct conn *self)
{
    const struct tls *tls = self->tls;

    return !outq_is_empty(&self->out) ||
           (tls && (tls->wire.len || (self->phase == CONN_FLUSHING && tls->is_open && !tls->is_ended)));
}

static void holds_update(struct conn *self)
{
    if (self->is_partial) {
        /* With a partial write pending lws reads nothing, and the loop would spin on POLLIN. */
        conn_hold(self, CONN_HOLD_STALL);
    } else {
        conn_release(self, CONN_HOLD_STALL);
    }
    if (conn_pending(self) <= LIMIT_OUT_LOW) {
        conn_release(self, CONN_HOLD_OUT);
    }
}

static void fill(struct conn *self)
{
    if (self->ops->fill && self->phase == CONN_OPEN) {
        self->is_filling = true;
        self->ops->fill(self);
        self->is_filling = false;
    }
}

int conn_on_writable(struct conn *self)
{
    if (!self->is_killed) {
        fill(self);
    }
    if (self->is_killed) {
        return -1;
    }
    if (has_output(self) && write_some(self)) {
        return -1;
    }
    self->is_partial = lws_partial_buffered(self->wsi) != 0;
    self->is_slow = self->is_slow || self->is_partial;
    self->held = self->is_partial ? self->held : 0;
    holds_update(self);
    if (self->is_partial || has_output(self)) {
        cost_note(self);
        write_want(self);
        return 0;
    }
    out_release(self);
    if (self->phase == CONN_FLUSHING) {
        linger_begin(self);
    } else if (self->phase == CONN_OPEN) {
        self->ops->on_drained(self);
    }
    return self->is_killed ? -1 : 0;
}

/* --- the end -------------------------------------------------------------------------- */

void conn_finish(struct conn *self)
{
    if (self->phase == CONN_OPEN && !self->is_killed) {
        self->phase = CONN_FLUSHING;
        self->deadline_ms = 0;
        self->progress_ms = edge_now(self->edge);
        if (!self->is_in_input) {
            input_drop(self);
            budget_input_note(self);
        }
        holds_set(self, self->holds & CONN_HOLD_STALL);
        write_want(self);
    }
}

static void on_reap(uv_timer_t *timer)
{
    struct edge *edge = timer->data;

    while (edge->doomed) {
        struct conn *conn = edge->doomed;

        /* Closes at once, which calls us back with RAW_CLOSE: conn is gone after it. */
        lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
}

void conn_kill(struct conn *self)
{
    if (!self->is_killed) {
        self->is_killed = true;
        self->doom_next = self->edge->doomed;
        self->edge->doomed = self;
        (void)uv_timer_start(&self->edge->reap, on_reap, 0, 0); /* fails only without a callback */
    }
}

void conn_discard(struct conn *self)
{
    conn_kill(self);
    self->edge->freed_bytes += self->cost;
    outq_deinit(&self->out);
    cost_note(self);
}

/* Takes it off the lists of what is still to be done with it. */
static void lists_leave(struct conn *self)
{
    struct conn **at = &self->edge->doomed;

    while (*at && *at != self) {
        at = &(*at)->doom_next;
    }
    if (*at) {
        *at = self->doom_next;
    }
    flush_forget(self);
}

void conn_destroy(struct conn *self)
{
    struct edge *edge = self->edge;

    lists_leave(self);
    self->is_killed = true; /* nothing more is queued from here on */
    self->ops->on_close(self);
    budget_input_forget(self);
    edge->freed_bytes += self->cost;
    outq_deinit(&self->out);
    self->held = 0;
    cost_note(self);
    quota_drop(&edge->quotas, &self->quota);
    text_buf_deinit(&self->in);
    tls_destroy(&self->tls);
    if (self->prev) {
        self->prev->next = self->next;
    } else {
        edge->conns = self->next;
    }
    if (self->next) {
        self->next->prev = self->prev;
    }
    edge->conns_n--;
    self->peer->connections_n--;
    peer_release(&edge->peers, self->peer);
    free(self);
}

/* After a burst the heap is full of holes between small long-lived pieces; give them back. */
static void heap_trim(struct edge *edge)
{
    if (edge->freed_bytes > TRIM_FROM && edge->queued_bytes + edge->shared_bytes < TRIM_QUIET) {
        edge->freed_bytes = 0;
        (void)malloc_trim(0); /* whether there was something to give does not matter */
    }
}

void conn_sweep(struct edge *edge, uint64_t now_ms)
{
    struct conn *next;

    heap_trim(edge);
    for (struct conn *conn = edge->conns; conn; conn = next) {
        next = conn->next;
        if (conn->is_killed) {
            continue;
        }
        if ((conn_pending(conn) || conn->is_partial) && now_ms > conn->progress_ms + TIME_STALL_MS) {
            conn_kill(conn);
        } else if (conn->deadline_ms && now_ms >= conn->deadline_ms) {
            conn->deadline_ms = 0;
            if (conn->phase == CONN_OPEN) {
                conn->ops->on_deadline(conn);
            } else {
                conn_kill(conn);
            }
        }
    }
}
