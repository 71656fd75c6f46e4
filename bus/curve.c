#include "bus/curve.h"

#include <czmq.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define CERT_SUFFIX ".cert"
#define META_ACTOR "actor-%zu" /* one for each, from 0: czmq reads lines of 1024 bytes at most */

void curve_pair_deinit(struct curve_pair *self)
{
    mem_wipe(self, sizeof(*self));
}

bool curve_is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < sizeof(((struct curve_peer *)NULL)->name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

bool curve_is_key(const char *text)
{
    uint8_t raw[CURVE_RAW_LEN];

    return strlen(text) == TOPOLOGY_KEY_LEN && zmq_z85_decode(raw, text);
}

/* --- files ------------------------------------------------------------------------------- */

static int dir_make(const char *path)
{
    return mkdir(path, 0700) && errno != EEXIST ? FAULT(-errno) : 0;
}

static int path_make(char out[PATH_MAX], const char *dir, const char *rest)
{
    return snprintf(out, PATH_MAX, "%s/%s", dir, rest) < PATH_MAX ? 0 : FAULT(-ENAMETOOLONG);
}

/* Makes sure that it is on the disk. */
static int path_sync(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int r = fd < 0 || fsync(fd) ? FAULT(-errno) : 0;

    if (fd >= 0) {
        (void)close(fd); /* only read from */
    }
    return r;
}

static int dir_sync_of(const char *path)
{
    char dir[PATH_MAX];
    char *slash;

    (void)snprintf(dir, sizeof(dir), "%s", path);
    slash = strrchr(dir, '/');
    if (!slash) {
        return FAULT(-EINVAL);
    }
    *slash = '\0';
    return path_sync(dir, O_DIRECTORY);
}

/* czmq reads and writes certificates; the modes are ours, whatever the process's mask is. */
static int cert_put(zcert_t *cert, const char *path, bool is_secret)
{
    char beside[PATH_MAX];
    int fd;

    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside)) {
        return FAULT(-ENAMETOOLONG);
    }
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) {
        return FAULT(-errno);
    }
    (void)close(fd); /* empty; czmq opens it anew */
    if ((is_secret ? zcert_save_secret(cert, beside) : zcert_save_public(cert, beside)) || chmod(beside, 0600) ||
        path_sync(beside, 0) || rename(beside, path)) {
        int r = FAULT(errno ? -errno : -EIO);

        (void)unlink(beside); /* of no use to anybody */
        return r;
    }
    return dir_sync_of(path);
}

/* --- our own ------------------------------------------------------------------------------- */

static bool is_file_or_absent(const char *path)
{
    struct stat info;

    return stat(path, &info) ? errno == ENOENT : S_ISREG(info.st_mode);
}

/*
 * NULL for what is no certificate. czmq looks for a file of the same name that ends in
 * "_secret" as well, and would wait for a pipe in the place of either.
 */
static zcert_t *cert_load(const char *path)
{
    char secret_path[PATH_MAX];

    if (snprintf(secret_path, sizeof(secret_path), "%s_secret", path) >= (int)sizeof(secret_path) ||
        !is_file_or_absent(path) || !is_file_or_absent(secret_path)) {
        return NULL;
    }
    return zcert_load(path);
}

int curve_load(const char *dir, struct curve_pair *ret_pair)
{
    CLEANUP(zcert_destroy) zcert_t *cert = NULL;
    char path[PATH_MAX];
    struct stat info;
    int r = path_make(path, dir, "curve.cert_secret");

    if (r) {
        return r;
    }
    if (stat(path, &info)) {
        return errno == ENOENT || errno == ENOTDIR ? CURVE_E_MISSING : FAULT(-errno);
    }
    if (info.st_mode & 077 || info.st_uid != geteuid()) {
        return CURVE_E_BAD;
    }
    cert = cert_load(path);
    if (!cert || !curve_is_key(zcert_public_txt(cert)) || !curve_is_key(zcert_secret_txt(cert)) ||
        strspn(zcert_secret_txt(cert), "0") == TOPOLOGY_KEY_LEN) {
        return CURVE_E_BAD;
    }
    memcpy(ret_pair->public_key, zcert_public_txt(cert), sizeof(ret_pair->public_key));
    memcpy(ret_pair->secret_key, zcert_secret_txt(cert), sizeof(ret_pair->secret_key));
    return 0;
}

int curve_make(const char *dir, bool is_forced, struct curve_pair *ret_pair)
{
    CLEANUP(zcert_destroy) zcert_t *cert = NULL;
    char path[PATH_MAX];
    char secret_path[PATH_MAX];
    int r = dir_make(dir);

    r = r ? r : path_make(path, dir, "curve.cert");
    r = r ? r : path_make(secret_path, dir, "curve.cert_secret");
    if (r) {
        return r;
    }
    if (!is_forced && access(secret_path, F_OK) == 0) {
        return CURVE_E_THERE;
    }
    do { /* on a command line a word with a dash in front is an option */
        zcert_destroy(&cert);
        cert = zcert_new();
    } while (cert && zcert_public_txt(cert)[0] == '-');
    if (!cert) {
        return FAULT(-ENOTSUP);
    }
    r = cert_put(cert, secret_path, true);
    r = r ? r : cert_put(cert, path, false);
    return r ? r : curve_load(dir, ret_pair);
}

