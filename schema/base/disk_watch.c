#include "schema/base/disk_watch.h"

#include <stdio.h>
#include <sys/statvfs.h>

#define PROBE_MS 1000U /* only while it fails */
#define ROOM_BYTES (256U * 1024U)

/* A small write may still fit where the next one will not, so there has to be some room as well. */
static bool has_room(const struct disk_watch *self)
{
    struct statvfs disk;

    return statvfs(self->path, &disk) || (uint64_t)disk.f_bavail * disk.f_frsize >= ROOM_BYTES;
}

static void on_probe(uv_timer_t *timer)
{
    struct disk_watch *self = timer->data;

    if (!has_room(self) || self->probe(self->arg)) {
        return;
    }
    self->is_failing = false;
    (void)uv_timer_stop(&self->timer);
    log_info("store_recovered", "file=%s", self->path);
    actor_status(self->actor, "");
    if (self->on_over) {
        self->on_over(self->arg);
    }
}

void disk_watch_open(struct disk_watch *self, struct actor *actor, const char *path, int (*probe)(void *arg), void *arg)
{
    *self = (struct disk_watch){ .actor = actor, .probe = probe, .arg = arg, .is_open = true };
    (void)snprintf(self->path, sizeof(self->path), "%s", path);
    (void)uv_timer_init(actor_loop(actor), &self->timer); /* cannot fail */
    self->timer.data = self;
}

void disk_watch_close(struct disk_watch *self)
{
    if (self->is_open) {
        self->is_open = false;
        uv_close((uv_handle_t *)&self->timer, NULL);
    }
}

void disk_watch_refused(struct disk_watch *self)
{
    char text[PATH_MAX + 64];

    if (!self->is_open || self->is_failing) {
        return;
    }
    self->is_failing = true;
    log_error(
        "store_failing",
        "file=%s fix=\"make room, check the disk, or end what holds the file locked; it is tried again by itself\"",
        self->path);
    (void)snprintf(text, sizeof(text), "the disk is full or failing, or the file is locked (%.200s)", self->path);
    actor_status(self->actor, text);
    (void)uv_timer_start(&self->timer, on_probe, PROBE_MS, PROBE_MS); /* fails only without a callback */
}
