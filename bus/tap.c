#include "bus/tap.h"

#include <czmq.h>
#include <pthread.h>

#include "bus/base/clock.h"
#include "bus/base/descriptors.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/tap_subject.h"
#include "bus/value.h"

#define TAP_BATCH_RECORDS 256U
#define TAP_BATCH_BYTES ((size_t)64 * 1024)
#define TAP_BATCHES_WAITING 256 /* per actor and watcher; more is dropped */

_Atomic uint32_t tap_watched;

static const struct span nothing = { NULL, 0 };

/* Never changes once it is in the list; goes with the last actor that looks at it. */
struct tap_watcher {
    _Atomic unsigned refs;
    char endpoint[TAP_ENDPOINT_MAX];
    bool with_bodies;
    bool with_times;
    bool with_sessions;
    struct tap_filter filter;
};

/* The only state the actors of a process share: who watches. Guarded by its lock; an
 * actor looks only when the generation has changed. */
static struct {
    pthread_mutex_t lock;
    uint32_t generation;
    unsigned watchers_n;
    struct tap_watcher *watchers[TAP_WATCHERS_MAX];
} tap_list = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The way of one actor to one watcher. */
struct tap_socket {
    zsock_t *push;
    struct tap_watcher *watcher;
    bool is_open; /* a batch has been begun */
    struct pack batch;
    uint32_t records;  /* in the batch */
    uint64_t dropped;  /* records */
    uint32_t budget;   /* records that may still be shown */
    int64_t budget_us; /* when it was last filled */
};

/* --- who watches ------------------------------------------------------------------------ */

static void watcher_release(struct tap_watcher *watcher)
{
    if (atomic_fetch_sub(&watcher->refs, 1) == 1) {
        free(watcher);
    }
}

static void generation_publish(void)
{
    if (++tap_list.generation == 0) {
        tap_list.generation = 1;
    }
    atomic_store(&tap_watched, tap_list.watchers_n ? tap_list.generation : 0);
}

/* NULL when the wish makes no sense. */
static struct tap_watcher *watcher_new(const struct tap_wish *wish)
{
    struct tap_watcher *watcher = mem_new(sizeof(*watcher));
    struct tap_filter_error error;

    if (wish->endpoint.len == 0 || wish->endpoint.len >= TAP_ENDPOINT_MAX ||
        (wish->filter.len && tap_filter_parse(wish->filter, &watcher->filter, &error))) {
        free(watcher);
        return NULL;
    }
    atomic_store(&watcher->refs, 1);
    memcpy(watcher->endpoint, wish->endpoint.ptr, wish->endpoint.len);
    watcher->with_bodies = wish->with_bodies;
    watcher->with_times = wish->with_times;
    watcher->with_sessions = wish->with_sessions;
    return watcher;
}

int tap_attach(const struct tap_wish *wish)
{
    struct tap_watcher *watcher = watcher_new(wish);
    int r = TAP_E_FULL;

    if (!watcher) {
        return TAP_E_FILTER;
    }
    pthread_mutex_lock(&tap_list.lock);
    if (tap_list.watchers_n < TAP_WATCHERS_MAX) {
        tap_list.watchers[tap_list.watchers_n++] = watcher;
        generation_publish();
        r = 0;
    }
    pthread_mutex_unlock(&tap_list.lock);
    if (r) {
        watcher_release(watcher);
    }
    return r;
}

int tap_detach(struct span endpoint)
{
    int r = TAP_E_UNKNOWN;

    pthread_mutex_lock(&tap_list.lock);
    for (unsigned i = 0; i < tap_list.watchers_n; i++) {
        if (span_is_text(endpoint, tap_list.watchers[i]->endpoint)) {
            watcher_release(tap_list.watchers[i]);
            tap_list.watchers[i] = tap_list.watchers[--tap_list.watchers_n];
            generation_publish();
            r = 0;
            break;
        }
    }
    pthread_mutex_unlock(&tap_list.lock);
    return r;
}

/* --- the ways to them -------------------------------------------------------------------- */

static void socket_destroy(struct tap_socket *socket)
{
    zsock_destroy(&socket->push);
    pack_deinit(&socket->batch);
    watcher_release(socket->watcher);
    free(socket);
}

