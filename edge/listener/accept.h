/*
 * accept: the listening sockets, which are inherited, and whom they let in.
 */
#ifndef EDGE_LISTENER_ACCEPT_H
#define EDGE_LISTENER_ACCEPT_H

struct edge;

/* `fds` is "3,4"; NULL or "" leaves the edge without a socket, which is logged. The
 * descriptors stay open and unchanged. 0 or a fault. */
int accept_open(struct edge *edge, const char *fds);
/* Stops accepting. Idempotent. */
void accept_close(struct edge *edge);
/* Tries again after the process was out of descriptors. */
void accept_resume(struct edge *edge);

#endif
