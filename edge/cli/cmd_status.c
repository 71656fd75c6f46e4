/*
 * openclaw status: the gateway, its agents, channels and sessions at a glance.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_health.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_probe.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/cli_service.h"

#define NOTHING ((struct span){ 0 })

struct report {
    const struct cli *cli;
    struct cli_target target;
    struct cli_service service;
    struct cli_probe probe;
};

static struct span status_of(const struct report *report)
{
    return cli_probe_answer(&report->probe, CLI_PROBE_STATUS);
}

static bool is_deep(const struct cli *cli)
{
    return cli_flag(cli, "deep") || cli_flag(cli, "all") || cli_flag(cli, "verbose") || cli_flag(cli, "debug");
}

/* The names that the protocol uses elsewhere for processors. */
static const char *arch_name(const char *machine)
{
    return strcmp(machine, "x86_64") == 0 ? "x64" : strcmp(machine, "aarch64") == 0 ? "arm64" : machine;
}

static void os_pack(struct pack *out)
{
    struct utsname name = { .sysname = "" };
    char label[256];

    (void)uname(&name); /* fails only for a bad pointer */
    (void)snprintf(label, sizeof(label), "linux %.64s (%.32s)", name.release, arch_name(name.machine));
    pack_map_begin(out);
    pack_kv_text(out, "platform", "linux");
    pack_kv_text(out, "arch", arch_name(name.machine));
    pack_kv_text(out, "release", name.release);
    pack_kv_text(out, "label", label);
    pack_map_end(out);
}

static void gateway_pack(const struct report *report, struct pack *out)
{
    char text[1600];

    pack_map_begin(out);
    pack_kv_text(out, "mode", report->target.is_elsewhere ? "remote" : "local");
    pack_kv_text(out, "url", report->target.address);
    pack_kv_text(out, "urlSource", report->target.source);
    pack_kv_bool(out, "misconfigured", report->target.config_problem[0] != '\0');
    pack_kv_bool(out, "reachable", report->probe.is_connected);
    pack_key(out, "connectLatencyMs");
    if (report->probe.is_connected) {
        pack_u64(out, report->probe.latency_ms);
    } else {
        pack_nil(out);
    }
    pack_key(out, "self");
    cli_probe_pack_self(&report->probe, out);
    if (report->probe.problem.kind != CLI_PROBLEM_NONE) {
        cli_problem_text(&report->probe.problem, &report->target, text, sizeof(text));
    }
    pack_kv_text(out, "error", report->probe.problem.kind != CLI_PROBLEM_NONE ? text : NULL);
    pack_kv_text(out, "authWarning", NULL);
    pack_map_end(out);
}

static void service_pack(const struct report *report, struct pack *out)
{
    char text[PATH_MAX];
    bool is_installed = report->service.unit_path[0] != '\0';

    cli_service_text(&report->service, text, sizeof(text));
    pack_map_begin(out);
    pack_kv_text(out, "label", is_installed && !report->service.is_user_unit ? "systemd" : "systemd user");
    pack_kv_bool(out, "installed", is_installed);
    pack_kv_bool(out, "loaded", is_installed);
    pack_kv_text(out, "loadedText", is_installed ? "enabled" : "disabled");
    pack_kv_bool(out, "managedByOpenClaw", false); /* units are the operator's here */
    pack_kv_bool(out, "externallyManaged", is_installed);
    pack_key(out, "runtime");
    pack_map_begin(out);
    pack_kv_text(out, "status", report->service.is_running ? "running" : "stopped");
    if (report->service.is_running) {
        pack_kv_i64(out, "pid", report->service.pid);
    }
    pack_map_end(out);
    pack_kv_text(out, "runtimeShort", text);
    pack_map_end(out);
}

/* This machine is never a node by itself. */
static void node_service_pack(struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "label", "systemd user");
    pack_kv_bool(out, "installed", false);
    pack_kv_bool(out, "loaded", false);
    pack_kv_bool(out, "managedByOpenClaw", false);
    pack_kv_bool(out, "externallyManaged", false);
    pack_kv_text(out, "loadedText", "disabled");
    pack_key(out, "runtime");
    pack_map_begin(out);
    pack_kv_text(out, "status", "stopped");
    pack_map_end(out);
    pack_kv_text(out, "runtimeShort", "not running");
    pack_map_end(out);
}

