/*
 * load_http: keep-alive requests, and streamed completions with the time to their first token.
 */
#include "tests/bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of tokens that are not times are below. */
#define SENT_NS_MIN 1000000000U

struct http_run {
    const struct load_opts *opts;
    int epoll;
    struct load_buf request;
    bool is_counting;
    uint64_t done;
    uint64_t started;
    uint64_t ended;
    uint64_t tokens;
    struct load_hist first; /* time to the first token */
    struct load_hist whole;
    struct load_hist lag; /* of tokens that say when they were sent */
    double cpu_s;         /* when counting began */
    uint64_t counting_since_ns;
};

enum {
    HTTP_WAITING, /* for the first token */
    HTTP_STREAMING,
};

static void *table(size_t n, size_t size)
{
    void *ptr = calloc(n, size);

    if (!ptr) {
        load_die("out of memory");
    }
    return ptr;
}

static void request_send(struct http_run *self, struct load_conn *conn)
{
    conn->state = HTTP_WAITING;
    conn->since_ns = load_now_ns();
    load_buf_add(&conn->out, self->request.ptr, self->request.len);
    load_flush(conn, self->epoll);
    self->started++;
}

/* The length of the answer at the start of the input; 0 when it is not whole. */
static size_t answer_len(const struct load_conn *conn)
{
    const char *start = conn->in.ptr + conn->in.off;
    size_t have = conn->in.len - conn->in.off, len;
    const char *end = memmem(start, have, "\r\n\r\n", 4);
    const char *length;

    if (!end) {
        return 0;
    }
    if (memcmp(start, "HTTP/1.1 200", 12) != 0) {
        load_die("the server said %.*s", (int)(end - start), start);
    }
    length = memmem(start, (size_t)(end - start), "ontent-", 7);
    while (length && strncasecmp(length, "ontent-length:", 14) != 0) {
        length = memmem(length + 1, (size_t)(end - length - 1), "ontent-", 7);
    }
    if (!length) {
        load_die("an answer without content-length");
    }
    len = (size_t)(end - start) + 4 + strtoul(length + 14, NULL, 10);
    return len <= have ? len : 0;
}

static void on_answer(void *arg, struct load_conn *conn)
{
    struct http_run *self = arg;
    size_t len = answer_len(conn);

    if (len) {
        conn->in.off += len;
        if (self->is_counting) {
            self->done++;
            load_hist_add(&self->whole, load_now_ns() - conn->since_ns);
        }
        request_send(self, conn);
    }
}

static struct load_conn *conns_open(struct http_run *self)
{
    struct load_conn *conns = table((size_t)self->opts->conns, sizeof(*conns));

    for (int i = 0; i < self->opts->conns; i++) {
        load_open(&conns[i], self->epoll, self->opts, true);
    }
    return conns;
}

void load_http(const struct load_opts *opts)
{
    struct http_run *self = table(1, sizeof(*self));
    struct load_conn *conns;
    uint64_t start;
    double cpu, seconds;
    char text[512];
    int n;

    self->opts = opts;
    self->epoll = load_epoll();
    n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", opts->path, opts->port);
    load_buf_add(&self->request, text, (size_t)n);
    conns = conns_open(self);
    for (int i = 0; i < opts->conns; i++) {
        request_send(self, &conns[i]);
    }
    start = load_now_ns() + 300000000U;
    while (load_now_ns() < start) {
        load_wait(self->epoll, 100, on_answer, self);
    }
    self->is_counting = true;
    cpu = load_cpu_s(opts);
    start = load_now_ns();
    while (load_now_ns() < start + (uint64_t)(opts->seconds * 1e9)) {
        load_wait(self->epoll, 100, on_answer, self);
    }
    seconds = (double)(load_now_ns() - start) / 1e9;
    cpu = load_cpu_s(opts) - cpu;
    printf("{\"rate\":%.0f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"cpu_us\":%.3f}\n", (double)self->done / seconds,
           load_hist_at(&self->whole, 0.5), load_hist_at(&self->whole, 0.99),
           self->done ? cpu * 1e6 / (double)self->done : 0);
}

/* --- streamed completions ---------------------------------------------------------------- */

static void request_make(struct http_run *self)
{
    const struct load_opts *opts = self->opts;
    struct load_buf body = { 0 };
    char text[1024];
    int n;

    if (opts->body[0] == '@') {
        FILE *file = fopen(opts->body + 1, "re");
        size_t got;

        if (!file) {
            load_die("cannot open %s", opts->body + 1);
        }
        while ((got = fread(text, 1, sizeof(text), file)) > 0) {
            load_buf_add(&body, text, got);
        }
        (void)fclose(file);
    } else {
        load_buf_add(&body, opts->body, strlen(opts->body));
    }
    n = snprintf(text, sizeof(text),
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 opts->path, opts->port, opts->token, body.len);
    load_buf_add(&self->request, text, (size_t)n);
    load_buf_add(&self->request, body.ptr, body.len);
    free(body.ptr);
}

