/*
 * cert: the certificate that the edge serves with, and its replacement: when the config
 * names another, and when its files change. Connections that exist keep theirs.
 */
#ifndef EDGE_LISTENER_CERT_H
#define EDGE_LISTENER_CERT_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bus/json.h"
#include "edge/listener/tls.h"

#define CERT_FILES 3 /* certificate, key, and what completes the chain */

struct edge;

/* A file as it was last seen; all zero: not there. */
struct cert_seen {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t changed_ns;
};

struct cert {
    struct gateway_tls_files files; /* as the config names them now */
    struct tls_server server;       /* what is served with; ctx NULL: nothing */
    struct cert_seen seen[CERT_FILES];
    uv_fs_event_t watches[CERT_FILES]; /* on their directories */
    uv_timer_t settle;                 /* gathers changes that come together */
    uv_timer_t look;                   /* for file systems that tell of no change */
    uint8_t *plain;                    /* text of one read; NULL while TLS was never on */
    struct text_buf wire;              /* lent to the connection that writes */
    bool has_handles;
    bool has_config; /* it was told once */
    bool is_refused; /* the files cannot be used, as was told */
    bool is_on;      /* what comes by TCP speaks TLS; without a certificate nobody is let in */
};

void cert_init(struct edge *edge);
/* Closes what stands on the loop. */
void cert_close(struct edge *edge);
/* When no connection is left. */
void cert_deinit(struct edge *edge);

/* Follows the section `gateway` of the config. What cannot be used changes nothing that
 * was in force before, and is told. 0 or GATEWAY_TLS_E_REFUSED. */
int cert_apply(struct edge *edge, struct span gateway, struct config_error *error);

#endif
