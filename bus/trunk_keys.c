/*
 * trunk_keys: hears when the list of who may join changes, lets go of who may not any more, and has the guests looked
 * at. The directory itself may be moved away and another one put in its place, so it is looked at now and then, too.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/trunk_hub_internal.h"

#define KEYS_DIR "allowed"
#define KEYS_SETTLE_MS 20U
#define KEY_DENIED "its key was denied"

static void peer_check(struct hub_peer *peer)
{
    if (!peer->relay || !curve_is_denied(peer->hub->opts.keys_dir, peer->host->name, peer->key, false)) {
        return;
    }
    log_warning("trunk_denied", "host=%s why=\"its key is not allowed any more\"", peer->host->name);
    trunk_hub_end(peer->hub, peer->host->name, TRUNK_NO_DENIED, TRUNK_HUB_DENIED, KEY_DENIED);
}

static void on_keys_settled(uv_timer_t *timer)
{
    struct trunk_hub *self = timer->data;

    for (size_t i = 0; i < self->peers_n; i++) {
        peer_check(&self->peers[i]);
    }
    self->opts.on_list(self->opts.arg);
}

/* Each file brings several changes, and each look reads all files. */
static void look_soon(struct trunk_hub *self)
{
    if (!uv_is_active((uv_handle_t *)&self->keys_settle)) {
        (void)uv_timer_start(&self->keys_settle, on_keys_settled, KEYS_SETTLE_MS,
                             0); /* fails only without a callback */
    }
}

static void on_keys(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct trunk_hub *self = event->data;

    (void)events;
    (void)status;
    if (name && strcmp(name, KEYS_DIR) == 0) {
        self->keys_inode = 0; /* it is the directory itself: moved, removed, or made accessible */
        trunk_hub_keys_look(self);
    }
    look_soon(self);
}

static int path_of(const struct trunk_hub *self, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/" KEYS_DIR, self->opts.keys_dir) < PATH_MAX ? 0 : FAULT(-ENAMETOOLONG);
}

/* Watches what is at that path now. */
static int watch_begin(struct trunk_hub *self, const char *path, const struct stat *info)
{
    (void)uv_fs_event_stop(&self->keys); /* cannot fail */
    int r = uv_fs_event_start(&self->keys, on_keys, path, 0);

    self->keys_inode = r ? 0 : (uint64_t)info->st_ino;
    self->keys_device = (uint64_t)info->st_dev;
    return r ? FAULT(r) : 0;
}

void trunk_hub_keys_look(struct trunk_hub *self)
{
    char path[PATH_MAX];
    struct stat info;

    if (path_of(self, path) || stat(path, &info)) {
        self->keys_inode = 0; /* whatever comes in its place is another one, be its number the same */
        return;
    }
    if (self->keys_inode == (uint64_t)info.st_ino && self->keys_device == (uint64_t)info.st_dev) {
        return;
    }
    if (watch_begin(self, path, &info) == 0) { /* else it is tried again with the next look */
        log_info("trunk_keys_watched", "path=%s", path);
        look_soon(self);
    }
}

int trunk_hub_keys_watch(struct trunk_hub *self)
{
    char path[PATH_MAX];
    struct stat info;
    int r = path_of(self, path);

    if (r) {
        return r;
    }
    if ((mkdir(path, 0700) && errno != EEXIST) || stat(path, &info)) {
        return FAULT(-errno);
    }
    r = uv_fs_event_init(self->opts.loop, &self->keys);
    if (r) {
        return FAULT(r);
    }
    (void)uv_timer_init(self->opts.loop, &self->keys_settle); /* cannot fail */
    self->keys.data = self;
    self->keys_settle.data = self;
    return watch_begin(self, path, &info);
}
