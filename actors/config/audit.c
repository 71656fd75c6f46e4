#include "actors/config/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/config/internal.h"
#include "bus/base/clock.h"
#include "bus/json.h"

static void hash_pack(struct pack *out, const char *key, struct span text)
{
    char hash[CONFIG_FILE_HASH_LEN] = "";

    if (text.ptr && !config_file_hash(text, hash)) {
        pack_kv_text(out, key, hash);
    } else {
        pack_kv_text(out, key, NULL);
    }
}

static void line_pack(const struct config *self, const struct audit *audit, struct pack *out)
{
    char when[CONFIG_TIME_LEN];

    config_time(clock_wall_ms(), when);
    pack_map_begin(out);
    pack_kv_text(out, "ts", when);
    pack_kv_text(out, "source", "config-io");
    pack_kv_text(out, "event", "config.write");
    pack_kv_text(out, "result", audit->result);
    pack_kv_text(out, "method", audit->method);
    pack_kv_text(out, "configPath", self->path);
    pack_kv_text(out, "path", audit->path);
    pack_kv_i64(out, "pid", getpid());
    pack_kv_str(out, "clientId", audit->client->client_id);
    pack_kv_str(out, "deviceId", audit->client->device_id);
    pack_kv_str(out, "remoteIp", audit->client->remote_ip);
    pack_kv_bool(out, "existsBefore", audit->before.ptr != NULL);
    hash_pack(out, "previousHash", audit->before);
    hash_pack(out, "nextHash", audit->after);
    pack_kv_u64(out, "previousBytes", audit->before.len);
    pack_kv_u64(out, "nextBytes", audit->after.len);
    pack_kv_text(out, "reason", audit->reason[0] ? audit->reason : NULL);
    pack_map_end(out);
}

static void rotate(const char *dir, const char *path)
{
    struct stat st;
    char old[PATH_MAX];

    if (!stat(path, &st) && st.st_size >= (off_t)AUDIT_BYTES_MAX &&
        snprintf(old, sizeof(old), "%s/config-audit.1.jsonl", dir) < (int)sizeof(old)) {
        (void)rename(path, old); /* else it grows on until it can be */
    }
}

static int line_append(const struct config *self, struct span line)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];

    if (snprintf(dir, sizeof(dir), "%s/logs", self->state_dir) >= (int)sizeof(dir) ||
        snprintf(path, sizeof(path), "%s/config-audit.jsonl", dir) >= (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    if (mkdir(dir, 0700) && errno != EEXIST) {
        return -errno;
    }
    rotate(dir, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    ssize_t n = write(fd, line.ptr, line.len);
    int error = n == (ssize_t)line.len ? 0 : n < 0 ? -errno : -ENOSPC;
    close(fd);
    return error;
}

void audit_write(const struct config *self, const struct audit *audit)
{
    CLEANUP(text_buf_deinit) struct text_buf line = { 0 };
    CLEANUP(pack_deinit) struct pack doc;

    pack_init(&doc, 0);
    line_pack(self, audit, &doc);
    int r = pack_error(&doc) ? pack_error(&doc) : json_from_value(pack_span(&doc), &line);
    r = r ? r : text_buf_add(&line, SPAN_LIT("\n"));
    r = r ? r : line_append(self, (struct span){ line.data, line.len });
    if (r) {
        log_warning("config_audit_lost", "method=%s reason=\"%s\"", audit->method, fault_text(r));
    }
}