/* A token of the mock provider is "w" and a number, which is when it was sent where they are paced (mock_provider.c);
 * the gateway may bring several in one chunk. */
static void tokens_count(struct http_run *self, struct load_conn *conn, const char *from, const char *end)
{
    uint64_t now = load_now_ns();

    while (from + 1 < end && (from = memchr(from, 'w', (size_t)(end - from - 1))) != NULL) {
        uint64_t number;

        from++;
        if (*from < '0' || *from > '9') {
            continue;
        }
        number = strtoull(from, NULL, 10);
        if (conn->state == HTTP_WAITING) {
            conn->state = HTTP_STREAMING;
            if (self->is_counting) {
                load_hist_add(&self->first, now - conn->since_ns);
            }
        }
        if (self->is_counting) {
            self->tokens++;
            load_hist_add(&self->lag, number > SENT_NS_MIN && number < now ? now - number : 0);
        }
    }
}

static void on_stream(void *arg, struct load_conn *conn)
{
    struct http_run *self = arg;
    const char *start = conn->in.ptr + conn->in.off;
    const char *end = conn->in.ptr + conn->in.len;
    const char *done = memmem(start, (size_t)(end - start), "data: [DONE]", 12);
    const char *cut = done ? done : end;

    if (conn->state == HTTP_WAITING && end - start > 12 && memcmp(start, "HTTP/1.1 ", 9) == 0 &&
        memcmp(start + 9, "200", 3) != 0) {
        load_die("the server said %.*s", (int)(end - start), start);
    }
    if (!done) {
        /* Only whole lines are counted; the rest waits for its end. */
        while (cut > start && cut[-1] != '\n') {
            cut--;
        }
    }
    tokens_count(self, conn, start, cut);
    conn->in.off += (size_t)(cut - start);
    if (!done) {
        return;
    }
    if (!memmem(cut, (size_t)(end - cut), "0\r\n\r\n", 5)) {
        return; /* the end of the chunked body has not come */
    }
    conn->in.off = conn->in.len;
    if (self->is_counting) {
        self->done++;
        load_hist_add(&self->whole, load_now_ns() - conn->since_ns);
    }
    self->ended++;
    if (self->started < (uint64_t)self->opts->turns) {
        request_send(self, conn);
    }
}

/* Begins the conversations that are due: all at once, or one after the other over the time of `spread`. */
static void conversations_begin(struct http_run *self, struct load_conn *conns, uint64_t start, int *begun_n)
{
    int conns_n = self->opts->conns < self->opts->turns ? self->opts->conns : self->opts->turns;
    double passed = (double)(load_now_ns() - start) / 1e9;

    while (*begun_n < conns_n && passed >= self->opts->spread * *begun_n / conns_n) {
        request_send(self, &conns[(*begun_n)++]);
    }
    /* Spread conversations are counted while all of them are under way, others from the start to the end. */
    if (!self->is_counting && (*begun_n == conns_n || self->opts->spread <= 0)) {
        self->is_counting = true;
        self->cpu_s = load_cpu_s(self->opts);
        self->counting_since_ns = load_now_ns();
    }
}

static void chat_print(const struct http_run *self)
{
    double seconds = (double)(load_now_ns() - self->counting_since_ns) / 1e9;
    double cpu = load_cpu_s(self->opts) - self->cpu_s;

    printf(
        "{\"first_p50_us\":%.1f,\"first_p99_us\":%.1f,\"whole_p50_us\":%.1f,\"tokens_per_s\":%.0f,\"tokens\":%llu,"
        "\"turns_per_s\":%.1f,\"cpu_s_per_1000\":%.4f,\"lag_p50_us\":%.1f,\"lag_p99_us\":%.1f,\"request_bytes\":%zu}\n",
        load_hist_at(&self->first, 0.5), load_hist_at(&self->first, 0.99), load_hist_at(&self->whole, 0.5),
        (double)self->tokens / seconds, (unsigned long long)self->tokens, (double)self->done / seconds,
        cpu * 1000 / (double)self->done, load_hist_at(&self->lag, 0.5), load_hist_at(&self->lag, 0.99),
        self->request.len);
}

void load_chat(const struct load_opts *opts)
{
    struct http_run *self = table(1, sizeof(*self));
    struct load_conn *conns;
    uint64_t start;
    int begun_n = 0;

    self->opts = opts;
    self->epoll = load_epoll();
    request_make(self);
    conns = conns_open(self);
    start = load_now_ns();
    conversations_begin(self, conns, start, &begun_n);
    while (self->ended < (uint64_t)opts->turns &&
           !(opts->spread > 0 && self->is_counting && self->started >= (uint64_t)opts->turns)) {
        if (load_now_ns() - start > 120000000000U) {
            load_die("%llu of %d turns ended in two minutes", (unsigned long long)self->ended, opts->turns);
        }
        load_wait(self->epoll, begun_n < opts->conns ? 1 : 1000, on_stream, self);
        conversations_begin(self, conns, start, &begun_n);
    }
    chat_print(self);
}
