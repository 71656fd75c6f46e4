#include "edge/listener/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "edge/listener/edge.h"

#define SETTLE_MS 300U
#define LOOK_MS 60000U
#define EXPIRY_TOLD_S (14 * 86400)

/* --- the files ---------------------------------------------------------------------------- */

static const char *file_of(const struct gateway_tls_files *files, size_t i)
{
    return i == 0 ? files->cert : i == 1 ? files->key : files->ca;
}

static struct cert_seen file_look(const char *path)
{
    struct stat st;

    if (!path[0] || stat(path, &st)) {
        return (struct cert_seen){ 0 };
    }
    return (struct cert_seen){ .device = st.st_dev,
                               .inode = st.st_ino,
                               .size = (uint64_t)st.st_size,
                               .changed_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec };
}

/* Takes note of how the files are; true when one of them is not as before. */
static bool files_look(struct cert *self)
{
    bool is_changed = false;

    for (size_t i = 0; i < CERT_FILES; i++) {
        struct cert_seen now = file_look(file_of(&self->files, i));
        struct cert_seen *seen = &self->seen[i];

        is_changed = is_changed || now.device != seen->device || now.inode != seen->inode || now.size != seen->size ||
                     now.changed_ns != seen->changed_ns;
        *seen = now;
    }
    return is_changed;
}

/* --- using them --------------------------------------------------------------------------- */

static void expiry_tell(const struct tls_server *server)
{
    int64_t left_s = server->expires_s - clock_wall_ms() / 1000;

    if (left_s < EXPIRY_TOLD_S) {
        log_warning("edge_tls_expires", "fingerprint=%s days=%lld", server->fingerprint, (long long)(left_s / 86400));
    }
}

static int files_use(struct edge *edge, struct config_error *error)
{
    struct cert *self = &edge->cert;
    char before[GATEWAY_TLS_FINGERPRINT_MAX];
    bool is_made = false;
    int r;

    memcpy(before, self->server.fingerprint, sizeof(before));
    if (!self->plain) {
        self->plain = malloc(LIMIT_READ);
    }
    r = self->plain ? gateway_tls_ensure(&self->files, &is_made, error) : FAULT(-ENOMEM);
    r = r ? r : tls_server_load(&self->files, &self->server, error);
    (void)files_look(self); /* what is there now is what was tried */
    if (!r && strcmp(before, self->server.fingerprint) != 0) {
        log_info("edge_tls", "fingerprint=%s cert=\"%s\"%s", self->server.fingerprint, self->files.cert,
                 is_made ? " made=true" : "");
        expiry_tell(&self->server);
    }
    return r;
}

/* True when the files are in use; else why not is told, and what was in force stays. */
static bool files_try(struct edge *edge, struct config_error *error)
{
    *error = (struct config_error){ "out of memory" };
    if (!files_use(edge, error)) {
        if (edge->cert.is_refused) {
            actor_status(edge->actor, "");
        }
        edge->cert.is_refused = false;
        return true;
    }
    edge->cert.is_refused = true;
    log_warning("edge_tls_refused", "reason=\"%s\" serving=%s", error->text,
                !edge->cert.is_on       ? "plain"
                : edge->cert.server.ctx ? "the certificate before"
                                        : "nobody");
    actor_status(edge->actor, error->text);
    return false;
}

/* --- watching them ------------------------------------------------------------------------ */

static void on_settled(uv_timer_t *timer)
{
    struct edge *edge = timer->data;
    struct config_error error;

    if (files_look(&edge->cert)) {
        (void)files_try(edge, &error); /* it has told */
    }
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct edge *edge = watch->data;

    (void)name;
    (void)events;
    (void)status; /* a watch that broke is no news; the timer looks as well */
    if (!uv_is_active((uv_handle_t *)&edge->cert.settle)) {
        (void)uv_timer_start(&edge->cert.settle, on_settled, SETTLE_MS, 0); /* fails only without a callback */
    }
}

/* Directories, since files are replaced by renaming. What cannot be watched is looked at. */
static void watches_start(struct cert *self)
{
    char path[GATEWAY_TLS_PATH_MAX];

    for (size_t i = 0; i < CERT_FILES; i++) {
        char *end;

        (void)uv_fs_event_stop(&self->watches[i]); /* it may watch nothing */
        (void)snprintf(path, sizeof(path), "%s", file_of(&self->files, i));
        end = strrchr(path, '/');
        if (path[0]) {
            *(end ? end + (end == path) : path) = '\0';
            (void)uv_fs_event_start(&self->watches[i], on_change, path[0] ? path : ".", 0);
        }
    }
    (void)uv_timer_start(&self->look, on_settled, LOOK_MS, LOOK_MS); /* fails only without a callback */
}

static void watches_stop(struct cert *self)
{
    for (size_t i = 0; i < CERT_FILES; i++) {
        (void)uv_fs_event_stop(&self->watches[i]);
    }
    (void)uv_timer_stop(&self->settle); /* none of these can fail */
    (void)uv_timer_stop(&self->look);
}

/* --- the config --------------------------------------------------------------------------- */

static const char *env_find(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static bool is_same(const struct gateway_tls_files *a, const struct gateway_tls_files *b)
{
    return a->is_enabled == b->is_enabled && a->may_be_made == b->may_be_made && !strcmp(a->cert, b->cert) &&
           !strcmp(a->key, b->key) && !strcmp(a->ca, b->ca);
}

int cert_apply(struct edge *edge, struct span gateway, struct config_error *error)
{
    struct cert *self = &edge->cert;
    struct config_lookup lookup = { .find = env_find };
    struct gateway_tls_files files;
    bool is_first = !self->has_config;
    int r = gateway_tls_resolve(gateway, lookup, &files, error);

    self->has_config = true;
    if (r) {
        self->is_on = self->is_on || is_first; /* nobody is let in plainly who was promised TLS */
        return r;
    }
    if (is_same(&files, &self->files) && !self->is_refused) {
        return 0;
    }
    self->files = files;
    if (!files.is_enabled) {
        watches_stop(self);
        self->is_on = false;
        self->is_refused = false;
        return 0;
    }
    watches_start(self);
    r = files_try(edge, error) ? 0 : GATEWAY_TLS_E_REFUSED;
    self->is_on = !r || self->is_on || is_first;
    return r;
}

/* --- life cycle --------------------------------------------------------------------------- */

void cert_init(struct edge *edge)
{
    struct cert *self = &edge->cert;
    uv_loop_t *loop = actor_loop(edge->actor);

    for (size_t i = 0; i < CERT_FILES; i++) {
        (void)uv_fs_event_init(loop, &self->watches[i]); /* none of these can fail */
        self->watches[i].data = edge;
    }
    (void)uv_timer_init(loop, &self->settle);
    (void)uv_timer_init(loop, &self->look);
    self->settle.data = edge;
    self->look.data = edge;
    self->has_handles = true;
}

void cert_close(struct edge *edge)
{
    struct cert *self = &edge->cert;

    if (!self->has_handles) {
        return;
    }
    for (size_t i = 0; i < CERT_FILES; i++) {
        uv_close((uv_handle_t *)&self->watches[i], NULL);
    }
    uv_close((uv_handle_t *)&self->settle, NULL);
    uv_close((uv_handle_t *)&self->look, NULL);
}

void cert_deinit(struct edge *edge)
{
    struct cert *self = &edge->cert;

    tls_server_deinit(&self->server);
    text_buf_deinit(&self->wire);
    free(self->plain);
    self->plain = NULL;
}
