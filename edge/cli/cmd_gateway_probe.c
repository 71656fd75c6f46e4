/*
 * openclaw gateway probe: which of the gateways one could mean answer, what one may do there, and which others run on
 * this machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_health.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_probe.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/gateway_found.h"

#define TARGETS_MAX 2
#define ASKS (CLI_PROBE_HEALTH | CLI_PROBE_STATUS | CLI_PROBE_PRESENCE | CLI_PROBE_CONFIG)

struct probed {
    const char *id; /* "explicit", "configRemote", "localLoopback" */
    struct cli_target target;
    struct cli_probe probe;
};

struct report {
    const struct cli *cli;
    struct probed targets[TARGETS_MAX];
    size_t targets_n;
    struct gateway_found *found; /* of this user on this machine, asked or not */
    size_t found_n;
    int64_t started_ms;
    uint64_t duration_ms;
};

static void value_or_nil(struct pack *out, const char *key, struct span value)
{
    pack_key(out, key);
    if (value.len) {
        pack_raw(out, value);
    } else {
        pack_nil(out);
    }
}

static void connect_pack(const struct probed *it, struct pack *out)
{
    const struct cli_problem *problem = &it->probe.problem;
    char text[1600];

    pack_map_begin(out);
    pack_kv_bool(out, "ok", it->probe.is_connected);
    pack_kv_bool(out, "rpcOk", it->probe.is_rpc_ok);
    pack_kv_bool(out, "scopeLimited",
                 it->probe.is_connected && !it->probe.is_rpc_ok && strstr(problem->message, "missing scope"));
    pack_key(out, "latencyMs");
    if (it->probe.is_connected) {
        pack_u64(out, it->probe.latency_ms);
    } else {
        pack_nil(out);
    }
    if (problem->kind != CLI_PROBLEM_NONE) {
        cli_problem_text(problem, &it->target, text, sizeof(text));
        pack_kv_text(out, "error", text);
    } else {
        pack_kv_text(out, "error", NULL);
    }
    pack_key(out, "close");
    if (problem->close_code) {
        pack_map_begin(out);
        pack_kv_u64(out, "code", problem->close_code);
        pack_kv_text(out, "reason", problem->close_reason);
        pack_map_end(out);
    } else {
        pack_nil(out);
    }
    pack_map_end(out);
}

static bool is_set(struct span value)
{
    return value_kind_of(value) > VALUE_NIL;
}

/* The part of the gateway's config that decides how to reach it; never a secret. */
static void config_pack(struct span answer, struct pack *out)
{
    static const struct {
        const char *key;
        const char *path;
    } values[] = {
        { "mode", "gateway.mode" },
        { "bind", "gateway.bind" },
        { "port", "gateway.port" },
        { "controlUiEnabled", "gateway.controlUi.enabled" },
        { "controlUiBasePath", "gateway.controlUi.basePath" },
        { "authMode", "gateway.auth.mode" },
        { "remoteUrl", "gateway.remote.url" },
        { "tailscaleMode", "gateway.tailscale.mode" },
    };
    static const char *const same[] = { "path", "exists", "valid", "issues", "legacyIssues" };
    struct span parsed = value_get(answer, "parsed");

    if (!answer.len) {
        pack_nil(out);
        return;
    }
    pack_map_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        value_or_nil(out, same[i], value_get(answer, same[i]));
    }
    pack_key(out, "gateway");
    pack_map_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        value_or_nil(out, values[i].key, value_path(parsed, values[i].path));
    }
    pack_kv_bool(out, "authTokenConfigured", is_set(value_path(parsed, "gateway.auth.token")));
    pack_kv_bool(out, "authPasswordConfigured", is_set(value_path(parsed, "gateway.auth.password")));
    pack_kv_bool(out, "remoteTokenConfigured", is_set(value_path(parsed, "gateway.remote.token")));
    pack_kv_bool(out, "remotePasswordConfigured", is_set(value_path(parsed, "gateway.remote.password")));
    pack_map_end(out);
    pack_map_end(out);
}

static void target_pack(const struct probed *it, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", it->id);
    pack_kv_text(out, "kind", it->id);
    pack_kv_text(out, "url", it->target.address);
    pack_kv_bool(out, "active", true);
    pack_key(out, "tunnel");
    pack_nil(out);
    pack_key(out, "connect");
    connect_pack(it, out);
    pack_key(out, "auth");
    cli_probe_pack_auth(&it->probe, out);
    pack_key(out, "self");
    cli_probe_pack_self(&it->probe, out);
    if (it->probe.is_connected) {
        pack_kv_raw(out, "server", value_get(pack_span(&it->probe.hello), "server"));
    }
    pack_key(out, "config");
    config_pack(cli_probe_answer(&it->probe, CLI_PROBE_CONFIG), out);
    value_or_nil(out, "health", cli_probe_answer(&it->probe, CLI_PROBE_HEALTH));
    value_or_nil(out, "summary", cli_probe_answer(&it->probe, CLI_PROBE_STATUS));
    value_or_nil(out, "presence", cli_probe_answer(&it->probe, CLI_PROBE_PRESENCE));
    pack_map_end(out);
}

