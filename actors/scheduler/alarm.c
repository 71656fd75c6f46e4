#include "actors/scheduler/alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bus/base/fault.h"

#define NEVER_S INT64_C(253402300799) /* the year 9999: told when the clock is set until then */

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct alarm *self = poll->data;
    uint64_t expired_n;
    ssize_t len = read(self->fd, &expired_n, sizeof(expired_n));

    (void)status;
    (void)events;
    if (len < 0 && errno == EAGAIN) {
        return; /* it was set anew meanwhile */
    }
    self->on_due(self->arg, len < 0 && errno == ECANCELED);
}

int alarm_open(struct alarm *self, uv_loop_t *loop, alarm_on_due on_due, void *arg)
{
    int r;

    self->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (self->fd < 0) {
        return FAULT(-errno);
    }
    r = uv_poll_init(loop, &self->poll, self->fd);
    if (r) {
        (void)close(self->fd); /* nothing was done with it */
        return FAULT(r);
    }
    self->is_open = true;
    self->poll.data = self;
    self->on_due = on_due;
    self->arg = arg;
    r = uv_poll_start(&self->poll, UV_READABLE, on_readable);
    return r ? FAULT(r) : 0;
}

int alarm_set(struct alarm *self, int64_t at_ms)
{
    struct itimerspec spec = { .it_value = { .tv_sec = at_ms > 0 ? at_ms / 1000 : NEVER_S,
                                             .tv_nsec = at_ms > 0 ? at_ms % 1000 * 1000000 + 1 : 0 } };

    /* After a change of the clock the call fails once with ECANCELED and has armed it all the same. */
    if (timerfd_settime(self->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) && errno != ECANCELED) {
        return FAULT(-errno);
    }
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct alarm *self = handle->data;

    (void)close(self->fd); /* only ever read */
}

void alarm_close(struct alarm *self)
{
    if (self->is_open) {
        self->is_open = false;
        uv_close((uv_handle_t *)&self->poll, on_closed);
    }
}
