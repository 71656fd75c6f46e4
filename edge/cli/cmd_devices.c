/*
 * openclaw devices: who may connect with a key of its own, and who asks to.
 */
#include <stdio.h>
#include <string.h>

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

/* --- the list ------------------------------------------------------------------------------------- */

/* The paired device of that id, or nothing. */
static struct span paired_of(struct span list, struct span device_id)
{
    struct value_iter iter = value_iter(value_get(list, "paired"));
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        if (span_is(text_of(row, "deviceId"), device_id)) {
            return row;
        }
    }
    return (struct span){ 0 };
}

/* What its owner calls it, or what it calls itself, or what kind of program it is. */
static void name_write(struct span row, char out[CELL])
{
    static const char *const keys[] = { "operatorLabel", "displayName", "clientId" };
    const char *key = keys[0];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !text_of(row, key).len; i++) {
        key = keys[i];
    }
    (void)cli_format_str(value_get(row, key), "-", out, CELL);
}

/* "operator (read, write)": scopes of an operator without the word that all of them begin with. */
static void access_write(struct span roles, struct span scopes, char out[CELL])
{
    static const char prefix[] = "operator.";
    struct value_iter iter = value_iter(scopes);
    struct span key;
    struct span item;
    char names[CELL];
    size_t len = 0;

    (void)cli_ask_join(roles, names, sizeof(names));
    names[0] = value_count(roles) ? names[0] : '\0';
    len = (size_t)snprintf(out, CELL, "%.100s", names);
    while (value_next(&iter, &key, &item)) {
        struct span text = value_str(item, (struct span){ 0 });
        size_t skip = span_starts(text, prefix) ? sizeof(prefix) - 1 : 0;
        const char *before = len == strlen(names) ? (len ? " (" : "(") : ", ";

        if (len + text.len + 4 >= CELL) {
            break;
        }
        len += (size_t)snprintf(out + len, CELL - len, "%s%.*s", before, (int)(text.len - skip), text.ptr + skip);
    }
    (void)snprintf(out + len, CELL - len, "%s", value_count(scopes) ? ")" : len ? "" : "nothing"); /* there is room */
}

static bool has_all(struct span list, struct span wanted)
{
    struct value_iter iter = value_iter(wanted);
    struct span key;
    struct span item;
    bool is_all = true;

    while (is_all && value_next(&iter, &key, &item)) {
        struct value_iter had = value_iter(list);
        struct span one;

        is_all = false;
        while (!is_all && value_next(&had, &key, &one)) {
            is_all = span_is(one, item);
        }
    }
    return is_all;
}

/* The roles whose tokens stand, as a packed list. */
static void roles_pack(struct span tokens, struct pack *out)
{
    struct value_iter iter = value_iter(tokens);
    struct span key;
    struct span token;

    pack_array_begin(out);
    while (value_next(&iter, &key, &token)) {
        if (!value_get(token, "revokedAtMs").len) {
            pack_str(out, text_of(token, "role"));
        }
    }
    pack_array_end(out);
}

/* There is a token for the role, and it stands or was taken away. */
static bool has_role(struct span tokens, struct span role, bool is_revoked)
{
    struct value_iter iter = value_iter(tokens);
    struct span key;
    struct span token;
    bool is_there = false;

    while (!is_there && value_next(&iter, &key, &token)) {
        is_there = span_is(text_of(token, "role"), role) && (value_get(token, "revokedAtMs").len != 0) == is_revoked;
    }
    return is_there;
}

/* What a paired device may do now: what it was approved for, unless the token was taken away. */
static void paired_access_write(struct span row, char out[CELL])
{
    struct span tokens = value_get(row, "tokens");
    bool is_operator = has_role(tokens, SPAN_LIT("operator"), false);
    struct pack roles;

    pack_init(&roles, 0);
    roles_pack(tokens, &roles);
    access_write(pack_span(&roles), is_operator ? value_get(row, "scopes") : (struct span){ 0 }, out);
    pack_deinit(&roles);
}

/* What approving it would change. */
static const char *kind_of(struct span row, struct span paired)
{
    if (!paired.len) {
        return "new device";
    }
    if (has_role(value_get(paired, "tokens"), text_of(row, "role"), true)) {
        return "after revocation";
    }
    if (!has_all(value_get(paired, "roles"), value_get(row, "roles"))) {
        return "another role";
    }
    return has_all(value_get(paired, "scopes"), value_get(row, "scopes")) ? "once more" : "more scopes";
}

