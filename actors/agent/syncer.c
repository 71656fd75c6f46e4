#include "actors/agent/syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

#define STACK_BYTES 262144U

int syncer_now(const struct syncer *self)
{
    /* Opened each time: SQLite may have made another file of that name since. */
    CLEANUP(fd_close) int fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 || fdatasync(fd) ? -errno : 0;
}

static void thread_run(void *arg)
{
    struct syncer *self = arg;

    for (;;) {
        uv_sem_wait(&self->asked);
        if (atomic_load(&self->is_ending)) {
            return;
        }
        atomic_store(&self->rc, syncer_now(self));
        (void)uv_async_send(&self->done); /* always 0 */
    }
}

static void on_done(uv_async_t *done)
{
    struct syncer *self = done->data;

    self->is_busy = false;
    self->on_synced(self->arg, atomic_load(&self->rc));
}

int syncer_open(struct syncer *self, uv_loop_t *loop)
{
    int rc = uv_sem_init(&self->asked, 0);

    if (rc) {
        return FAULT(rc);
    }
    rc = uv_async_init(loop, &self->done, on_done);
    if (rc) {
        uv_sem_destroy(&self->asked);
        return FAULT(rc);
    }
    self->done.data = self;
    self->is_open = true;
    return 0;
}

int syncer_ask(struct syncer *self)
{
    if (!self->has_thread) {
        uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK_BYTES };
        int rc = uv_thread_create_ex(&self->thread, &options, thread_run, self);

        if (rc) {
            return FAULT(rc);
        }
        self->has_thread = true;
    }
    self->is_busy = true;
    uv_sem_post(&self->asked);
    return 0;
}

void syncer_close(struct syncer *self)
{
    if (!self->is_open) {
        return;
    }
    if (self->has_thread) {
        atomic_store(&self->is_ending, true);
        uv_sem_post(&self->asked);
        (void)uv_thread_join(&self->thread); /* fails for no thread only */
    }
    uv_sem_destroy(&self->asked);
    uv_close((uv_handle_t *)&self->done, NULL);
    self->is_open = false;
}
