/*
 * sockets: listening sockets, on their way from the process that holds them to the actors
 * that serve on them.
 *
 * A host inherits one end of a channel. Whoever wants the sockets sends one end of a pair of
 * its own over it and is answered there, so nobody takes what was meant for another, or for an
 * earlier life of the same. Nothing here blocks.
 */
#ifndef BUS_SOCKETS_H
#define BUS_SOCKETS_H

#include <stddef.h>

#define SOCKETS_MAX 8
#define SOCKETS_ENV "OPENCLAW_BUS_SOCKETS_FD" /* where a host finds its end of the channel */

enum {
    SOCKETS_E_NOT_YET = 1, /* nothing has come */
    SOCKETS_E_CLOSED = 2,  /* and nothing will */
};

/* Both ends; the first is the holder's. 0 or a fault. */
int sockets_channel(int ret_ends[2]);
/* The holder answers one request with the sockets that it holds. 0, an outcome, or a fault. */
int sockets_answer(int channel, const int *fds, size_t n);

/* `ret_answer` gets readable when the answer is there; the asker closes it. 0 or a fault. */
int sockets_ask(int channel, int *ret_answer);
/* Takes the answer: descriptors of the asker's own. 0, an outcome, or a fault. */
int sockets_take(int answer, int ret_fds[SOCKETS_MAX], size_t *ret_n);

#endif
