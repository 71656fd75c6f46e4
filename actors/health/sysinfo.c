/*
 * sysinfo: see sysinfo.h.
 */
#include "actors/health/sysinfo.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/clock.h"

/* The text of a small file of /proc; false when it cannot be read. */
static bool file_read(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, buf, size - 1);

    if (fd >= 0) {
        close(fd);
    }
    buf[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static uint64_t clock_ns(clockid_t id)
{
    struct timespec at = { 0 };

    clock_gettime(id, &at);
    return (uint64_t)at.tv_sec * 1000000000ULL + (uint64_t)at.tv_nsec;
}

/* `pid` as /proc has it. */
static uint64_t rss_bytes(const char *pid)
{
    char path[64];
    char buf[128];
    unsigned long long total;
    unsigned long long resident;

    (void)snprintf(path, sizeof(path), "/proc/%s/statm", pid); /* fits */
    if (!file_read(path, buf, sizeof(buf)) || sscanf(buf, "%llu %llu", &total, &resident) != 2) {
        return 0;
    }
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

struct sysinfo_use sysinfo_use(void)
{
    return (struct sysinfo_use){
        .wall_ms = clock_wall_ms(),
        .mono_ns = clock_mono_ns(),
        .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        .rss_bytes = rss_bytes("self"),
    };
}

/* Fields of /proc/<pid>/stat behind the name, which may hold anything; the first of them is the third of all. */
static bool stat_read(const char *pid, char *buf, size_t size, char **ret_rest)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%s/stat", pid); /* fits */
    *ret_rest = file_read(path, buf, size) ? strrchr(buf, ')') : NULL;
    return *ret_rest != NULL;
}

static unsigned long long stat_field(char *rest, int wanted)
{
    char *save = NULL;
    char *at = strtok_r(rest + 1, " ", &save);

    for (int field = 3; at && field < wanted; field++) {
        at = strtok_r(NULL, " ", &save);
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

bool sysinfo_process(pid_t pid, uint64_t *ret_rss_bytes, double *ret_cpu_s)
{
    unsigned long long ticks = 0;
    char name[16];
    char buf[1024];
    char *rest;

    (void)snprintf(name, sizeof(name), "%d", (int)pid); /* fits */
    for (int field = 14; field <= 15; field++) {        /* for itself, and for the kernel on its behalf */
        if (!stat_read(name, buf, sizeof(buf), &rest)) {
            return false;
        }
        ticks += stat_field(rest, field);
    }
    *ret_rss_bytes = rss_bytes(name);
    *ret_cpu_s = (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return *ret_rss_bytes > 0;
}

uint64_t sysinfo_uptime_ms(void)
{
    char buf[1024];
    char *rest;
    uint64_t since_boot_ms = clock_ns(CLOCK_BOOTTIME) / 1000000ULL;
    uint64_t start_ms;

    if (!stat_read("self", buf, sizeof(buf), &rest)) {
        return 0;
    }
    start_ms = stat_field(rest, 22) * 1000ULL / (unsigned long long)sysconf(_SC_CLK_TCK);
    return start_ms && start_ms <= since_boot_ms ? since_boot_ms - start_ms : 0;
}

bool sysinfo_address(char *ret_text, size_t size)
{
    struct ifaddrs *list = NULL;
    bool is_found = false;

    if (getifaddrs(&list)) {
        return false;
    }
    for (struct ifaddrs *it = list; it && !is_found; it = it->ifa_next) {
        if (it->ifa_addr && it->ifa_addr->sa_family == AF_INET && (it->ifa_flags & IFF_UP) &&
            !(it->ifa_flags & IFF_LOOPBACK)) {
            const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)it->ifa_addr;

            is_found = inet_ntop(AF_INET, &in->sin_addr, ret_text, (socklen_t)size) != NULL;
        }
    }
    freeifaddrs(list);
    return is_found;
}

const char *sysinfo_arch(const char *machine)
{
    return strcmp(machine, "x86_64") == 0 ? "x64" : strcmp(machine, "aarch64") == 0 ? "arm64" : machine;
}

void sysinfo_pack_self(struct pack *out)
{
    struct utsname uts = { 0 };
    char ip[INET_ADDRSTRLEN] = "";
    char text[256];
    bool has_ip;

    uname(&uts);
    has_ip = sysinfo_address(ip, sizeof(ip));
    pack_map_begin(out);
    pack_kv_text(out, "host", uts.nodename);
    if (has_ip) {
        pack_kv_text(out, "ip", ip);
    }
    pack_kv_text(out, "version", OPENCLAW_VERSION);
    snprintf(text, sizeof(text), "linux %.200s", uts.release);
    pack_kv_text(out, "platform", text);
    pack_kv_text(out, "deviceFamily", "Linux");
    pack_kv_text(out, "modelIdentifier", sysinfo_arch(uts.machine));
    pack_kv_text(out, "mode", "gateway");
    pack_kv_text(out, "reason", "self");
    snprintf(text, sizeof(text), "Gateway: %.100s%s%s%s \xc2\xb7 app %s \xc2\xb7 mode gateway \xc2\xb7 reason self",
             uts.nodename, has_ip ? " (" : "", ip, has_ip ? ")" : "", OPENCLAW_VERSION);
    pack_kv_text(out, "text", text);
    pack_map_end(out);
}
