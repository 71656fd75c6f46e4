#include "edge/cli/cli_service.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"

#define UNIT_PREFIX "openclaw-gateway"
#define PORT_TIMEOUT_MS 300 /* a supervising process that hangs must not hold up who only asks for its port */

static const char *const unit_dirs[] = {
    "~/.config/systemd/user", /* "~": home */
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
};

/* Whoever listens on the control socket is the supervising process; the kernel knows its pid. */
static void supervisor_find(const char *control_path, struct cli_service *service)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int fd;

    if (strlen(control_path) >= sizeof(address.sun_path)) {
        return;
    }
    (void)strcpy(address.sun_path, control_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    errno = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        service->is_running = true;
        service->pid = peer.pid;
    }
    service->is_hidden = !service->is_running && errno == EACCES;
    (void)close(fd); /* nothing was written */
}

static void dir_resolve(const char *dir, char out[PATH_MAX])
{
    const char *home = getenv("HOME");
    bool is_home = dir[0] == '~';

    (void)snprintf(out, PATH_MAX, "%s%s", is_home ? (home ? home : "") : "", dir + is_home);
}

void cli_service_look(const struct cli_paths *paths, struct cli_service *ret_service)
{
    char name[CLI_PROFILE_MAX + 64];

    *ret_service = (struct cli_service){ .is_running = false };
    supervisor_find(paths->control_path, ret_service);
    (void)snprintf(name, sizeof(name), UNIT_PREFIX "%s%s.service", paths->profile[0] ? "-" : "", paths->profile);
    for (size_t i = 0; i < ARRAY_LEN(unit_dirs) && !ret_service->unit_path[0]; i++) {
        char dir[PATH_MAX];
        char path[PATH_MAX + sizeof(name)];

        dir_resolve(unit_dirs[i], dir);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (strlen(path) < PATH_MAX && access(path, F_OK) == 0) {
            (void)strcpy(ret_service->unit_path, path);
            ret_service->is_user_unit = i == 0;
        }
    }
}

unsigned cli_service_port_of(struct span address)
{
    unsigned port = 0;
    size_t at = address.len;

    while (at > 0 && address.ptr[at - 1] != ':') {
        at--;
    }
    for (; at < address.len && address.ptr[at] >= '0' && address.ptr[at] <= '9' && port <= UINT16_MAX; at++) {
        port = port * 10 + (unsigned)(address.ptr[at] - '0');
    }
    return port <= UINT16_MAX ? port : 0;
}

unsigned cli_service_port(const struct cli_paths *paths)
{
    CLEANUP(pack_deinit) struct pack answer;
    struct span key;
    struct span first;

    pack_init(&answer, 0);
    if (!control_client_status(paths->control_path, PORT_TIMEOUT_MS, &answer)) {
        return 0;
    }
    struct value_iter it = value_iter(value_get(pack_span(&answer), "listening"));
    return value_next(&it, &key, &first) ? cli_service_port_of(value_str(first, (struct span){ 0 })) : 0;
}

bool cli_service_is_host(const struct cli_paths *paths, char *ret_name, size_t name_size)
{
    CLEANUP(pack_deinit) struct pack answer;

    pack_init(&answer, 0);
    if (!control_client_status(paths->control_path, PORT_TIMEOUT_MS, &answer)) {
        return false;
    }
    struct span name = value_str(value_get(pack_span(&answer), "onlyHost"), (struct span){ "", 0 });
    (void)snprintf(ret_name, name_size, "%.*s", SPAN_FMT(name)); /* names of hosts are short */
    return name.len > 0;
}

bool cli_service_stranger_text(const struct cli_paths *paths, unsigned port, char *out, size_t out_size)
{
    struct cli_service service;

    cli_service_look(paths, &service);
    if (service.is_hidden || cli_service_port(paths) == port) {
        return false;
    }
    (void)snprintf(out, out_size, "the gateway that answers there is not the one of the state directory %s%s", /* cut */
                   paths->state_dir, service.is_running ? "" : ", of which none runs");
    return true;
}

void cli_service_text(const struct cli_service *self, char *out, size_t out_size)
{
    if (self->is_running) {
        (void)snprintf(out, out_size, "running, pid %d%s", (int)self->pid, self->unit_path[0] ? ", installed" : "");
    } else if (self->is_hidden) {
        (void)snprintf(out, out_size, "unknown: the state directory is another user's");
    } else {
        (void)snprintf(out, out_size, "not running%s", self->unit_path[0] ? ", installed" : "");
    }
}

void cli_service_pack(const struct cli_service *self, struct pack *out)
{
    bool is_installed = self->unit_path[0] != '\0';

    pack_map_begin(out);
    pack_kv_text(out, "label", is_installed && !self->is_user_unit ? "systemd" : "systemd user");
    pack_kv_bool(out, "installed", is_installed);
    pack_kv_bool(out, "loaded", is_installed);
    pack_kv_text(out, "loadedText", "enabled");
    pack_kv_text(out, "notLoadedText", "disabled");
    pack_key(out, "command");
    pack_nil(out);
    pack_kv_text(out, "unit", is_installed ? self->unit_path : NULL);
    pack_key(out, "runtime");
    pack_map_begin(out);
    pack_kv_text(out, "status", self->is_running ? "running" : self->is_hidden ? "unknown" : "stopped");
    if (self->is_running) {
        pack_kv_i64(out, "pid", self->pid);
    }
    pack_map_end(out);
    pack_key(out, "configAudit");
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_key(out, "issues");
    pack_array_begin(out);
    pack_array_end(out);
    pack_map_end(out);
    pack_map_end(out);
}

void cli_service_pack_extra(const struct cli_service *self, struct pack *out)
{
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(unit_dirs); i++) {
        char dir[PATH_MAX];
        char path[PATH_MAX + NAME_MAX + 2];
        DIR *entries;
        const struct dirent *entry;

        dir_resolve(unit_dirs[i], dir);
        entries = opendir(dir);
        while (entries && (entry = readdir(entries))) {
            (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
            if (strncmp(entry->d_name, UNIT_PREFIX, strlen(UNIT_PREFIX)) == 0 && strcmp(path, self->unit_path) != 0) {
                pack_map_begin(out);
                pack_kv_text(out, "label", entry->d_name);
                pack_kv_text(out, "path", path);
                pack_map_end(out);
            }
        }
        if (entries) {
            (void)closedir(entries); /* it was only read */
        }
    }
    pack_array_end(out);
}
