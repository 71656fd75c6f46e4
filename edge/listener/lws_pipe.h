/*
 * lws_pipe: keeps libwebsockets 4.1 from closing what is not its own.
 *
 * On a loop of libuv it closes the descriptor of its event pipe twice: when it is destroyed, and a turn of the loop
 * later, when another thread may have been given the same number. So the number is taken again at once, for the second
 * time to close. The kernel gives out the lowest number that is free: a few below that of the pipe are kept while lws
 * lives, and left to other threads for the moment in which the pipe's is free.
 */
#ifndef EDGE_LISTENER_LWS_PIPE_H
#define EDGE_LISTENER_LWS_PIPE_H

#include <uv.h>

#define LWS_PIPE_POLLS_MAX 64U
#define LWS_PIPE_BELOW 16U

struct lws_pipe {
    const uv_handle_t *polls[LWS_PIPE_POLLS_MAX]; /* of the loop before lws was there */
    size_t polls_n;
    int below[LWS_PIPE_BELOW]; /* descriptors of /dev/null; -1: none */
    int fd;                    /* of the event pipe; -1: not known */
};

/* Around lws_create_context. */
void lws_pipe_before(struct lws_pipe *self, uv_loop_t *loop);
void lws_pipe_after(struct lws_pipe *self, uv_loop_t *loop);
/* Around the first lws_context_destroy. */
void lws_pipe_leave(struct lws_pipe *self);
void lws_pipe_hold(struct lws_pipe *self);

#endif
