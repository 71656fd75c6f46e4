/*
 * control: the operator's Unix socket. One JSON object per line in each direction:
 * {"id": any, "op": "status", …} is answered by {"id", "ok": true, "result"} or
 * {"id", "ok": false, "error": {"code", "message"}}.
 *
 * Only the owner of the process and root are let in (SO_PEERCRED; the socket is 0600).
 * Answers may come later and in any order; clients that are gone, or too slow to read,
 * cost nothing but their own connection.
 */
#ifndef BUS_CONTROL_H
#define BUS_CONTROL_H

#include <stdint.h>
#include <uv.h>

#include "bus/base/span.h"

#define CONTROL_REQUEST_MAX (64U * 1024U)
#define CONTROL_CLIENTS_MAX 32U
#define CONTROL_PENDING_MAX 16U                  /* open requests of one client */
#define CONTROL_OUTPUT_MAX (16U * 1024U * 1024U) /* unread answers of one client */

struct control;

struct control_request {
    uint64_t client; /* of the connection; never reused */
    uint64_t ticket; /* answers exactly this request */
    unsigned uid;    /* of whoever asks, as the kernel says */
    int pid;
    struct span op;
    struct span body; /* the whole request, packed as msgpack */
};

struct control_opts {
    uv_loop_t *loop;
    const char *path; /* a stale socket there is replaced */
    /* Spans are borrowed for the call. Must answer, now or later. */
    void (*on_request)(void *arg, const struct control_request *request);
    /* The connection is gone; its tickets are void. May be NULL. */
    void (*on_gone)(void *arg, uint64_t client);
    void *arg;
};

/* Listens. A fault when the socket cannot be made. */
int control_new(const struct control_opts *opts, struct control **ret_control);
/* Its socket's file is gone: makes it anew. Those who are connected stay so. */
int control_listen_again(struct control *self);
/* Closes everything; memory is released when the loop has run the close callbacks. */
void control_destroy(struct control **control_p);

/* `result` is one packed value. A void ticket is ignored. */
void control_answer(struct control *self, uint64_t ticket, struct span result);
void control_refuse(struct control *self, uint64_t ticket, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
