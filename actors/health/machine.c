/*
 * machine: the answer of system.info, what the operating system says of this machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "actors/health/internal.h"
#include "schema_gen.h"

#define LINE_MAX_BYTES 512

/* The text behind `key` and what separates it in a small file of lines; empty when there is none. */
static void file_value(const char *path, const char *key, char *out, size_t out_len)
{
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(path, "re");

    out[0] = '\0';
    while (file && !out[0] && fgets(line, sizeof(line), file)) {
        if (strncmp(line, key, strlen(key)) == 0) {
            char *text = line + strlen(key);

            text += strspn(text, " \t:=\"");
            text[strcspn(text, "\"\n")] = '\0';
            (void)snprintf(out, out_len, "%s", text);
        }
    }
    if (file) {
        (void)fclose(file); /* it was only read */
    }
}

static uint64_t memory_bytes(const char *key)
{
    char text[64];

    file_value("/proc/meminfo", key, text, sizeof(text));
    return strtoull(text, NULL, 10) * 1024; /* NOLINT(cert-err34-c): the kernel's own number */
}

static void load_pack(struct pack *out)
{
    double load[3];

    if (getloadavg(load, 3) != 3) {
        return;
    }
    pack_key(out, "loadAverage");
    pack_array_begin(out);
    for (size_t i = 0; i < 3; i++) {
        pack_f64(out, load[i]);
    }
    pack_array_end(out);
}

/* Of the file system that the state is on. */
static void disk_pack(struct pack *out)
{
    const char *dir = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    struct statvfs disk;

    if (dir && statvfs(dir, &disk) == 0) {
        pack_kv_u64(out, "diskTotalBytes", (uint64_t)disk.f_blocks * disk.f_frsize);
        pack_kv_u64(out, "diskAvailableBytes", (uint64_t)disk.f_bavail * disk.f_frsize);
        pack_kv_text(out, "diskPath", dir);
    }
}

static void machine_pack(struct pack *out)
{
    struct utsname name = { 0 };
    char text[LINE_MAX_BYTES];
    char address[64];

    (void)uname(&name); /* fails for a wrong pointer alone */
    pack_kv_text(out, "machineName", name.nodename);
    pack_kv_text(out, "hostname", name.nodename);
    pack_kv_text(out, "platform", "linux");
    if (sysinfo_address(address, sizeof(address))) {
        pack_kv_text(out, "lanAddress", address);
    }
    pack_kv_text(out, "release", name.release);
    pack_kv_text(out, "arch", sysinfo_arch(name.machine));
    file_value("/etc/os-release", "PRETTY_NAME", text, sizeof(text));
    pack_kv_text(out, "osLabel", text[0] ? text : name.sysname);
    file_value("/proc/cpuinfo", "model name", text, sizeof(text));
    if (text[0]) {
        pack_kv_text(out, "cpuModel", text);
    }
}

int on_system_info(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct pack out;
    int r;

    (void)arg;
    (void)msg;
    pack_init(&out, 0);
    pack_map_begin(&out);
    machine_pack(&out);
    pack_kv_text(&out, "nodeVersion", "none");
    pack_kv_i64(&out, "pid", getpid());
    pack_kv_u64(&out, "uptimeMs", sysinfo_uptime_ms());
    pack_kv_i64(&out, "cpuCount", sysconf(_SC_NPROCESSORS_ONLN));
    load_pack(&out);
    pack_kv_u64(&out, "memoryTotalBytes", memory_bytes("MemTotal"));
    pack_kv_u64(&out, "memoryFreeBytes", memory_bytes("MemFree"));
    disk_pack(&out);
    pack_map_end(&out);
    r = pack_error(&out);
    r = r ? r : actor_reply_span(ctx, pack_span(&out));
    pack_deinit(&out);
    return r;
}
