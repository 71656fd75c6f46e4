#include "edge/cli/ws_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libwebsockets.h>
#include <openssl/x509_vfy.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"

#define RX_CHUNK (64U * 1024)
#define GOODBYE_MS 100U
#define CONNECT_TRY_MS 1000
#define CUT_OFF "the connection ended before the answer"

struct message {
    struct message *next;
    size_t len;
    unsigned char room[]; /* LWS_PRE bytes for the frame header, then the text */
};

struct ws_client {
    struct ws_client_opts opts;
    struct lws_context *context;
    struct lws *wsi; /* NULL before and after the connection */
    struct message *first;
    struct message **last;
    struct text_buf incoming;
    struct ws_client_end end;
    bool has_ended;
    bool is_closing;   /* we want to end it */
    bool has_goodbyed; /* our close frame is written */
};

static void end_note(struct ws_client *self, uint16_t code, const char *text, size_t len)
{
    if (self->end.code == 0) {
        self->end.code = code;
        len = len < sizeof(self->end.text) ? len : sizeof(self->end.text) - 1;
        memcpy(self->end.text, text, len);
        self->end.text[len] = '\0';
    }
}

/*
 * The library keeps the reason of a failed connect to itself, so one more attempt is made to
 * learn it. Returns an errno, 0 when that attempt succeeds.
 */
static int connect_try(const struct addrinfo *address)
{
    int error = 0;
    socklen_t len = sizeof(error);
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd wait = { .fd = fd, .events = POLLOUT };

    if (fd < 0) {
        return errno;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) && errno != EINPROGRESS) {
        error = errno;
    } else if (poll(&wait, 1, CONNECT_TRY_MS) != 1) {
        error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len)) {
        error = errno;
    }
    (void)close(fd); /* nothing was written */
    return error;
}

static void connect_error_note(struct ws_client *self, unsigned http_status, const char *text, size_t len)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char port[8];
    int r;

    if (http_status) { /* something answered, so the connection is not the problem */
        self->end.http_status = (int)http_status;
        end_note(self, 1006, text, len);
        return;
    }
    if (self->opts.url->host[0] == '+') {
        self->end.sys_error = ECONNREFUSED; /* nobody behind the socket, or nothing that speaks to us */
        end_note(self, 1006, text, len);
        return;
    }
    (void)snprintf(port, sizeof(port), "%u", self->opts.url->port);
    r = getaddrinfo(self->opts.url->host, port, &hints, &found);
    if (r) {
        end_note(self, 1006, gai_strerror(r), strlen(gai_strerror(r)));
        return;
    }
    self->end.sys_error = connect_try(found);
    self->end.is_served = self->end.sys_error == 0;
    freeaddrinfo(found);
    end_note(self, 1006, text, len);
}

static void end_tell(struct ws_client *self)
{
    self->wsi = NULL;
    if (self->has_ended) {
        return;
    }
    self->has_ended = true;
    if (self->end.code == 0 && !self->end.was_open && !self->is_closing) {
        /* It failed before the library had anything to say. */
        connect_error_note(self, 0, CUT_OFF, sizeof(CUT_OFF) - 1);
    }
    end_note(self, 1006, "", 0);
    if (!self->is_closing) {
        self->opts.on_end(self->opts.arg, &self->end);
    }
}

static int receive(struct ws_client *self, struct lws *wsi, const char *bytes, size_t len)
{
    if (self->incoming.len + len > WS_CLIENT_MESSAGE_MAX) {
        end_note(self, 1009, "message larger than this client accepts", 39);
        return -1;
    }
    if (text_buf_add(&self->incoming, (struct span){ bytes, len })) {
        end_note(self, 1009, "out of memory", 13);
        return -1;
    }
    if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
        struct text_buf whole = self->incoming;

        self->incoming = (struct text_buf){ 0 };
        if (!self->is_closing) {
            self->opts.on_text(self->opts.arg, (struct span){ whole.data, whole.len });
        }
        whole.len = 0;
        if (self->incoming.data) {
            text_buf_deinit(&whole);
        } else {
            self->incoming = whole; /* keeps the memory for the next message */
        }
    }
    return 0;
}

