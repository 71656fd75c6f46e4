/*
 * `openclaw bus topology check`: would a gateway start with this file?
 */
#include <stdio.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/gateway_ground.h"
#include "edge/cli/gateway_topology.h"
#include "edge/cli/guest_check.h"
#include "edge/cli/topology_fit.h"
#include "edge/cli/topology_key.h"

static void host_pack(const struct topology_host *host, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "name", host->name);
    pack_kv_text(out, "link", host->is_remote ? "tcp" : "ipc");
    pack_kv_bool(out, "allowed", host->is_guest); /* it is not in the file */
    pack_key(out, "actors");
    pack_array_begin(out);
    for (size_t i = 0; i < host->actors_n; i++) {
        pack_text(out, host->actors[i]);
    }
    pack_array_end(out);
    pack_map_end(out);
}

/* Hosts that are allowed, and have no place in this topology. */
struct refusals {
    struct pack json; /* an array */
    size_t n;
    bool is_json;
};

static void on_refused(const char *name, const char *why, void *arg)
{
    struct refusals *refusals = arg;

    refusals->n++;
    if (!refusals->is_json) {
        cli_err("host \"%s\" was allowed, and cannot join a gateway with this file: %s", name, why);
    }
    pack_map_begin(&refusals->json);
    pack_kv_text(&refusals->json, "name", name);
    pack_kv_text(&refusals->json, "error", why);
    pack_map_end(&refusals->json);
}

static void refusals_deinit(struct refusals *self)
{
    pack_deinit(&self->json);
}

static int report_json(const struct topology *topology, const char *error, const struct refusals *refusals)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", !error);
    if (error) {
        pack_kv_text(&out, "error", error);
    }
    pack_key(&out, "hosts");
    pack_array_begin(&out);
    for (size_t i = 0; i < topology->hosts_n; i++) {
        host_pack(&topology->hosts[i], &out);
    }
    pack_array_end(&out);
    if (topology->tcp.endpoint[0]) {
        pack_kv_text(&out, "endpoint", topology->tcp.endpoint);
    }
    if (refusals->n) {
        pack_kv_raw(&out, "refused", pack_span(&refusals->json));
    }
    pack_map_end(&out);
    return cli_rpc_print_json(pack_span(&out));
}

static void report_text(const struct topology *topology, const char *path)
{
    cli_out("%s: %zu host%s\n", path, topology->hosts_n, topology->hosts_n == 1 ? "" : "s");
    for (size_t i = 0; i < topology->hosts_n; i++) {
        const struct topology_host *host = &topology->hosts[i];

        cli_out("  %-16s %s  %zu actor%s%s\n", host->name,
                host->is_remote          ? "tcp"
                : topology->hosts_n == 1 ? "   "
                                         : "ipc",
                host->actors_n, host->actors_n == 1 ? "" : "s", host->is_guest ? ", by `openclaw bus allow`" : "");
    }
    if (topology->tcp.endpoint[0]) {
        cli_out("  hosts join at %s\n", topology->tcp.endpoint);
    }
}

/* As a gateway of this state directory would see it. An exit code, explained; `error` as well when it is about the
 * topology. */
static int key_check(const struct cli *cli, const struct topology *topology, struct topology_error *error)
{
    CLEANUP(curve_pair_deinit) struct curve_pair pair = { "", "" };
    char dir[PATH_MAX];
    char path[PATH_MAX + 32];

    if (!topology->tcp.endpoint[0]) {
        return 0;
    }
    (void)snprintf(path, sizeof(path), "%s/bus/curve.cert_secret", cli->paths.state_dir);
    bool is_there = access(path, F_OK) == 0;
    int r = is_there ? gateway_ground_keys(&cli->paths, dir, &pair) : 0;
    return r ? r : topology_key_fit(topology, is_there ? pair.public_key : NULL, error) ? CLI_EXIT_CONFIG : 0;
}

int cmd_bus_topology_check(struct cli *cli)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(topology_deinit) struct topology topology = { 0 };
    struct topology_error error = { "" };
    CLEANUP(refusals_deinit) struct refusals refusals = { .is_json = cli_flag(cli, "json") };
    char dir[PATH_MAX];
    bool is_key = false;
    int r = gateway_topology_load(cli_arg(cli, 0), &text, &topology, &error);

    if (r < 0) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    r = r ? r : topology_fit(&topology, &error);
    if (r == 0) {
        r = key_check(cli, &topology, &error);
        if (r && !error.text[0]) {
            return r;
        }
        is_key = r != 0;
    }
    pack_init(&refusals.json, 0);
    pack_array_begin(&refusals.json);
    (void)snprintf(dir, sizeof(dir), "%.*s/bus", (int)sizeof(dir) - 8, cli->paths.state_dir);
    if (r == 0 && guest_check_topology(dir, &topology, on_refused, &refusals)) {
        cli_err("cannot read who may join in %s", dir);
        return CLI_EXIT_SOFTWARE;
    }
    pack_array_end(&refusals.json);
    if (cli_flag(cli, "json")) {
        int printed = report_json(&topology, r ? error.text : NULL, &refusals);

        return printed ? printed : r ? CLI_EXIT_CONFIG : CLI_EXIT_OK;
    }
    if (r) {
        cli_err("%s", error.text);
        if (is_key) {
            cli_err_more("on a machine that joins, `openclaw host NAME --topology FILE --check` says whether it would");
        }
        return CLI_EXIT_CONFIG;
    }
    report_text(&topology, cli_arg(cli, 0));
    return CLI_EXIT_OK;
}
