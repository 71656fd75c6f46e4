/*
 * doctor_gateway: who runs, who holds the port, and what the running gateway says of itself.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/base/fault.h"
#include "bus/lock.h"
#include "bus/value.h"
#include "edge/cli/cli_profiles.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/doctor.h"
#include "edge/cli/gateway_port.h"
#include "edge/cli/gateway_state.h"
#include "schema/base/gateway_config.h"

#define HOLDERS_MAX 4
#define RPC_MS 5000U
#define NOTHING ((struct span){ 0 })

void doctor_lock_look(struct doctor *self)
{
    char path[PATH_MAX + 16];
    struct stat st;
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/gateway.lock", self->cli->paths.state_dir);
    if (lstat(path, &st)) {
        return; /* no gateway has ever run here, and looking leaves no traces */
    }
    int r = lock_take(path, &fd, &self->holder);
    self->is_running = r == LOCK_E_HELD;
    if (self->is_running) {
        (void)cli_service_is_host(&self->cli->paths, self->host, sizeof(self->host)); /* empty when it is none */
    }
    if (r < 0) {
        struct gateway_state_error error;

        gateway_state_lock_explain(path, r, &error);
        doctor_fix_say(doctor_add(self, "state", DOCTOR_PROBLEM, "%.700s", error.what), "%.700s", error.fix);
    }
    if (fd >= 0) {
        (void)close(fd); /* the kernel gives the lock back */
    }
}

/* --- the port ------------------------------------------------------------------------------------------- */

static void port_look(struct doctor *self, uint16_t port)
{
    pid_t pids[HOLDERS_MAX];
    char program[64];
    size_t n = gateway_port_holders(port, pids, HOLDERS_MAX);

    for (size_t i = 0; i < n; i++) {
        gateway_port_program(pids[i], program, sizeof(program));
        doctor_fix_say(doctor_add(self, "gateway", DOCTOR_WARNING,
                                  "port %u is held by pid %d (%s), which is no gateway of this state directory",
                                  (unsigned)port, (int)pids[i], program[0] ? program : "unknown"),
                       "stop that program, or choose another port: openclaw config set gateway.port PORT");
    }
}

/* One of them would not start while the other runs. */
static void profiles_look(struct doctor *self, uint16_t port)
{
    CLEANUP(mem_free) struct cli_profile *others = mem_new(CLI_PROFILES_MAX * sizeof(*others));
    size_t n = cli_profiles_find(&self->cli->paths, others);
    const struct cli_profile *same = cli_profiles_near(others, n, port, 1);

    if (same) {
        doctor_fix_say(doctor_add(self, "gateway", DOCTOR_WARNING, "the profile \"%s\" wants port %u as well",
                                  same->name, (unsigned)port),
                       "one of them needs another, better 20 or more away: openclaw config set gateway.port PORT");
    }
}

/* --- a running gateway ------------------------------------------------------------------------------------ */

static void health_take(struct doctor *self, struct span health)
{
    struct span why = value_str(value_get(health, "degraded"), NOTHING);

    if (!value_bool(value_get(health, "ok"), false)) {
        doctor_fix_say(
            doctor_add(self, "gateway", DOCTOR_PROBLEM, "the running gateway is not well: %.*s", SPAN_FMT(why)),
            "openclaw health shows more, openclaw logs what happened");
    } else if (why.len) {
        doctor_fix_say(doctor_add(self, "gateway", DOCTOR_WARNING, "the running gateway says: %.*s", SPAN_FMT(why)),
                       "openclaw health shows more");
    }
}

static void host_look(struct doctor *self)
{
    doctor_fix_say(doctor_add(self, "gateway", DOCTOR_NOTE,
                              "the host \"%s\" runs here (pid %d) and joins the gateway of another machine; it needs "
                              "no config of its own",
                              self->host, (int)self->holder),
                   "openclaw bus actors shows whether it has joined; run the doctor on the gateway's machine as well");
}

static void running_look(struct doctor *self)
{
    CLEANUP(pack_deinit) struct pack answer;
    struct cli_rpc_opts opts = { .display_name = "doctor", .timeout_ms = RPC_MS, .is_config_broken = !self->is_usable };
    struct cli_call call = { .method = "health", .timeout_ms = RPC_MS };
    struct cli_rpc rpc;

    pack_init(&answer, 0);
    int r = cli_rpc_open(self->cli, &opts, &rpc); /* explains itself on standard error */
    if (!r) {
        r = cli_rpc_call(&rpc, &call, &answer);
        cli_rpc_close(&rpc);
    }
    if (r) {
        doctor_fix_say(doctor_add(self, "gateway", DOCTOR_WARNING,
                                  "a gateway runs (pid %d) and cannot be asked how it is", (int)self->holder),
                       "openclaw gateway status tells what stands in the way");
        return;
    }
    health_take(self, pack_span(&answer));
}

/* --- services (--deep) --------------------------------------------------------------------------------------- */

static unsigned units_count(const char *dir, char *names, size_t names_size)
{
    DIR *all = opendir(dir);
    const struct dirent *entry;
    unsigned n = 0;

    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        size_t len = strlen(names);
        const char *dot = strstr(entry->d_name, ".service");

        if (strstr(entry->d_name, "openclaw") && dot && !dot[8]) {
            n++;
            (void)snprintf(names + len, names_size - len, "%s%s/%s", len ? ", " : "", dir, entry->d_name); /* cut */
        }
    }
    if (all) {
        (void)closedir(all);
    }
    return n;
}

static void services_look(struct doctor *self)
{
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): one thread */
    char dir[PATH_MAX];
    char names[400] = "";
    unsigned n = units_count("/etc/systemd/system", names, sizeof(names));

    if (home && snprintf(dir, sizeof(dir), "%s/.config/systemd/user", home) < (int)sizeof(dir)) {
        n += units_count(dir, names, sizeof(names));
    }
    if (n > 1) {
        doctor_fix_say(doctor_add(self, "gateway", DOCTOR_WARNING, "%u services start a gateway: %s", n, names),
                       "keep one for each state directory");
    } else if (n) {
        (void)doctor_add(self, "gateway", DOCTOR_NOTE, "a service starts a gateway: %s", names);
    }
}

void doctor_gateway_look(struct doctor *self)
{
    struct gateway_overrides overrides = gateway_overrides_from(config_lookup_process());
    CLEANUP(gateway_config_deinit) struct gateway_config gateway = { 0 };
    struct config_error ignored; /* told by the look at the config */

    overrides.is_client = true;
    overrides.is_dev = self->cli->paths.is_dev;
    bool is_known = !gateway_config_load(self->cli->paths.config_path, &overrides, &gateway, &ignored);
    uint16_t usual = self->cli->paths.is_dev ? GATEWAY_CONFIG_PORT_DEV : GATEWAY_CONFIG_PORT;
    uint16_t port = is_known ? gateway.port : usual;
    if (self->host[0]) {
        host_look(self);
        return; /* no port is its own */
    }
    if (self->is_running) {
        running_look(self);
    } else {
        port_look(self, port);
    }
    profiles_look(self, port);
    if (self->is_deep) {
        services_look(self);
    }
}
