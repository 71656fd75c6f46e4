#include "edge/listener/lws_pipe.h"

#include <libwebsockets.h>

#include "bus/base/log.h"

#define WSI_INTS_MAX 1024U /* more than a struct lws has */
#define MARK 0x5aa5

struct search {
    struct lws_context *context;
    struct lws *pipe;
};

static void on_handle(uv_handle_t *handle, void *arg)
{
    struct search *self = arg;
    uv_os_fd_t fd;

    if (handle->type == UV_POLL && !self->pipe && !uv_fileno(handle, &fd)) {
        self->pipe = wsi_from_fd(self->context, fd);
    }
}

struct lws *lws_pipe_find(struct lws_context *context, uv_loop_t *loop)
{
    struct search search = { .context = context };

    uv_walk(loop, on_handle, &search);
    return search.pipe;
}

/* Which int of a struct lws is its descriptor: the one that lws_get_socket_fd reads. WSI_INTS_MAX: none that we know.
 */
static size_t place_find(void)
{
    lws_sockfd_type ints[WSI_INTS_MAX] = { 0 };
    size_t at = 0;

    for (; at < WSI_INTS_MAX; at++) {
        ints[at] = MARK;
        if (lws_get_socket_fd((struct lws *)ints) == MARK) {
            break;
        }
        ints[at] = 0;
    }
    return at;
}

void lws_pipe_forget(struct lws *pipe)
{
    size_t at = place_find();

    if (pipe && at < WSI_INTS_MAX) {
        ((lws_sockfd_type *)pipe)[at] = LWS_SOCK_INVALID;
    } else {
        log_warning("edge_lws", "text=\"its event pipe is not where it was: a descriptor is closed twice\"");
    }
}