/* NULL when there is no way now. */
static struct tap_socket *socket_new(struct tap_watcher *watcher)
{
    zsock_t *push = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PUSH);

    if (!push) {
        return NULL;
    }
    zsock_set_sndhwm(push, TAP_BATCHES_WAITING);
    zsock_set_linger(push, 0);
    zsock_set_reconnect_ivl(push, -1); /* a watcher that is gone does not come back there */
    if (zsock_connect(push, "%s", watcher->endpoint) != 0) {
        zsock_destroy(&push);
        return NULL;
    }
    struct tap_socket *socket = mem_new(sizeof(*socket));
    socket->push = push;
    socket->watcher = watcher;
    atomic_fetch_add(&watcher->refs, 1);
    pack_init(&socket->batch, 0);
    return socket;
}

/* Keeps the socket of a watcher that was there before, and with it its counters. */
static struct tap_socket *socket_keep(struct tap_port *self, const struct tap_watcher *watcher)
{
    for (unsigned i = 0; i < self->sockets_n; i++) {
        if (self->sockets[i] && self->sockets[i]->watcher == watcher) {
            return TAKE(self->sockets[i]);
        }
    }
    return NULL;
}

static void sockets_update(struct tap_port *self)
{
    struct tap_socket *sockets[TAP_WATCHERS_MAX];
    unsigned n = 0;

    pthread_mutex_lock(&tap_list.lock);
    self->generation = tap_list.generation;
    for (unsigned i = 0; i < tap_list.watchers_n; i++) {
        struct tap_socket *socket = socket_keep(self, tap_list.watchers[i]);

        socket = socket ? socket : socket_new(tap_list.watchers[i]);
        if (socket) {
            sockets[n++] = socket;
        }
    }
    pthread_mutex_unlock(&tap_list.lock);
    for (unsigned i = 0; i < self->sockets_n; i++) {
        if (self->sockets[i]) {
            socket_destroy(self->sockets[i]);
        }
    }
    memcpy(self->sockets, sockets, n * sizeof(*sockets));
    self->sockets_n = n;
    self->with_times = false;
    for (unsigned i = 0; i < n; i++) {
        self->with_times = self->with_times || sockets[i]->watcher->with_times;
    }
}

static void sockets_check(struct tap_port *self)
{
    if (atomic_load_explicit(&tap_watched, memory_order_relaxed) != self->generation) {
        sockets_update(self);
    }
}

bool tap_port_wants_times(struct tap_port *self)
{
    if (!tap_is_watched()) {
        return false;
    }
    sockets_check(self);
    return self->with_times;
}

void tap_port_init(struct tap_port *self, const char *host, const char *address, const struct schema_registry *registry)
{
    *self = (struct tap_port){ .host = host, .address = address, .registry = registry };
}

void tap_port_deinit(struct tap_port *self)
{
    for (unsigned i = 0; i < self->sockets_n; i++) {
        socket_destroy(self->sockets[i]);
    }
    self->sockets_n = 0;
    self->is_open = false;
    self->with_times = false;
}

/* --- is it wanted ------------------------------------------------------------------------- */

/* One sight, prepared for filters as far as any of them asked; who has no filter needs nothing of it. */
struct view {
    const struct tap_sight *sight;
    const struct schema_msg *row;
    bool has_row; /* `row` has been looked for, and the body been checked */
    bool has_subject;
    struct tap_filter_subject subject;
    char trace[TAP_TRACE_TEXT];
};

static void view_init(struct view *view, const struct tap_sight *sight)
{
    view->sight = sight;
    view->has_row = false;
    view->has_subject = false;
}

/* What the header tells. */
static void view_begin(struct view *view)
{
    const struct tap_sight *sight = view->sight;
    const struct envelope *env = sight->env;

    if (view->has_subject) {
        return;
    }
    view->has_subject = true;
    view->subject = tap_subject(env, sight->body_bytes);
    view->subject.texts[TAP_FILTER_UNDELIVERED] = span_from(sight->note);
    view->subject.unknown = 1U << TAP_FILTER_SESSION | 1U << TAP_FILTER_TRACE | 1U << TAP_FILTER_TS_MS;
    if (env->kind == ENVELOPE_REPLY || env->kind == ENVELOPE_FAIL) {
        view->subject.unknown |= 1U << TAP_FILTER_LATENCY_MS;
    }
}

