#include "actors/config/rotation.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/config/internal.h"
#include "actors/config/reload.h"
#include "bus/value.h"
#include "schema/base/secret_path.h"

static void set_watch(struct watch *watch, const struct secret_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct secret_entry *entry = &set->items[i];
        struct span provider = secret_provider_entry(set->doc, entry->ref.provider);
        char path[PATH_MAX];

        if (entry->is_active && entry->ref.source == SECRET_SOURCE_FILE &&
            secret_path_expand(value_str(value_get(provider, "path"), SPAN_LIT("")), secret_path_home(), path) &&
            path[0] == '/') {
            watch_add(watch, path);
        }
    }
}

/* Where the directory of a file is not there yet, it is watched for what would be the way to it. */
static void file_watch(struct watch *watch, const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
        return;
    }
    for (char *slash = strrchr(path, '/'); slash && slash > path; slash = strrchr(path, '/')) {
        *slash = '\0';
        bool is_there = !stat(path, &st) && S_ISDIR(st.st_mode);
        *slash = '/';
        if (is_there) {
            break;
        }
        *slash = '\0';
    }
    watch_add(watch, path);
}

static void profiles_watch(struct watch *watch, const struct profiles *profiles)
{
    for (size_t i = 0; i < profiles->n; i++) {
        file_watch(watch, profiles->items[i].dir, "auth-profiles.json");
        file_watch(watch, profiles->items[i].dir, "auth-state.json");
    }
}

void rotation_follow(struct config *self)
{
    struct watch *watch = &self->rotation.watch;
    const struct secret_set *fresh = self->activation.set;

    watch_begin(watch);
    set_watch(watch, &self->snapshot.secrets);
    profiles_watch(watch, &self->snapshot.secrets.profiles);
    if (fresh && fresh != &self->snapshot.secrets) {
        set_watch(watch, fresh);
        profiles_watch(watch, &fresh->profiles);
    }
    watch_end(watch);
}

static void on_change(void *arg)
{
    struct config *self = arg;

    if (reload_is_off(self)) {
        self->rotation.is_newer = true;
        config_status_tell(self);
        return;
    }
    log_info("secrets_file_changed", "version=%llu", (unsigned long long)self->version);
    int r = activation_renew(self);
    if (r < 0) {
        (void)actor_fault(self->actor, r);
    }
}

int rotation_open(struct config *self)
{
    return watch_open(&self->rotation.watch, actor_loop(self->actor), on_change, self);
}

void rotation_close(struct config *self)
{
    watch_close(&self->rotation.watch);
}
