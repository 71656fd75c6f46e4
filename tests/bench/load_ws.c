/*
 * load_ws: requests, handshakes, events and idle connections over WebSocket.
 */
#include "tests/bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP_NS 500000000U

struct run {
    const struct load_opts *opts;
    int epoll;
    struct load_conn *conns;
    struct load_buf *requests; /* one ready-made frame per request in flight */
    bool is_counting;
    uint64_t done;
    uint64_t failed;
    uint64_t bytes_in;
    uint64_t first_ns;
    uint64_t last_ns;
    struct load_hist hist;
};

static void *table(size_t n, size_t size)
{
    void *ptr = calloc(n, size);

    if (!ptr) {
        load_die("out of memory");
    }
    return ptr;
}

static void run_init(struct run *self, const struct load_opts *opts)
{
    memset(self, 0, sizeof(*self));
    self->opts = opts;
    self->epoll = load_epoll();
    self->conns = table((size_t)opts->conns, sizeof(struct load_conn));
}

/* --- requests ---------------------------------------------------------------------- */

static void request_send(struct run *self, struct load_conn *conn, size_t slot)
{
    conn->sent_ns[slot] = load_now_ns();
    load_buf_add(&conn->out, self->requests[slot].ptr, self->requests[slot].len);
}

/* The slot stands in the id, "r17"; answers of other kinds (events) have none. */
static bool slot_of(const struct run *self, const char *text, size_t len, size_t *ret_slot)
{
    const char *id = memmem(text, len, "\"id\":\"r", 7);

    if (!id) {
        return false;
    }
    *ret_slot = (size_t)strtoul(id + 7, NULL, 10);
    return *ret_slot < (size_t)self->opts->inflight;
}

static void on_answers(void *arg, struct load_conn *conn)
{
    struct run *self = arg;
    const char *text;
    size_t len, slot;

    while (load_ws_next(conn, &text, &len)) {
        if (!slot_of(self, text, len, &slot)) {
            continue;
        }
        if (self->is_counting) {
            self->done++;
            self->bytes_in += len;
            load_hist_add(&self->hist, load_now_ns() - conn->sent_ns[slot]);
            if (!load_is_echo(self->opts) && !load_has(text, len < 64 ? len : 64, "\"ok\":true")) {
                self->failed++;
            }
        }
        request_send(self, conn, slot);
    }
    load_flush(conn, self->epoll);
}

static void requests_make(struct run *self)
{
    const char *method = load_is_echo(self->opts) ? "health" : self->opts->method;

    self->requests = table((size_t)self->opts->inflight, sizeof(struct load_buf));
    for (int i = 0; i < self->opts->inflight; i++) {
        char text[4096];
        int n = snprintf(text, sizeof(text), "{\"type\":\"req\",\"id\":\"r%d\",\"method\":\"%s\",\"params\":%s}", i,
                         method, self->opts->params);

        load_ws_frame(&self->requests[i], text, (size_t)n);
    }
}

void load_rpc(const struct load_opts *opts)
{
    struct run *self = table(1, sizeof(*self));
    uint64_t start, end;
    double cpu, seconds;

    run_init(self, opts);
    requests_make(self);
    for (int i = 0; i < opts->conns; i++) {
        self->conns[i].sent_ns = table((size_t)opts->inflight, sizeof(uint64_t));
        load_ws_ready(&self->conns[i], self->epoll, opts);
    }
    for (int i = 0; i < opts->conns; i++) {
        for (int k = 0; k < opts->inflight; k++) {
            request_send(self, &self->conns[i], (size_t)k);
        }
        load_flush(&self->conns[i], self->epoll);
    }
    start = load_now_ns() + WARM_UP_NS;
    while (load_now_ns() < start) {
        load_wait(self->epoll, 100, on_answers, self);
    }
    self->is_counting = true;
    cpu = load_cpu_s(opts);
    start = load_now_ns();
    end = start + (uint64_t)(opts->seconds * 1e9);
    while (load_now_ns() < end) {
        load_wait(self->epoll, 100, on_answers, self);
    }
    seconds = (double)(load_now_ns() - start) / 1e9;
    cpu = load_cpu_s(opts) - cpu;
    printf("{\"rate\":%.0f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us\":%.3f,\"failed\":%llu,\"bytes_in\":%.0f,"
           "\"bytes_out\":%zu}\n",
           (double)self->done / seconds, load_hist_at(&self->hist, 0.5), load_hist_at(&self->hist, 0.99),
           self->done ? cpu * 1e6 / (double)self->done : 0, (unsigned long long)self->failed,
           self->done ? (double)self->bytes_in / (double)self->done : 0, self->requests[0].len);
}

