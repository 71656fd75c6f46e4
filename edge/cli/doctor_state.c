/*
 * doctor_state: directories, files and who may read them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "edge/cli/cli_out.h"
#include "edge/cli/doctor.h"
#include "schema/base/db_check.h"

#define ROOM_LEAST (64ULL << 20)
#define LINE_MAX_MOUNT 4096

/* --- repairs ------------------------------------------------------------------------------------------- */

static int failed(const struct doctor_finding *finding, const char *what)
{
    cli_err("cannot %s %s: %s", what, finding->path, strerror(errno)); /* NOLINT(concurrency-mt-unsafe): one thread */
    return CLI_EXIT_FAILED;
}

/* Closes it; errno stays. */
static void quietly_close(int fd)
{
    int number = errno;

    (void)close(fd); /* nothing was written */
    errno = number;
}

/* The directory that holds what `path` names, and its name there; no link below the state directory is passed. */
static int parent_open(const char *state_dir, const char *path, const char **ret_name)
{
    size_t len = strlen(state_dir);
    bool is_inside = strncmp(path, state_dir, len) == 0 && path[len] == '/';
    int dir = is_inside ? open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
    const char *at = is_inside ? path + len + 1 : path;
    const char *slash;
    char name[NAME_MAX + 1];

    while (is_inside && dir >= 0 && (slash = strchr(at, '/'))) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)(slash - at), at);
        int next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        quietly_close(dir);
        dir = next;
        at = slash + 1;
    }
    *ret_name = at;
    return dir;
}

static int place_open(const struct doctor *self, const char *path, int flags)
{
    const char *name;
    int dir = parent_open(self->cli->paths.state_dir, path, &name);

    if (dir == -1) {
        return -1;
    }
    int fd = openat(dir, name, flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (dir != AT_FDCWD) {
        quietly_close(dir);
    }
    return fd;
}

/* Takes access away from others, adds nothing, follows no link, and touches only what is ours. */
static int tighten(struct doctor *self, const struct doctor_finding *finding)
{
    int fd = place_open(self, finding->path, 0);
    struct stat st;

    if (fd < 0) {
        return failed(finding, "open");
    }
    int r = fstat(fd, &st);
    if (!r && st.st_uid != geteuid()) {
        errno = EPERM;
        r = -1;
    }
    if (!r && S_ISREG(st.st_mode) && st.st_nlink != 1) { /* its other name may lie anywhere */
        errno = EMLINK;
        r = -1;
    }
    r = r ? r : fchmod(fd, st.st_mode & finding->mode);
    quietly_close(fd);
    return r ? failed(finding, "change the mode of") : CLI_EXIT_OK;
}

static int directory_make(struct doctor *self, const struct doctor_finding *finding)
{
    (void)self;
    return mkdir(finding->path, 0700) && errno != EEXIST ? failed(finding, "make") : CLI_EXIT_OK;
}

/* --- modes ------------------------------------------------------------------------------------------------ */

static void mode_look(struct doctor *self, const char *path, mode_t allowed)
{
    struct doctor_finding *finding;
    struct stat st;

    if (lstat(path, &st) || S_ISLNK(st.st_mode) || !(st.st_mode & 0777 & ~allowed)) {
        return;
    }
    finding = doctor_add(self, "state", DOCTOR_WARNING, "%s can be reached by other users: its mode is %04o", path,
                         (unsigned)(st.st_mode & 07777));
    (void)snprintf(finding->path, sizeof(finding->path), "%s", path);
    if (st.st_uid != geteuid()) {
        doctor_fix_say(finding, "it belongs to user %u: `chown` it, then run this again", (unsigned)st.st_uid);
        return;
    }
    if (S_ISREG(st.st_mode) && st.st_nlink != 1) {
        doctor_fix_say(finding,
                       "it has %lu names (`find / -inum %llu`), and all of them would change: `chmod` it, or put a "
                       "copy in its place",
                       (unsigned long)st.st_nlink, (unsigned long long)st.st_ino);
        return;
    }
    finding->mode = (st.st_mode & S_ISVTX) | allowed;
    finding->repair = tighten;
    doctor_fix_say(finding, "change its mode to %04o", (unsigned)(st.st_mode & allowed));
}

/* NULL when it is a link, lies behind one, or is not ours. */
static DIR *directory_open(const struct doctor *self, const char *path)
{
    int fd = place_open(self, path, O_DIRECTORY);
    struct stat st;
    DIR *all = fd >= 0 && !fstat(fd, &st) && st.st_uid == geteuid() ? fdopendir(fd) : NULL;

    if (!all && fd >= 0) {
        quietly_close(fd);
    }
    return all;
}

/* What lies in a directory that holds secrets, two levels deep. */
static void tree_look(struct doctor *self, const char *path, unsigned depth)
{
    DIR *all = directory_open(self, path);
    const struct dirent *entry;
    char inner[PATH_MAX];
    struct stat st;

    mode_look(self, path, 0700);
    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (entry->d_name[0] == '.' ||
            snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= (int)sizeof(inner) ||
            fstatat(dirfd(all), entry->d_name, &st, AT_SYMLINK_NOFOLLOW)) {
            continue;
        }
        if (S_ISDIR(st.st_mode) && depth) {
            tree_look(self, inner, depth - 1);
        } else if (S_ISREG(st.st_mode)) {
            mode_look(self, inner, 0600);
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

static bool is_copy_of_config(const char *name)
{
    static const char *const words[] = { ".bak", ".last-good", ".rejected.", ".clobbered." };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(name, words[i])) {
            return true;
        }
    }
    return false;
}

/* Copies that were put aside tell of trouble that somebody may want to look at. */
static void copies_look(struct doctor *self)
{
    const char *dir = self->cli->paths.state_dir;
    DIR *all = opendir(dir);
    const struct dirent *entry;
    unsigned aside = 0;
    char path[PATH_MAX];

    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (is_copy_of_config(entry->d_name) &&
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < (int)sizeof(path)) {
            mode_look(self, path, 0600);
            aside += strstr(entry->d_name, ".rejected.") || strstr(entry->d_name, ".clobbered.");
        }
    }
    if (all) {
        (void)closedir(all);
    }
    if (aside) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_NOTE,
                                  "%u texts that were refused or replaced lie beside the config", aside),
                       "look at %s.rejected.* and .clobbered.*; delete what you no longer want",
                       self->cli->paths.config_path);
    }
}

