/*
 * echo_server: the ceiling for everything that goes through a WebSocket: libwebsockets on libuv, frames
 * queued per connection and written once per writable callback, and no work in between.
 *
 * `echo_server PORT` answers each text with itself; a text that begins with B goes to every connection.
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct echo_conn {
    struct echo_conn *next;
    struct lws *wsi;
    uint8_t *out; /* LWS_PRE bytes of room, then frames */
    size_t len;
    size_t cap;
    char *in; /* a message of several fragments */
    size_t in_len;
};

struct echo {
    struct echo_conn *conns;
};

static void *grown(void *ptr, size_t size)
{
    void *larger = realloc(ptr, size);

    if (!larger) {
        abort();
    }
    return larger;
}

static void frame_add(struct echo_conn *conn, const char *text, size_t len)
{
    uint8_t head[10] = { 0x81 };
    size_t n = 2, bytes = len < 65536 ? 2 : 8;

    if (len < 126) {
        head[1] = (uint8_t)len;
    } else {
        head[1] = bytes == 2 ? 126 : 127;
        for (size_t i = 0; i < bytes; i++) {
            head[n++] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
        }
    }
    if (conn->len + n + len > conn->cap) {
        conn->cap = (conn->len + n + len) * 2;
        conn->out = grown(conn->out, LWS_PRE + conn->cap);
    }
    memcpy(conn->out + LWS_PRE + conn->len, head, n);
    memcpy(conn->out + LWS_PRE + conn->len + n, text, len);
    conn->len += n + len;
    (void)lws_callback_on_writable(conn->wsi); /* 1 when it was asked for, which is what we want */
}

static void message_handle(struct echo *echo, struct echo_conn *conn, const char *text, size_t len)
{
    if (len == 0 || text[0] != 'B') {
        frame_add(conn, text, len);
        return;
    }
    for (struct echo_conn *each = echo->conns; each; each = each->next) {
        frame_add(each, text, len);
    }
}

static void received(struct echo *echo, struct echo_conn *conn, const char *text, size_t len)
{
    bool is_last = lws_is_final_fragment(conn->wsi) && lws_remaining_packet_payload(conn->wsi) == 0;

    if (conn->in_len == 0 && is_last) {
        message_handle(echo, conn, text, len);
        return;
    }
    conn->in = grown(conn->in, conn->in_len + len + 1);
    memcpy(conn->in + conn->in_len, text, len);
    conn->in_len += len;
    if (is_last) {
        message_handle(echo, conn, conn->in, conn->in_len);
        conn->in_len = 0;
    }
}

static int flushed(struct echo_conn *conn)
{
    size_t len = conn->len;

    conn->len = 0;
    return len && lws_write(conn->wsi, conn->out + LWS_PRE, len, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static void conn_remove(struct echo *echo, struct echo_conn *conn)
{
    for (struct echo_conn **link = &echo->conns; *link; link = &(*link)->next) {
        if (*link == conn) {
            *link = conn->next;
            break;
        }
    }
    free(conn->out);
    free(conn->in);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct echo *echo = lws_context_user(lws_get_context(wsi));
    struct echo_conn *conn = user;

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        memset(conn, 0, sizeof(*conn));
        conn->wsi = wsi;
        conn->next = echo->conns;
        echo->conns = conn;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        received(echo, conn, in, len);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return flushed(conn);
    case LWS_CALLBACK_CLOSED:
        conn_remove(echo, conn);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        { .name = "echo",
          .callback = on_event,
          .per_session_data_size = sizeof(struct echo_conn),
          .rx_buffer_size = 65536 },
        { .name = NULL },
    };
    struct echo echo = { 0 };
    uv_loop_t loop;
    void *foreign = &loop;
    struct lws_context_creation_info info = { .protocols = protocols,
                                              .options = LWS_SERVER_OPTION_LIBUV,
                                              .foreign_loops = &foreign,
                                              .pt_serv_buf_size = 65536,
                                              .user = &echo,
                                              .iface = "127.0.0.1",
                                              .gid = -1,
                                              .uid = -1 };

    info.port = argc > 1 ? atoi(argv[1]) : 0;
    lws_set_log_level(LLL_ERR, NULL);
    if (uv_loop_init(&loop) || !lws_create_context(&info)) {
        (void)fprintf(stderr, "echo_server: cannot listen on port %d\n", info.port);
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    return uv_run(&loop, UV_RUN_DEFAULT); /* until it is killed */
}
