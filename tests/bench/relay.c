/*
 * relay: passes bytes between each client and a connection of its own to one server, both ways, and does nothing else:
 * the least that anything between a client and a provider can cost. `relay PORT TARGET_PORT`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define ROOM 65536

struct relay_pair {
    uv_tcp_t ends[2]; /* the client's, the server's */
    uv_connect_t connect;
    int closing; /* handles still to close */
};

static int target_port;
static char room[ROOM]; /* what was read is written before the next read */

struct relay_write {
    uv_write_t request;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    struct relay_pair *pair = handle->data;

    if (--pair->closing == 0) {
        free(pair);
    }
}

static void pair_close(struct relay_pair *pair)
{
    if (pair->closing == 0) {
        pair->closing = 2;
        uv_close((uv_handle_t *)&pair->ends[0], on_closed);
        uv_close((uv_handle_t *)&pair->ends[1], on_closed);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(room, sizeof(room));
}

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* an end that left is noticed by its reading side */
    free(request->data);
}

/* What the socket does not take at once waits in a copy. */
static void pass_on(uv_stream_t *to, const char *bytes, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
    int n = uv_try_write(to, &buf, 1);
    size_t taken = n > 0 ? (size_t)n : 0;
    struct relay_write *rest;

    if (taken == len) {
        return;
    }
    rest = malloc(sizeof(*rest) + len - taken);
    if (!rest) {
        abort();
    }
    for (size_t i = 0; i < len - taken; i++) {
        rest->bytes[i] = bytes[taken + i];
    }
    rest->request.data = rest;
    buf = uv_buf_init(rest->bytes, (unsigned)(len - taken));
    if (uv_write(&rest->request, to, &buf, 1, on_written)) {
        free(rest);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct relay_pair *pair = stream->data;

    if (n < 0) {
        pair_close(pair);
    } else if (n > 0) {
        pass_on((uv_stream_t *)&pair->ends[stream == (uv_stream_t *)&pair->ends[0]], buf->base, (size_t)n);
    }
}

static void on_connected(uv_connect_t *request, int status)
{
    struct relay_pair *pair = request->data;

    if (status == UV_ECANCELED) {
        return; /* it is being closed */
    }
    if (status < 0 || uv_read_start((uv_stream_t *)&pair->ends[0], on_room, on_read) ||
        uv_read_start((uv_stream_t *)&pair->ends[1], on_room, on_read)) {
        pair_close(pair);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct relay_pair *pair = calloc(1, sizeof(*pair));
    struct sockaddr_in address;

    if (status < 0 || !pair || uv_ip4_addr("127.0.0.1", target_port, &address)) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        (void)uv_tcp_init(listener->loop, &pair->ends[i]); /* cannot fail */
        pair->ends[i].data = pair;
    }
    pair->connect.data = pair;
    if (uv_accept(listener, (uv_stream_t *)&pair->ends[0]) ||
        uv_tcp_connect(&pair->connect, &pair->ends[1], (const struct sockaddr *)&address, on_connected)) {
        pair_close(pair);
        return;
    }
    (void)uv_tcp_nodelay(&pair->ends[0], 1); /* slower without, not wrong */
    (void)uv_tcp_nodelay(&pair->ends[1], 1);
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    uv_tcp_t listener;
    struct sockaddr_in address;

    if (argc < 3) {
        (void)fputs("Usage: relay PORT TARGET_PORT\n", stderr);
        return 2;
    }
    target_port = atoi(argv[2]);
    if (uv_loop_init(&loop) || uv_tcp_init(&loop, &listener) || uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address) ||
        uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0) ||
        uv_listen((uv_stream_t *)&listener, 1024, on_connection)) {
        (void)fputs("relay: cannot listen\n", stderr);
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    return uv_run(&loop, UV_RUN_DEFAULT); /* until it is killed */
}