/* Where the body may be looked into. */
static const struct schema_msg *view_row(const struct tap_port *self, struct view *view)
{
    struct span body = view->sight->body;

    if (!view->has_row) {
        view->has_row = true;
        view->row = body.len && wire_check(body.ptr, body.len, PACK_DEPTH_MAX / 2)
                        ? tap_subject_row(self->registry, view->sight->env)
                        : NULL;
    }
    return view->row;
}

static int64_t turn_us(struct tap_port *self)
{
    if (!self->turn_us) {
        self->turn_us = clock_wall_us();
    }
    return self->turn_us;
}

static void view_session(const struct tap_port *self, struct view *view)
{
    const char *const *key = self->registry->session_keys;

    if (!(view->subject.unknown & 1U << TAP_FILTER_SESSION)) {
        return;
    }
    view->subject.unknown &= ~(1U << TAP_FILTER_SESSION);
    while (key && *key && view_row(self, view)) {
        struct span session = value_str(value_get(view->sight->body, *key++), nothing);

        if (session.len) {
            view->subject.texts[TAP_FILTER_SESSION] = session;
            return;
        }
    }
}

/* Looks up what costs something, once. */
static void view_complete(struct tap_port *self, struct view *view, const struct tap_filter *filter)
{
    if (tap_filter_asks(filter, TAP_FILTER_TRACE) && view->subject.unknown & 1U << TAP_FILTER_TRACE) {
        tap_subject_trace(view->sight->env->trace, view->trace);
        view->subject.texts[TAP_FILTER_TRACE] = view->trace[0] ? span_from(view->trace) : nothing;
        view->subject.unknown &= ~(1U << TAP_FILTER_TRACE);
    }
    if (tap_filter_asks(filter, TAP_FILTER_TS_MS)) {
        view->subject.ts_ms = (double)turn_us(self) / 1000.0;
        view->subject.unknown &= ~(1U << TAP_FILTER_TS_MS);
    }
    if (tap_filter_asks(filter, TAP_FILTER_SESSION)) {
        view_session(self, view);
    }
}

/* Neither the filter's own fields nor an answer that is still to come rule it out. */
static bool is_wanted(struct tap_port *self, const struct tap_filter *filter, struct view *view)
{
    enum tap_filter_verdict verdict;

    if (filter->nodes_n == 0) {
        return true;
    }
    view_begin(view);
    verdict = tap_filter_verdict(filter, &view->subject);
    if (verdict == TAP_FILTER_MAYBE) {
        view_complete(self, view, filter);
        verdict = tap_filter_verdict(filter, &view->subject);
    }
    if (verdict == TAP_FILTER_NO && view->sight->env->kind == ENVELOPE_CALL &&
        tap_filter_asks(filter, TAP_FILTER_LATENCY_MS)) {
        struct tap_filter_subject answer;

        view_complete(self, view, filter);
        answer = tap_subject_answer(view->sight->env, view->subject.texts[TAP_FILTER_TRACE]);
        verdict = tap_filter_verdict(filter, &answer);
    }
    return verdict != TAP_FILTER_NO;
}

static void budget_fill(struct tap_socket *socket, int64_t now_us)
{
    int64_t passed_us = now_us - socket->budget_us;

    if (passed_us < 0 || passed_us >= TAP_RECORDS_BURST * 1000 / TAP_RECORDS_PER_MS) {
        socket->budget = TAP_RECORDS_BURST; /* also when the clock was set back */
        socket->budget_us = now_us;
    } else if (passed_us >= 1000) {
        uint64_t budget = socket->budget + (uint64_t)passed_us * TAP_RECORDS_PER_MS / 1000;

        socket->budget = budget < TAP_RECORDS_BURST ? (uint32_t)budget : TAP_RECORDS_BURST;
        socket->budget_us = now_us;
    }
}

/* Counts it as dropped when it is too much. */
static bool budget_take(struct tap_socket *socket)
{
    if (!socket->budget) {
        socket->dropped++;
        return false;
    }
    socket->budget--;
    return true;
}

/* --- records ------------------------------------------------------------------------------ */

