/*
 * http_client: HTTP requests of one actor over libcurl's multi-socket interface, on the
 * actor's loop. Connections are kept between requests.
 *
 * Every transfer ends by exactly one on_end, or by http_transfer_cancel.
 */
#ifndef ACTORS_AGENT_HTTP_CLIENT_H
#define ACTORS_AGENT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "actors/agent/libcurl.h"
#include "bus/base/span.h"

#define HTTP_CLIENT_E_MISSING 1 /* libcurl cannot be loaded */

struct http_transfer;

struct http_client {
    uv_loop_t *loop;
    struct libcurl curl; /* nothing before http_client_open */
    CURLM *multi;
    uv_timer_t timer;   /* libcurl's own */
    uv_timer_t watch;   /* the earliest deadline of a transfer */
    uint64_t watch_due; /* loop time it rings; 0: it does not */
    struct http_transfer *transfers;
    uint32_t transfers_n;
    uint32_t kept_n; /* connections that stay open for further requests, at most */
    bool is_open;
    bool is_started;   /* a transfer was started since the last kick */
    bool is_last_look; /* deadlines are over, and the sockets are read once more */
};

enum http_outcome {
    HTTP_OK,           /* a whole response, whatever its status */
    HTTP_NAME_UNKNOWN, /* the host's name does not resolve */
    HTTP_REFUSED,      /* no connection */
    HTTP_TLS,          /* the handshake failed or the certificate is not trusted */
    HTTP_CONNECT_TIMEOUT,
    HTTP_FIRST_BYTE_TIMEOUT,
    HTTP_STALLED, /* no byte for stall_ms in the middle */
    HTTP_TOTAL_TIMEOUT,
    HTTP_CUT,     /* the connection ended before the response did */
    HTTP_STOPPED, /* on_body said stop */
    HTTP_BLOCKED, /* the address is not allowed */
    HTTP_FAILED,  /* anything else; see text */
};

struct http_end {
    enum http_outcome outcome;
    long status;              /* 0 when no response began */
    uint32_t retry_after_ms;  /* Retry-After of the response; 0: none */
    const char *content_type; /* "" when there is none */
    const char *redirect_url; /* where a redirect leads to, whole; NULL: it is none */
    const char *text;         /* libcurl's words for the outcome; never holds a header */
};

/* May a connection to this address be made? */
typedef bool (*http_allow)(const struct sockaddr *address);

/* Each is a text in PEM form, or the path of a file that has it; NULL: none, or the system's. */
struct http_tls {
    const char *ca;
    const char *cert;
    const char *key;
    const char *passphrase; /* of the key */
};

struct http_request {
    const char *url;
    bool is_get; /* without a body */
    /* NULL: any address. Else every connection is made anew, for this request alone, past
     * no proxy, and to no address that it refuses. */
    http_allow allow;
    const char *const *headers; /* lines "name: value", up to NULL; copied */
    struct span body;           /* copied */
    const struct http_tls *tls; /* NULL: nothing of one's own */
    const struct http_tls *proxy_tls;
    const char *proxy; /* URL; NULL: as the environment says */
    uint32_t connect_ms;
    uint32_t first_byte_ms;
    uint32_t stall_ms;
    uint32_t total_ms;
};

struct http_events {
    /* Bytes of the body; anything but 0 ends the transfer as HTTP_STOPPED. Cancelling
     * from here is not allowed, pausing is. */
    int (*on_body)(void *arg, long status, struct span bytes);
    /* The transfer is gone when this is called. A new one may be started from here. */
    void (*on_end)(void *arg, const struct http_end *end);
};

void http_client_init(struct http_client *self, uv_loop_t *loop);
/* Makes it ready for transfers, if it is not yet. 0, a fault, or HTTP_CLIENT_E_MISSING with
 * the reason in `ret_text`. */
int http_client_open(struct http_client *self, char *ret_text, size_t text_cap);
/* Cancels what is under way; handles close on the loop. NULL-safe on a zeroed client. */
void http_client_deinit(struct http_client *self);

/* Sends what was started and can be sent now; on_end may come from inside. */
void http_client_kick(struct http_client *self);

/* 0 or a fault. The client must be open, and `events` must outlive the transfer. */
int http_transfer_start(struct http_client *self, const struct http_request *request, const struct http_events *events,
                        void *arg, struct http_transfer **ret_transfer);
/* Ends the transfer at once, its connection as well; no event follows. */
void http_transfer_cancel(struct http_transfer **transfer_p);
/* While paused nothing is read from the peer, and a stall is not counted. */
void http_transfer_pause(struct http_transfer *transfer, bool is_paused);

#endif
