/*
 * openclaw gateway status: does a gateway run here, where would it listen, who holds the
 * port, and does it let us in. Works with a broken config too: that is when it is needed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_health.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_probe.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/gateway_port.h"

#define HOLDERS_MAX 8

struct report {
    const struct cli *cli;
    struct cli_target target;
    struct cli_service service;
    pid_t holders[HOLDERS_MAX];
    size_t holders_n;
    bool has_probed;
    bool reads; /* the probe asked for more than the handshake */
    struct cli_probe probe;
};

static const char *const bind_names[] = { "loopback", "lan", "tailnet", "auto", "custom" };

static bool is_ok(const struct report *report)
{
    return report->probe.is_connected && (!report->reads || report->probe.is_rpc_ok);
}

static void config_side_pack(const struct report *report, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "path", report->cli->paths.config_path);
    pack_kv_bool(out, "exists", report->target.has_config);
    pack_kv_bool(out, "valid", !report->target.config_problem[0]);
    if (report->target.config_problem[0]) {
        pack_kv_text(out, "problem", report->target.config_problem);
    }
    pack_map_end(out);
}

static struct span server_part(const struct report *report, const char *key)
{
    return value_str(value_get(value_get(pack_span(&report->probe.hello), "server"), key), (struct span){ 0 });
}

static void gateway_pack(const struct report *report, struct pack *out)
{
    const struct cli_target *target = &report->target;

    pack_map_begin(out);
    if (!target->is_elsewhere) { /* how another machine's listens is not ours to know */
        pack_kv_text(out, "bindMode", bind_names[target->config.bind]);
        pack_kv_text(out, "bindHost", target->config.host);
    }
    pack_kv_u64(out, "port", target->url.port);
    pack_kv_text(out, "portSource", target->source);
    pack_kv_text(out, "probeUrl", target->address);
    if (report->probe.is_connected) {
        pack_kv_str(out, "version", server_part(report, "version"));
    }
    if (target->config.tls.is_enabled) {
        pack_kv_bool(out, "tlsEnabled", true);
        pack_kv_text(out, "tlsFingerprint", target->fingerprint[0] ? target->fingerprint : NULL);
    }
    if (!target->is_elsewhere &&
        (target->config.bind == GATEWAY_BIND_LOOPBACK || target->config.bind == GATEWAY_BIND_AUTO)) {
        pack_kv_text(out, "probeNote", "It listens on loopback: only programs on its machine can connect.");
    }
    pack_map_end(out);
}

static void port_pack(const struct report *report, struct pack *out)
{
    const char *slashes = strstr(report->target.address, "//");
    const char *address = slashes ? slashes + 2 : report->target.address;

    pack_map_begin(out);
    pack_kv_u64(out, "port", report->target.url.port);
    pack_kv_text(out, "status", report->holders_n ? "busy" : "free");
    pack_key(out, "listeners");
    pack_array_begin(out);
    for (size_t i = 0; i < report->holders_n; i++) {
        char program[256];

        gateway_port_program(report->holders[i], program, sizeof(program));
        pack_map_begin(out);
        pack_kv_i64(out, "pid", report->holders[i]);
        pack_kv_text(out, "command", program);
        gateway_port_owner_pack(report->holders[i], out);
        pack_kv_text(out, "address", address);
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_key(out, "hints");
    pack_array_begin(out);
    if (report->holders_n && !report->service.is_running) {
        pack_text(out, "Another program, or the gateway of another state directory, holds the port.");
    }
    pack_array_end(out);
    pack_map_end(out);
}

static void server_pack(const struct report *report, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_str(out, "version", server_part(report, "version"));
    pack_kv_str(out, "connId", server_part(report, "connId"));
    pack_map_end(out);
}

static void rpc_pack(const struct report *report, struct pack *out)
{
    char text[1600];

    pack_map_begin(out);
    pack_kv_bool(out, "ok", is_ok(report));
    pack_kv_text(out, "kind", report->reads ? "read" : "connect");
    if (report->probe.is_connected) {
        pack_kv_text(out, "capability", cli_probe_capability(&report->probe));
        pack_key(out, "auth");
        cli_probe_pack_auth(&report->probe, out);
        pack_key(out, "server");
        server_pack(report, out);
        pack_kv_str(out, "version", server_part(report, "version"));
        pack_kv_u64(out, "latencyMs", report->probe.latency_ms);
    }
    if (!is_ok(report)) {
        cli_problem_text(&report->probe.problem, &report->target, text, sizeof(text));
        pack_kv_text(out, "error", text);
    }
    pack_kv_text(out, "url", report->target.address);
    pack_map_end(out);
}

/* Which program says all this. */
static void cli_pack(struct pack *out)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    path[n > 0 ? n : 0] = '\0';
    pack_map_begin(out);
    pack_kv_text(out, "version", OPENCLAW_VERSION);
    pack_kv_text(out, "entrypoint", path);
    pack_map_end(out);
}

