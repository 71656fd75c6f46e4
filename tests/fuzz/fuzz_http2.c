/*
 * HTTP/2 as a connection of the edge speaks it, with auth and an agent that answer when they like: whatever comes, in
 * whatever order, the limits hold, what goes out are frames, and in the end nothing is left of it: no memory, no call
 * that nobody waits for, no byte on the accounts.
 *
 * The input is a list of steps: bytes as they are, frames, requests that are right, answers of actors, and time.
 */
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/codec.h"
#include "edge/listener/conn_internal.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http1.h"
#include "edge/listener/http2_internal.h"
#include "schema_gen.h"
#include "tests/fuzz/fuzz.h"

#define CALLS_MAX 4096U
#define QUEUED_MAX (LIMIT_WRITE + 32768U) /* a queue that was nearly full takes one frame more */

enum step {
    STEP_BYTES,
    STEP_FRAME,
    STEP_ASK,
    STEP_BODY,
    STEP_ANSWER,
    STEP_FAIL,
    STEP_CHUNK,
    STEP_WAIT,
    STEP_READING, /* whether the client reads */
    STEPS,
};

/* --- actors ---------------------------------------------------------------------------- */

struct asked {
    struct actor_call call;
    bool is_open;
    bool is_cancelled;
};

static struct asked calls[CALLS_MAX];
static size_t calls_n;
static uint64_t now_ms;
static struct edge edge;
static struct pack decision;
static uv_loop_t loop;

int __wrap_actor_call(struct actor *self, const struct actor_call *call, uint64_t *ret_id);
void __wrap_actor_call_cancel(struct actor *self, uint64_t id);
void __wrap_actor_call_grant(struct actor *self, uint64_t id, uint32_t bytes);
uint64_t __wrap_edge_now(const struct edge *self);

int __wrap_actor_call(struct actor *self, const struct actor_call *call, uint64_t *ret_id)
{
    (void)self;
    if (calls_n == CALLS_MAX) {
        return -ENOMEM;
    }
    calls[calls_n] = (struct asked){ .call = *call, .is_open = true };
    *ret_id = ++calls_n;
    return 0;
}

void __wrap_actor_call_cancel(struct actor *self, uint64_t id)
{
    (void)self;
    FUZZ_HOLD(id > 0 && id <= calls_n && calls[id - 1].is_open);
    calls[id - 1].is_cancelled = true;
}

void __wrap_actor_call_grant(struct actor *self, uint64_t id, uint32_t bytes)
{
    (void)self;
    FUZZ_HOLD(id > 0 && id <= calls_n && calls[id - 1].is_open && bytes > 0);
}

uint64_t __wrap_edge_now(const struct edge *self)
{
    (void)self;
    return now_ms;
}

static struct asked *pending(uint8_t which)
{
    for (size_t i = 0; i < calls_n; i++) {
        struct asked *asked = &calls[(i + which) % calls_n];

        if (asked->is_open) {
            return asked;
        }
    }
    return NULL;
}

static void answer(struct asked *asked, bool is_fine)
{
    static const struct failure no = { .code = FAIL_UNAVAILABLE, .message = { "not now", 7 } };
    struct msg_auth_decision who;
    struct msg_run_done done = { .finish_reason = SPAN_LIT("stop"), .has_text = true, .text = SPAN_LIT("the end") };
    struct actor_answer reply = { .failure = &no };

    asked->is_open = false;
    if (is_fine && !asked->is_cancelled) {
        bool is_auth = asked->call.msg == MSG_AUTH_HTTP;

        FUZZ_HOLD(codec_decode(MSG_AUTH_DECISION->type, pack_span(&decision), &who, NULL) == 0);
        reply = (struct actor_answer){ .msg = is_auth ? (const void *)&who : &done, .body = pack_span(&decision) };
        if (!is_auth && asked->call.msg != MSG_AGENT_RUN) {
            reply = (struct actor_answer){ .failure = &no };
        }
    }
    asked->call.on_answer(&edge, NULL, asked->call.cookie, &reply);
}

static void chunk(struct asked *asked, size_t len)
{
    static char text[65536];
    struct msg_run_delta delta = { .text = { text, len } };

    memset(text, 'x', sizeof(text));
    if (asked->call.on_chunk && !asked->is_cancelled) {
        asked->call.on_chunk(&edge, NULL, asked->call.cookie, MSG_RUN_DELTA, &delta, delta.text);
    }
}

/* --- the client -------------------------------------------------------------------------- */

