/*
 * openclaw approvals pending, resolve and grants: questions that wait for somebody's leave,
 * and what was allowed for good.
 */
#include <stdio.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"

#define CELL 256U

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

/* --- what waits ------------------------------------------------------------------------------------ */

static const struct source {
    const char *method;
    const char *kind;
} sources[] = {
    { "exec.approval.list", "exec" },
    { "plugin.approval.list", "plugin" },
    { "openclaw.approval.list", "system-agent" },
};

static void text_or_nil(struct pack *out, const char *key, struct span value)
{
    pack_key(out, key);
    if (value_kind_of(value) == VALUE_STR) {
        pack_raw(out, value);
    } else {
        pack_nil(out);
    }
}

/* What it is about, in one line. */
static void summary_pack(struct span request, struct pack *out)
{
    struct span command = text_of(request, "command");
    struct span title = text_of(request, "title");
    struct span description = text_of(request, "description");
    char text[4096];

    if (command.len) {
        pack_kv_str(out, "summary", command);
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s%s%.*s", SPAN_FMT(title), title.len && description.len ? ": " : "",
                   SPAN_FMT(description)); /* may be cut */
    pack_kv_text(out, "summary", text[0] ? text : "(nothing is said)");
}

static void entries_pack(struct span rows, const char *kind, struct pack *out)
{
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        struct span request = value_get(row, "request");

        pack_map_begin(out);
        pack_kv_raw(out, "id", value_get(row, "id"));
        pack_kv_text(out, "kind", kind);
        text_or_nil(out, "agentId", value_get(request, "agentId"));
        text_or_nil(out, "sessionKey", value_get(request, "sessionKey"));
        pack_kv_raw(out, "createdAtMs", value_get(row, "createdAtMs"));
        pack_kv_raw(out, "expiresAtMs", value_get(row, "expiresAtMs"));
        summary_pack(request, out);
        pack_map_end(out);
    }
}

static void entries_print(struct span entries)
{
    struct cli_table table = { .columns_n = 6 };
    struct value_iter iter = value_iter(entries);
    struct span key;
    struct span row;

    cli_out("Pending approvals: %u\n", value_count(entries));
    cli_table_add(&table, (const char *[]){ "ID", "KIND", "AGENT", "ASKED", "ENDS IN", "WHAT" });
    while (value_next(&iter, &key, &row)) {
        char cells[6][CELL];
        char span[CLI_FORMAT_LEN];
        const char *texts[6] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] };
        int64_t left_ms = value_i64(value_get(row, "expiresAtMs"), 0) - clock_wall_ms();

        (void)cli_format_str(value_get(row, "id"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, "kind"), "-", cells[1], CELL);
        (void)cli_format_str(value_get(row, "agentId"), "-", cells[2], CELL);
        (void)cli_ask_age(value_get(row, "createdAtMs"), cells[3], CELL);
        (void)snprintf(cells[4], CELL, "%s", cli_format_span(left_ms > 0 ? left_ms : 0, span));
        (void)cli_format_str(value_get(row, "summary"), "-", cells[5], CELL);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_out("\n");
        cli_table_print(&table, "");
        cli_out("\nDecide with: openclaw approvals resolve <id> allow-once|allow-always|deny\n");
    }
    cli_table_deinit(&table);
}

int cmd_approvals_pending(struct cli *cli)
{
    struct cli_ask ask;
    struct pack out;
    int r = cli_ask_open(cli, "approvals:pending", &ask);

    if (r) {
        return r;
    }
    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_key(&out, "approvals");
    pack_array_begin(&out);
    for (size_t i = 0; !r && i < sizeof(sources) / sizeof(sources[0]); i++) {
        r = cli_ask_plain(&ask, sources[i].method);
        if (!r) {
            entries_pack(cli_ask_answer(&ask), sources[i].kind, &out);
        }
    }
    pack_array_end(&out);
    pack_map_end(&out);
    if (!r && cli_flag(cli, "json")) {
        r = cli_rpc_print_json(pack_span(&out));
    } else if (!r) {
        entries_print(value_get(pack_span(&out), "approvals"));
    }
    pack_deinit(&out);
    cli_ask_close(&ask);
    return r;
}

/* --- deciding ------------------------------------------------------------------------------------------ */

/* The answer of approval.resolve and whether it had been decided before. */
static int resolved_show(const struct cli_ask *ask, bool is_applied)
{
    struct value_iter iter = value_iter(cli_ask_answer(ask));
    const char *reason = cli_text(ask->cli, "reason");
    struct span key;
    struct span value;
    struct pack out;
    int r;

    pack_init(&out, 0);
    pack_map_begin(&out);
    while (value_next(&iter, &key, &value)) {
        pack_key_span(&out, key);
        pack_raw(&out, value);
    }
    pack_kv_bool(&out, "alreadyResolved", !is_applied);
    if (reason) {
        pack_kv_text(&out, "cliReason", reason);
    }
    pack_map_end(&out);
    r = cli_rpc_print_json(pack_span(&out));
    pack_deinit(&out);
    return r;
}

static int resolved_judge(const struct cli_ask *ask, const char *id, const char *decision)
{
    struct span approval = value_get(cli_ask_answer(ask), "approval");
    struct span decided = text_of(approval, "decision");
    bool is_applied = value_bool(value_get(cli_ask_answer(ask), "applied"), false);
    const char *reason = cli_text(ask->cli, "reason");

    if (!span_is_text(decided, decision)) {
        cli_err("%s was %s before: %.*s", id, decided.len ? "decided" : "over",
                SPAN_FMT(decided.len ? decided : text_of(approval, "status")));
        return CLI_EXIT_FAILED;
    }
    if (cli_flag(ask->cli, "json")) {
        return resolved_show(ask, is_applied);
    }
    cli_out("%s %s: %s%s%s\n", id, is_applied ? "is decided" : "had been decided already, in the same way", decision,
            reason ? "; " : "", reason ? reason : "");
    return CLI_EXIT_OK;
}

