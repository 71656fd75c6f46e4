#include "actors/agent/http_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/actor.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define READ_BUFFER_BYTES 32768L /* of each transfer; made, and wiped, with every one of them */
#define CONNECTIONS_KEPT_MIN 64U
#define CONNECTIONS_KEPT_MAX 1024U
#define WAIT_MAX_MS 86400000U

struct http_socket {
    uv_poll_t poll;
    struct http_client *client;
    curl_socket_t fd;
};

struct http_transfer {
    struct http_client *client;
    struct http_transfer *next;
    struct http_transfer *prev;
    CURL *easy;
    struct curl_slist *headers;
    const struct http_events *events;
    void *arg;
    uint64_t first_byte_due; /* loop time; 0 once it came */
    uint64_t total_due;
    uint64_t stall_due; /* 0 before the first byte and while paused */
    uint32_t stall_ms;
    bool is_paused;
    bool is_stopped;
    bool is_blocked;
    http_allow allow;
    char error[CURL_ERROR_SIZE];
};

/* --- transfers ----------------------------------------------------------------------- */

/* As many connections are kept for the next requests as were of use at once. libcurl closes those that have not been
 * used for two minutes. */
static void connections_keep(struct http_client *self)
{
    if (self->transfers_n > self->kept_n && self->kept_n < CONNECTIONS_KEPT_MAX) {
        self->kept_n = self->kept_n * 2 < CONNECTIONS_KEPT_MAX ? self->kept_n * 2 : CONNECTIONS_KEPT_MAX;
        /* It takes any number. */
        (void)self->curl.multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)self->kept_n);
    }
}

static void transfer_link(struct http_client *self, struct http_transfer *transfer)
{
    transfer->next = self->transfers;
    if (transfer->next) {
        transfer->next->prev = transfer;
    }
    self->transfers = transfer;
    self->transfers_n++;
    connections_keep(self);
}

static void transfer_unlink(struct http_client *self, struct http_transfer *transfer)
{
    if (transfer->next) {
        transfer->next->prev = transfer->prev;
    }
    *(transfer->prev ? &transfer->prev->next : &self->transfers) = transfer->next;
    self->transfers_n--;
}

/* It is in no list any more. */
static void transfer_free(struct http_transfer *transfer)
{
    const struct libcurl *curl = &transfer->client->curl;

    if (transfer->easy) {
        (void)curl->multi_remove_handle(transfer->client->multi, transfer->easy); /* it may not have been added */
        curl->easy_cleanup(transfer->easy);
    }
    curl->slist_free_all(transfer->headers);
    free(transfer);
}

static enum http_outcome outcome_of(const struct http_transfer *transfer, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_NAME_UNKNOWN;
    case CURLE_COULDNT_CONNECT:
        return transfer->is_blocked ? HTTP_BLOCKED : HTTP_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_CONNECT_TIMEOUT; /* the only time limit that libcurl is given */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return HTTP_TLS;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return HTTP_CUT;
    case CURLE_WRITE_ERROR:
        return transfer->is_stopped ? HTTP_STOPPED : HTTP_FAILED;
    default:
        return HTTP_FAILED;
    }
}

static void transfer_end(struct http_client *self, struct http_transfer *transfer, enum http_outcome outcome,
                         CURLcode code)
{
    const struct http_events *events = transfer->events;
    void *arg = transfer->arg;
    char error[CURL_ERROR_SIZE];
    struct http_end end = { .outcome = outcome };
    CLEANUP(mem_free) char *redirect = NULL;
    char content_type[128] = "";
    char *told = NULL;
    curl_off_t retry_after_s = 0;

    memcpy(error, transfer->error, sizeof(error));
    end.text = error[0] ? error : self->curl.easy_strerror(code);
    (void)self->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &end.status);  /* 0 when unknown */
    (void)self->curl.easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s); /* 0 when unknown */
    if (retry_after_s > 0) {
        end.retry_after_ms = retry_after_s > 86400 ? WAIT_MAX_MS : (uint32_t)retry_after_s * 1000U;
    }
    (void)self->curl.easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &told); /* NULL when there is none */
    (void)snprintf(content_type, sizeof(content_type), "%s", told ? told : "");  /* cut */
    end.content_type = content_type;
    told = NULL;
    (void)self->curl.easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &told); /* the same */
    redirect = told ? mem_text(told, strlen(told)) : NULL;
    end.redirect_url = redirect;
    transfer_unlink(self, transfer);
    transfer_free(transfer);
    events->on_end(arg, &end);
}

static void done_collect(struct http_client *self)
{
    int left = 0;
    CURLMsg *msg;

    while ((msg = self->curl.multi_info_read(self->multi, &left))) {
        struct http_transfer *transfer = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        (void)self->curl.easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer); /* set at the start */
        transfer_end(self, transfer, outcome_of(transfer, code), code);
    }
}