/* A gateway that was never started has none, nor has the machine of a host: that one's lines are in its gateway's. */
static bool has_log_file(const struct report *report)
{
    return report->target.log_file[0] && !report->target.is_elsewhere && access(report->target.log_file, F_OK) == 0;
}

static void report_pack(const struct report *report, struct pack *out)
{
    pack_map_begin(out);
    pack_key(out, "cli");
    cli_pack(out);
    pack_kv_text(out, "logFile", has_log_file(report) ? report->target.log_file : NULL);
    pack_key(out, "service");
    cli_service_pack(&report->service, out);
    pack_key(out, "config");
    pack_map_begin(out);
    pack_key(out, "cli");
    config_side_pack(report, out);
    pack_key(out, "daemon");
    config_side_pack(report, out);
    pack_map_end(out);
    pack_key(out, "gateway");
    gateway_pack(report, out);
    pack_key(out, "port");
    port_pack(report, out);
    if (report->has_probed) {
        pack_key(out, "rpc");
        rpc_pack(report, out);
    }
    if (cli_flag(report->cli, "deep") && cli_probe_answer(&report->probe, CLI_PROBE_HEALTH).len) {
        pack_kv_raw(out, "health", cli_probe_answer(&report->probe, CLI_PROBE_HEALTH));
    }
    pack_key(out, "extraServices");
    if (cli_flag(report->cli, "deep")) {
        cli_service_pack_extra(&report->service, out);
    } else {
        pack_array_begin(out);
        pack_array_end(out);
    }
    pack_map_end(out);
}

static void port_print(const struct report *report)
{
    cli_health_label("Port");
    cli_out("%u, %s", report->target.url.port, report->holders_n ? "held by" : "free");
    for (size_t i = 0; i < report->holders_n; i++) {
        char program[256];

        gateway_port_program(report->holders[i], program, sizeof(program));
        cli_out("%s ", i ? "," : "");
        cli_out_safe(span_from(program), false);
        cli_out(" (pid %d)", (int)report->holders[i]);
    }
    cli_out("\n");
}

static void probe_print(const struct report *report)
{
    cli_health_label("Probe");
    cli_out_styled(is_ok(report) ? CLI_STYLE_GOOD : CLI_STYLE_BAD, is_ok(report) ? "ok" : "failed");
    if (report->probe.is_connected) {
        cli_out(", %llu ms, %s", (unsigned long long)report->probe.latency_ms, cli_probe_capability(&report->probe));
    }
    cli_out("\n");
    if (!is_ok(report)) {
        cli_health_problem(&report->cli->paths, &report->probe.problem, &report->target);
    }
}