static void pending_add(struct cli_table *table, struct span list, struct span row)
{
    char cells[8][CELL];
    const char *texts[8] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7] };
    struct span paired = paired_of(list, text_of(row, "deviceId"));

    (void)cli_format_str(value_get(row, "requestId"), "-", cells[0], CELL);
    name_write(row, cells[1]);
    (void)snprintf(cells[2], CELL, "%.12s", text_of(row, "deviceId").len >= 12 ? text_of(row, "deviceId").ptr : "-");
    (void)cli_format_str(value_get(row, "remoteIp"), "this machine", cells[3], CELL);
    (void)snprintf(cells[4], CELL, "%s", kind_of(row, paired));
    access_write(value_get(row, "roles"), value_get(row, "scopes"), cells[5]);
    paired_access_write(paired, cells[6]);
    (void)cli_ask_age(value_get(row, "ts"), cells[7], CELL);
    cli_table_add(table, texts);
}

/* The roles whose tokens open something, and those whose do not any more. */
static void tokens_write(struct span tokens, char out[CELL])
{
    struct value_iter iter = value_iter(tokens);
    struct span key;
    struct span token;
    size_t len = 0;

    (void)snprintf(out, CELL, "none");
    while (value_next(&iter, &key, &token) && len < CELL / 2) {
        len += (size_t)snprintf(out + len, CELL - len, "%s%.*s%s", len ? ", " : "", SPAN_FMT(text_of(token, "role")),
                                value_get(token, "revokedAtMs").len ? " (revoked)" : "");
    }
}

static void paired_add(struct cli_table *table, struct span row)
{
    char cells[6][CELL];
    const char *texts[6] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] };

    name_write(row, cells[0]);
    (void)cli_format_str(value_get(row, "remoteIp"), "this machine", cells[1], CELL);
    paired_access_write(row, cells[2]);
    tokens_write(value_get(row, "tokens"), cells[3]);
    (void)cli_ask_age(value_get(row, "approvedAtMs"), cells[4], CELL);
    (void)cli_format_str(value_get(row, "deviceId"), "-", cells[5], CELL);
    cli_table_add(table, texts);
}

static void list_print(struct span list)
{
    struct cli_table pending = { .columns_n = 8 };
    struct cli_table paired = { .columns_n = 6 };
    struct value_iter iter = value_iter(value_get(list, "pending"));
    struct span key;
    struct span row;

    cli_out("Pending: %u, paired: %u\n", value_count(value_get(list, "pending")),
            value_count(value_get(list, "paired")));
    cli_table_add(&pending, (const char *[]){ "REQUEST", "NAME", "DEVICE", "FROM", "KIND", "WANTS", "HAS", "ASKED" });
    while (value_next(&iter, &key, &row)) {
        pending_add(&pending, list, row);
    }
    cli_table_add(&paired, (const char *[]){ "NAME", "FROM", "MAY", "TOKENS", "APPROVED", "DEVICE" });
    iter = value_iter(value_get(list, "paired"));
    while (value_next(&iter, &key, &row)) {
        paired_add(&paired, row);
    }
    if (pending.rows_n > 1) {
        cli_out("\nWho asks to be let in:\n");
        cli_table_print(&pending, "  ");
        cli_out("\nLet one in with: openclaw devices approve <request>\n");
    }
    if (paired.rows_n > 1) {
        cli_out("\nWho is paired:\n");
        cli_table_print(&paired, "  ");
    }
    cli_table_deinit(&pending);
    cli_table_deinit(&paired);
}

int cmd_devices_list(struct cli *cli)
{
    struct cli_ask ask;
    int r = cli_ask_open(cli, "devices:list", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "device.pair.list");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        list_print(cli_ask_answer(&ask));
    }
    cli_ask_close(&ask);
    return r;
}

/* --- one of them ------------------------------------------------------------------------------------- */

int cmd_devices_remove(struct cli *cli)
{
    return cli_ask_once(cli, "device.pair.remove", "deviceId", cli_arg(cli, 0), "Removed");
}

static int request_answer(const struct cli *cli, const char *method, const char *done)
{
    char words[CLI_PROFILE_MAX + 16];
    int r = cli_ask_once(cli, method, "requestId", cli_arg(cli, 0), done);

    if (r == CLI_EXIT_FAILED) {
        cli_err_more("next: `openclaw%s devices list` shows the requests that wait",
                     cli_paths_words(&cli->paths, words));
    }
    return r;
}

int cmd_devices_reject(struct cli *cli)
{
    return request_answer(cli, "device.pair.reject", "Rejected");
}

static struct span newest_of(struct span pending)
{
    struct value_iter iter = value_iter(pending);
    struct span newest = { 0 };
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        if (!newest.len || value_i64(value_get(row, "ts"), 0) > value_i64(value_get(newest, "ts"), 0)) {
            newest = row;
        }
    }
    return newest;
}

