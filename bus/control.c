#include "bus/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"

#define CONTROL_DEPTH_MAX 16
#define CONTROL_READ_MAX 4096
#define CONTROL_ID_MAX 256 /* bytes of a request's id, packed */

struct ticket {
    struct ticket *next;
    uint64_t number;
    size_t id_len;
    char id[CONTROL_ID_MAX]; /* packed value that the asker chose */
};

/* Lives until the close callback of its pipe. */
struct client {
    struct client *next;
    struct control *control; /* NULL once the server is gone */
    uint64_t number;
    unsigned uid;
    int pid;
    uv_pipe_t pipe;
    struct text_buf in; /* an unfinished line */
    struct ticket *tickets;
    char chunk[CONTROL_READ_MAX];
};

/* Lives until the close callback of its last pipe. */
struct control {
    uv_pipe_t *pipe; /* NULL when it could not be made */
    struct control_opts opts;
    struct client *clients;
    unsigned clients_n;
    uint64_t last_client;
    uint64_t last_ticket;
};

struct write_job {
    uv_write_t req;
    struct text_buf text;
};

/* --- clients ------------------------------------------------------------------------- */

static void tickets_free(struct client *client)
{
    while (client->tickets) {
        struct ticket *ticket = client->tickets;

        client->tickets = ticket->next;
        free(ticket);
    }
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;

    tickets_free(client);
    text_buf_deinit(&client->in);
    free(client);
}

/* client may be closed already; it stays in memory until its close callback. */
static void client_close(struct client *client)
{
    struct control *self = client->control;

    if (uv_is_closing((uv_handle_t *)&client->pipe)) {
        return;
    }
    uv_close((uv_handle_t *)&client->pipe, on_client_closed);
    if (!self) {
        return;
    }
    for (struct client **at = &self->clients; *at; at = &(*at)->next) {
        if (*at == client) {
            *at = client->next;
            self->clients_n--;
            break;
        }
    }
    client->control = NULL;
    if (self->opts.on_gone) {
        self->opts.on_gone(self->opts.arg, client->number);
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct write_job *job = CONTAINER_OF(req, struct write_job, req);
    struct client *client = req->handle->data;

    text_buf_deinit(&job->text);
    free(job);
    if (status < 0) {
        client_close(client);
    }
}

/* Takes the text. */
static void client_write(struct client *client, struct text_buf *text)
{
    struct write_job *job;
    uv_buf_t buf;

    if (uv_is_closing((uv_handle_t *)&client->pipe)) {
        text_buf_deinit(text);
        return;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) + text->len > CONTROL_OUTPUT_MAX) {
        log_warning("control_client_slow", "client=%llu", (unsigned long long)client->number);
        text_buf_deinit(text);
        client_close(client);
        return;
    }
    job = mem_new(sizeof(*job));
    job->text = *text;
    *text = (struct text_buf){ 0 };
    buf = uv_buf_init(job->text.data, (unsigned)job->text.len);
    if (uv_write(&job->req, (uv_stream_t *)&client->pipe, &buf, 1, on_written)) {
        text_buf_deinit(&job->text);
        free(job);
        client_close(client);
    }
}

/* --- answers ---------------------------------------------------------------------------- */

static void line_send(struct client *client, const struct pack *pack)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (pack_error(pack) || json_from_value(pack_span(pack), &text) || text_buf_add(&text, SPAN_LIT("\n"))) {
        log_warning("control_answer_lost", "reason=\"answer too large\"");
        client_close(client);
        return;
    }
    client_write(client, &text);
}

/* `id` empty: the request had none, or could not be read. */
static void refusal_send(struct client *client, struct span id, const char *code, const char *message)
{
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    if (id.len) {
        pack_kv_raw(&pack, "id", id);
    }
    pack_kv_bool(&pack, "ok", false);
    pack_key(&pack, "error");
    pack_map_begin(&pack);
    pack_kv_text(&pack, "code", code);
    pack_kv_text(&pack, "message", message);
    pack_map_end(&pack);
    pack_map_end(&pack);
    line_send(client, &pack);
}

