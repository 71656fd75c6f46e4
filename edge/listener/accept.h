/*
 * accept: the listening sockets, which the supervising process holds, and whom they let in.
 */
#ifndef EDGE_LISTENER_ACCEPT_H
#define EDGE_LISTENER_ACCEPT_H

struct edge;

/* Asks for the sockets that count now; `on_there` is called when they are, later. Without a supervising process
 * there are none, which is logged, and it is called as well. 0 or a fault. */
int accept_ask(struct edge *edge, void (*on_there)(struct edge *edge));
/* Lets clients in. 0 or a fault. */
int accept_open(struct edge *edge);
/* Stops accepting. Idempotent. */
void accept_close(struct edge *edge);
/* Tries again after the process was out of descriptors. */
void accept_resume(struct edge *edge);

#endif