/* What agents keep of credentials; the rest of their directories is no secret. */
static void agents_look(struct doctor *self)
{
    static const char *const files[] = { "auth-profiles.json", "auth-state.json", "models.json", "auth.json" };
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%.4000s/agents", self->cli->paths.state_dir);
    DIR *all = directory_open(self, path);
    const struct dirent *entry;

    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        for (size_t i = 0; entry->d_name[0] != '.' && i < sizeof(files) / sizeof(files[0]); i++) {
            if (snprintf(path, sizeof(path), "%s/agents/%s/agent/%s", self->cli->paths.state_dir, entry->d_name,
                         files[i]) < (int)sizeof(path)) {
                mode_look(self, path, 0600);
            }
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

static void kind_look(struct doctor *self, const char *path)
{
    struct stat st;

    if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
        struct doctor_finding *finding =
            doctor_add(self, "state", DOCTOR_PROBLEM, "%s is no regular file, and cannot be read", path);
        doctor_fix_say(finding, "remove it, then run this again");
    }
}

static void modes_look(struct doctor *self)
{
    static const char *const trees[] = { "credentials", "identity", "devices", "nodes", "db", "secrets" };
    static const char *const files[] = { ".env", "exec-approvals.json", "secrets.json" };
    char path[PATH_MAX];

    mode_look(self, self->cli->paths.state_dir, 0700);
    mode_look(self, self->cli->paths.config_path, 0600);
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", self->cli->paths.state_dir, trees[i]) < (int)sizeof(path)) {
            tree_look(self, path, 1);
        }
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", self->cli->paths.state_dir, files[i]) < (int)sizeof(path)) {
            kind_look(self, path);
            mode_look(self, path, 0600);
        }
    }
    agents_look(self);
    copies_look(self);
}

/* --- the directory itself ------------------------------------------------------------------------------------ */

static bool directory_look(struct doctor *self)
{
    const char *path = self->cli->paths.state_dir;
    struct doctor_finding *finding;
    struct stat st;

    if (stat(path, &st)) {
        int number = errno;

        finding = doctor_add(self, "state", DOCTOR_PROBLEM, "the state directory %s is not there: %s", path,
                             strerror(number)); /* NOLINT(concurrency-mt-unsafe): one thread */
        (void)snprintf(finding->path, sizeof(finding->path), "%s", path);
        finding->repair = number == ENOENT ? directory_make : NULL;
        doctor_fix_say(finding,
                       "make it, empty; what was in it is not brought back. `openclaw setup` makes a config too");
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        doctor_fix_say(doctor_add(self, "state", DOCTOR_PROBLEM, "%s is no directory", path),
                       "move it away, or name another place with OPENCLAW_STATE_DIR");
        return false;
    }
    if (st.st_uid != geteuid() || access(path, R_OK | W_OK | X_OK)) {
        doctor_fix_say(doctor_add(self, "state", DOCTOR_PROBLEM,
                                  "user %u cannot write the state directory %s, which belongs to user %u",
                                  (unsigned)geteuid(), path, (unsigned)st.st_uid),
                       "`chown -R %u %s`, or run as its owner", (unsigned)geteuid(), path);
        return false;
    }
    return true;
}