/* --- deadlines ------------------------------------------------------------------------ */

static uint64_t due_min(uint64_t a, uint64_t b)
{
    if (!a || !b) {
        return a ? a : b;
    }
    return a < b ? a : b;
}

static uint64_t transfer_due(const struct http_transfer *transfer)
{
    return due_min(due_min(transfer->first_byte_due, transfer->stall_due), transfer->total_due);
}

static void watch_on_timer(uv_timer_t *timer);

/* Arms the watch for the earliest deadline. */
static void watch_arm(struct http_client *self)
{
    uint64_t due = 0;
    uint64_t now = uv_now(self->loop);

    for (struct http_transfer *transfer = self->transfers; transfer; transfer = transfer->next) {
        due = due_min(due, transfer_due(transfer));
    }
    self->watch_due = due;
    if (due) {
        (void)uv_timer_start(&self->watch, watch_on_timer, due > now ? due - now : 0,
                             0); /* fails for no callback only */
    } else {
        (void)uv_timer_stop(&self->watch); /* always 0 */
    }
}

/* A deadline of this transfer is new. The watch may ring too early, as what moves away or ends does not touch it; it
 * never rings too late. */
static void watch_note(struct http_client *self, const struct http_transfer *transfer)
{
    uint64_t due = transfer_due(transfer);
    uint64_t now = uv_now(self->loop);

    if (due && (!self->watch_due || due < self->watch_due)) {
        self->watch_due = due;
        (void)uv_timer_start(&self->watch, watch_on_timer, due > now ? due - now : 0, 0); /* as above */
    }
}

/* The first transfer whose time is over, and how. */
static struct http_transfer *overdue_find(struct http_client *self, enum http_outcome *ret_outcome)
{
    uint64_t now = uv_now(self->loop);

    for (struct http_transfer *transfer = self->transfers; transfer; transfer = transfer->next) {
        if (transfer->first_byte_due && transfer->first_byte_due <= now) {
            *ret_outcome = HTTP_FIRST_BYTE_TIMEOUT;
            return transfer;
        }
        if (transfer->stall_due && transfer->stall_due <= now) {
            *ret_outcome = HTTP_STALLED;
            return transfer;
        }
        if (transfer->total_due && transfer->total_due <= now) {
            *ret_outcome = HTTP_TOTAL_TIMEOUT;
            return transfer;
        }
    }
    return NULL;
}

/* Timers come before sockets in a turn of the loop. Where it is this process that was held up, what was sent in time is
 * still to be read, so the sockets have one turn more. */
static void watch_on_timer(uv_timer_t *timer)
{
    struct http_client *self = timer->data;
    enum http_outcome outcome = HTTP_STALLED;
    struct http_transfer *transfer;

    self->is_last_look = !self->is_last_look && overdue_find(self, &outcome);
    if (self->is_last_look) {
        self->watch_due = uv_now(self->loop);
        (void)uv_timer_start(&self->watch, watch_on_timer, 0, 0); /* fails for no callback only */
        return;
    }
    while ((transfer = overdue_find(self, &outcome))) {
        transfer_end(self, transfer, outcome, CURLE_OPERATION_TIMEDOUT);
    }
    watch_arm(self);
}

/* --- libcurl on the loop --------------------------------------------------------------- */

static void socket_on_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct http_socket, poll));
}

/* Whatever is due; libcurl reads files and asks for names in here, so the time is watched. */
static void transfers_run(struct http_client *self, curl_socket_t fd, int flags)
{
    struct actor *actor = actor_current(); /* NULL: a test of this alone */
    int running = 0;

    if (actor) {
        actor_work_begin(actor);
    }
    (void)self->curl.multi_socket_action(self->multi, fd, flags, &running); /* failures come as messages */
    done_collect(self);
    if (actor) {
        actor_work_end(actor);
    }
}

static void socket_on_ready(uv_poll_t *poll, int status, int events)
{
    struct http_socket *socket = poll->data;
    struct http_client *self = socket->client;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    if (status < 0) {
        flags = CURL_CSELECT_ERR;
    }
    transfers_run(self, socket->fd, flags); /* `socket` may be gone from here on */
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct http_client *self = arg;
    struct http_socket *socket = socket_arg;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket) {
            (void)self->curl.multi_assign(self->multi, fd, NULL); /* the socket is known to libcurl */
            uv_close((uv_handle_t *)&socket->poll, socket_on_closed);
        }
        return 0;
    }
    if (!socket) {
        socket = mem_new(sizeof(*socket));
        socket->client = self;
        socket->fd = fd;
        if (uv_poll_init_socket(self->loop, &socket->poll, fd)) {
            free(socket);
            return -1;
        }
        socket->poll.data = socket;
        (void)self->curl.multi_assign(self->multi, fd, socket); /* the socket is known to libcurl */
    }
    events |= what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    return uv_poll_start(&socket->poll, events, socket_on_ready) ? -1 : 0;
}