/* Cuts the ticket out; NULL when it is void. The caller frees it. */
static struct ticket *ticket_take(struct control *self, uint64_t number, struct client **ret_client)
{
    for (struct client *client = self->clients; client; client = client->next) {
        for (struct ticket **at = &client->tickets; *at; at = &(*at)->next) {
            if ((*at)->number == number) {
                struct ticket *ticket = *at;

                *at = ticket->next;
                *ret_client = client;
                return ticket;
            }
        }
    }
    return NULL;
}

void control_answer(struct control *self, uint64_t ticket_number, struct span result)
{
    struct client *client = NULL;
    CLEANUP(mem_free) struct ticket *ticket = ticket_take(self, ticket_number, &client);
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    if (!ticket) {
        return;
    }
    pack_map_begin(&pack);
    if (ticket->id_len) {
        pack_kv_raw(&pack, "id", (struct span){ ticket->id, ticket->id_len });
    }
    pack_kv_bool(&pack, "ok", true);
    pack_kv_raw(&pack, "result", result);
    pack_map_end(&pack);
    line_send(client, &pack);
}

void control_refuse(struct control *self, uint64_t ticket_number, const char *code, const char *fmt, ...)
{
    struct client *client = NULL;
    CLEANUP(mem_free) struct ticket *ticket = ticket_take(self, ticket_number, &client);
    char message[1024];
    va_list args;

    if (!ticket) {
        return;
    }
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    (void)vsnprintf(message, sizeof(message), fmt, args); /* a cut message is still one */
    va_end(args);
    refusal_send(client, (struct span){ ticket->id, ticket->id_len }, code, message);
}

/* --- requests ----------------------------------------------------------------------------- */

static unsigned tickets_count(const struct client *client)
{
    unsigned n = 0;

    for (const struct ticket *ticket = client->tickets; ticket; ticket = ticket->next) {
        n++;
    }
    return n;
}

static void request_run(struct client *client, struct span body)
{
    struct control *self = client->control;
    struct span id = value_get(body, "id");
    struct span op = value_str(value_get(body, "op"), (struct span){ NULL, 0 });
    struct ticket *ticket;

    if (op.len == 0 || id.len > CONTROL_ID_MAX) {
        refusal_send(client, id.len > CONTROL_ID_MAX ? (struct span){ NULL, 0 } : id, "INVALID_REQUEST",
                     "a request is an object with \"op\" and, if wanted, a short \"id\"");
        return;
    }
    if (tickets_count(client) >= CONTROL_PENDING_MAX) {
        refusal_send(client, id, "UNAVAILABLE", "too many requests of this connection are unanswered");
        return;
    }
    ticket = mem_new(sizeof(*ticket));
    ticket->number = ++self->last_ticket;
    ticket->id_len = id.len;
    if (id.len) {
        memcpy(ticket->id, id.ptr, id.len);
    }
    ticket->next = client->tickets;
    client->tickets = ticket;
    self->opts.on_request(self->opts.arg, &(struct control_request){ .client = client->number,
                                                                     .ticket = ticket->number,
                                                                     .uid = client->uid,
                                                                     .pid = client->pid,
                                                                     .op = op,
                                                                     .body = body });
}

static void line_run(struct client *client, struct span line)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct json_error error = { 0 };
    char message[256];
    int r;

    pack_init(&pack, 0);
    if (line.len && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    if (line.len == 0) {
        return;
    }
    r = json_to_pack(line, &(struct json_opts){ .depth_max = CONTROL_DEPTH_MAX }, &pack, &error);
    if (r) {
        (void)snprintf(message, sizeof(message), "not JSON at byte %zu: expected %s", error.offset,
                       r == JSON_E_DEPTH ? "less nesting" : error.expected);
        refusal_send(client, (struct span){ NULL, 0 }, "INVALID_REQUEST", message);
        return;
    }
    request_run(client, pack_span(&pack));
}