/*
 * Closing by the return code of the callback would end the connection without a close
 * frame from here, so the frame is written by hand: final, close, masked with zeros, 1000.
 */
static int goodbye_write(struct ws_client *self, struct lws *wsi)
{
    static const unsigned char frame[] = { 0x88, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xff };
    unsigned char room[LWS_PRE + sizeof(frame)];

    if (self->has_goodbyed) {
        return 0; /* the peer's answer ends it */
    }
    self->has_goodbyed = true;
    memcpy(room + LWS_PRE, frame, sizeof(frame));
    return lws_write(wsi, room + LWS_PRE, sizeof(frame), LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static int write_one(struct ws_client *self, struct lws *wsi)
{
    struct message *message = self->first;
    int n;

    if (!message) {
        return self->is_closing ? goodbye_write(self, wsi) : 0;
    }
    self->first = message->next;
    if (!self->first) {
        self->last = &self->first;
    }
    n = lws_write(wsi, message->room + LWS_PRE, message->len, LWS_WRITE_TEXT);
    free(message);
    if (n < 0) {
        return -1;
    }
    if (self->first || self->is_closing) {
        lws_callback_on_writable(wsi);
    }
    return 0;
}

/*
 * libwebsockets takes the codes that RFC 6455 had not registered yet for errors and shows
 * 1002 in their place; the reason still tells which one was meant.
 */
static uint16_t close_code_restore(uint16_t code, struct span reason)
{
    static const struct {
        const char *reason;
        uint16_t code;
    } known[] = { { "service restart", 1012 }, { "gateway starting", 1013 } };

    for (size_t i = 0; code == 1002 && i < ARRAY_LEN(known); i++) {
        if (span_is_text(reason, known[i].reason)) {
            return known[i].code;
        }
    }
    return code;
}

static void peer_close_note(struct ws_client *self, const unsigned char *in, size_t len)
{
    struct span reason = { (const char *)in + 2, len < 2 ? 0 : len - 2 };

    if (len < 2) {
        end_note(self, 1005, "", 0);
        return;
    }
    end_note(self, close_code_restore((uint16_t)(in[0] << 8 | in[1]), reason), reason.ptr, reason.len);
}

/* Who pins a certificate asks no authority, and nothing is sent to anybody else. 0: go on. */
static int certificate_judge(struct ws_client *self, X509_STORE_CTX *chain, bool is_trusted)
{
    struct ws_client_end *end = &self->end;

    if (gateway_tls_fingerprint_read(X509_STORE_CTX_get0_cert(chain), end->fingerprint)) {
        return 1;
    }
    if (self->opts.fingerprint && strcmp(end->fingerprint, self->opts.fingerprint) == 0) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return 0;
    }
    if (!self->opts.fingerprint && is_trusted) {
        return 0;
    }
    end->is_untrusted = true;
    if (!self->opts.fingerprint) {
        (void)snprintf(end->why, sizeof(end->why), "%s",
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain)));
    }
    return 1;
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct ws_client *self = user;

    if (reason == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION) {
        self = lws_wsi_user(wsi); /* here `user` is the chain, and `len` what was found of it */
        return self ? certificate_judge(self, user, len != 0) : 1;
    }
    if (!self) {
        return 0;
    }
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        self->end.was_open = true;
        self->opts.on_open(self->opts.arg);
        if (self->first || self->is_closing) {
            lws_callback_on_writable(wsi);
        }
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        connect_error_note(self, lws_http_client_http_response(wsi), in ? in : "", in ? len : 0);
        end_tell(self);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return receive(self, wsi, in, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return write_one(self, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        peer_close_note(self, in, len);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* all that is heard of a connection that was reset before the answer */
        end_tell(self);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    { "openclaw", on_lws, 0, RX_CHUNK, 0, NULL, 0 },
    { NULL, NULL, 0, 0, 0, NULL, 0 },
};

static struct lws_context *context_new(struct ws_client *self, void **loops)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | (self->opts.url->is_tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0) |
                   (self->opts.fingerprint ? LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS : 0),
        .foreign_loops = loops,
        .fd_limit_per_thread = 16, /* the default asks for one slot per possible descriptor */
        .count_threads = 1,
        .pt_serv_buf_size = RX_CHUNK,
    };

    lws_set_log_level(0, NULL);
    return lws_create_context(&info);
}

