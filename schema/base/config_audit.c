#include "schema/base/config_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/owner.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_file.h"

static void hash_pack(struct pack *out, const char *key, struct span text)
{
    char hash[CONFIG_FILE_HASH_LEN] = "";

    if (text.ptr && !config_file_hash(text, hash)) {
        pack_kv_text(out, key, hash);
    } else {
        pack_kv_text(out, key, NULL);
    }
}

static void line_pack(const struct config_audit *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "ts", self->when);
    pack_kv_text(out, "source", "config-io");
    pack_kv_text(out, "event", "config.write");
    pack_kv_text(out, "result", self->result);
    pack_kv_text(out, "method", self->method);
    pack_kv_text(out, "configPath", self->config_path);
    pack_kv_text(out, "path", self->path);
    pack_kv_i64(out, "pid", getpid());
    pack_kv_str(out, "clientId", self->client_id);
    pack_kv_str(out, "deviceId", self->device_id);
    pack_kv_str(out, "remoteIp", self->remote_ip);
    pack_kv_bool(out, "existsBefore", self->before.ptr != NULL);
    hash_pack(out, "previousHash", self->before);
    hash_pack(out, "nextHash", self->after);
    pack_kv_u64(out, "previousBytes", self->before.len);
    pack_kv_u64(out, "nextBytes", self->after.len);
    pack_kv_text(out, "reason", self->reason[0] ? self->reason : NULL);
    pack_map_end(out);
}

static void rotate(const char *dir, const char *path)
{
    struct stat st;
    char old[PATH_MAX];

    if (!lstat(path, &st) && S_ISREG(st.st_mode) && st.st_size >= (off_t)CONFIG_AUDIT_BYTES_MAX &&
        snprintf(old, sizeof(old), "%s/config-audit.1.jsonl", dir) < (int)sizeof(old)) {
        (void)rename(path, old); /* else it grows on until it can be */
    }
}

/* The file, and nothing else that may stand in its place: no link is followed, no pipe waited at. */
static int file_open(const char *path, int *ret_fd)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink > 1) {
        (void)close(fd); /* nothing was written */
        return -EPERM;
    }
    int r = owner_give(fd, path);
    if (r) {
        (void)close(fd); /* nothing was written */
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int line_append(const char *state_dir, struct span line)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    int fd = -1;

    if (snprintf(dir, sizeof(dir), "%s/logs", state_dir) >= (int)sizeof(dir) ||
        snprintf(path, sizeof(path), "%s/config-audit.jsonl", dir) >= (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    bool is_there = mkdir(dir, 0700);
    if (is_there && errno != EEXIST) {
        return -errno;
    }
    int r = is_there ? 0 : owner_give_dir(dir);
    rotate(dir, path);
    r = r ? r : file_open(path, &fd);
    if (r) {
        return r;
    }
    ssize_t n = write(fd, line.ptr, line.len);
    r = n == (ssize_t)line.len ? 0 : n < 0 ? -errno : -ENOSPC;
    (void)close(fd); /* as much is there as was said */
    return r;
}

int config_audit_write(const struct config_audit *self)
{
    CLEANUP(text_buf_deinit) struct text_buf line = { 0 };
    CLEANUP(pack_deinit) struct pack doc;

    pack_init(&doc, 0);
    line_pack(self, &doc);
    int r = pack_error(&doc) ? pack_error(&doc) : json_from_value(pack_span(&doc), &line);
    r = r ? r : text_buf_add(&line, SPAN_LIT("\n"));
    return r ? r : line_append(self->state_dir, (struct span){ line.data, line.len });
}
