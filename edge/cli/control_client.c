#include "edge/cli/control_client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_access.h"
#include "edge/cli/cli_out.h"

#define OP_TIMEOUT_MS 5000
#define ANSWER_MAX (32U * 1024U * 1024U)

/* 0 or an errno. */
static int socket_connect(const char *path, struct control_client *self)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len = strlen(path);

    *self = (struct control_client)CONTROL_CLIENT_INIT;
    if (len >= sizeof(to.sun_path)) {
        return ENAMETOOLONG;
    }
    memcpy(to.sun_path, path, len);
    self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (const struct sockaddr *)&to, sizeof(to))) {
        int error = errno;

        control_client_close(self);
        return error;
    }
    return 0;
}

int control_client_open(const struct cli_paths *paths, struct control_client *self)
{
    const char *path = paths->control_path;
    int error = socket_connect(path, self);
    char words[CLI_PROFILE_MAX + 16];
    char advice[PATH_MAX + 256];

    if (error == ENAMETOOLONG) {
        cli_err("the path of the control socket is too long: %s", path);
        return CLI_EXIT_USAGE;
    }
    if (error == EACCES && cli_access_advice(path, advice, sizeof(advice))) {
        cli_err("the control socket of the gateway cannot be used: %s: %s", path, strerror(error));
        cli_err_more("next: %s", advice);
        return CLI_EXIT_REFUSED;
    }
    if (error) {
        cli_err("no gateway runs on this state directory (%s: %s)", path, strerror(error));
        cli_err_more("next: start one with `openclaw%s gateway`, or name another with --profile or OPENCLAW_STATE_DIR",
                     cli_paths_words(paths, words));
        return error == EACCES || error == EPERM ? CLI_EXIT_REFUSED : CLI_EXIT_UNAVAILABLE;
    }
    return CLI_EXIT_OK;
}

int control_client_open_quiet(const char *path, struct control_client *self)
{
    int error = socket_connect(path, self);

    self->is_quiet = true;
    return error ? CLI_EXIT_UNAVAILABLE : CLI_EXIT_OK;
}

void control_client_close(struct control_client *self)
{
    if (self->fd >= 0) {
        (void)close(self->fd); /* nothing is kept that could be lost */
    }
    self->fd = -1;
    text_buf_deinit(&self->in);
}

static int gone_explain(const struct control_client *self, const char *why)
{
    if (!self->is_quiet) {
        cli_err("the gateway did not answer on its control socket: %s", why);
    }
    return CLI_EXIT_UNAVAILABLE;
}