static int64_t row_updated_at(struct span row)
{
    struct value_iter it = value_iter(value_get(row, "recent"));
    struct span key;
    struct span recent = NOTHING;

    return value_next(&it, &key, &recent) ? value_i64(value_get(recent, "updatedAt"), -1) : -1;
}

static void agents_pack(const struct report *report, struct pack *out)
{
    struct span status = status_of(report);
    struct value_iter it = value_iter(value_path(status, "sessions.byAgent"));
    struct span none = NOTHING;
    struct span key;
    struct span row;

    pack_map_begin(out);
    pack_kv_str(out, "defaultId", value_str(value_path(status, "heartbeat.defaultAgentId"), none));
    pack_key(out, "agents");
    pack_array_begin(out);
    while (value_next(&it, &key, &row)) {
        int64_t updated_at = row_updated_at(row);

        pack_map_begin(out);
        pack_kv_str(out, "id", value_str(value_get(row, "agentId"), none));
        pack_kv_str(out, "sessionsPath", value_str(value_get(row, "path"), none));
        pack_kv_i64(out, "sessionsCount", value_i64(value_get(row, "count"), 0));
        if (updated_at >= 0) {
            pack_kv_i64(out, "lastUpdatedAt", updated_at);
            pack_kv_i64(out, "lastActiveAgeMs", clock_wall_ms() - updated_at);
        }
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_kv_i64(out, "totalSessions", value_i64(value_path(status, "sessions.count"), 0));
    pack_map_end(out);
}

static void report_pack(const struct report *report, struct pack *out)
{
    struct value_iter it = value_iter(status_of(report));
    struct span key;
    struct span value;

    pack_map_begin(out);
    while (value_next(&it, &key, &value)) {
        pack_key_span(out, key);
        pack_raw(out, value);
    }
    pack_key(out, "os");
    os_pack(out);
    pack_kv_text(out, "memory", NULL);
    pack_key(out, "gateway");
    gateway_pack(report, out);
    pack_key(out, "gatewayService");
    service_pack(report, out);
    pack_key(out, "nodeService");
    node_service_pack(out);
    pack_key(out, "agents");
    agents_pack(report, out);
    pack_key(out, "secretDiagnostics");
    pack_array_begin(out);
    pack_array_end(out);
    if (cli_probe_answer(&report->probe, CLI_PROBE_HEALTH).len) {
        pack_kv_raw(out, "health", cli_probe_answer(&report->probe, CLI_PROBE_HEALTH));
    }
    if (cli_probe_answer(&report->probe, CLI_PROBE_HEARTBEAT).len) {
        pack_kv_raw(out, "lastHeartbeat", cli_probe_answer(&report->probe, CLI_PROBE_HEARTBEAT));
    }
    pack_map_end(out);
}

static void tokens_text(struct span row, char *out, size_t out_size)
{
    int64_t total = value_i64(value_get(row, "totalTokens"), -1);
    int64_t context = value_i64(value_get(row, "contextTokens"), 0);

    if (total < 0) {
        (void)snprintf(out, out_size, "-");
    } else if (context > 0) {
        (void)snprintf(out, out_size, "%" PRId64 " of %" PRId64 " k", total, context / 1000);
    } else {
        (void)snprintf(out, out_size, "%" PRId64, total);
    }
}

static void sessions_print(struct span status)
{
    struct cli_table table = { .columns_n = 4 };
    struct value_iter it = value_iter(value_path(status, "sessions.recent"));
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "SESSION", "ACTIVE", "MODEL", "TOKENS" });
    while (value_next(&it, &key, &row)) {
        char name[256];
        char age[CLI_FORMAT_LEN];
        char model[128];
        char tokens[64];

        tokens_text(row, tokens, sizeof(tokens));
        cli_table_add(&table,
                      (const char *[]){ cli_format_str(value_get(row, "key"), "?", name, sizeof(name)),
                                        cli_format_age(value_i64(value_get(row, "age"), -1), age),
                                        cli_format_str(value_get(row, "model"), "-", model, sizeof(model)), tokens });
    }
    if (table.rows_n > 1) {
        cli_out("\n");
        cli_table_print(&table, "");
    }
    cli_table_deinit(&table);
}