static void room_look(struct doctor *self)
{
    struct statvfs fs;

    if (!statvfs(self->cli->paths.state_dir, &fs) && (unsigned long long)fs.f_bavail * fs.f_frsize < ROOM_LEAST) {
        doctor_fix_say(doctor_add(self, "state", DOCTOR_WARNING, "only %llu MB are free where the state directory is",
                                  (unsigned long long)fs.f_bavail * fs.f_frsize >> 20),
                       "make room: what cannot be stored is refused");
    }
}

/* SD cards and eMMC wear out, and sync slowly. */
static void device_look(struct doctor *self)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char line[LINE_MAX_MOUNT];
    char wanted[64];
    struct stat st;

    if (!mounts || stat(self->cli->paths.state_dir, &st)) {
        if (mounts) {
            (void)fclose(mounts); /* only read from */
        }
        return;
    }
    (void)snprintf(wanted, sizeof(wanted), " %u:%u ", major(st.st_dev), minor(st.st_dev));
    while (fgets(line, sizeof(line), mounts)) {
        if (strstr(line, wanted) && strstr(line, "/dev/mmcblk")) {
            doctor_fix_say(doctor_add(self, "state", DOCTOR_NOTE, "the state directory is on an SD card or eMMC"),
                           "a disk lasts longer, and makes every message faster");
            break;
        }
    }
    (void)fclose(mounts); /* only read from */
}

/* History would be split between two places, each unaware of the other. */
static void others_look(struct doctor *self)
{
    static const char *const names[] = { ".openclaw", ".clawdbot", ".moltbot" };
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): one thread */
    char path[PATH_MAX];
    struct stat ours;
    struct stat st;

    if (!home || self->cli->paths.profile[0] || stat(self->cli->paths.state_dir, &ours)) {
        return; /* a profile is meant to be apart */
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", home, names[i]) < (int)sizeof(path) && !stat(path, &st) &&
            S_ISDIR(st.st_mode) && (st.st_ino != ours.st_ino || st.st_dev != ours.st_dev)) {
            doctor_fix_say(doctor_add(self, "state", DOCTOR_NOTE,
                                      "there is another state directory: %s; this one is %s", path,
                                      self->cli->paths.state_dir),
                           "if both are in use, sessions and devices of one are unknown to the other");
        }
    }
}

/* Only while no gateway runs: a database is opened by its owner alone. */
static void databases_look(struct doctor *self)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    char why[256];
    const struct dirent *entry;
    DIR *all = snprintf(dir, sizeof(dir), "%s/db", self->cli->paths.state_dir) < (int)sizeof(dir) ? opendir(dir) : NULL;

    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        size_t len = strlen(entry->d_name);

        if (len > 7 && !strcmp(entry->d_name + len - 7, ".sqlite") &&
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < (int)sizeof(path) &&
            !db_check(path, why, sizeof(why))) {
            doctor_fix_say(doctor_add(self, "state", DOCTOR_PROBLEM, "the database %s is damaged: %s", path, why),
                           "put back a copy, or move it away with its -wal and -shm: what is in it is lost then");
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

static void env_look(struct doctor *self)
{
    char path[PATH_MAX];
    struct stat st;

    if (snprintf(path, sizeof(path), "%s/.env", self->cli->paths.state_dir) < (int)sizeof(path) && !lstat(path, &st) &&
        access(path, R_OK)) {
        doctor_fix_say(
            doctor_add(self, "state", DOCTOR_WARNING, "%s cannot be read, so its variables are not set", path),
            "`chown %u %s`, `chmod 600 %s`", (unsigned)geteuid(), path, path);
    }
}

void doctor_state_look(struct doctor *self)
{
    if (directory_look(self)) {
        modes_look(self);
        env_look(self);
        room_look(self);
        device_look(self);
        if (!self->is_running) {
            databases_look(self);
        }
    }
    others_look(self);
}