static int selected_print(const struct cli *cli, struct span list, struct span row)
{
    struct span paired = paired_of(list, text_of(row, "deviceId"));
    struct span id = text_of(row, "requestId");
    char text[CELL];
    struct pack out;

    if (cli_flag(cli, "json")) {
        pack_init(&out, 0);
        pack_map_begin(&out);
        pack_kv_raw(&out, "selected", row);
        (void)snprintf(text, sizeof(text), "openclaw devices approve %.*s", SPAN_FMT(id));
        pack_kv_text(&out, "approveCommand", text);
        pack_map_end(&out);
        (void)cli_rpc_print_json(pack_span(&out)); /* the exit code is the same */
        pack_deinit(&out);
        return CLI_EXIT_FAILED;
    }
    name_write(row, text);
    cli_out("Newest request: %.*s\n", SPAN_FMT(id));
    cli_out("  name       ");
    cli_out_safe(span_from(text), false);
    cli_out("\n  device     %.*s\n", SPAN_FMT(text_of(row, "deviceId")));
    cli_out("  from       %s\n", cli_format_str(value_get(row, "remoteIp"), "this machine", text, sizeof(text)));
    cli_out("  kind       %s\n", kind_of(row, paired));
    cli_out("  role       %.*s\n", SPAN_FMT(text_of(row, "role")));
    cli_out("  requested  %s\n", cli_ask_join(value_get(row, "scopes"), text, sizeof(text)));
    if (paired.len) {
        paired_access_write(paired, text);
        cli_out("  has now    %s\n", text);
    }
    cli_err("nothing was approved; when this is the right one, run: openclaw devices approve %.*s", SPAN_FMT(id));
    return CLI_EXIT_FAILED;
}

static int newest_show(const struct cli *cli)
{
    struct cli_ask ask;
    struct span row;
    int r = cli_ask_open(cli, "devices:approve", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "device.pair.list");
    row = r ? (struct span){ 0 } : newest_of(value_get(cli_ask_answer(&ask), "pending"));
    if (!r && !row.len) {
        cli_err("no device asks to be paired");
        r = CLI_EXIT_FAILED;
    }
    r = r ? r : selected_print(cli, cli_ask_answer(&ask), row);
    cli_ask_close(&ask);
    return r;
}

/* Which request is meant must be said: another one may have come since the operator looked. */
int cmd_devices_approve(struct cli *cli)
{
    if (!cli_arg(cli, 0) || cli_flag(cli, "latest")) {
        return newest_show(cli);
    }
    return request_answer(cli, "device.pair.approve", "Approved");
}

int cmd_devices_rename(struct cli *cli)
{
    struct cli_ask ask;
    struct pack *params;
    int r = cli_ask_open(cli, "devices:rename", &ask);

    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    pack_kv_text(params, "deviceId", cli_text(cli, "device"));
    pack_kv_text(params, "label", cli_text(cli, "name"));
    r = cli_ask_send(&ask, "device.pair.rename");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        cli_out("%s is called %s now\n", cli_text(cli, "device"), cli_text(cli, "name"));
    }
    cli_ask_close(&ask);
    return r;
}

/* --- a link -------------------------------------------------------------------------------------------- */

static int link_print(const struct cli *cli, struct span url)
{
    struct pack out;
    char command[1024];

    (void)snprintf(command, sizeof(command), "npx openclaw connect %.*s", SPAN_FMT(url)); /* fits, as the link does */
    if (!cli_flag(cli, "json")) {
        cli_out("Run this on the machine that shall be a node, within ten minutes; it works once:\n\n");
        cli_out("  %s\n\n", command);
        cli_out("Its commands wait for you: openclaw nodes pending\n");
        return CLI_EXIT_OK;
    }
    pack_init_secret(&out, 0);
    pack_map_begin(&out);
    pack_kv_str(&out, "joinUrl", url);
    pack_kv_text(&out, "command", command);
    pack_map_end(&out);
    int r = cli_rpc_print_json(pack_span(&out));
    pack_deinit(&out);
    return r;
}

int cmd_devices_join_code(struct cli *cli)
{
    struct cli_ask ask;
    struct pack *params;
    int r = cli_ask_open(cli, "devices:join-code", &ask);

    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    pack_kv_bool(params, "includeQr", false);
    pack_kv_bool(params, "joinUrl", true);
    if (cli_given(cli, "public-url")) {
        pack_kv_text(params, "publicUrl", cli_text(cli, "public-url"));
    }
    r = cli_ask_send(&ask, "device.pair.setupCode");
    r = r ? r : link_print(cli, text_of(cli_ask_answer(&ask), "joinUrl"));
    cli_ask_close(&ask);
    return r;
}