/* --- the others ---------------------------------------------------------------------------- */

#define ALLOWED "allowed" /* who may join */
#define PLACES "places"   /* and what they may run, once more */

static int file_path(const char *dir, const char *folder, const char *name, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s/%s/%s" CERT_SUFFIX, dir, folder, name) < PATH_MAX ? 0 : FAULT(-ENAMETOOLONG);
}

static int peer_path(const char *dir, const char *name, char out[PATH_MAX])
{
    return file_path(dir, ALLOWED, name, out);
}

static int peer_put(const char *dir, const char *folder, const struct curve_peer *peer)
{
    CLEANUP(zcert_destroy) zcert_t *cert = NULL;
    uint8_t raw[CURVE_RAW_LEN];
    static const uint8_t none[CURVE_RAW_LEN];
    char path[PATH_MAX];
    int r = dir_make(dir);

    r = r ? r : path_make(path, dir, folder);
    r = r ? r : dir_make(path);
    r = r ? r : file_path(dir, folder, peer->name, path);
    if (r) {
        return r;
    }
    if (!zmq_z85_decode(raw, peer->public_key)) {
        return CURVE_E_BAD;
    }
    cert = zcert_new_from(raw, none);
    zcert_set_meta(cert, "name", "%s", peer->name);
    for (size_t i = 0; i < peer->actors_n; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), META_ACTOR, i);
        zcert_set_meta(cert, key, "%s", peer->actors[i]);
    }
    return cert_put(cert, path, false);
}

static int peer_remove(const char *dir, const char *folder, const char *name)
{
    char path[PATH_MAX];
    int r = file_path(dir, folder, name, path);

    if (r) {
        return r;
    }
    if (unlink(path)) {
        return errno == ENOENT || errno == ENOTDIR ? CURVE_E_MISSING : FAULT(-errno);
    }
    return dir_sync_of(path);
}

int curve_allow(const char *dir, const struct curve_peer *peer)
{
    int r = curve_keep(dir, peer);

    return r ? r : peer_put(dir, ALLOWED, peer);
}

int curve_deny(const char *dir, const char *name)
{
    int r = peer_remove(dir, ALLOWED, name);

    (void)curve_forget(dir, name); /* says nothing while nobody has that name */
    return r;
}

/* False when what stands there is none, or there is more than one may be allowed. */
static bool actors_read(zcert_t *cert, struct curve_peer *peer)
{
    struct topology_error error;
    char key[32];

    for (;; peer->actors_n++) {
        (void)snprintf(key, sizeof(key), META_ACTOR, peer->actors_n);
        const char *pattern = zcert_meta(cert, key);
        if (!pattern) {
            return true;
        }
        if (peer->actors_n == TOPOLOGY_GUEST_ACTORS_MAX || topology_guest_pattern(pattern, &error)) {
            return false;
        }
        (void)snprintf(peer->actors[peer->actors_n], sizeof(peer->actors[0]), "%s", pattern);
    }
}

/* False for a file that names nobody; without a key when there is none in it. */
static bool peer_read(const char *dir, const char *folder, const char *file, struct curve_peer *ret_peer)
{
    CLEANUP(zcert_destroy) zcert_t *cert = NULL;
    char path[PATH_MAX];
    size_t len = strlen(file);
    size_t suffix = sizeof(CERT_SUFFIX) - 1;

    *ret_peer = (struct curve_peer){ 0 };
    if (len <= suffix || len - suffix >= sizeof(ret_peer->name) || strcmp(file + len - suffix, CERT_SUFFIX) != 0) {
        return false;
    }
    memcpy(ret_peer->name, file, len - suffix);
    if (!curve_is_name(ret_peer->name) || file_path(dir, folder, ret_peer->name, path)) {
        return false;
    }
    cert = cert_load(path);
    if (!cert || !curve_is_key(zcert_public_txt(cert)) || !actors_read(cert, ret_peer)) {
        ret_peer->actors_n = 0;
        return true;
    }
    memcpy(ret_peer->public_key, zcert_public_txt(cert), sizeof(ret_peer->public_key));
    return true;
}

int curve_each(const char *dir, bool (*on)(void *arg, const struct curve_peer *peer), void *arg)
{
    char path[PATH_MAX];
    struct curve_peer peer;
    int r = path_make(path, dir, ALLOWED);
    DIR *files = r ? NULL : opendir(path);

    if (!files) {
        return r ? r : errno == ENOENT || errno == ENOTDIR ? 0 : FAULT(-errno);
    }
    for (struct dirent *file = readdir(files); file; file = readdir(files)) {
        if (peer_read(dir, ALLOWED, file->d_name, &peer) && !on(arg, &peer)) {
            break;
        }
    }
    (void)closedir(files); /* only read from */
    return 0;
}

