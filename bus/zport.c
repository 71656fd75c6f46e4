#include "bus/zport.h"

#include "bus/base/fault.h"

static void turn(struct zport *self)
{
    if (self->is_paused || !self->on_turn(self->arg)) {
        (void)uv_idle_stop(&self->idle); /* cannot fail */
    } else {
        zport_kick(self);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    turn(poll->data);
}

static void on_idle(uv_idle_t *idle)
{
    turn(idle->data);
}

int zport_open(struct zport *self, uv_loop_t *loop, zsock_t **sock_p, bool (*on_turn)(void *arg), void *arg)
{
    *self = (struct zport){ .sock = *sock_p, .raw = zsock_resolve(*sock_p), .on_turn = on_turn, .arg = arg };
    *sock_p = NULL;
    int r = uv_poll_init(loop, &self->poll, zsock_fd(self->sock));
    if (r) {
        zsock_destroy(&self->sock);
        return FAULT(r);
    }
    (void)uv_idle_init(loop, &self->idle); /* cannot fail */
    self->handles_n = 2;
    self->poll.data = self;
    self->idle.data = self;
    r = uv_poll_start(&self->poll, UV_READABLE, on_readable);
    zport_kick(self); /* what came before has had its edge */
    return r ? FAULT(r) : 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct zport *self = handle->data;

    if (--self->handles_n == 0) {
        zsock_destroy(&self->sock);
        self->raw = NULL;
        if (self->on_closed) {
            self->on_closed(self->arg); /* self may be gone from here on */
        }
    }
}

void zport_close(struct zport *self, void (*on_closed)(void *arg))
{
    self->on_closed = on_closed;
    if (!self->handles_n) {
        if (on_closed) {
            on_closed(self->arg);
        }
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&self->poll)) {
        uv_close((uv_handle_t *)&self->poll, on_handle_closed);
        uv_close((uv_handle_t *)&self->idle, on_handle_closed);
    }
}

void zport_kick(struct zport *self)
{
    if (!uv_is_closing((uv_handle_t *)&self->idle)) {
        (void)uv_idle_start(&self->idle, on_idle); /* fails only without a callback */
    }
}

void zport_pause(struct zport *self, bool is_paused)
{
    bool was_paused = self->is_paused;

    self->is_paused = is_paused;
    if (was_paused && !is_paused) {
        zport_kick(self);
    }
}