static void timer_on_timer(uv_timer_t *timer)
{
    transfers_run(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

void http_client_kick(struct http_client *self)
{
    if (self->is_started) {
        self->is_started = false;
        transfers_run(self, CURL_SOCKET_TIMEOUT, 0);
    }
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *self = arg;

    (void)multi;
    if (timeout_ms < 0) {
        return uv_timer_stop(&self->timer);
    }
    return uv_timer_start(&self->timer, timer_on_timer, (uint64_t)timeout_ms, 0);
}

/* Loop time as it is, not as it was when this turn began: libcurl takes a hundred buffers in one. */
static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static size_t on_curl_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct http_transfer *transfer = arg;
    long status = 0;

    transfer->stall_due = now_ms() + transfer->stall_ms;
    if (transfer->first_byte_due) {
        transfer->first_byte_due = 0;
        watch_note(transfer->client, transfer); /* later ones only move the deadline away */
    }
    (void)transfer->client->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE,
                                              &status); /* known once a body comes */
    if (transfer->events->on_body(transfer->arg, status, (struct span){ bytes, size * n })) {
        transfer->is_stopped = true;
        return size * n + 1; /* any other count than that given is an error to libcurl */
    }
    if (transfer->is_paused) {
        transfer->stall_due = 0;
    }
    return size * n;
}

void http_client_init(struct http_client *self, uv_loop_t *loop)
{
    self->loop = loop;
    (void)uv_timer_init(loop, &self->timer); /* always 0 */
    (void)uv_timer_init(loop, &self->watch); /* always 0 */
    self->timer.data = self;
    self->watch.data = self;
    self->is_open = true;
}

int http_client_open(struct http_client *self, char *ret_text, size_t text_cap)
{
    const struct libcurl *curl = &self->curl;
    const char *problem = self->multi ? NULL : libcurl_load(&self->curl);

    if (problem) {
        (void)snprintf(ret_text, text_cap, "the HTTP library is missing: %s; install the package libcurl4", problem);
        return HTTP_CLIENT_E_MISSING;
    }
    if (self->multi) {
        return 0;
    }
    self->multi = curl->multi_init();
    if (!self->multi) {
        return FAULT(-ENOMEM);
    }
    if (curl->multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) ||
        curl->multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self) ||
        curl->multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) ||
        curl->multi_setopt(self->multi, CURLMOPT_TIMERDATA, self) ||
        curl->multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT_MIN)) {
        return FAULT(-ENOSYS);
    }
    self->kept_n = CONNECTIONS_KEPT_MIN;
    return 0;
}

void http_client_deinit(struct http_client *self)
{
    while (self->transfers) {
        struct http_transfer *transfer = self->transfers;

        self->transfers = transfer->next;
        transfer_free(transfer);
    }
    if (self->multi) {
        (void)self->curl.multi_cleanup(self->multi); /* nothing is left in it */
        self->multi = NULL;
    }
    if (self->is_open) {
        uv_close((uv_handle_t *)&self->timer, NULL);
        uv_close((uv_handle_t *)&self->watch, NULL);
        self->is_open = false;
    }
}

/* --- requests --------------------------------------------------------------------------- */

static bool limits_apply(const struct http_transfer *transfer, const struct http_request *request)
{
    const struct libcurl *curl = &transfer->client->curl;
    CURL *easy = transfer->easy;

    return !curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
           !curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
           !curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms) &&
           !curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BUFFER_BYTES) &&
           !curl->easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) && !curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) &&
           /* Without it a cancelled look-up of a name would block the loop until it ends. */
           !curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

/* What is judged here is what is connected to: nothing is resolved once more in between. */
static curl_socket_t on_curl_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = arg;

    (void)purpose;
    if (!transfer->allow(&address->addr)) {
        transfer->is_blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool guard_apply(struct http_transfer *transfer, const struct http_request *request)
{
    const struct libcurl *curl = &transfer->client->curl;
    CURL *easy = transfer->easy;

    transfer->allow = request->allow;
    return !request->allow ||
           (!curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_curl_open) &&
            !curl->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) && !curl->easy_setopt(easy, CURLOPT_PROXY, "") &&
            !curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) && !curl->easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L));
}

static bool body_apply(struct http_transfer *transfer, const struct http_request *request)
{
    const struct libcurl *curl = &transfer->client->curl;
    CURL *easy = transfer->easy;

    if (request->is_get) {
        return !curl->easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    return !curl->easy_setopt(easy, CURLOPT_POST, 1L) &&
           !curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len) &&
           !curl->easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body.ptr);
}

