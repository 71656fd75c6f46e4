/*
 * trunk_zap: who may connect (ZAP, RFC 27): whose key is in the list on disk, under the name
 * that it has there. Everybody else is refused before a word is heard.
 */
#ifndef BUS_TRUNK_ZAP_H
#define BUS_TRUNK_ZAP_H

#include "bus/base/span.h"
#include "bus/zport.h"

#define TRUNK_ZAP_DOMAIN "openclaw"

struct trunk_zap {
    struct zport in;
    const char *dir; /* of keys (bus/curve.h); borrowed */
    /* Somebody with a key that is not in the list was refused; `key` in Z85. */
    void (*on_refused)(void *arg, struct span address, const char *key);
    void *arg;
    unsigned refused_n; /* since the last that was logged */
    uint64_t refused_ms;
};

/* One for the process: ZAP has one address. `dir`, `on_refused` and `arg` are set before. */
int trunk_zap_open(struct trunk_zap *self, uv_loop_t *loop);
/* The struct must live until its handles are closed. */
void trunk_zap_close(struct trunk_zap *self, void (*on_closed)(void *arg), void *arg);

#endif