static void agents_print(struct span status)
{
    struct value_iter it = value_iter(value_path(status, "sessions.byAgent"));
    struct span default_id = value_str(value_path(status, "heartbeat.defaultAgentId"), NOTHING);
    struct span key;
    struct span row;
    bool is_first = true;

    while (value_next(&it, &key, &row)) {
        struct span id = value_str(value_get(row, "agentId"), NOTHING);
        int64_t count = value_i64(value_get(row, "count"), 0);

        cli_health_label(is_first ? "Agents" : "");
        cli_out_safe(id, false);
        cli_out("%s, %" PRId64 " %s\n", span_is(id, default_id) ? " (default)" : "", count,
                count == 1 ? "session" : "sessions");
        is_first = false;
    }
}

static void channels_print(struct span status)
{
    struct value_iter it = value_iter(value_get(status, "channelSummary"));
    struct span key;
    struct span line;
    bool is_first = true;

    while (value_next(&it, &key, &line)) {
        cli_health_label(is_first ? "Channels" : "");
        cli_out_safe(value_str(line, SPAN_LIT("?")), false);
        cli_out("\n");
        is_first = false;
    }
}

static void gateway_print(const struct report *report)
{
    char text[PATH_MAX + 64];
    struct span version = value_str(value_path(pack_span(&report->probe.hello), "server.version"), NOTHING);

    cli_health_label("Gateway");
    cli_out("%s, from %s\n", report->target.address, report->target.source);
    cli_health_label("");
    cli_out_styled(report->probe.is_connected ? CLI_STYLE_GOOD : CLI_STYLE_BAD,
                   report->probe.is_connected ? "reachable" : "not reachable");
    if (report->probe.is_connected) {
        cli_out(", %llu ms, version ", (unsigned long long)report->probe.latency_ms);
        cli_out_safe(version, false);
    }
    cli_out("\n");
    if (report->probe.problem.kind != CLI_PROBLEM_NONE) {
        cli_health_problem(&report->cli->paths, &report->probe.problem, &report->target);
    }
    cli_service_text(&report->service, text, sizeof(text));
    cli_health_label("Service");
    cli_out("%s\n", text);
}

static void report_print(const struct report *report)
{
    struct span status = status_of(report);
    struct span health = cli_probe_answer(&report->probe, CLI_PROBE_HEALTH);

    gateway_print(report);
    agents_print(status);
    channels_print(status);
    sessions_print(status);
    if (health.len) {
        cli_out("\n");
        cli_health_print(health, true);
    }
}

/* To look makes no identity, so a gateway elsewhere lets its secret in with no scope at all, and what it then says is
 * only that one is missing. */
static void unpaired_explain(struct cli_probe *probe)
{
    struct cli_problem *problem = &probe->problem;

    if (problem->kind == CLI_PROBLEM_ANSWER &&
        strcmp(cli_probe_capability(probe), "connected_no_operator_scope") == 0) {
        *problem = (struct cli_problem){ .kind = CLI_PROBLEM_REFUSED, .detail = "PAIRING_REQUIRED" };
        (void)snprintf(problem->message, sizeof(problem->message),
                       "pairing required: it shows nothing to a device that it does not know");
    }
}

int cmd_status(struct cli *cli)
{
    struct report report = { .cli = cli };
    unsigned asks = CLI_PROBE_STATUS | CLI_PROBE_PRESENCE | CLI_PROBE_ALL_SCOPES; /* to see the sessions */
    int r;

    if (cli_target_resolve(cli, CLI_TARGET_TOLERANT, &report.target)) {
        return CLI_EXIT_USAGE;
    }
    if (is_deep(cli)) {
        asks |= CLI_PROBE_HEALTH | CLI_PROBE_LIVE | CLI_PROBE_HEARTBEAT;
    }
    cli_service_look(&cli->paths, &report.service);
    cli_probe_run(cli, &report.target, asks, cli_number(cli, "timeout"), &report.probe);
    unpaired_explain(&report.probe);
    if (cli_flag(cli, "json")) {
        struct pack doc;

        pack_init(&doc, 0);
        report_pack(&report, &doc);
        r = pack_error(&doc) ? CLI_EXIT_SOFTWARE : cli_rpc_print_json(pack_span(&doc));
        pack_deinit(&doc);
    } else {
        report_print(&report);
        r = CLI_EXIT_OK;
    }
    if (!r && report.service.is_hidden && report.probe.problem.kind == CLI_PROBLEM_FAULT) {
        r = CLI_EXIT_REFUSED; /* nothing broke: the files are another user's */
    }
    r = r ? r : cli_problem_exit_code(&report.probe.problem);
    cli_probe_deinit(&report.probe);
    cli_target_deinit(&report.target);
    return r;
}
