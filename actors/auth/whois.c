#include "actors/auth/whois.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

struct whois {
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connecting;
    uv_write_t writing;
    unsigned open_n; /* handles that have not been closed */
    whois_on_answer on_answer;
    void *arg;
    char request[256];
    size_t len;
    char answer[WHOIS_ANSWER_MAX];
};

/* --- reading -------------------------------------------------------------------------- */

static struct span header_of(struct span head, const char *name)
{
    size_t name_len = strlen(name);

    while (head.len) {
        const char *end = memmem(head.ptr, head.len, "\r\n", 2);
        size_t len = end ? (size_t)(end - head.ptr) : head.len;
        if (len > name_len && head.ptr[name_len] == ':' && strncasecmp(head.ptr, name, name_len) == 0) {
            struct span value = { head.ptr + name_len + 1, len - name_len - 1 };
            while (value.len && value.ptr[0] == ' ') {
                value = (struct span){ value.ptr + 1, value.len - 1 };
            }
            return value;
        }
        size_t skip = end ? len + 2 : len;
        head = (struct span){ head.ptr + skip, head.len - skip };
    }
    return NOTHING;
}

/* We ask as HTTP/1.0, so the body ends with the connection; a length that is told must hold. */
static bool is_whole(struct span head, struct span body)
{
    struct span told = header_of(head, "content-length");
    char digits[12];

    if (header_of(head, "transfer-encoding").len) {
        return false;
    }
    if (!told.len) {
        return true;
    }
    snprintf(digits, sizeof(digits), "%.*s", SPAN_FMT(told));
    return strtoul(digits, NULL, 10) == body.len;
}

bool whois_read(struct span answer, char ret_login[PROXY_USER_MAX])
{
    const char *end = answer.len ? memmem(answer.ptr, answer.len, "\r\n\r\n", 4) : NULL;
    struct json_opts opts = { 0 };
    struct json_error error;

    if (!end || !span_starts(answer, "HTTP/1.") || answer.len < 13 || memcmp(answer.ptr + 8, " 200", 4) != 0) {
        return false;
    }
    struct span head = { answer.ptr, (size_t)(end - answer.ptr) };
    struct span body = { end + 4, answer.len - head.len - 4 };
    CLEANUP(pack_deinit) struct pack doc;
    pack_init(&doc, WHOIS_ANSWER_MAX * 2);
    if (!is_whole(head, body) || json_to_pack(body, &opts, &doc, &error)) {
        return false;
    }
    struct span login = value_str(value_path(pack_span(&doc), "UserProfile.LoginName"), NOTHING);
    if (!login.len || login.len >= PROXY_USER_MAX) {
        return false;
    }
    snprintf(ret_login, PROXY_USER_MAX, "%.*s", SPAN_FMT(login));
    return true;
}

/* --- the exchange ----------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct whois *self = handle->data;

    if (--self->open_n == 0) {
        free(self);
    }
}

static void close_all(struct whois *self)
{
    if (!uv_is_closing((uv_handle_t *)&self->pipe)) {
        uv_close((uv_handle_t *)&self->pipe, on_closed);
        uv_close((uv_handle_t *)&self->timer, on_closed);
    }
}

static void finish(struct whois *self, bool is_whole_answer)
{
    char login[PROXY_USER_MAX] = "";
    whois_on_answer on_answer = self->on_answer;

    close_all(self);
    self->on_answer = NULL;
    if (!on_answer) {
        return;
    }
    if (!is_whole_answer || !whois_read((struct span){ self->answer, self->len }, login)) {
        login[0] = '\0';
    }
    on_answer(self->arg, login); /* self may be gone from here on */
}

static void on_timeout(uv_timer_t *timer)
{
    finish(timer->data, false);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct whois *self = handle->data;

    (void)suggested;
    *buf = uv_buf_init(self->answer + self->len, (unsigned)(sizeof(self->answer) - self->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct whois *self = stream->data;

    (void)buf;
    if (n > 0) {
        self->len += (size_t)n;
    }
    if (n < 0 || self->len == sizeof(self->answer)) {
        finish(self, n == UV_EOF);
    }
}

static void on_written(uv_write_t *write, int status)
{
    if (status && status != UV_ECANCELED) {
        finish(write->data, false);
    }
}

static void on_connected(uv_connect_t *connecting, int status)
{
    struct whois *self = connecting->data;
    uv_buf_t buf = uv_buf_init(self->request, (unsigned)strlen(self->request));

    if (status == UV_ECANCELED) {
        return; /* closed meanwhile */
    }
    if (status || uv_read_start((uv_stream_t *)&self->pipe, on_alloc, on_read) ||
        uv_write(&self->writing, (uv_stream_t *)&self->pipe, &buf, 1, on_written)) {
        finish(self, false);
    }
}

struct whois *whois_start(uv_loop_t *loop, const char *socket_path, const char *address, whois_on_answer on_answer,
                          void *arg)
{
    struct whois *self = mem_new(sizeof(*self));

    self->on_answer = on_answer;
    self->arg = arg;
    self->pipe.data = self;
    self->timer.data = self;
    self->connecting.data = self;
    self->writing.data = self;
    self->open_n = 2;
    snprintf(self->request, sizeof(self->request),
             "GET /localapi/v0/whois?addr=%s HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n", address);
    uv_pipe_init(loop, &self->pipe, 0);
    uv_timer_init(loop, &self->timer);
    uv_timer_start(&self->timer, on_timeout, WHOIS_TIMEOUT_MS, 0);
    uv_pipe_connect(&self->connecting, &self->pipe, socket_path, on_connected);
    return self;
}

void whois_cancel(struct whois **whois_p)
{
    struct whois *self = *whois_p;

    *whois_p = NULL;
    if (self) {
        self->on_answer = NULL;
        close_all(self);
    }
}