static bool request_apply(struct http_transfer *transfer, const struct http_request *request)
{
    const struct libcurl *curl = &transfer->client->curl;
    CURL *easy = transfer->easy;

    return !curl->easy_setopt(easy, CURLOPT_URL, request->url) && !curl->easy_setopt(easy, CURLOPT_PRIVATE, transfer) &&
           !curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) &&
           !curl->easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) &&
           !curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_body) &&
           !curl->easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

/* The options for a text and for a file of the same. */
struct pem_option {
    CURLoption blob;
    CURLoption path;
};

static bool pem_apply(const struct http_transfer *transfer, const struct pem_option *option, const char *pem)
{
    const struct libcurl *curl = &transfer->client->curl;
    struct curl_blob blob = { .flags = CURL_BLOB_COPY };

    if (!pem) {
        return true;
    }
    if (!strstr(pem, "-----BEGIN ")) {
        return !curl->easy_setopt(transfer->easy, option->path, pem);
    }
    blob.len = strlen(pem);
    memcpy(&blob.data, &pem, sizeof(blob.data)); /* libcurl only reads it */
    return !curl->easy_setopt(transfer->easy, option->blob, &blob);
}

static bool tls_apply(const struct http_transfer *transfer, const struct http_tls *tls, bool is_proxy)
{
    static const struct pem_option options[2][3] = {
        { { CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO },
          { CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT },
          { CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY } },
        { { CURLOPT_PROXY_CAINFO_BLOB, CURLOPT_PROXY_CAINFO },
          { CURLOPT_PROXY_SSLCERT_BLOB, CURLOPT_PROXY_SSLCERT },
          { CURLOPT_PROXY_SSLKEY_BLOB, CURLOPT_PROXY_SSLKEY } },
    };
    const struct pem_option *option = options[is_proxy];

    return !tls || (pem_apply(transfer, &option[0], tls->ca) && pem_apply(transfer, &option[1], tls->cert) &&
                    pem_apply(transfer, &option[2], tls->key) &&
                    (!tls->passphrase ||
                     !transfer->client->curl.easy_setopt(
                         transfer->easy, is_proxy ? CURLOPT_PROXY_KEYPASSWD : CURLOPT_KEYPASSWD, tls->passphrase)));
}

static bool way_apply(const struct http_transfer *transfer, const struct http_request *request)
{
    return tls_apply(transfer, request->tls, false) && tls_apply(transfer, request->proxy_tls, true) &&
           (!request->proxy || !transfer->client->curl.easy_setopt(transfer->easy, CURLOPT_PROXY, request->proxy));
}

/* The lines as libcurl's own list. */
static bool headers_copy(struct http_transfer *transfer, const char *const *lines)
{
    for (; *lines; lines++) {
        struct curl_slist *longer = transfer->client->curl.slist_append(transfer->headers, *lines);

        if (!longer) {
            return false;
        }
        transfer->headers = longer;
    }
    return true;
}

int http_transfer_start(struct http_client *self, const struct http_request *request, const struct http_events *events,
                        void *arg, struct http_transfer **ret_transfer)
{
    struct http_transfer *transfer = mem_new(sizeof(*transfer));
    uint64_t now = uv_now(self->loop);

    transfer->client = self;
    transfer->events = events;
    transfer->arg = arg;
    transfer->stall_ms = request->stall_ms;
    transfer->first_byte_due = now + request->first_byte_ms;
    transfer->total_due = now + request->total_ms;
    transfer->easy = self->curl.easy_init();
    transfer_link(self, transfer);
    if (!transfer->easy || !headers_copy(transfer, request->headers) || !limits_apply(transfer, request) ||
        !request_apply(transfer, request) || !way_apply(transfer, request) || !body_apply(transfer, request) ||
        !guard_apply(transfer, request) || self->curl.multi_add_handle(self->multi, transfer->easy)) {
        transfer_unlink(self, transfer);
        transfer_free(transfer);
        return FAULT(-ENOMEM);
    }
    watch_note(self, transfer);
    self->is_started = true;
    *ret_transfer = transfer;
    return 0;
}

void http_transfer_cancel(struct http_transfer **transfer_p)
{
    struct http_transfer *transfer = TAKE(*transfer_p);

    if (transfer) {
        transfer_unlink(transfer->client, transfer);
        transfer_free(transfer);
    }
}

void http_transfer_pause(struct http_transfer *transfer, bool is_paused)
{
    if (transfer->is_paused == is_paused) {
        return;
    }
    transfer->is_paused = is_paused;
    transfer->stall_due = is_paused || transfer->first_byte_due ? 0 : now_ms() + transfer->stall_ms;
    /* A refusal to write inside comes as the transfer's end. */
    (void)transfer->client->curl.easy_pause(transfer->easy, is_paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
    watch_note(transfer->client, transfer);
}