int ws_client_new(const struct ws_client_opts *opts, struct ws_client **ret_client)
{
    struct ws_client *self = mem_new(sizeof(*self));
    void *loops[1] = { opts->loop };
    char authority[sizeof(opts->url->host) + 16];
    bool has_colon = strchr(opts->url->host, ':') != NULL;
    struct lws_client_connect_info connect;

    self->opts = *opts;
    self->last = &self->first;
    self->context = context_new(self, loops);
    if (!self->context) {
        free(self);
        return FAULT(-ENOMEM);
    }
    if (opts->url->host[0] == '+') {
        (void)snprintf(authority, sizeof(authority), "localhost");
    } else {
        (void)snprintf(authority, sizeof(authority), "%s%s%s:%u", has_colon ? "[" : "", opts->url->host,
                       has_colon ? "]" : "", opts->url->port);
    }
    *ret_client = self;
    connect = (struct lws_client_connect_info){
        .context = self->context,
        .address = opts->url->host,
        .port = opts->url->port,
        .ssl_connection = !opts->url->is_tls  ? 0
                          : opts->fingerprint ? LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK
                                              : LCCSCF_USE_SSL,
        .alpn = "http/1.1",
        .path = opts->url->path,
        .host = authority,
        .origin = NULL, /* a browser's header; its absence says that we are none */
        .protocol = NULL,
        .local_protocol_name = protocols[0].name,
        .ietf_version_or_minus_one = -1,
        .userdata = self,
        .pwsi = &self->wsi,
    };
    if (!lws_client_connect_via_info(&connect)) {
        end_tell(self);
    }
    return 0;
}

int ws_client_send(struct ws_client *self, struct span text)
{
    struct message *message = malloc(sizeof(*message) + LWS_PRE + text.len);

    if (!message) {
        return FAULT(-ENOMEM);
    }
    message->next = NULL;
    message->len = text.len;
    memcpy(message->room + LWS_PRE, text.ptr, text.len);
    *self->last = message;
    self->last = &message->next;
    if (self->wsi && self->end.was_open) {
        lws_callback_on_writable(self->wsi);
    }
    return 0;
}

static void on_goodbye_timer(uv_timer_t *timer)
{
    bool *is_late = timer->data;

    *is_late = true;
}

/* The peer's answer to our close frame tells that it has read everything; it is not waited for long. */
static void goodbye_say(struct ws_client *self)
{
    uv_timer_t timer;
    bool is_late = false;

    if (!self->wsi || !self->end.was_open || uv_timer_init(self->opts.loop, &timer)) {
        return;
    }
    timer.data = &is_late;
    lws_callback_on_writable(self->wsi);
    if (uv_timer_start(&timer, on_goodbye_timer, GOODBYE_MS, 0) == 0) {
        while (self->wsi && !is_late) {
            uv_run(self->opts.loop, UV_RUN_ONCE);
        }
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(self->opts.loop, UV_RUN_NOWAIT); /* the timer lives on this stack */
}

void ws_client_destroy(struct ws_client **self_p)
{
    struct ws_client *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    self->is_closing = true;
    goodbye_say(self);
    /* On a foreign loop the library only closes its handles at first; once they are gone it wants a second call. */
    lws_context_destroy(self->context);
    for (int i = 0; i < 8 && uv_run(self->opts.loop, UV_RUN_NOWAIT); i++) {
        /* handles close in steps */
    }
    lws_context_destroy(self->context);
    while (self->first) {
        struct message *message = self->first;

        self->first = message->next;
        free(message);
    }
    text_buf_deinit(&self->incoming);
    free(self);
}