static void batch_begin(const struct tap_port *self, struct tap_socket *socket)
{
    struct pack *batch = &socket->batch;

    pack_reset(batch);
    pack_array_begin(batch);
    pack_map_begin(batch);
    pack_kv_text(batch, "host", self->host);
    pack_kv_text(batch, "address", self->address);
    pack_kv_u64(batch, "dropped", socket->dropped);
    pack_map_end(batch);
    socket->records = 0;
    socket->is_open = true;
}

static void socket_flush(struct tap_socket *socket)
{
    if (!socket->is_open) {
        return;
    }
    socket->is_open = false;
    pack_array_end(&socket->batch);
    struct span bytes = pack_span(&socket->batch);
    if (pack_error(&socket->batch) != 0 ||
        zmq_send(zsock_resolve(socket->push), bytes.ptr, bytes.len, ZMQ_DONTWAIT) < 0) {
        socket->dropped += socket->records; /* the watcher is slow; the bus does not wait */
    }
}

static void body_pack(const struct tap_port *self, struct tap_socket *socket, struct view *view)
{
    bool is_shown = socket->watcher->with_bodies && !view->sight->is_handled; /* its sender has shown it */
    const struct schema_msg *row = is_shown ? view_row(self, view) : NULL;

    if (!row) {
        pack_nil(&socket->batch);
    } else if (codec_redact(row->type, view->sight->body, &socket->batch) != 0) {
        socket->batch.fault = FAULT(-EPROTO); /* half a body may be in it: the batch is dropped and counted */
    }
}

static void text_pack(struct pack *batch, struct span text)
{
    if (text.ptr) {
        pack_str(batch, text);
    } else {
        pack_nil(batch);
    }
}

static void times_pack(struct pack *batch, const struct tap_sight *sight)
{
    if (!sight->is_handled) {
        pack_nil(batch);
        return;
    }
    pack_array_begin(batch);
    pack_u64(batch, sight->waited_ns / 1000);
    pack_u64(batch, sight->busy_ns / 1000);
    pack_array_end(batch);
}

static void record_add(struct tap_port *self, struct tap_socket *socket, struct view *view)
{
    const struct tap_sight *sight = view->sight;
    struct pack *batch = &socket->batch;
    /* The watcher judges again, and has no body to look into. */
    bool with_session = socket->watcher->with_sessions || tap_filter_asks(&socket->watcher->filter, TAP_FILTER_SESSION);

    if (!socket->is_open) {
        batch_begin(self, socket);
    }
    if (with_session) {
        view_begin(view);
        view_session(self, view);
    }
    pack_array_begin(batch);
    pack_i64(batch, sight->is_handled ? self->turn_us - (int64_t)(sight->busy_ns / 1000) : self->turn_us);
    pack_bin(batch, sight->header);
    pack_u64(batch, sight->body_bytes);
    body_pack(self, socket, view);
    pack_text(batch, sight->note);
    text_pack(batch, with_session ? view->subject.texts[TAP_FILTER_SESSION] : nothing);
    times_pack(batch, sight);
    pack_array_end(batch);
    socket->records++;
    if (socket->records >= TAP_BATCH_RECORDS || batch->len >= TAP_BATCH_BYTES) {
        socket_flush(socket);
    }
}

bool tap_port_see(struct tap_port *self, const struct tap_sight *sight)
{
    struct view view;

    sockets_check(self);
    if (!self->sockets_n) {
        return false;
    }
    if (self->with_times) {
        self->turn_us = 0;
    }
    view_init(&view, sight);
    for (unsigned i = 0; i < self->sockets_n; i++) {
        struct tap_socket *socket = self->sockets[i];

        if ((sight->is_handled && !socket->watcher->with_times) || !is_wanted(self, &socket->watcher->filter, &view)) {
            continue;
        }
        budget_fill(socket, turn_us(self));
        if (budget_take(socket)) {
            record_add(self, socket, &view);
            self->is_open = self->is_open || socket->is_open;
        }
    }
    return self->is_open;
}

void tap_port_flush(struct tap_port *self)
{
    if (!self->is_open) {
        return;
    }
    self->is_open = false;
    for (unsigned i = 0; i < self->sockets_n; i++) {
        socket_flush(self->sockets[i]);
    }
}