/* Runs every whole line that has arrived and keeps the rest. */
static void lines_run(struct client *client)
{
    size_t done = 0;

    while (client->control && !uv_is_closing((uv_handle_t *)&client->pipe)) {
        const char *start = client->in.data + done;
        const char *end = memchr(start, '\n', client->in.len - done);

        if (!end) {
            break;
        }
        done += (size_t)(end - start) + 1;
        line_run(client, (struct span){ start, (size_t)(end - start) });
    }
    memmove(client->in.data, client->in.data + done, client->in.len - done);
    client->in.len -= done;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;

    (void)suggested;
    *buf = uv_buf_init(client->chunk, sizeof(client->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct client *client = stream->data;

    if (len == 0) {
        return;
    }
    if (len < 0 || text_buf_add(&client->in, (struct span){ buf->base, (size_t)len })) {
        client_close(client);
        return;
    }
    lines_run(client);
    if (client->in.len > CONTROL_REQUEST_MAX && client->control) {
        refusal_send(client, (struct span){ NULL, 0 }, "INVALID_REQUEST", "the request is too long");
        client_close(client);
    }
}

/* --- the server ----------------------------------------------------------------------------- */

/* Whether the peer is root or who runs this process. */
static bool peer_is_trusted(struct client *client)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&client->pipe, &fd) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
        return false;
    }
    if (cred.uid != 0 && cred.uid != geteuid()) {
        log_warning("control_client_refused", "uid=%u pid=%d", (unsigned)cred.uid, (int)cred.pid);
        return false;
    }
    client->uid = (unsigned)cred.uid;
    client->pid = (int)cred.pid;
    return true;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct control *self = server->data;
    struct client *client;

    if (status < 0) {
        log_warning("control_accept_failed", "error=\"%s\"", uv_strerror(status));
        return;
    }
    client = mem_new(sizeof(*client));
    if (uv_pipe_init(self->opts.loop, &client->pipe, 0)) {
        free(client);
        return;
    }
    client->pipe.data = client;
    client->number = ++self->last_client;
    if (uv_accept(server, (uv_stream_t *)&client->pipe) || !peer_is_trusted(client) ||
        self->clients_n >= CONTROL_CLIENTS_MAX || uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read)) {
        uv_close((uv_handle_t *)&client->pipe, on_client_closed);
        return;
    }
    client->control = self;
    client->next = self->clients;
    self->clients = client;
    self->clients_n++;
}

static void on_server_closed(uv_handle_t *handle)
{
    free(handle->data); /* the server, when it goes as well */
    free(handle);
}

/* Removes the socket file. */
static void server_close(struct control *self, void *with)
{
    if (self->pipe) {
        self->pipe->data = with;
        uv_close((uv_handle_t *)self->pipe, on_server_closed);
        self->pipe = NULL;
    }
}

static int listen_at(struct control *self)
{
    uv_pipe_t *pipe = mem_new(sizeof(*pipe));
    int r = uv_pipe_init(self->opts.loop, pipe, 0);

    if (r) {
        free(pipe);
        return FAULT(r);
    }
    self->pipe = pipe;
    pipe->data = self;
    mode_t mask = umask(0177);     /* the socket is 0600 from its first moment */
    (void)unlink(self->opts.path); /* stale: whoever holds the state directory owns this path */
    r = uv_pipe_bind(pipe, self->opts.path);
    umask(mask);
    r = r ? r : uv_listen((uv_stream_t *)pipe, (int)CONTROL_CLIENTS_MAX, on_connection);
    return r ? FAULT(r) : 0;
}

int control_new(const struct control_opts *opts, struct control **ret_control)
{
    struct control *self = mem_new(sizeof(*self));
    int r;

    self->opts = *opts;
    r = listen_at(self);
    if (r) {
        control_destroy(&self);
        return r;
    }
    *ret_control = self;
    return 0;
}

int control_listen_again(struct control *self)
{
    server_close(self, NULL);
    return listen_at(self);
}

void control_destroy(struct control **control_p)
{
    struct control *self = TAKE(*control_p);

    if (!self) {
        return;
    }
    self->opts.on_gone = NULL; /* the owner is going away as well */
    while (self->clients) {
        client_close(self->clients);
    }
    if (self->pipe) {
        server_close(self, self);
    } else {
        free(self);
    }
}
