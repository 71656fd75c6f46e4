#include "edge/cli/gateway_found.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_paths.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/control_client.h"
#include "edge/cli/gateway_claim.h"

#define ANSWER_MS 1000 /* one that hangs holds nobody up */

static void dir_close(DIR **dir)
{
    if (*dir) {
        (void)closedir(*dir); /* only read from */
    }
}

/* --- one of them ------------------------------------------------------------------------------ */

static void port_add(struct gateway_found *self, struct span address)
{
    unsigned port = cli_service_port_of(address);

    for (size_t i = 0; i < self->ports_n; i++) {
        if (self->ports[i] == port) {
            return;
        }
    }
    if (self->ports_n < GATEWAY_FOUND_PORTS_MAX && port > 0) {
        self->ports[self->ports_n++] = port;
    }
}

/* False when nobody answers there, or somebody who listens nowhere: a host that has joined a gateway elsewhere. */
static bool ports_ask(struct gateway_found *self)
{
    CLEANUP(pack_deinit) struct pack answer;
    struct cli_paths paths;
    struct span key;
    struct span address;

    pack_init(&answer, 0);
    cli_paths_of_state(self->state_dir, &paths);
    if (!control_client_status(paths.control_path, ANSWER_MS, &answer)) {
        return false;
    }
    struct value_iter it = value_iter(value_get(pack_span(&answer), "listening"));
    while (value_next(&it, &key, &address)) {
        port_add(self, value_str(address, (struct span){ "", 0 }));
    }
    return self->ports_n > 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* A process of this user, or 0. */
static pid_t pid_of(DIR *dir, const char *name)
{
    char *end = NULL;
    long pid = strtol(name, &end, 10);
    struct stat st;

    if (pid <= 0 || *end || fstatat(dirfd(dir), name, &st, 0) || st.st_uid != geteuid()) {
        return 0;
    }
    return (pid_t)pid;
}

static bool is_known(const struct gateway_found *list, size_t n, const char *state_dir)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].state_dir, state_dir) == 0) {
            return true;
        }
    }
    return false;
}

size_t gateway_found_all(struct gateway_found **ret_list)
{
    struct gateway_found *list = mem_new(GATEWAY_FOUND_MAX * sizeof(*list));
    CLEANUP(dir_close) DIR *dir = opendir("/proc");
    const struct dirent *entry;
    size_t n = 0;

    while (dir && n < GATEWAY_FOUND_MAX && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        struct gateway_found *it = &list[n];

        *it = (struct gateway_found){ .pid = pid_of(dir, entry->d_name) };
        if (it->pid) {
            gateway_claim_state_of(it->pid, it->state_dir);
        }
        if (it->state_dir[0] && !is_known(list, n, it->state_dir) && ports_ask(it)) {
            n++;
        }
    }
    *ret_list = list;
    return n;
}

void gateway_found_text(const struct gateway_found *self, char *out, size_t size)
{
    size_t len;

    gateway_claim_owner_text(self->pid, out, size);
    for (size_t i = 0; i < self->ports_n; i++) {
        len = strlen(out);
        (void)snprintf(out + len, size - len, ", port %u", self->ports[i]); /* a longer one is cut */
    }
}

void gateway_found_pack(const struct gateway_found *self, struct pack *out)
{
    const char *profile = gateway_claim_profile_of(self->state_dir);

    pack_map_begin(out);
    pack_kv_i64(out, "pid", self->pid);
    pack_kv_text(out, "stateDir", self->state_dir);
    if (profile) {
        pack_kv_text(out, "profile", profile);
    }
    pack_key(out, "ports");
    pack_array_begin(out);
    for (size_t i = 0; i < self->ports_n; i++) {
        pack_u64(out, self->ports[i]);
    }
    pack_array_end(out);
    pack_map_end(out);
}