/* --- requests at a pace ---------------------------------------------------------------- */

static void on_paced(void *arg, struct load_conn *conn)
{
    struct run *self = arg;
    const char *text;
    size_t len, slot;

    while (load_ws_next(conn, &text, &len)) {
        if (slot_of(self, text, len, &slot)) {
            self->done++;
            load_hist_add(&self->hist, load_now_ns() - conn->sent_ns[slot]);
        }
    }
}

void load_pace(const struct load_opts *opts)
{
    struct run *self = table(1, sizeof(*self));
    uint64_t total = (uint64_t)((double)opts->inflight * opts->seconds), sent = 0, start;
    uint64_t step = 1000000000U / (uint64_t)opts->inflight;

    run_init(self, opts);
    requests_make(self);
    for (int i = 0; i < opts->conns; i++) {
        self->conns[i].sent_ns = table((size_t)opts->inflight, sizeof(uint64_t));
        load_ws_ready(&self->conns[i], self->epoll, opts);
    }
    start = load_now_ns();
    while (self->done < total && load_now_ns() < start + total * step + 5000000000U) {
        struct load_conn *conn = &self->conns[sent % (uint64_t)opts->conns];
        uint64_t due = start + sent * step, now = load_now_ns();

        if (sent < total && now >= due) {
            request_send(self, conn, (size_t)(sent++ % (uint64_t)opts->inflight));
            load_flush(conn, self->epoll);
            continue;
        }
        load_rest(self->epoll, sent < total ? due - now : 1000000U);
        load_wait(self->epoll, 0, on_paced, self);
    }
    printf("{\"rate\":%.0f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"lost\":%llu}\n",
           (double)self->done * 1e9 / (double)(load_now_ns() - start), load_hist_at(&self->hist, 0.5),
           load_hist_at(&self->hist, 0.99), (unsigned long long)(total - self->done));
}

/* --- handshakes ---------------------------------------------------------------------- */

enum {
    SHAKE_UPGRADE,
    SHAKE_HELLO,
};

static void shake_begin(struct run *self, struct load_conn *conn)
{
    conn->state = SHAKE_UPGRADE;
    conn->since_ns = load_now_ns();
    load_open(conn, self->epoll, self->opts, false);
    load_ws_upgrade(conn, self->opts);
    load_flush(conn, self->epoll);
}

static void shake_end(struct run *self, struct load_conn *conn)
{
    if (self->is_counting) {
        self->done++;
        load_hist_add(&self->hist, load_now_ns() - conn->since_ns);
    }
    load_close(conn);
    shake_begin(self, conn);
}

static void on_shake(void *arg, struct load_conn *conn)
{
    struct run *self = arg;
    const char *text;
    size_t len;

    if (conn->state == SHAKE_UPGRADE) {
        if (!load_ws_upgraded(conn)) {
            return;
        }
        if (load_is_echo(self->opts)) {
            shake_end(self, conn);
            return;
        }
        conn->state = SHAKE_HELLO;
        load_ws_connect(conn, self->opts);
        load_flush(conn, self->epoll);
    }
    while (load_ws_next(conn, &text, &len)) {
        if (load_has(text, len, "\"id\":\"connect\"")) {
            if (!load_has(text, len, "hello-ok")) {
                load_die("the handshake failed: %.*s", (int)len, text);
            }
            shake_end(self, conn);
            return;
        }
    }
}

void load_handshake(const struct load_opts *opts)
{
    struct run *self = table(1, sizeof(*self));
    uint64_t start, end;
    double cpu, seconds;

    run_init(self, opts);
    for (int i = 0; i < opts->conns; i++) {
        shake_begin(self, &self->conns[i]);
    }
    self->is_counting = true;
    cpu = load_cpu_s(opts);
    start = load_now_ns();
    end = start + (uint64_t)(opts->seconds * 1e9);
    while (load_now_ns() < end) {
        load_wait(self->epoll, 100, on_shake, self);
    }
    seconds = (double)(load_now_ns() - start) / 1e9;
    cpu = load_cpu_s(opts) - cpu;
    printf("{\"rate\":%.0f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us\":%.3f}\n", (double)self->done / seconds,
           load_hist_at(&self->hist, 0.5), load_hist_at(&self->hist, 0.99),
           self->done ? cpu * 1e6 / (double)self->done : 0);
}

/* --- events to many ------------------------------------------------------------------- */

/* The last connection drives, the others count. One wave: `turns` messages, then quiet. */
struct wave {
    struct run *run;
    size_t ends; /* messages of the driver that have ended */
    size_t deliveries;
    uint64_t first_ns;
    uint64_t last_ns;
};