/* What this machine has to do with it. */
static void place_print(const struct report *report)
{
    char text[PATH_MAX + 64];
    char host[64];

    if (report->target.is_elsewhere) {
        cli_health_label("Gateway");
        cli_out("%s, from %s: another machine's, or another one of this machine\n", report->target.address,
                report->target.source);
        if (report->service.is_running) {
            cli_health_label("Also");
            cli_out("a gateway of this state directory runs here (pid %d); --port %u asks it\n",
                    (int)report->service.pid, cli_service_port(&report->cli->paths));
        }
        return;
    }
    cli_service_text(&report->service, text, sizeof(text));
    cli_health_label("Service");
    cli_out("%s\n", text);
    if (report->service.is_running && cli_service_is_host(&report->cli->paths, host, sizeof(host))) {
        cli_health_label("");
        cli_out("it is the host \"%s\", which joins the gateway of another machine\n", host);
    }
    cli_health_label("Address");
    cli_out("%s, from %s, bind %s\n", report->target.address, report->target.source,
            bind_names[report->target.config.bind]);
    port_print(report);
}

static void report_print(const struct report *report)
{
    place_print(report);
    if (report->target.fingerprint[0]) {
        cli_health_label("TLS");
        cli_out("sha256:%s (from %s)\n", report->target.fingerprint, report->target.fingerprint_source);
    }
    cli_health_label("State");
    cli_out("%s\n", report->cli->paths.state_dir);
    cli_health_label("Config");
    cli_out("%s%s\n", report->cli->paths.config_path, report->target.has_config ? "" : " (not there)");
    if (report->target.config_problem[0]) {
        cli_health_label("");
        cli_out_safe(span_from(report->target.config_problem), false);
        cli_out("\n");
    }
    if (has_log_file(report)) {
        cli_health_label("Log");
        cli_out("%s\n", report->target.log_file);
    }
    if (report->has_probed) {
        probe_print(report);
    }
    if (cli_flag(report->cli, "deep") && cli_probe_answer(&report->probe, CLI_PROBE_HEALTH).len) {
        cli_health_print(cli_probe_answer(&report->probe, CLI_PROBE_HEALTH), true);
    }
}

static void report_collect(struct report *report)
{
    unsigned asks = cli_flag(report->cli, "deep")          ? CLI_PROBE_HEALTH | CLI_PROBE_STATUS
                    : cli_flag(report->cli, "require-rpc") ? CLI_PROBE_STATUS
                                                           : 0;

    cli_service_look(&report->cli->paths, &report->service);
    if (report->target.url.is_loopback && !report->target.is_elsewhere) {
        report->holders_n = gateway_port_holders(report->target.url.port, report->holders, HOLDERS_MAX);
    }
    report->has_probed = !cli_flag(report->cli, "no-probe");
    report->reads = asks != 0;
    if (report->has_probed) {
        cli_probe_run(report->cli, &report->target, asks, cli_number(report->cli, "timeout"), &report->probe);
    }
}

int cmd_gateway_status(struct cli *cli)
{
    struct report report = { .cli = cli };
    int r = CLI_EXIT_OK;

    if (cli_flag(cli, "no-probe") && cli_flag(cli, "require-rpc")) {
        cli_err("--require-rpc needs the probe that --no-probe leaves out");
        return CLI_EXIT_USAGE;
    }
    if (cli_target_resolve(cli, CLI_TARGET_TOLERANT, &report.target)) {
        return CLI_EXIT_USAGE;
    }
    report_collect(&report);
    if (cli_flag(cli, "json")) {
        struct pack doc;

        pack_init(&doc, 0);
        report_pack(&report, &doc);
        r = pack_error(&doc) ? CLI_EXIT_SOFTWARE : cli_rpc_print_json(pack_span(&doc));
        pack_deinit(&doc);
    } else {
        report_print(&report);
    }
    if (r == CLI_EXIT_OK && cli_flag(cli, "require-rpc") && !is_ok(&report)) {
        r = cli_problem_exit_code(&report.probe.problem);
    }
    if (report.has_probed) {
        cli_probe_deinit(&report.probe);
    }
    cli_target_deinit(&report.target);
    return r;
}