static int resolve(struct cli_ask *ask, const char *id, const char *decision)
{
    char kind[32];
    struct pack *params;
    int r = cli_ask_text(ask, "approval.get", "id", id);

    if (r) {
        return r;
    }
    (void)cli_format_str(value_path(cli_ask_answer(ask), "approval.presentation.kind"), "exec", kind, sizeof(kind));
    params = cli_ask_params(ask);
    pack_kv_text(params, "id", id);
    pack_kv_text(params, "kind", kind);
    pack_kv_text(params, "decision", decision);
    if (cli_given(ask->cli, "expires-in-days")) {
        pack_kv_u64(params, "grantExpiresInDays", cli_number(ask->cli, "expires-in-days"));
    }
    r = cli_ask_send(ask, "approval.resolve");
    return r ? r : resolved_judge(ask, id, decision);
}

int cmd_approvals_resolve(struct cli *cli)
{
    const char *decision = cli_arg(cli, 1);
    struct cli_ask ask;
    int r;

    if (strcmp(decision, "allow-once") != 0 && strcmp(decision, "allow-always") != 0 && strcmp(decision, "deny") != 0) {
        cli_err("the decision is allow-once, allow-always or deny, not '%s'", decision);
        return CLI_EXIT_USAGE;
    }
    if (cli_given(cli, "expires-in-days") && strcmp(decision, "allow-always") != 0) {
        cli_err("--expires-in-days is for allow-always");
        return CLI_EXIT_USAGE;
    }
    r = cli_ask_open(cli, "approvals:resolve", &ask);
    if (r) {
        return r;
    }
    r = resolve(&ask, cli_arg(cli, 0), decision);
    cli_ask_close(&ask);
    return r;
}

/* --- grants ------------------------------------------------------------------------------------------------- */

static void state_write(struct span grant, char out[CELL])
{
    struct span expires = value_get(grant, "expiresAtMs");
    int64_t left_ms = value_i64(expires, 0) - clock_wall_ms();
    char text[CLI_FORMAT_LEN];

    if (value_kind_of(value_get(grant, "revokedAtMs")) != VALUE_NIL) {
        (void)snprintf(out, CELL, "revoked by %.*s", SPAN_FMT(text_of(grant, "revokedBy"))); /* may be cut */
    } else if (value_kind_of(expires) == VALUE_NIL) {
        (void)snprintf(out, CELL, "until revoked");
    } else if (left_ms <= 0) {
        (void)snprintf(out, CELL, "over");
    } else {
        (void)snprintf(out, CELL, "%s more", cli_format_span(left_ms, text));
    }
}

static void grants_print(struct span grants)
{
    struct cli_table table = { .columns_n = 5 };
    struct value_iter iter = value_iter(grants);
    struct span key;
    struct span row;

    cli_out("Grants: %u\n", value_count(grants));
    cli_table_add(&table, (const char *[]){ "ID", "WHO", "COMMAND", "USED", "STATE" });
    while (value_next(&iter, &key, &row)) {
        char cells[5][CELL];
        const char *texts[5] = { cells[0], cells[1], cells[2], cells[3], cells[4] };
        bool has_name = text_of(row, "cronJobName").len > 0;

        (void)cli_format_str(value_get(row, "grantId"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, has_name ? "cronJobName" : "cronJobId"), "-", cells[1], CELL);
        (void)cli_format_str(value_get(row, "command"), "-", cells[2], CELL);
        (void)snprintf(cells[3], CELL, "%lld", (long long)value_i64(value_get(row, "useCount"), 0));
        state_write(row, cells[4]);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_out("\n");
        cli_table_print(&table, "");
        cli_out("\nEnd one with: openclaw approvals grants revoke <id>\n");
    }
    cli_table_deinit(&table);
}

int cmd_approvals_grants_list(struct cli *cli)
{
    struct cli_ask ask;
    struct pack *params;
    int r = cli_ask_open(cli, "approvals:grants", &ask);

    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    if (cli_given(cli, "limit")) {
        pack_kv_u64(params, "limit", cli_number(cli, "limit"));
    }
    r = cli_ask_send(&ask, "exec.approval.grants.list");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        grants_print(value_get(cli_ask_answer(&ask), "grants"));
    }
    cli_ask_close(&ask);
    return r;
}

int cmd_approvals_grants_revoke(struct cli *cli)
{
    struct cli_ask ask;
    struct span outcome;
    int r = cli_ask_open(cli, "approvals:grants", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_text(&ask, "exec.approval.grants.revoke", "grantId", cli_arg(cli, 0));
    outcome = r ? (struct span){ 0 } : text_of(cli_ask_answer(&ask), "outcome");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r && span_is_text(outcome, "not-found")) {
        cli_err("there is no grant '%s': openclaw approvals grants list shows them", cli_arg(cli, 0));
        r = CLI_EXIT_FAILED;
    } else if (!r) {
        cli_out("%s %s\n", span_is_text(outcome, "revoked") ? "Revoked" : "Revoked before:", cli_arg(cli, 0));
    }
    cli_ask_close(&ask);
    return r;
}