struct client {
    struct conn *conn;
    bool is_reading;
    uint8_t head[9];
    size_t head_len;
    size_t left; /* of the frame that is going out */
};

/* What goes out are frames, each as long as it says, and no longer than was agreed. */
static void output_check(struct client *self, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t take = self->left < len ? self->left : len;

        if (self->left == 0) {
            self->head[self->head_len++] = *data;
            take = 1;
            if (self->head_len == sizeof(self->head)) {
                self->left = (size_t)self->head[0] << 16 | (size_t)self->head[1] << 8 | self->head[2];
                self->head_len = 0;
                FUZZ_HOLD(self->left <= 16384);
            }
        } else {
            self->left -= take;
        }
        data += take;
        len -= take;
    }
}

static bool is_open(const struct client *self)
{
    return self->conn->phase == CONN_OPEN && !self->conn->is_killed;
}

static void limits_check(const struct client *self)
{
    const struct http2 *http2 = self->conn->state;

    FUZZ_HOLD(http2->streams_n <= LIMIT_STREAMS);
    FUZZ_HOLD(conn_pending(self->conn) <= QUEUED_MAX);
    for (const struct http2_stream *stream = http2->streams; stream; stream = stream->next) {
        FUZZ_HOLD(stream->early.len <= 65535);
        FUZZ_HOLD(stream->head.text.len + stream->head.cookie.len <= REQUEST_HEAD_MAX);
    }
}

static void turn(struct client *self)
{
    struct conn *conn = self->conn;

    for (bool is_more = true; is_more;) {
        struct outq_run run;

        if (is_open(self)) {
            conn->ops->fill(conn);
            limits_check(self);
        }
        run = outq_peek(&conn->out, edge.stage, LIMIT_WRITE);
        is_more = self->is_reading && run.len > 0 && !conn->is_killed;
        if (is_more) {
            output_check(self, (const uint8_t *)run.ptr, run.len);
            outq_consume(&conn->out, run.len);
        }
    }
}

static void feed(struct client *self, const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);

    FUZZ_HOLD(copy != NULL);
    if (len > 0 && is_open(self)) {
        memcpy(copy, data, len);
        (void)conn_on_rx(self->conn, copy, len); /* not 0: it is ended, as is_open says, too */
    }
    free(copy);
}

static void frame_feed(struct client *self, const uint8_t *what, const uint8_t *payload, size_t len)
{
    uint8_t frame[9 + 255] = { 0, 0, (uint8_t)len, what[0], what[1], 0, 0, 0, what[2] };

    memcpy(frame + 9, payload, len);
    feed(self, frame, 9 + len);
}

static size_t field_add(uint8_t *block, size_t at, const char *name, const char *value)
{
    block[at++] = 0;
    block[at++] = (uint8_t)strlen(name);
    memcpy(block + at, name, strlen(name));
    at += strlen(name);
    block[at++] = (uint8_t)strlen(value);
    memcpy(block + at, value, strlen(value));
    return at + strlen(value);
}

/* A request that is right; `flags` say whether a body follows. */
static void ask(struct client *self, uint8_t which, uint8_t flags, uint8_t stream)
{
    static const char *const paths[] = { "/v1/chat/completions", "/v1/responses",
                                         "/tools/invoke",        "/healthz",
                                         "/v1/models",           "/",
                                         "/hooks/wake",          "/metrics" };
    const char *path = paths[which % ARRAY_LEN(paths)];
    uint8_t block[255];
    size_t len = field_add(block, 0, ":method", which % ARRAY_LEN(paths) < 3 ? "POST" : "GET");

    len = field_add(block, len, ":path", path);
    len = field_add(block, len, ":scheme", "http");
    len = field_add(block, len, ":authority", "localhost");
    len = field_add(block, len, "authorization", "Bearer token");
    if (which & 0x80) {
        len = field_add(block, len, "expect", "100-continue");
    }
    frame_feed(self, (const uint8_t[]){ NGHTTP2_HEADERS, flags & 5, stream }, block, len);
}

static void body(struct client *self, uint8_t flags, uint8_t stream)
{
    static const char text[] =
        "{\"model\":\"openclaw\",\"stream\":true,\"input\":\"x\",\"messages\":[{\"role\":\"user\","
        "\"content\":\"x\"}]}";

    frame_feed(self, (const uint8_t[]){ NGHTTP2_DATA, flags & 1, stream }, (const uint8_t *)text, sizeof(text) - 1);
}