/* --- all of them --------------------------------------------------------------------------------------- */

/* Calls `method` for each row; the ids that it went well for are added to `done`. */
static int each_call(struct cli_ask *ask, const char *method, const char *key, struct span rows, struct pack *done)
{
    struct value_iter iter = value_iter(rows);
    struct span name;
    struct span row;
    char id[CELL];
    int r = 0;

    pack_array_begin(done);
    while (!r && value_next(&iter, &name, &row)) {
        r = cli_ask_text(ask, method, key, cli_format_str(value_get(row, key), "", id, sizeof(id)));
        if (!r) {
            pack_text(done, id);
        }
    }
    pack_array_end(done);
    return r;
}

static int all_clear(struct cli_ask *ask, struct pack *list, struct pack *done)
{
    struct span pending = value_get(pack_span(list), "pending");
    int r;

    pack_map_begin(done);
    pack_key(done, "removedDevices");
    r = each_call(ask, "device.pair.remove", "deviceId", value_get(pack_span(list), "paired"), done);
    pack_key(done, "rejectedPending");
    if (r || !cli_flag(ask->cli, "pending")) {
        pending = (struct span){ 0 };
    }
    r = r ? r : each_call(ask, "device.pair.reject", "requestId", pending, done);
    pack_map_end(done);
    return r;
}

static int done_print(const struct cli *cli, struct span done)
{
    if (cli_flag(cli, "json")) {
        return cli_rpc_print_json(done);
    }
    unsigned removed = value_count(value_get(done, "removedDevices"));
    unsigned rejected = value_count(value_get(done, "rejectedPending"));

    cli_out("Removed %u device%s\n", removed, removed == 1 ? "" : "s");
    if (cli_flag(cli, "pending")) {
        cli_out("Rejected %u request%s\n", rejected, rejected == 1 ? "" : "s");
    }
    return CLI_EXIT_OK;
}

int cmd_devices_clear(struct cli *cli)
{
    struct cli_ask ask;
    struct pack list;
    struct pack done;
    int r;

    if (!cli_flag(cli, "yes")) {
        cli_err("this removes every paired device; say --yes when that is what you want");
        return CLI_EXIT_FAILED;
    }
    r = cli_ask_open(cli, "devices:clear", &ask);
    if (r) {
        return r;
    }
    pack_init(&list, 0);
    pack_init(&done, 0);
    r = cli_ask_plain(&ask, "device.pair.list");
    if (!r) {
        pack_raw(&list, cli_ask_answer(&ask)); /* the next answers take its place */
        r = all_clear(&ask, &list, &done);
    }
    r = r ? r : done_print(cli, pack_span(&done));
    pack_deinit(&list);
    pack_deinit(&done);
    cli_ask_close(&ask);
    return r;
}

/* --- tokens ------------------------------------------------------------------------------------------------ */

static void scopes_pack(const struct cli *cli, struct pack *out)
{
    bool is_open = false;

    for (size_t i = 0; i < cli->line.values_n; i++) {
        const struct cli_value *value = &cli->line.values[i];

        if (strcmp(value->opt->name, "scope") != 0) {
            continue;
        }
        if (!is_open) {
            pack_key(out, "scopes");
            pack_array_begin(out);
            is_open = true;
        }
        pack_text(out, value->text);
    }
    if (!is_open && cli_flag(cli, "no-scopes")) {
        pack_key(out, "scopes");
        pack_array_begin(out);
        is_open = true;
    }
    if (is_open) {
        pack_array_end(out);
    }
}

static int token_change(struct cli *cli, const char *method)
{
    struct cli_ask ask;
    struct pack *params;
    int r;

    if (cli_flag(cli, "no-scopes") && cli_given(cli, "scope")) {
        cli_err("--scope and --no-scopes exclude each other");
        return CLI_EXIT_USAGE;
    }
    r = cli_ask_open(cli, method, &ask);
    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    pack_kv_text(params, "deviceId", cli_text(cli, "device"));
    pack_kv_text(params, "role", cli_text(cli, "role"));
    scopes_pack(cli, params);
    r = cli_ask_send(&ask, method);
    r = r ? r : cli_ask_show(&ask);
    cli_ask_close(&ask);
    return r;
}

int cmd_devices_rotate(struct cli *cli)
{
    return token_change(cli, "device.token.rotate");
}

int cmd_devices_revoke(struct cli *cli)
{
    return token_change(cli, "device.token.revoke");
}
