/*
 * load_net: connections, buffers, frames and numbers of the load client.
 */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_CHUNK (256U * 1024U)
#define HIST_STEPS 128U

uint64_t load_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void load_hist_add(struct load_hist *self, uint64_t ns)
{
    uint64_t us_128 = ns * 128U / 1000U; /* 1/128 µs */
    unsigned power = 0;
    size_t slot;

    while ((us_128 >> power) >= 2U * HIST_STEPS && power < 25U) {
        power++;
    }
    slot = (size_t)power * HIST_STEPS + (size_t)(us_128 >> power) % (2U * HIST_STEPS);
    if (slot >= sizeof(self->counts) / sizeof(self->counts[0])) {
        slot = sizeof(self->counts) / sizeof(self->counts[0]) - 1;
    }
    self->counts[slot]++;
    self->n++;
}

double load_hist_at(const struct load_hist *self, double share)
{
    uint64_t wanted = (uint64_t)((double)self->n * share), seen = 0;

    for (size_t i = 0; i < sizeof(self->counts) / sizeof(self->counts[0]); i++) {
        seen += self->counts[i];
        if (self->counts[i] && seen >= wanted) {
            /* Slots of power p > 0 hold values from STEPS << p on. */
            size_t power = i < 2U * HIST_STEPS ? 0 : i / HIST_STEPS - 1;
            size_t rest = i - power * HIST_STEPS;

            return (double)((uint64_t)rest << power) / 128.0;
        }
    }
    return 0;
}

double load_cpu_s(const struct load_opts *opts)
{
    double sum = 0;

    for (int i = 0; i < opts->pids_n; i++) {
        char path[64], text[1024];
        unsigned long user = 0, system = 0;
        const char *rest;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", opts->pids[i]);
        file = fopen(path, "re");
        if (!file || !fgets(text, sizeof(text), file)) {
            load_die("process %d is gone", opts->pids[i]);
        }
        (void)fclose(file);
        rest = strrchr(text, ')'); /* the name may hold spaces */
        if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
            load_die("cannot read %s", path);
        }
        sum += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    }
    return sum;
}

double load_rss(const struct load_opts *opts)
{
    double sum = 0;

    for (int i = 0; i < opts->pids_n; i++) {
        char path[64];
        unsigned long pages = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/statm", opts->pids[i]);
        file = fopen(path, "re");
        if (!file || fscanf(file, "%*u %lu", &pages) != 1) {
            load_die("process %d is gone", opts->pids[i]);
        }
        (void)fclose(file);
        sum += (double)pages * (double)sysconf(_SC_PAGESIZE);
    }
    return sum;
}

void load_die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fprintf(stderr, "load: ");
    (void)vfprintf(stderr, fmt, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static void buf_reserve(struct load_buf *self, size_t more)
{
    if (self->len + more <= self->cap) {
        return;
    }
    self->cap = (self->len + more) * 2;
    self->ptr = realloc(self->ptr, self->cap);
    if (!self->ptr) {
        load_die("out of memory");
    }
}

void load_buf_add(struct load_buf *self, const void *bytes, size_t len)
{
    buf_reserve(self, len);
    memcpy(self->ptr + self->len, bytes, len);
    self->len += len;
}

void load_buf_trim(struct load_buf *self)
{
    if (self->off == self->len) {
        self->off = self->len = 0;
    } else if (self->off > self->cap / 2) {
        memmove(self->ptr, self->ptr + self->off, self->len - self->off);
        self->len -= self->off;
        self->off = 0;
    }
}

int load_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0) {
        load_die("epoll: %s", strerror(errno));
    }
    return epoll;
}

static void watch(struct load_conn *self, int epoll, int op, bool is_writable_wanted)
{
    struct epoll_event event = { .events = EPOLLIN | (is_writable_wanted ? (uint32_t)EPOLLOUT : 0U), .data.ptr = self };

    self->is_writable_wanted = is_writable_wanted;
    if (epoll_ctl(epoll, op, self->fd, &event)) {
        load_die("epoll: %s", strerror(errno));
    }
}

void load_open(struct load_conn *self, int epoll, const struct load_opts *opts, bool is_blocking)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opts->port) };
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (is_blocking ? 0 : SOCK_NONBLOCK), 0);
    if (self->fd < 0 || setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))) {
        load_die("socket: %s", strerror(errno));
    }
    if (connect(self->fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS) {
        load_die("connect to port %d: %s", opts->port, strerror(errno));
    }
    if (is_blocking && fcntl(self->fd, F_SETFL, O_NONBLOCK)) {
        load_die("fcntl: %s", strerror(errno));
    }
    self->in.len = self->in.off = self->out.len = self->out.off = 0;
    watch(self, epoll, EPOLL_CTL_ADD, false);
}

void load_close(struct load_conn *self)
{
    /* Without TIME_WAIT a long run would use up the ports of this machine. */
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* only politeness is lost */
    (void)close(self->fd);
    self->fd = -1;
}

void load_flush(struct load_conn *self, int epoll)
{
    while (self->out.off < self->out.len) {
        ssize_t n = send(self->fd, self->out.ptr + self->out.off, self->out.len - self->out.off, MSG_NOSIGNAL);

        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            break;
        }
        if (n < 0) {
            load_die("send: %s", strerror(errno));
        }
        self->out.off += (size_t)n;
    }
    load_buf_trim(&self->out);
    if ((self->out.len > 0) != self->is_writable_wanted) {
        watch(self, epoll, EPOLL_CTL_MOD, self->out.len > 0);
    }
}