/* --- steps ---------------------------------------------------------------------------------- */

static size_t step_do(struct client *self, const uint8_t *at, size_t size)
{
    uint8_t a = size > 1 ? at[1] : 0;
    uint8_t b = size > 2 ? at[2] : 0;
    uint8_t c = size > 3 ? at[3] : 0;
    struct asked *asked = pending(a);
    size_t len;

    switch ((enum step)(at[0] % STEPS)) {
    case STEP_BYTES:
        len = size > 2 ? (a < size - 2 ? a : size - 2) : 0;
        feed(self, at + 2, len);
        return 2 + len;
    case STEP_FRAME:
        len = size > 5 ? (at[4] < size - 5 ? at[4] : size - 5) : 0;
        frame_feed(self, (const uint8_t[]){ a, b, c }, len ? at + 5 : at, len);
        return 5 + len;
    case STEP_ASK:
        ask(self, a, b, c);
        return 4;
    case STEP_BODY:
        body(self, a, b);
        return 3;
    case STEP_ANSWER:
    case STEP_FAIL:
        if (asked) {
            answer(asked, at[0] % STEPS == STEP_ANSWER);
        }
        return 2;
    case STEP_CHUNK:
        if (asked) {
            chunk(asked, (size_t)b * 257);
        }
        return 3;
    case STEP_WAIT:
        now_ms += (uint64_t)a * 500;
        conn_sweep(&edge, now_ms);
        return 2;
    case STEP_READING:
        self->is_reading = !self->is_reading;
        return 1;
    case STEPS:
        break;
    }
    return 1;
}

static void edge_make(void)
{
    static uint8_t names[] = { 0x90 };
    struct pack scopes;
    struct msg_auth_decision who = { .principal = SPAN_LIT("p"),
                                     .role = SPAN_LIT("operator"),
                                     .method = SPAN_LIT("token") };

    FUZZ_HOLD(uv_loop_init(&loop) == 0);
    (void)uv_timer_init(&loop, &edge.reap);
    edge.reap.data = &edge;
    edge.handshake_ms = TIME_HANDSHAKE_MS;
    edge.body_ms = TIME_BODY_MS;
    edge.header_names = (struct text_buf){ .data = (char *)names, .len = 1 };
    FUZZ_HOLD(endpoints_read(&edge.endpoints, (struct span){ NULL, 0 }) == 0);
    edge.endpoints.chat.is_on = true;
    edge.endpoints.responses.is_on = true;
    pack_init(&edge.pack, 1U << 20);
    pack_init(&scopes, 256);
    pack_array_begin(&scopes);
    pack_str(&scopes, SPAN_LIT("operator.write"));
    pack_str(&scopes, SPAN_LIT("operator.read"));
    pack_array_end(&scopes);
    who.scopes = pack_span(&scopes);
    pack_init(&decision, 4096);
    FUZZ_HOLD(codec_encode(MSG_AUTH_DECISION->type, &who, &decision, NULL) == 0);
    pack_deinit(&scopes);
}

static struct conn *conn_make(void)
{
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { .s_addr = 0x0100007f } };
    struct conn *conn = calloc(1, sizeof(*conn));

    FUZZ_HOLD(conn != NULL);
    conn->edge = &edge;
    conn->peer = peer_take(&edge.peers, (const struct sockaddr *)(const void *)&address);
    FUZZ_HOLD(conn->peer != NULL);
    conn->peer->connections_n++;
    edge.conns = conn;
    edge.conns_n = 1;
    http1_attach(conn);
    return conn;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t begin[] = NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0"; /* and its settings, none */
    struct client client = { .is_reading = true };

    if (!edge.pack.limit) {
        edge_make();
    }
    client.conn = conn_make();
    calls_n = 0;
    now_ms = 1000;
    feed(&client, begin, sizeof(begin));
    for (size_t at = 0; at < size && is_open(&client); now_ms++) {
        at += step_do(&client, data + at, size - at);
        turn(&client);
    }
    conn_destroy(client.conn);
    for (size_t i = 0; i < calls_n; i++) {
        if (calls[i].is_open) {
            FUZZ_HOLD(calls[i].is_cancelled);
            answer(&calls[i], false);
        }
    }
    FUZZ_HOLD(!edge.orphan_exchanges && !edge.conns && edge.conns_n == 0);
    FUZZ_HOLD(edge.queued_bytes == 0 && edge.input.all == 0 && edge.input.strangers == 0);
    return 0;
}
