/*
 * edge: the state of the actor edge/<n>, shared by the files of this folder.
 */
#ifndef EDGE_LISTENER_EDGE_H
#define EDGE_LISTENER_EDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bus/actor.h"
#include "bus/pack.h"
#include "edge/http/canvas.h"
#include "edge/http/endpoints.h"
#include "edge/http/media.h"
#include "edge/http/response.h"
#include "edge/http/site.h"
#include "edge/listener/cert.h"
#include "edge/listener/conn.h"
#include "edge/listener/large.h"
#include "edge/listener/limits.h"
#include "edge/listener/lws_pipe.h"
#include "edge/listener/memo.h"
#include "edge/listener/peer.h"
#include "edge/listener/ready.h"
#include "edge/listener/tally.h"
#include "edge/listener/write_rate.h"
#include "schema/base/config_follow.h"
#include "schema/base/hooks_config.h"

#define EDGE_SPARES_MAX 32U
#define EDGE_SPARE_BYTES 16384U

struct call;
struct canvas_watch;

struct edge_listen {
    uv_poll_t poll;
    struct edge *edge;
    int fd;
    bool is_open;
};

struct edge {
    struct actor *actor;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct lws *pipe;      /* lws wakes itself with it, see lws_pipe */
    struct conn *adopting; /* inside conn_adopt */

    struct cert cert;

    struct edge_listen listens[LIMIT_LISTEN_SOCKETS];
    size_t listens_n;
    uv_poll_t asked; /* where the supervising process answers with them */
    int asked_fd;
    bool is_asking;
    void (*on_sockets)(struct edge *edge);
    bool has_sockets;
    bool is_accepting;     /* the listening sockets were taken up */
    bool is_low_told;      /* that descriptors run out; until there is room again */
    bool is_accept_paused; /* out of descriptors; the sweep tries again */

    struct conn *conns;
    struct conn *doomed;
    struct flush_queue flushes[FLUSH_LANES];
    struct call *orphan_exchanges; /* of connections that are gone */
    struct call *orphan_requests;
    struct call *orphan_handshakes;
    struct call *held_handshakes; /* until health is ready */
    struct call *orphan_subscriptions;
    struct call *orphan_taps;
    size_t tappings_n;
    size_t conns_n;
    size_t clients_n;     /* of them, WebSockets behind hello-ok */
    size_t clients_new_n; /* of those, the ones that speak the newest protocol */
    bool was_watching;    /* what the agents were told: there is somebody to show events to */
    uint64_t watching_told_ms;
    struct peer_table peers;
    size_t queued_bytes;     /* memory of what waits for readers, without ... */
    size_t shared_bytes;     /* ... the texts that several of them wait for */
    struct peer_input input; /* of everybody */
    struct quota_table quotas;
    size_t freed_bytes; /* large buffers given back since the last trim */
    struct text_buf spares[EDGE_SPARES_MAX];
    size_t spares_n;

    uv_idle_t flush; /* writes to those in `flushes` */
    uv_timer_t reap; /* closes the doomed */
    uv_timer_t sweep;
    uv_timer_t tick;
    uv_timer_t stop;
    uv_timer_t patience; /* with config and auth, at the start */
    struct config_follow follow;
    bool has_handles;
    bool is_stopping;

    struct ready ready;
    bool has_started; /* everybody was ready once */
    struct write_rate writes;
    struct large large;
    struct tally tally;
    uint64_t started_ms; /* of the loop's clock */
    uint64_t generation; /* decisions of an older one are void */
    uint64_t presence_version;
    uint64_t health_version;
    uint64_t handshake_ms;
    uint64_t body_ms; /* between two pieces of a request body */
    uint32_t preauth_max;
    struct endpoints endpoints;
    struct site site;
    struct canvas canvas;
    const char *home; /* what "~" means in the config */
    const char *state_dir;
    unsigned char media_key[MEDIA_KEY_LEN];     /* of tickets; another one for each life of the edge */
    struct canvas_watch *watch;                 /* while there are lives; NULL: none */
    size_t lives_n;                             /* sockets of canvas pages */
    uint64_t capability_ms;                     /* how long one lasts that is not used */
    struct hooks_entry hooks;                   /* where hooks come in */
    char transport_security[RESPONSE_HSTS_MAX]; /* empty: the header is not sent */
    char auth_mode[16];                         /* empty while unknown */
    struct text_buf header_names; /* packed list: what auth wants to see of a request; empty while unknown */
    bool is_configured;           /* config has said its word, or the patience is over */
    bool is_auth_asked;           /* auth has */

    struct text_buf features; /* the JSON object of hello-ok, made once */
    struct memo memo;         /* the newest large answer as JSON */
    char stage[LIMIT_WRITE];  /* one write, gathered */
    struct text_buf scratch;  /* text under construction; valid until the next use */
    struct pack pack;         /* body under construction; valid until the next use */
    char date_text[RESPONSE_DATE_MAX];
    struct span date;
    int64_t date_s;
};

/* The loop's clock, milliseconds. */
uint64_t edge_now(const struct edge *edge);
/* For a TLS handshake, and for the head of a request. */
uint64_t edge_head_ms(const struct edge *edge);
/* Watches over deadlines for as long as there are connections. */
void edge_sweep_start(struct edge *edge);
/* Of the Date header, at most a second old. */
struct span edge_date(struct edge *edge);

#define EDGE_ID_MAX 37U
/* A random UUID, terminated. */
void edge_uuid(char id[EDGE_ID_MAX]);

#endif