int curve_get(const char *dir, const char *name, struct curve_peer *ret_peer)
{
    char file[sizeof(ret_peer->name) + sizeof(CERT_SUFFIX)];
    char path[PATH_MAX];
    int r = peer_path(dir, name, path);

    if (r) {
        return r;
    }
    if (access(path, F_OK)) {
        return errno == ENOENT || errno == ENOTDIR ? CURVE_E_MISSING : FAULT(-errno);
    }
    (void)snprintf(file, sizeof(file), "%.31s" CERT_SUFFIX, name);
    return peer_read(dir, ALLOWED, file, ret_peer) ? 0 : CURVE_E_BAD;
}

/* --- kept --------------------------------------------------------------------------------- */

void curve_kept(const char *dir, const char *name, struct curve_peer *ret_peer)
{
    char file[CURVE_NAME_MAX + sizeof(CERT_SUFFIX)];

    (void)snprintf(file, sizeof(file), "%.31s" CERT_SUFFIX, name);
    if (!peer_read(dir, PLACES, file, ret_peer) || !ret_peer->public_key[0]) {
        *ret_peer = (struct curve_peer){ 0 };
    }
}

static bool is_kept(const char *dir, const struct curve_peer *peer)
{
    CLEANUP(mem_free) struct curve_peer *kept = mem_new(sizeof(*kept));
    bool is_same;

    curve_kept(dir, peer->name, kept);
    is_same = kept->actors_n == peer->actors_n;
    for (size_t i = 0; i < peer->actors_n && is_same; i++) {
        is_same = strcmp(kept->actors[i], peer->actors[i]) == 0;
    }
    return is_same;
}

int curve_keep(const char *dir, const struct curve_peer *peer)
{
    int r = 0;

    if (peer->actors_n) {
        return is_kept(dir, peer) ? 0 : peer_put(dir, PLACES, peer);
    }
    r = curve_forget(dir, peer->name);
    return r == CURVE_E_MISSING ? 0 : r;
}

int curve_forget(const char *dir, const char *name)
{
    return peer_remove(dir, PLACES, name);
}

/* --- as a list ---------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct curve_peer *)a)->name, ((const struct curve_peer *)b)->name);
}

/* Of more than there is room for those stay that come first by name, however the directory has them. */
static bool on_listed(void *arg, const struct curve_peer *peer)
{
    struct curve_list *list = arg;

    if (list->n == CURVE_PEERS_MAX) {
        qsort(list->peers, list->n, sizeof(*peer), by_name);
        if (by_name(peer, &list->peers[list->n - 1]) >= 0) {
            return true;
        }
        list->n--;
    }
    list->peers[list->n++] = *peer;
    return true;
}

int curve_list_read(const char *dir, struct curve_list *ret_list)
{
    *ret_list = (struct curve_list){ .peers = mem_new(CURVE_PEERS_MAX * sizeof(*ret_list->peers)) };
    int r = curve_each(dir, on_listed, ret_list);

    qsort(ret_list->peers, ret_list->n, sizeof(*ret_list->peers), by_name);
    return r;
}

void curve_list_deinit(struct curve_list *self)
{
    free(self->peers);
    *self = (struct curve_list){ 0 };
}

const char *curve_list_twin(const struct curve_list *self, size_t i)
{
    const char *key = self->peers[i].public_key;

    for (size_t k = 0; k < i && key[0]; k++) {
        if (strcmp(self->peers[k].public_key, key) == 0) {
            return self->peers[k].name;
        }
    }
    return NULL;
}

void curve_twin_explain(const char *name, const char *twin, char *out, size_t cap)
{
    (void)snprintf(out, cap,
                   "bus/" ALLOWED "/%s" CERT_SUFFIX " has the same key as bus/" ALLOWED "/%s" CERT_SUFFIX
                   ", and a key has one name, \"%s\"; take one of them back: openclaw bus deny NAME",
                   name, twin, twin);
}

/* --- asked --------------------------------------------------------------------------------- */

bool curve_is_denied(const char *dir, const char *name, const char *public_key, bool is_for_actors)
{
    struct curve_peer peer = { .name = "" };
    char path[PATH_MAX];
    int r = curve_get(dir, name, &peer);

    if (r == CURVE_E_MISSING) {
        return path_make(path, dir, ALLOWED) == 0 && access(path, F_OK) == 0;
    }
    if (r || !peer.public_key[0]) {
        return false;
    }
    return (public_key && strcmp(peer.public_key, public_key) != 0) || (is_for_actors && peer.actors_n == 0);
}

struct search {
    const char *public_key;
    struct curve_peer *found;
    bool is_found;
};

static bool on_peer(void *arg, const struct curve_peer *peer)
{
    struct search *search = arg;

    if (strcmp(peer->public_key, search->public_key) == 0 &&
        (!search->is_found || strcmp(peer->name, search->found->name) < 0)) {
        *search->found = *peer;
        search->is_found = true;
    }
    return true;
}

bool curve_find(const char *dir, const char *public_key, struct curve_peer *ret_peer)
{
    struct search search = { .public_key = public_key, .found = ret_peer };

    return curve_each(dir, on_peer, &search) == 0 && search.is_found;
}
