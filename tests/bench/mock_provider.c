/*
 * mock_provider: an OpenAI-compatible provider that costs next to nothing, so that what is measured beside it
 * is the gateway. `mock_provider PORT [TOKENS [INTERVAL_MS]]`: every POST gets the same streamed completion,
 * at once, or paced: the first token after INTERVAL_MS, each further one after half to one and a half of it (at random,
 * so that many conversations do not speak in step), and what it says is when it was sent (CLOCK_MONOTONIC, in ns).
 * A GET says how many requests it got, and how large the newest was.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define HEAD                                                                                                           \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n"  \
    "\r\n"
#define CHUNK_MAX 512

struct provider {
    uv_loop_t loop;
    uv_tcp_t listener;
    int tokens;
    uint64_t interval_ms;
    char *burst; /* the whole answer */
    size_t burst_len;
    uint64_t asked_n;
    size_t asked_bytes; /* the newest request, head and body */
    uint64_t random;    /* of xorshift64, never 0 */
};

struct provider_conn {
    uv_tcp_t tcp;
    uv_timer_t timer;
    struct provider *provider;
    int closing; /* handles still to close */
    int next;    /* token */
    char *in;
    size_t in_len;
    size_t in_cap;
};

struct provider_write {
    uv_write_t request;
    char bytes[CHUNK_MAX];
};

/* One server-sent event as one HTTP chunk. Number `tokens` is the end, the next one the usage and the mark. */
static size_t chunk_format(char *out, const struct provider *self, int number)
{
    static const char start[] = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,"
                                "\"model\":\"bench\",";
    char text[CHUNK_MAX - 64];
    unsigned long long word = self->interval_ms ? uv_hrtime() : (unsigned long long)number;
    int n;

    if (number == 0) {
        n = snprintf(text, sizeof(text),
                     "data: %s\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"w%llu\"},"
                     "\"finish_reason\":null}]}\n\n",
                     start, word);
    } else if (number < self->tokens) {
        n = snprintf(
            text, sizeof(text),
            "data: %s\"choices\":[{\"index\":0,\"delta\":{\"content\":\" w%llu\"},\"finish_reason\":null}]}\n\n", start,
            word);
    } else {
        n = snprintf(text, sizeof(text),
                     "data: %s\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":"
                     "{\"prompt_tokens\":1,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n",
                     start, self->tokens, self->tokens + 1);
    }
    return (size_t)snprintf(out, CHUNK_MAX, "%x\r\n%s\r\n%s", (unsigned)n, text,
                            number >= self->tokens ? "0\r\n\r\n" : "");
}

