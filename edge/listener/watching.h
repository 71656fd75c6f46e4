/*
 * watching: tells the agents whether anybody here is shown events, so that none are made for nobody.
 */
#ifndef EDGE_LISTENER_WATCHING_H
#define EDGE_LISTENER_WATCHING_H

struct edge;

/* Clients have come or gone; says so when that made the first one or took the last one. */
void watching_changed(struct edge *edge);
/* Now and then: an agent that was cut off hears it again. */
void watching_repeat(struct edge *edge);
/* An event came that there is nobody for: whoever sent it has not heard yet, or started since. Says it again, at most
 * once a second. */
void watching_remind(struct edge *edge);

#endif
