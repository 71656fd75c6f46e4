/*
 * ws: one WebSocket of a client: its frames, its phase, and what it may.
 */
#ifndef EDGE_LISTENER_WS_H
#define EDGE_LISTENER_WS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/actor.h"
#include "edge/http/request.h"
#include "edge/listener/call.h"
#include "edge/listener/conn.h"
#include "edge/listener/edge.h"
#include "edge/listener/scope.h"
#include "edge/listener/ws_frame.h"

enum ws_phase {
    WS_CHALLENGED, /* connect.challenge is out; the next message must be connect */
    WS_GREETING,   /* auth, then health, has the word; what the client sends waits */
    WS_OPEN,       /* hello-ok is out */
    WS_LEAVING,    /* its credential has ended; only changes of the config under way are answered */
    WS_CLOSED,     /* our close frame is out */
};

/* What only the handshake needs. */
struct handshake;
struct capability;
struct tapping;

struct ws {
    enum ws_phase phase;
    struct ws_reader reader;
    struct handshake *handshake; /* up to hello-ok */
    char conn_id[EDGE_ID_MAX];
    char principal[ACTOR_PRINCIPAL_MAX];
    char role[33];
    char device_id[65]; /* empty: none */
    char remote_ip[65]; /* as auth sees it */
    unsigned protocol;  /* 0 before connect */
    bool is_page;       /* it said an origin */
    struct scope_set scopes;
    uint64_t generation;
    uint64_t seq;
    struct text_buf client;        /* packed pair "_client": …, added to every request */
    struct text_buf join;          /* packed presence_join, for a health actor that starts again */
    struct text_buf node;          /* of a node: packed node_join, likewise */
    struct capability *capability; /* to read the canvas; NULL: it may have none */
    struct call *requests;
    struct call *subscriptions; /* being resolved */
    struct call *tap_asks;      /* with the supervisor */
    struct tapping *tapping;    /* it sees the bus; NULL: it does not */
    uint32_t requests_n;
    uint32_t role_refusals; /* in a row */
    unsigned leave_code;    /* while it leaves: how it is closed then */
    char leave_reason[WS_REASON_MAX + 1];
    bool is_counted_preauth;
    bool sees_sessions;
    bool sees_tools; /* capability tool-events */
    char **keys;     /* sessions whose messages it asked for */
    uint32_t keys_n;
};

/* Answers an upgrade request: 101 and the challenge, or a refusal. */
void ws_upgrade(struct conn *conn, const struct request *request);

/* The same for sockets of another sort. Is it a proper upgrade request? If not, it was refused. */
#define WS_ACCEPT_MAX 32U
bool ws_upgrade_check(struct conn *conn, const struct request *request, char accept[WS_ACCEPT_MAX]);
/* Sends 101; frames follow. False when the connection had to be ended. */
bool ws_accept_send(struct conn *conn, const char *accept);
/* Queues one whole frame. */
void ws_frame_send(struct conn *conn, enum ws_opcode opcode, struct span payload);

/* One frame written in place: begin, append JSON, end. NULL: the connection is ending. */
struct text_buf *ws_begin(struct conn *conn, size_t *ret_at);
void ws_end(struct conn *conn, struct text_buf *out, size_t at);
/* Takes back what was appended since ws_begin. */
void ws_undo(struct text_buf *out, size_t at);
/* The response to the request with that id (raw JSON) that says no. */
void ws_refuse(struct conn *conn, struct span id, const struct failure *failure);
/* Sends a close frame and waits a little for the peer's. */
void ws_close(struct conn *conn, unsigned code, struct span reason);

/*
 * Its credential has ended: closes, behind the answers to its changes of the config under way,
 * which may be why the credential ended. Nothing else is done for it or sent to it meanwhile.
 */
void ws_leave(struct conn *conn, unsigned code, struct span reason);
/* Closes one that leaves, once it is owed no answer. */
void ws_leave_check(struct conn *conn);

/* Ends a client for which more waits than may; `what` would have come on top. */
void ws_close_slow(struct conn *conn, const char *what);

/* The WebSocket of a connection, or NULL when it speaks HTTP. */
struct ws *ws_of(struct conn *conn);
/* The same only behind hello-ok. */
struct ws *ws_client_of(struct conn *conn);
/* The same only while it leaves. */
struct ws *ws_leaving_of(struct conn *conn);

#endif