static void burst_make(struct provider *self)
{
    self->burst = malloc(sizeof(HEAD) + (size_t)(self->tokens + 1) * CHUNK_MAX);
    if (!self->burst) {
        abort();
    }
    memcpy(self->burst, HEAD, sizeof(HEAD) - 1);
    self->burst_len = sizeof(HEAD) - 1;
    for (int i = 0; i <= self->tokens; i++) {
        self->burst_len += chunk_format(self->burst + self->burst_len, self, i);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct provider_conn *conn = handle->data;

    if (--conn->closing == 0) {
        free(conn->in);
        free(conn);
    }
}

static void conn_close(struct provider_conn *conn)
{
    if (!uv_is_closing((uv_handle_t *)&conn->tcp)) {
        conn->closing = 2;
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
        uv_close((uv_handle_t *)&conn->timer, on_closed);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct provider_write *write = request->data;

    (void)status; /* a client that left is noticed by the reading side */
    free(write);
}

static void send_bytes(struct provider_conn *conn, const char *bytes, size_t len, bool is_static)
{
    struct provider_write *write = malloc(sizeof(*write));
    uv_buf_t buf;

    if (!write) {
        abort();
    }
    write->request.data = write;
    if (!is_static) {
        memcpy(write->bytes, bytes, len);
        bytes = write->bytes;
    }
    buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
    if (uv_write(&write->request, (uv_stream_t *)&conn->tcp, &buf, 1, on_written)) {
        free(write);
    }
}

static uint64_t pause_ms(struct provider *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->interval_ms / 2 + self->random % (self->interval_ms + 1);
}

static void on_tick(uv_timer_t *timer)
{
    struct provider_conn *conn = timer->data;
    char chunk[CHUNK_MAX];
    size_t len = chunk_format(chunk, conn->provider, conn->next);

    send_bytes(conn, chunk, len, false);
    if (conn->next++ < conn->provider->tokens) {
        uv_timer_start(timer, on_tick, pause_ms(conn->provider), 0);
    }
}

static void count_send(struct provider_conn *conn)
{
    const struct provider *self = conn->provider;
    char body[96];
    char text[256];
    int len = snprintf(body, sizeof(body), "{\"requests\":%llu,\"bytes\":%zu}", (unsigned long long)self->asked_n,
                       self->asked_bytes);

    len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len, body);
    send_bytes(conn, text, (size_t)len, false);
}

static void answer(struct provider_conn *conn, size_t len)
{
    struct provider *self = conn->provider;

    if (memcmp(conn->in, "GET ", 4) == 0) {
        count_send(conn);
        return;
    }
    self->asked_n++;
    self->asked_bytes = len;
    if (self->interval_ms == 0) {
        send_bytes(conn, self->burst, self->burst_len, true);
        return;
    }
    conn->next = 0;
    send_bytes(conn, HEAD, sizeof(HEAD) - 1, true);
    uv_timer_start(&conn->timer, on_tick, self->interval_ms, 0);
}

/* Length of the request at the start of the input, 0 when it is not whole. */
static size_t request_len(const struct provider_conn *conn)
{
    const char *end = memmem(conn->in, conn->in_len, "\r\n\r\n", 4);
    const char *line = conn->in;
    size_t body = 0;

    if (!end) {
        return 0;
    }
    while (line < end) {
        const char *next = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);

        if (strncasecmp(line, "content-length:", 15) == 0) {
            body = strtoul(line + 15, NULL, 10);
        }
        line = next + 2;
    }
    body += (size_t)(end - conn->in) + 4;
    return body <= conn->in_len ? body : 0;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct provider_conn *conn = handle->data;

    if (conn->in_cap - conn->in_len < suggested) {
        conn->in_cap = conn->in_len + suggested;
        conn->in = realloc(conn->in, conn->in_cap + 1);
        if (!conn->in) {
            abort();
        }
    }
    *buf = uv_buf_init(conn->in + conn->in_len, (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct provider_conn *conn = stream->data;
    size_t len;

    (void)buf;
    if (n < 0) {
        conn_close(conn);
        return;
    }
    conn->in_len += (size_t)n;
    conn->in[conn->in_len] = '\0'; /* strtoul stops there at the latest */
    while ((len = request_len(conn)) > 0) {
        answer(conn, len);
        memmove(conn->in, conn->in + len, conn->in_len - len);
        conn->in_len -= len;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct provider_conn *conn = calloc(1, sizeof(*conn));

    if (status < 0 || !conn) {
        abort();
    }
    conn->provider = listener->data;
    conn->tcp.data = conn->timer.data = conn;
    (void)uv_tcp_init(listener->loop, &conn->tcp); /* these two cannot fail */
    (void)uv_timer_init(listener->loop, &conn->timer);
    if (uv_accept(listener, (uv_stream_t *)&conn->tcp) || uv_read_start((uv_stream_t *)&conn->tcp, on_room, on_read)) {
        conn_close(conn);
        return;
    }
    (void)uv_tcp_nodelay(&conn->tcp, 1); /* slower without, not wrong */
}

int main(int argc, char **argv)
{
    struct provider self = { .tokens = argc > 2 ? atoi(argv[2]) : 64,
                             .interval_ms = argc > 3 ? (uint64_t)atoi(argv[3]) : 0,
                             .random = 88172645463325252U };
    struct sockaddr_in address;

    burst_make(&self);
    if (uv_loop_init(&self.loop) || uv_tcp_init(&self.loop, &self.listener) ||
        uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &address) ||
        uv_tcp_bind(&self.listener, (const struct sockaddr *)&address, 0)) {
        (void)fprintf(stderr, "mock_provider: cannot bind\n");
        return 1;
    }
    self.listener.data = &self;
    if (uv_listen((uv_stream_t *)&self.listener, 128, on_connection)) {
        (void)fprintf(stderr, "mock_provider: cannot listen\n");
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    return uv_run(&self.loop, UV_RUN_DEFAULT); /* until it is killed */
}
