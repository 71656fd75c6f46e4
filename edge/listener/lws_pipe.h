/*
 * lws_pipe: keeps libwebsockets 4.1 from closing what is not its own.
 *
 * On a loop of libuv it closes the descriptor of its event pipe twice: when it is destroyed (lws_destroy_event_pipe),
 * and a turn of the loop later (__lws_close_free_wsi_final), when another thread may have been given the same number.
 * Nothing of its API takes the number away from it, so it is taken away in the struct, at the place that
 * lws_get_socket_fd reads.
 */
#ifndef EDGE_LISTENER_LWS_PIPE_H
#define EDGE_LISTENER_LWS_PIPE_H

#include <uv.h>

struct lws;
struct lws_context;

/* What stands for the pipe, in a context that was just made; NULL: there is none. */
struct lws *lws_pipe_find(struct lws_context *context, uv_loop_t *loop);
/* Right behind the first lws_context_destroy, which has closed it: it has no descriptor any more. */
void lws_pipe_forget(struct lws *pipe);

#endif