static bool is_event(const struct wave *self, const char *text, size_t len)
{
    return load_is_echo(self->run->opts) ? text[0] == 'B' : load_has(text, len < 32 ? len : 32, "\"event\"");
}

static bool is_end(const struct wave *self, const char *text, size_t len)
{
    return load_is_echo(self->run->opts) ? true : load_has(text, len, "\"state\":\"final\"");
}

static void on_event(void *arg, struct load_conn *conn)
{
    struct wave *self = arg;
    const struct load_opts *opts = self->run->opts;
    const char *text;
    size_t len;

    while (load_ws_next(conn, &text, &len)) {
        if (!is_event(self, text, len)) {
            continue;
        }
        self->last_ns = load_now_ns();
        if (!self->first_ns) {
            self->first_ns = self->last_ns;
        }
        self->deliveries++;
        conn->events++;
        if (is_end(self, text, len)) {
            self->ends++;
        }
    }
    (void)opts;
}

static void wave_send(struct run *run, int number)
{
    const struct load_opts *opts = run->opts;
    struct load_conn *driver = &run->conns[opts->conns - 1];

    for (int i = 0; i < opts->turns; i++) {
        char text[8192];
        int n;

        if (load_is_echo(opts)) {
            n = snprintf(text, sizeof(text), "B%0320d", i);
        } else {
            n = snprintf(text, sizeof(text),
                         "{\"type\":\"req\",\"id\":\"w%d-%d\",\"method\":\"chat.send\",\"params\":{\"sessionKey\":"
                         "\"agent:main:wave-%d\",\"message\":\"%s\",\"idempotencyKey\":\"wave-%d-%d-%d\"}}",
                         number, i, i, opts->body, (int)getpid(), number, i);
        }
        load_ws_frame(&driver->out, text, (size_t)n);
    }
    load_flush(driver, run->epoll);
}

void load_fanout(const struct load_opts *opts)
{
    struct run *self = table(1, sizeof(*self));
    double rate = 0, cpu_us = 0, last_ms = 0;
    int waves = (int)opts->seconds;

    run_init(self, opts);
    for (int i = 0; i < opts->conns; i++) {
        load_ws_ready(&self->conns[i], self->epoll, opts);
    }
    /* The first wave warms up; the best of the others is told, its spread is the noise of the machine. */
    for (int w = 0; w <= waves; w++) {
        struct wave wave = { .run = self };
        size_t wanted = (size_t)opts->turns * (size_t)opts->conns;
        double cpu = load_cpu_s(opts), seconds;
        uint64_t deadline = load_now_ns() + 30000000000U;

        wave_send(self, w);
        while (wave.ends < wanted && load_now_ns() < deadline) {
            load_wait(self->epoll, 1000, on_event, &wave);
        }
        if (wave.ends < wanted) {
            load_die("only %zu of %zu final events arrived", wave.ends, wanted);
        }
        seconds = (double)(wave.last_ns - wave.first_ns) / 1e9;
        if (w > 0 && (double)wave.deliveries / seconds > rate) {
            rate = (double)wave.deliveries / seconds;
            cpu_us = (load_cpu_s(opts) - cpu) * 1e6 / (double)wave.deliveries;
            last_ms = seconds * 1e3 / (double)opts->turns;
        }
    }
    printf("{\"rate\":%.0f,\"cpu_us\":%.3f,\"wave_ms\":%.3f}\n", rate, cpu_us, last_ms);
}

/* --- idle connections ------------------------------------------------------------------- */

static void on_idle(void *arg, struct load_conn *conn)
{
    (void)arg;
    conn->in.off = conn->in.len;
}

void load_idle(const struct load_opts *opts)
{
    struct run *self = table(1, sizeof(*self));
    double before = load_rss(opts), after, cpu;
    uint64_t end;

    run_init(self, opts);
    for (int i = 0; i < opts->conns; i++) {
        load_ws_ready(&self->conns[i], self->epoll, opts);
    }
    cpu = load_cpu_s(opts);
    end = load_now_ns() + (uint64_t)(opts->seconds * 1e9);
    while (load_now_ns() < end) {
        load_wait(self->epoll, 200, on_idle, self);
    }
    after = load_rss(opts); /* when what each arrival told the others has been read */
    printf("{\"cpu_percent\":%.3f,\"rss_before\":%.0f,\"rss\":%.0f,\"per_conn\":%.0f}\n",
           (load_cpu_s(opts) - cpu) * 100 / opts->seconds, before, after, (after - before) / opts->conns);
}
