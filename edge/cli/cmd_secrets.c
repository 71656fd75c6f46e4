/*
 * openclaw secrets reload|audit|apply: references to secrets instead of the secrets.
 */
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/secrets_apply.h"
#include "edge/cli/secrets_audit.h"
#include "schema/base/secret_memory.h"

#define NOTHING ((struct span){ 0 })
#define FINDINGS_SHOWN 20U
#define EXIT_UNRESOLVED 2 /* of an audit: some references lead nowhere */

/* --- reload ------------------------------------------------------------------------------------------ */

int cmd_secrets_reload(struct cli *cli)
{
    struct cli_ask ask;
    int r = cli_ask_open(cli, "secrets", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "secrets.reload");
    if (r == CLI_EXIT_FAILED) {
        cli_err_more("everything stays as it was, and the gateway asks again by itself; `openclaw health` shows it");
    }
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        int64_t warnings_n = value_i64(value_get(cli_ask_answer(&ask), "warningCount"), 0);

        cli_out(warnings_n ? "The gateway has read its secrets anew, with %lld warnings; see its log\n"
                           : "The gateway has read its secrets anew\n",
                (long long)warnings_n);
    }
    cli_ask_close(&ask);
    return r;
}

/* --- audit --------------------------------------------------------------------------------------------- */

static int report_json(const struct secrets_report *report)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_i64(&out, "version", 1);
    pack_kv_text(&out, "status", secrets_report_status(report));
    pack_key(&out, "resolution");
    pack_map_begin(&out);
    pack_kv_u64(&out, "refsChecked", report->refs_checked_n);
    pack_kv_u64(&out, "skippedExecRefs", report->refs_skipped_n);
    pack_kv_bool(&out, "resolvabilityComplete", !report->refs_skipped_n);
    pack_map_end(&out);
    pack_kv_raw(&out, "filesScanned", pack_span(&report->files));
    pack_key(&out, "summary");
    pack_map_begin(&out);
    pack_kv_u64(&out, "plaintextCount", report->counts[SECRETS_PLAINTEXT_FOUND]);
    pack_kv_u64(&out, "unresolvedRefCount", report->counts[SECRETS_REF_UNRESOLVED]);
    pack_kv_u64(&out, "shadowedRefCount", report->counts[SECRETS_REF_SHADOWED]);
    pack_kv_u64(&out, "legacyResidueCount", report->counts[SECRETS_LEGACY_RESIDUE]);
    pack_map_end(&out);
    pack_kv_raw(&out, "findings", pack_span(&report->findings));
    pack_map_end(&out);
    return cli_rpc_print_json(pack_span(&out));
}

static void finding_print(struct span finding)
{
    static const char *const keys[] = { "code", "file", "jsonPath", "message" };
    static const char *const fronts[] = { "- ", "  ", ":", "  " };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        cli_out("%s", fronts[i]);
        cli_out_safe(value_str(value_get(finding, keys[i]), NOTHING), false);
    }
    cli_out("\n");
}

static void report_print(const struct secrets_report *report)
{
    struct value_iter it = value_iter(pack_span(&report->findings));
    struct span key;
    struct span finding;

    cli_out("Secrets: %s (plain text %zu, unresolved %zu, shadowed %zu, left over %zu)\n",
            secrets_report_status(report), report->counts[SECRETS_PLAINTEXT_FOUND],
            report->counts[SECRETS_REF_UNRESOLVED], report->counts[SECRETS_REF_SHADOWED],
            report->counts[SECRETS_LEGACY_RESIDUE]);
    for (size_t i = 0; i < FINDINGS_SHOWN && value_next(&it, &key, &finding); i++) {
        finding_print(finding);
    }
    if (report->findings_n > FINDINGS_SHOWN) {
        cli_out("and %zu more; --json has all of them\n", report->findings_n - FINDINGS_SHOWN);
    }
    if (report->refs_skipped_n) {
        cli_out("%zu references to programs were not tried; --allow-exec runs the programs\n", report->refs_skipped_n);
    }
}

int cmd_secrets_audit(struct cli *cli)
{
    CLEANUP(secrets_report_deinit) struct secrets_report report;

    secrets_report_init(&report);
    secret_memory_guard();
    int r = secrets_audit(&cli->paths, cli_flag(cli, "allow-exec"), &report);
    if (r) {
        cli_err("the audit failed: %s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    if (cli_flag(cli, "json")) {
        r = report_json(&report);
    } else {
        report_print(&report);
    }
    if (r || report.counts[SECRETS_REF_UNRESOLVED]) {
        return r ? r : EXIT_UNRESOLVED;
    }
    return cli_flag(cli, "check") && report.findings_n ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

/* --- apply ------------------------------------------------------------------------------------------------ */

int cmd_secrets_apply(struct cli *cli)
{
    CLEANUP(secrets_plan_deinit) struct secrets_plan plan;
    CLEANUP(secrets_result_deinit) struct secrets_result result;
    CLEANUP(pack_deinit) struct pack out;
    struct secrets_apply_opts opts = { .is_write = !cli_flag(cli, "dry-run"),
                                       .is_exec_allowed = cli_flag(cli, "allow-exec") };
    int r = secrets_apply_read(cli_text(cli, "from"), &plan);

    secret_memory_guard();
    secrets_result_init(&result);
    pack_init(&out, 0);
    r = r ? r : secrets_apply(cli, &plan, &opts, &result);
    if (r) {
        return r;
    }
    if (cli_flag(cli, "json")) {
        secrets_result_pack(&result, opts.is_write, &out);
        return cli_rpc_print_json(pack_span(&out));
    }
    secrets_result_print(&result, opts.is_write);
    return CLI_EXIT_OK;
}