bool load_fill(struct load_conn *self)
{
    ssize_t n;

    load_buf_trim(&self->in);
    buf_reserve(&self->in, READ_CHUNK);
    n = recv(self->fd, self->in.ptr + self->in.len, self->in.cap - self->in.len, 0);
    if (n < 0) {
        return errno == EAGAIN;
    }
    self->in.len += (size_t)n;
    return n > 0;
}

void load_rest(int epoll, uint64_t ns)
{
    struct timespec time = { .tv_sec = (time_t)(ns / 1000000000U), .tv_nsec = (long)(ns % 1000000000U) };
    struct pollfd item = { .fd = epoll, .events = POLLIN };

    (void)ppoll(&item, 1, &time, NULL); /* whatever ended it: the caller looks again */
}

void load_wait(int epoll, int timeout_ms, load_on_input on, void *arg)
{
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, timeout_ms);

    if (n < 0 && errno != EINTR) {
        load_die("epoll: %s", strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        struct load_conn *conn = events[i].data.ptr;

        if (events[i].events & EPOLLOUT) {
            load_flush(conn, epoll);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            if (!load_fill(conn)) {
                load_die("the server closed a connection: %.*s", (int)(conn->in.len - conn->in.off),
                         conn->in.ptr + conn->in.off);
            }
            on(arg, conn);
        }
    }
}

bool load_is_echo(const struct load_opts *opts)
{
    return strcmp(opts->method, "echo") == 0;
}

bool load_has(const char *text, size_t len, const char *word)
{
    return memmem(text, len, word, strlen(word)) != NULL;
}

/* The mask is zero, which RFC 6455 §5.3 allows a test to choose: masking then costs nothing here. */
void load_ws_frame(struct load_buf *out, const char *text, size_t len)
{
    uint8_t head[14] = { 0x80 | LOAD_TEXT };
    size_t n = 2;

    if (len < 126) {
        head[1] = (uint8_t)(0x80U | len);
    } else {
        size_t bytes = len < 65536 ? 2 : 8;

        head[1] = bytes == 2 ? 0x80 | 126 : 0x80 | 127;
        for (size_t i = 0; i < bytes; i++) {
            head[n++] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
        }
    }
    n += 4;
    load_buf_add(out, head, n);
    load_buf_add(out, text, len);
}

bool load_ws_next(struct load_conn *self, const char **ret_text, size_t *ret_len)
{
    const uint8_t *head = (const uint8_t *)self->in.ptr + self->in.off;
    size_t have = self->in.len - self->in.off, n = 2;
    uint64_t len;

    if (have < 2) {
        return false;
    }
    len = head[1] & 0x7F;
    if (len >= 126) {
        size_t bytes = len == 126 ? 2 : 8;

        if (have < 2 + bytes) {
            return false;
        }
        len = 0;
        for (size_t i = 0; i < bytes; i++) {
            len = len << 8 | head[n++];
        }
    }
    if (have - n < len) {
        return false;
    }
    if ((head[0] & 0x0F) == 8) {
        load_die("the server closed with %.*s", (int)len, (const char *)head + n);
    }
    *ret_text = (const char *)head + n;
    *ret_len = (size_t)len;
    self->in.off += n + (size_t)len;
    return true;
}

void load_ws_upgrade(struct load_conn *self, const struct load_opts *opts)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     opts->port);

    load_buf_add(&self->out, text, (size_t)n);
}

bool load_ws_upgraded(struct load_conn *self)
{
    const char *start = self->in.ptr + self->in.off;
    size_t have = self->in.len - self->in.off;
    const char *end = memmem(start, have, "\r\n\r\n", 4);

    if (!end) {
        return false;
    }
    if (!load_has(start, (size_t)(end - start), " 101 ")) {
        load_die("the upgrade was refused: %.*s", (int)(end - start), start);
    }
    self->in.off += (size_t)(end - start) + 4;
    return true;
}

void load_ws_connect(struct load_conn *self, const struct load_opts *opts)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "{\"type\":\"req\",\"id\":\"connect\",\"method\":\"connect\",\"params\":{\"minProtocol\":3,"
                     "\"maxProtocol\":3,\"client\":{\"id\":\"gateway-client\",\"version\":\"1\",\"platform\":\"linux\","
                     "\"mode\":\"backend\"},\"role\":\"operator\",\"scopes\":[\"operator.admin\",\"operator.read\","
                     "\"operator.write\"],\"auth\":{\"token\":\"%s\"}}}",
                     opts->token);

    load_ws_frame(&self->out, text, (size_t)n);
}

/* What the others are told meanwhile: one who never read would hold it all in memory. */
static void others_drain(void *arg, struct load_conn *conn)
{
    const char *text;
    size_t len;

    while (conn != arg && load_ws_next(conn, &text, &len)) {
    }
}

void load_ws_ready(struct load_conn *self, int epoll, const struct load_opts *opts)
{
    const char *text;
    size_t len;

    load_open(self, epoll, opts, true);
    load_ws_upgrade(self, opts);
    load_flush(self, epoll);
    while (!load_ws_upgraded(self)) {
        load_wait(epoll, 1000, others_drain, self);
    }
    if (load_is_echo(opts)) {
        return;
    }
    load_ws_connect(self, opts);
    load_flush(self, epoll);
    for (;;) {
        while (!load_ws_next(self, &text, &len)) {
            load_wait(epoll, 1000, others_drain, self);
        }
        if (load_has(text, len, "\"id\":\"connect\"")) {
            break;
        }
    }
    if (!load_has(text, len, "hello-ok")) {
        load_die("the handshake failed: %.*s", (int)len, text);
    }
}
