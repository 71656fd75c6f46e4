#include "edge/cli/gateway_claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/lock.h"
#include "bus/value.h"
#include "edge/cli/gateway_handover.h"
#include "schema/base/agent_id.h"
#include "schema/base/agent_workspace.h"
#include "schema/base/config_document.h"

#define STATE_LOCK "/gateway.lock"
#define PROFILE_PREFIX "/.openclaw-"

static const struct span nothing = { "", 0 };

static void file_close(FILE **file)
{
    if (*file) {
        (void)fclose(*file); /* only read from */
    }
}

static void dir_close(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir); /* only read from */
    }
}

/* --- who holds it --------------------------------------------------------------------------- */

/* It has the lock of its state directory open. */
void gateway_claim_state_of(pid_t pid, char ret_path[PATH_MAX])
{
    const struct dirent *entry;
    char path[64];

    ret_path[0] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    CLEANUP(dir_close) DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): this stream is ours alone */
        char target[PATH_MAX];
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        size_t tail = sizeof(STATE_LOCK) - 1;

        if (len > (ssize_t)tail && strncmp(target + len - tail, STATE_LOCK, tail) == 0) {
            (void)snprintf(ret_path, PATH_MAX, "%.*s", (int)(len - (ssize_t)tail), target);
            return;
        }
    }
}

const char *gateway_claim_profile_of(const char *state_dir)
{
    const char *name = strrchr(state_dir, '/');

    return name && strncmp(name, PROFILE_PREFIX, sizeof(PROFILE_PREFIX) - 1) == 0 ? name + sizeof(PROFILE_PREFIX) - 1
                                                                                  : NULL;
}

void gateway_claim_owner_text(pid_t pid, char *out, size_t size)
{
    char state[PATH_MAX];

    gateway_claim_state_of(pid, state);
    const char *profile = gateway_claim_profile_of(state);
    if (!state[0]) {
        (void)snprintf(out, size, "pid %d", (int)pid);
    } else if (profile) {
        (void)snprintf(out, size, "pid %d, state directory %s, --profile %s", (int)pid, state, profile);
    } else {
        (void)snprintf(out, size, "pid %d, state directory %s", (int)pid, state);
    }
}

/* Whose lock is on this inode; 0 when the kernel does not say. */
static pid_t holder_of(int fd)
{
    CLEANUP(file_close) FILE *file = fopen("/proc/locks", "re");
    struct stat st;
    char line[256];

    while (file && fstat(fd, &st) == 0 && fgets(line, sizeof(line), file)) {
        unsigned major_nr;
        unsigned minor_nr;
        unsigned long long inode;
        int pid;

        if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%llu", &pid, &major_nr, &minor_nr, &inode) == 4 &&
            inode == st.st_ino && makedev(major_nr, minor_nr) == st.st_dev) {
            return pid;
        }
    }
    return 0;
}

pid_t gateway_claim_holder(const char *path)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 ? holder_of(fd) : 0;
}

/* --- claims ------------------------------------------------------------------------------------ */

static int refuse(struct gateway_claim_error *error, const char *what, const char *path, pid_t pid, const char *fix)
{
    char owner[PATH_MAX + 128];

    gateway_claim_owner_text(pid, owner, sizeof(owner));
    (void)snprintf(error->what, sizeof(error->what), "another gateway (%s) uses the %s %s",
                   pid > 0 ? owner : "its pid cannot be seen from here", what, path);
    (void)snprintf(error->fix, sizeof(error->fix), "%s", fix);
    return GATEWAY_CLAIM_E_HELD;
}

static void keep(struct gateway_claims *self, int fd)
{
    if (self->fds_n < GATEWAY_CLAIMS_MAX) {
        self->fds[self->fds_n++] = fd;
    } else {
        (void)close(fd); /* nobody has so many */
    }
}

static int config_claim(struct gateway_claims *self, const char *config_path, struct gateway_handover *left,
                        struct gateway_claim_error *error)
{
    char real[PATH_MAX];
    char path[PATH_MAX + 8];
    pid_t holder = 0;
    int fd = -1;
    int r;