int control_client_send(struct control_client *self, struct span request)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    size_t sent = 0;

    if (json_from_value(request, &text) || text_buf_add(&text, SPAN_LIT("\n"))) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    while (sent < text.len) {
        ssize_t n = send(self->fd, text.data + sent, text.len - sent, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            return gone_explain(self, strerror(errno));
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return CLI_EXIT_OK;
}

/* Waits until `in` holds a whole line; its length without the line feed. */
static int line_receive(struct control_client *self, int timeout_ms, size_t *ret_len)
{
    uint64_t end_ms = clock_mono_ms() + (uint64_t)timeout_ms;
    const char *end;

    while (!(end = self->in.len ? memchr(self->in.data, '\n', self->in.len) : NULL)) {
        uint64_t now_ms = clock_mono_ms();
        struct pollfd wait = { .fd = self->fd, .events = POLLIN };
        char chunk[16384];
        ssize_t n;

        if (now_ms >= end_ms || poll(&wait, 1, (int)(end_ms - now_ms)) == 0) {
            if (!self->is_quiet) {
                cli_err("the gateway did not answer on its control socket within %d ms", timeout_ms);
            }
            return CLI_EXIT_TRY_LATER;
        }
        n = recv(self->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n == 0) {
            return gone_explain(self, "it closed the connection");
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return gone_explain(self, strerror(errno));
        }
        if (n > 0 && (self->in.len > ANSWER_MAX || text_buf_add(&self->in, (struct span){ chunk, (size_t)n }))) {
            return gone_explain(self, "the answer is too large");
        }
    }
    *ret_len = (size_t)(end - self->in.data);
    return CLI_EXIT_OK;
}

/* Line by line, as it may hand on what another program said. An exit code. */
static int refusal_explain(const struct control_client *self, struct span error)
{
    struct span left = value_str(value_get(error, "message"), SPAN_LIT("no reason given"));
    struct span code = value_str(value_get(error, "code"), (struct span){ "", 0 });
    bool is_first = true;

    while (left.len && !self->is_quiet) {
        const char *end = memchr(left.ptr, '\n', left.len);
        size_t len = end ? (size_t)(end - left.ptr) : left.len;

        if (is_first) {
            cli_err("the gateway refused: %.*s", (int)len, left.ptr);
        } else {
            cli_err_more("%.*s", (int)len, left.ptr);
        }
        is_first = false;
        len += end ? 1 : 0;
        left = (struct span){ left.ptr + len, left.len - len };
    }
    return span_is_text(code, "CONFIG") ? CLI_EXIT_CONFIG
           : span_is_text(code, "BUSY") ? CLI_EXIT_TRY_LATER
                                        : CLI_EXIT_FAILED;
}

static int answer_read(const struct control_client *self, struct span line, struct pack *ret_result)
{
    CLEANUP(pack_deinit) struct pack answer;
    struct json_error error = { 0 };
    struct span result;

    pack_init(&answer, 0);
    if (json_to_pack(line, &(struct json_opts){ .depth_max = 32 }, &answer, &error)) {
        return gone_explain(self, "what came is not JSON");
    }
    if (!value_bool(value_get(pack_span(&answer), "ok"), false)) {
        return refusal_explain(self, value_get(pack_span(&answer), "error"));
    }
    result = value_get(pack_span(&answer), "result");
    pack_raw(ret_result, result);
    return pack_error(ret_result) ? CLI_EXIT_SOFTWARE : CLI_EXIT_OK;
}

int control_client_ask(struct control_client *self, struct span request, int timeout_ms, struct pack *ret_result)
{
    size_t len = 0;
    int r = control_client_send(self, request);

    r = r ? r : line_receive(self, timeout_ms, &len);
    r = r ? r : answer_read(self, (struct span){ self->in.data, len }, ret_result);
    if (r == CLI_EXIT_OK) {
        memmove(self->in.data, self->in.data + len + 1, self->in.len - len - 1);
        self->in.len -= len + 1;
    }
    return r;
}

/* Takes what has come, without waiting. */
static int bytes_take(struct control_client *self)
{
    char chunk[16384];
    ssize_t n;

    while ((n = recv(self->fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0) {
        if (self->in.len > ANSWER_MAX || text_buf_add(&self->in, (struct span){ chunk, (size_t)n })) {
            return gone_explain(self, "the answer is too large");
        }
    }
    if (n == 0) {
        return gone_explain(self, "it closed the connection");
    }
    return errno == EAGAIN || errno == EINTR ? CLI_EXIT_OK : gone_explain(self, strerror(errno));
}

int control_client_take(struct control_client *self, struct pack *ret_answer)
{
    int r = bytes_take(self);
    const char *end = r == CLI_EXIT_OK && self->in.len ? memchr(self->in.data, '\n', self->in.len) : NULL;
    struct json_error error = { 0 };
    size_t len;

    if (!end) {
        return r ? r : CLI_EXIT_TRY_LATER;
    }
    len = (size_t)(end - self->in.data);
    if (json_to_pack((struct span){ self->in.data, len }, &(struct json_opts){ 0 }, ret_answer, &error)) {
        return gone_explain(self, "what came is not JSON");
    }
    memmove(self->in.data, self->in.data + len + 1, self->in.len - len - 1);
    self->in.len -= len + 1;
    return CLI_EXIT_OK;
}

int control_client_op(const struct cli_paths *paths, const char *op, struct pack *ret_result)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;
    int r;

    pack_init(&request, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", op);
    pack_map_end(&request);
    r = control_client_open(paths, &client);
    return r ? r : control_client_ask(&client, pack_span(&request), OP_TIMEOUT_MS, ret_result);
}

bool control_client_status(const char *path, int timeout_ms, struct pack *ret_status)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;

    pack_init(&request, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "status");
    pack_map_end(&request);
    return control_client_open_quiet(path, &client) == CLI_EXIT_OK &&
           control_client_ask(&client, pack_span(&request), timeout_ms, ret_status) == CLI_EXIT_OK;
}
