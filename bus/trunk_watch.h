/*
 * trunk_watch: that the connection of a ZeroMQ socket has ended, or could not be made, as the
 * kernel says it. libzmq keeps that from whoever uses the socket; its monitor tells. Without a
 * watch nothing breaks: the end of a connection then shows by its silence alone.
 */
#ifndef BUS_TRUNK_WATCH_H
#define BUS_TRUNK_WATCH_H

#include "bus/zport.h"

enum trunk_watch_event {
    TRUNK_WATCH_NONE,
    TRUNK_WATCH_ENDED,   /* a connection that there was, however far its greeting had come */
    TRUNK_WATCH_REFUSED, /* there was none: nobody listens there, or there is no way */
};

/* Begins to watch a socket; `name` is that of nobody else in this process. NULL: short of something. */
zsock_t *trunk_watch_begin(zsock_t *watched, const char *name);
/* What has happened since; NONE when nothing has. */
enum trunk_watch_event trunk_watch_next(zsock_t *watch);
/* To be called before either socket is closed, or libzmq would wait for its reader. */
void trunk_watch_end(zsock_t *watched);

#endif
