/*
 * The hidden command `openclaw host-child`: one host of the topology, started by the
 * supervising process and by nobody else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/host.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/compose.h"
#include "edge/cli/gateway_ground.h"
#include "edge/cli/gateway_topology.h"
#include "schema_gen.h"

/* One that joins from another machine has a key to be known by. */
static int pair_load(const struct cli *cli, const struct topology *topology, const char *name,
                     struct curve_pair *ret_pair, struct trunk_range *ret_speaks)
{
    const struct topology_host *host = topology_host_find(topology, name);
    char keys_dir[PATH_MAX];

    int r;

    if (!host || !host->is_remote) {
        return CLI_EXIT_OK;
    }
    r = gateway_ground_wire(ret_speaks);
    return r ? r : gateway_ground_keys(&cli->paths, keys_dir, ret_pair);
}

/* The supervising process waits for one byte. */
static void on_ready(void *arg)
{
    const char *text = arg;
    uint64_t fd;

    if (text && cli_opts_number(text, 3, 65535, &fd)) {
        if (write((int)fd, "1", 1) != 1) {
            log_warning("ready_lost", "error=\"%s\"", fault_text(-errno));
        }
        (void)close((int)fd);
    }
}

int cmd_host_child(struct cli *cli)
{
    const char *host = getenv("OPENCLAW_BUS_HOST");
    const char *run_dir = getenv("OPENCLAW_BUS_RUN_DIR");
    const char *topology_fd = getenv("OPENCLAW_TOPOLOGY_FD");
    const char *incarnation_text = getenv("OPENCLAW_BUS_INCARNATION");
    const char *pulse_text = getenv("OPENCLAW_BUS_PULSE_FD");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(topology_deinit) struct topology topology = { 0 };
    CLEANUP(curve_pair_deinit) struct curve_pair pair = { .public_key = "" };
    struct trunk_range speaks = { 0 };
    struct topology_error error = { "" };
    char path[PATH_MAX];
    uint64_t incarnation;
    uint64_t pulse_fd = 0;
    uint64_t fd;
    int r;

    if (!host || !run_dir || !incarnation_text || !cli_opts_number(incarnation_text, 1, UINT32_MAX, &incarnation) ||
        !topology_fd || !cli_opts_number(topology_fd, 3, 65535, &fd) || !pulse_text ||
        !cli_opts_number(pulse_text, 0, 65535, &pulse_fd)) {
        cli_err("host-child is started by `openclaw gateway`, not by hand");
        return CLI_EXIT_USAGE;
    }
    (void)prctl(PR_SET_NAME, "openclaw"); /* for ps: else it shows the last part of /proc/self/exe */
    compose_log_install(host);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)fd); /* opened anew: others read it as well */
    r = gateway_topology_load(path, &text, &topology, &error);
    (void)close((int)fd); /* only read from */
    if (r) {
        cli_err("%s", r > 0 ? error.text : fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    r = pair_load(cli, &topology, host, &pair, &speaks);
    if (r) {
        return r;
    }
    r = host_run(&(struct host_opts){ .name = host,
                                      .topology = &topology,
                                      .run_dir = run_dir,
                                      .defs = compose_defs,
                                      .registry = &schema_registry,
                                      .def_of = compose_def_of,
                                      .has_supervisor = true,
                                      .incarnation = (uint32_t)incarnation,
                                      .last_end = getenv("OPENCLAW_BUS_LAST_END"),
                                      .trunk_pair = pair.public_key[0] ? &pair : NULL,
                                      .trunk_speaks = speaks,
                                      .release = OPENCLAW_VERSION,
                                      .pulse_fd = (int)pulse_fd,
                                      .on_ready = on_ready,
                                      .on_actor = compose_log_on_actor,
                                      .arg = getenv("OPENCLAW_BUS_READY_FD") });
    if (r) {
        log_stderr(LOG_LEVEL_ERROR, "host_failed", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    return CLI_EXIT_OK;
}