/* The first that answers; the one a command without --url would be lost without. */
static const struct probed *primary(const struct report *report)
{
    for (size_t i = 0; i < report->targets_n; i++) {
        if (report->targets[i].probe.is_connected) {
            return &report->targets[i];
        }
    }
    return NULL;
}

/* The process that answered, and when it began; two ways may lead to one gateway. */
static bool is_same(const struct probed *a, const struct probed *b)
{
    struct span a_process = value_get(cli_probe_answer(&a->probe, CLI_PROBE_HEALTH), "process");
    struct span b_process = value_get(cli_probe_answer(&b->probe, CLI_PROBE_HEALTH), "process");
    struct span a_path = value_get(cli_probe_answer(&a->probe, CLI_PROBE_CONFIG), "path");
    struct span b_path = value_get(cli_probe_answer(&b->probe, CLI_PROBE_CONFIG), "path");
    int64_t pid = value_i64(value_get(a_process, "pid"), 0);

    return pid && pid == value_i64(value_get(b_process, "pid"), 0) && a_path.len && span_is(a_path, b_path);
}

/* Is it one of those that run on this machine? */
static bool is_found(const struct report *report, const struct probed *it)
{
    struct span state = value_path(pack_span(&it->probe.hello), "snapshot.stateDir");

    for (size_t i = 0; i < report->found_n; i++) {
        const struct gateway_found *found = &report->found[i];

        if (span_is_text(value_str(state, (struct span){ "", 0 }), found->state_dir)) {
            return true;
        }
        for (size_t k = 0; it->target.url.is_loopback && k < found->ports_n; k++) {
            if (found->ports[k] == it->target.url.port) {
                return true;
            }
        }
    }
    return false;
}

/* How many gateways there are, as far as they can be told apart: those that run here, and those that answered. */
static size_t reachable_count(const struct report *report)
{
    size_t n = report->found_n;

    for (size_t i = 0; i < report->targets_n; i++) {
        bool is_new = report->targets[i].probe.is_connected && !is_found(report, &report->targets[i]);

        for (size_t k = 0; k < i && is_new; k++) {
            is_new = !report->targets[k].probe.is_connected || !is_same(&report->targets[i], &report->targets[k]);
        }
        n += is_new;
    }
    return n;
}

#define SEVERAL                                                                                                        \
    "Several gateways answer. One is enough for most purposes; whoever wants more, such as one to rescue the other, "  \
    "gives each a profile, a state directory, a workspace and a port of its own."