    if (!realpath(config_path, real)) {
        return 0; /* there is none to share */
    }
    (void)snprintf(path, sizeof(path), "%s.lock", real);
    fd = gateway_handover_file(left, path);
    if (fd >= 0) {
        keep(self, fd);
        return 0;
    }
    r = lock_take(path, &fd, &holder);
    if (r == LOCK_E_HELD) {
        return refuse(error, "config file", real, holder,
                      "give this one a config of its own with --profile or OPENCLAW_CONFIG_PATH");
    }
    if (r == 0) {
        keep(self, fd);
    }
    return 0; /* where no lock can be made nobody can write the config either */
}

static bool is_claimed(const struct gateway_claims *self, int fd)
{
    struct stat st;
    struct stat other;

    for (size_t i = 0; i < self->fds_n && fstat(fd, &st) == 0; i++) {
        if (fstat(self->fds[i], &other) == 0 && other.st_ino == st.st_ino && other.st_dev == st.st_dev) {
            return true;
        }
    }
    return false;
}

static int workspace_claim(struct gateway_claims *self, const char *path, struct gateway_handover *left,
                           struct gateway_claim_error *error)
{
    CLEANUP(fd_close) int fd = gateway_handover_file(left, path);

    if (fd >= 0) {
        keep(self, fd);
        fd = -1; /* kept */
        return 0;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || is_claimed(self, fd)) {
        return 0; /* it is made later, or two agents of ours share it, which is our own affair */
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        return errno == EWOULDBLOCK
                   ? refuse(error, "workspace", path, holder_of(fd),
                            "give the agents of this one a workspace of their own: agents.defaults.workspace")
                   : 0; /* a file system without locks */
    }
    keep(self, fd);
    fd = -1; /* kept */
    return 0;
}

/* --- which workspaces -------------------------------------------------------------------------- */

/* Where the claims come from, and go to. */
struct claiming {
    struct gateway_claims *claims;
    struct gateway_handover *left;
    struct gateway_claim_error *error;
};

static int agent_claim(const struct claiming *self, struct span entry, struct span shared, bool is_default)
{
    char id[AGENT_ID_MAX + 1];

    if (!agent_id_normalize(value_str(value_get(entry, "id"), SPAN_LIT("main")), id)) {
        return 0; /* the config actor says what is wrong with it */
    }
    CLEANUP(mem_free)
    char *path = agent_workspace(value_str(value_get(entry, "workspace"), nothing), shared, id, is_default);
    return workspace_claim(self->claims, path, self->left, self->error);
}

/* The first marked as the default one is it, else the first. */
static size_t default_at(struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span entry;

    for (size_t i = 0; value_next(&it, &key, &entry); i++) {
        if (value_bool(value_get(entry, "default"), false)) {
            return i;
        }
    }
    return 0;
}

static int agents_claim(const struct claiming *self, struct span agents)
{
    struct span shared = value_str(value_path(agents, "defaults.workspace"), nothing);
    struct span list = value_get(agents, "list");
    struct value_iter it = value_iter(list);
    size_t chosen = default_at(list);
    struct span key;
    struct span entry;
    int r = 0;

    if (value_count(list) == 0) {
        return agent_claim(self, nothing, shared, true);
    }
    for (size_t i = 0; !r && value_next(&it, &key, &entry); i++) {
        r = agent_claim(self, entry, shared, i == chosen);
    }
    return r;
}

int gateway_claim_all(struct gateway_claims *self, const char *config_path, struct gateway_handover *left,
                      struct gateway_claim_error *error)
{
    const struct claiming claiming = { .claims = self, .left = left, .error = error };
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error ignored;
    int r = config_claim(self, config_path, left, error);

    config_document_init(&document);
    if (r || config_document_load(&document, config_path, config_lookup_process(), &ignored)) {
        return r; /* a config that cannot be read has been refused already */
    }
    return agents_claim(&claiming, document.is_present ? value_get(pack_span(&document.resolved), "agents") : nothing);
}

void gateway_claims_deinit(struct gateway_claims *self)
{
    while (self->fds_n) {
        (void)close(self->fds[--self->fds_n]); /* the kernel gives the lock back */
    }
}
