#include "schema/base/config_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"
#include "bus/base/owner.h"

static int refuse(struct config_error *error, const char *path, const char *why)
{
    (void)snprintf(error->text, sizeof(error->text), "%.500s: %s", path, why);
    return CONFIG_STORE_E_REFUSED;
}

/* --- writing ----------------------------------------------------------------------------------- */

/* As the file at `path` has them. A group that we may not give it gets none: another one would have them instead. */
static int rights_give(int fd, const char *path)
{
    struct stat st;
    struct stat made;

    if (stat(path, &st) || fstat(fd, &made)) {
        return FAULT(-errno);
    }
    mode_t mode = st.st_mode & 0777;
    if (st.st_gid != made.st_gid && fchown(fd, (uid_t)-1, st.st_gid)) {
        mode &= ~(mode_t)0070;
    }
    return fchmod(fd, mode) ? FAULT(-errno) : 0;
}

/* A new file beside `path` with the text, synced; its name goes to `temporary`. */
static int temporary_write(const char *path, struct span text, enum config_store_rights rights,
                           char temporary[PATH_MAX])
{
    unsigned number = 0;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        return FAULT(-EIO);
    }
    if (snprintf(temporary, PATH_MAX, "%s.%08x.tmp", path, number) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    CLEANUP(fd_close) int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return FAULT(-errno);
    }
    int fault = owner_give(fd, path);
    fault = fault ? fault : durable_write(fd, text);
    fault = fault || rights == CONFIG_STORE_OURS ? fault : rights_give(fd, path);
    if (fault) {
        (void)unlink(temporary); /* ours alone */
    }
    return fault;
}

int config_store_put(const char *path, struct span text)
{
    char temporary[PATH_MAX];
    int fault = temporary_write(path, text, CONFIG_STORE_OURS, temporary);

    if (fault) {
        return fault;
    }
    if (rename(temporary, path)) {
        fault = FAULT(-errno);
        (void)unlink(temporary); /* ours alone */
        return fault;
    }
    return durable_name(path);
}

/* --- not overwriting what somebody else wrote ------------------------------------------------------- */

static bool holds(const char *path, struct span text)
{
    CLEANUP(text_buf_deinit) struct text_buf now = { .is_secret = true };
    struct config_error ignored;

    return !config_file_read(path, &now, &ignored) && span_is((struct span){ now.data, now.len }, text);
}

/* The older copies move one on; the oldest goes. */
static void backups_shift(const char *path)
{
    char from[PATH_MAX];
    char to[PATH_MAX];

    for (int i = CONFIG_STORE_BACKUPS - 1; i > 0; i--) {
        int n = i == 1 ? snprintf(from, sizeof(from), "%s.bak", path)
                       : snprintf(from, sizeof(from), "%s.bak.%d", path, i - 1);
        if (n >= (int)sizeof(from) || snprintf(to, sizeof(to), "%s.bak.%d", path, i) >= (int)sizeof(to)) {
            return;
        }
        (void)rename(from, to); /* there may be none yet */
    }
}

static void backup_keep(const char *path, const char *old)
{
    char to[PATH_MAX];

    backups_shift(path);
    if (snprintf(to, sizeof(to), "%s.bak", path) >= (int)sizeof(to) || chmod(old, 0600) || rename(old, to)) {
        (void)unlink(old); /* the new file is in place; a copy that cannot be kept must not litter */
    }
}

/*
 * The two files change places in one step, and what comes out is compared with what the
 * change was made from: whoever wrote in between gets their file back. File systems that
 * cannot do it get a comparison before the rename.
 */
static int exchange(const char *temporary, const char *path, struct span before)
{
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE)) {
        if (errno != EINVAL && errno != ENOSYS) {
            return FAULT(-errno);
        }
        if (!holds(path, before)) {
            return CONFIG_STORE_E_CHANGED;
        }
        return rename(temporary, path) ? FAULT(-errno) : 0;
    }
    if (holds(temporary, before)) {
        backup_keep(path, temporary);
        return 0;
    }
    return renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) ? FAULT(-errno) : CONFIG_STORE_E_CHANGED;
}