static void several_pack(const struct report *report, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "code", "multiple_gateways");
    pack_kv_text(out, "message", SEVERAL);
    pack_key(out, "targetIds");
    pack_array_begin(out);
    for (size_t i = 0; i < report->targets_n; i++) {
        if (report->targets[i].probe.is_connected) {
            pack_text(out, report->targets[i].id);
        }
    }
    pack_array_end(out);
    pack_key(out, "gateways");
    pack_array_begin(out);
    for (size_t i = 0; i < report->found_n; i++) {
        gateway_found_pack(&report->found[i], out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

static void warnings_pack(const struct report *report, struct pack *out)
{
    const struct probed *first = primary(report);

    pack_array_begin(out);
    if (reachable_count(report) > 1) {
        several_pack(report, out);
    }
    if (!first || !first->probe.is_rpc_ok) {
        pack_map_begin(out);
        pack_kv_text(out, "code", first ? "read_probe_incomplete" : "no_gateway_reachable");
        pack_kv_text(out, "message",
                     first ? "The gateway let us in but did not answer every read request."
                           : "No gateway answered. `openclaw gateway status` shows whether one runs here.");
        pack_key(out, "targetIds");
        pack_array_begin(out);
        for (size_t i = 0; i < report->targets_n; i++) {
            if (!first || &report->targets[i] == first) {
                pack_text(out, report->targets[i].id);
            }
        }
        pack_array_end(out);
        pack_map_end(out);
    }
    pack_array_end(out);
}

static void report_pack(const struct report *report, struct pack *out)
{
    const struct probed *first = primary(report);
    const struct probed *last = &report->targets[report->targets_n - 1];

    pack_map_begin(out);
    pack_kv_bool(out, "ok", first != NULL);
    pack_kv_bool(out, "degraded", first && !first->probe.is_rpc_ok);
    pack_kv_text(out, "capability", first ? cli_probe_capability(&first->probe) : "unknown");
    pack_kv_i64(out, "ts", report->started_ms);
    pack_kv_u64(out, "durationMs", report->duration_ms);
    pack_kv_u64(out, "timeoutMs", cli_number(report->cli, "timeout"));
    pack_kv_text(out, "primaryTargetId", first ? first->id : NULL);
    pack_key(out, "warnings");
    warnings_pack(report, out);
    pack_key(out, "network");
    pack_map_begin(out);
    pack_kv_text(out, "localLoopbackUrl", last->target.address);
    pack_kv_text(out, "localTailnetUrl", NULL);
    pack_kv_text(out, "tailnetIPv4", NULL);
    pack_map_end(out);
    pack_key(out, "discovery");
    pack_map_begin(out);
    pack_kv_u64(out, "timeoutMs", 0);
    pack_kv_u64(out, "count", 0);
    pack_key(out, "beacons");
    pack_array_begin(out);
    pack_array_end(out);
    pack_map_end(out);
    pack_key(out, "targets");
    pack_array_begin(out);
    for (size_t i = 0; i < report->targets_n; i++) {
        target_pack(&report->targets[i], out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

static void target_print(const struct report *report, const struct probed *it)
{
    cli_health_label("Gateway");
    cli_out("%s, from %s\n", it->target.address, it->target.source);
    cli_health_label("Connect");
    cli_out_styled(it->probe.is_connected ? CLI_STYLE_GOOD : CLI_STYLE_BAD, it->probe.is_connected ? "ok" : "failed");
    if (it->probe.is_connected) {
        cli_out(" in %llu ms, %s", (unsigned long long)it->probe.latency_ms, cli_probe_capability(&it->probe));
    }
    cli_out("\n");
    if (it->probe.is_connected) {
        cli_health_label("Requests");
        cli_out("%s\n", it->probe.is_rpc_ok ? "answered" : "not all answered");
    }
    if (it->probe.problem.kind != CLI_PROBLEM_NONE) {
        cli_health_problem(&report->cli->paths, &it->probe.problem, &it->target);
    }
    if (it->probe.is_rpc_ok) {
        cli_health_print(cli_probe_answer(&it->probe, CLI_PROBE_HEALTH), false);
    }
}

static int target_probe(struct report *report, const char *id, unsigned flags)
{
    struct probed *it = &report->targets[report->targets_n];
    int r = cli_target_resolve(report->cli, flags, &it->target);

    if (r) {
        return r == CLI_TARGET_E_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_CONFIG;
    }
    it->id = id ? id : strcmp(it->target.source, "gateway.remote.url") == 0 ? "configRemote" : "explicit";
    cli_probe_run(report->cli, &it->target, ASKS, cli_number(report->cli, "timeout"), &it->probe);
    report->targets_n++;
    return CLI_EXIT_OK;
}

/* Another gateway than the one of this machine is looked at first, then this one all the same. */
static int targets_probe(struct report *report)
{
    struct cli_target named;
    bool is_elsewhere;
    int r = cli_target_resolve(report->cli, CLI_TARGET_TOLERANT, &named);

    if (r) {
        return CLI_EXIT_USAGE;
    }
    is_elsewhere = named.is_elsewhere;
    cli_target_deinit(&named);
    if (is_elsewhere) {
        r = target_probe(report, NULL, CLI_TARGET_TOLERANT);
    }
    return r ? r : target_probe(report, "localLoopback", CLI_TARGET_TOLERANT | CLI_TARGET_LOCAL);
}

static void several_print(const struct report *report)
{
    cli_out("\n");
    cli_out_styled(CLI_STYLE_BAD, "Warning");
    cli_out("    %s\n", SEVERAL);
    for (size_t i = 0; i < report->found_n; i++) {
        char text[PATH_MAX + 256];

        gateway_found_text(&report->found[i], text, sizeof(text));
        cli_out("           %s\n", text);
    }
}

static int report_show(const struct report *report)
{
    struct pack doc;
    int r = CLI_EXIT_OK;

    if (!cli_flag(report->cli, "json")) {
        for (size_t i = 0; i < report->targets_n; i++) {
            cli_out("%s", i ? "\n" : "");
            target_print(report, &report->targets[i]);
        }
        if (reachable_count(report) > 1) {
            several_print(report);
        }
        return r;
    }
    pack_init(&doc, 0);
    report_pack(report, &doc);
    r = pack_error(&doc) ? CLI_EXIT_SOFTWARE : cli_rpc_print_json(pack_span(&doc));
    pack_deinit(&doc);
    return r;
}

int cmd_gateway_probe(struct cli *cli)
{
    struct report report = { .cli = cli, .started_ms = clock_wall_ms() };
    uint64_t from_ms = clock_mono_ms();
    int r = targets_probe(&report);

    report.found_n = gateway_found_all(&report.found);
    report.duration_ms = clock_mono_ms() - from_ms;
    if (r == CLI_EXIT_OK) {
        r = report_show(&report);
    }
    if (r == CLI_EXIT_OK && !primary(&report)) {
        r = cli_problem_exit_code(&report.targets[0].probe.problem);
    }
    for (size_t i = 0; i < report.targets_n; i++) {
        cli_probe_deinit(&report.targets[i].probe);
        cli_target_deinit(&report.targets[i].target);
    }
    free(report.found);
    return r;
}