/* link() fails when the name is taken: nobody's new file is overwritten. */
static int publish(const char *temporary, const char *path)
{
    if (link(temporary, path)) {
        return errno == EEXIST ? CONFIG_STORE_E_CHANGED : FAULT(-errno);
    }
    return 0;
}

int config_store_place_check(const char *path, bool is_there, struct config_error *error)
{
    struct stat st;

    if (lstat(path, &st)) {
        return errno == ENOENT ? is_there ? CONFIG_STORE_E_CHANGED : 0 : refuse(error, path, strerror(errno));
    }
    if (S_ISLNK(st.st_mode)) {
        return refuse(error, path, "is a symbolic link: name the file itself in OPENCLAW_CONFIG_PATH");
    }
    return S_ISREG(st.st_mode) ? 0 : refuse(error, path, "is no regular file");
}

/* "<name>.0123abcd.tmp": left by a writer that was killed. There is one writer, so it is nobody's. */
static bool is_left_over(const char *name, const char *base)
{
    size_t len = strlen(base);

    return !strncmp(name, base, len) && name[len] == '.' && strspn(name + len + 1, "0123456789abcdef") == 8 &&
           !strcmp(name + len + 9, ".tmp");
}

static void left_over_sweep(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const struct dirent *entry;

    (void)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    DIR *all = opendir(dir);
    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (is_left_over(entry->d_name, slash ? slash + 1 : path)) {
            (void)unlinkat(dirfd(all), entry->d_name, 0); /* else it stays a little longer */
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

int config_store_replace(const char *path, struct span before, struct span text, enum config_store_rights rights,
                         struct config_error *error)
{
    char temporary[PATH_MAX];
    int r = config_store_place_check(path, before.ptr != NULL, error);

    if (!r && before.ptr && !holds(path, before)) {
        r = CONFIG_STORE_E_CHANGED;
    }
    if (r) {
        return r;
    }
    left_over_sweep(path);
    r = temporary_write(path, text, rights, temporary);
    if (r) {
        return refuse(error, path, fault_text(r));
    }
    r = before.ptr ? exchange(temporary, path, before) : publish(temporary, path);
    (void)unlink(temporary); /* gone already unless something is wrong */
    if (r < 0) {
        return refuse(error, path, fault_text(r));
    }
    r = r ? r : durable_name(path);
    return r < 0 ? refuse(error, path, fault_text(r)) : r;
}

bool config_store_aside(const char *path, struct span text, char ret_path[PATH_MAX])
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm = { 0 };
    char when[24] = "";

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
    return snprintf(ret_path, PATH_MAX, "%s.clobbered.%s%03dZ", path, when, (int)(now_ms % 1000)) < PATH_MAX &&
           !config_store_put(ret_path, text);
}

bool config_store_is_loss(struct span before, struct span text)
{
    return before.len >= CONFIG_STORE_SHRINK_MIN && text.len < before.len / 2;
}

bool config_store_reject(const char *path, struct span text, char ret_path[PATH_MAX])
{
    struct timespec oldest = { 0 };
    int chosen = 0;

    for (int i = 0; i < CONFIG_STORE_REJECTED; i++) {
        struct stat st;
        if (snprintf(ret_path, PATH_MAX, "%s.rejected.%d", path, i) >= PATH_MAX) {
            return false;
        }
        if (lstat(ret_path, &st)) {
            chosen = i;
            break;
        }
        bool is_older = st.st_mtim.tv_sec < oldest.tv_sec ||
                        (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec < oldest.tv_nsec);
        if (i == 0 || is_older) {
            oldest = st.st_mtim;
            chosen = i;
        }
    }
    (void)snprintf(ret_path, PATH_MAX, "%s.rejected.%d", path, chosen); /* fitted above */
    return !config_store_put(ret_path, text);
}
