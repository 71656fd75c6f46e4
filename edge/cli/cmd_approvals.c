/*
 * openclaw approvals: what may run without being asked, here, at the gateway or on a node.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_node_find.h"
#include "edge/cli/cli_out.h"
#include "schema/base/approvals_file.h"

#define CELL 256U
#define INPUT_MAX 4194304U

static const struct span nothing;

enum place {
    PLACE_HERE, /* the file of this machine, with or without a gateway */
    PLACE_GATEWAY,
    PLACE_NODE,
};

/* Where the file is, and what stands in it. */
struct approvals {
    struct cli *cli;
    enum place place;
    struct cli_ask ask; /* but PLACE_HERE */
    char node_id[CLI_NODE_ID_MAX];
    struct approvals_file file; /* PLACE_HERE */
    struct pack shown;          /* {path, exists, hash, file} */
};

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), nothing);
}

/* --- reading and writing --------------------------------------------------------------------------- */

static int refused(int r, const struct approvals_error *error)
{
    cli_err("%s", r < 0 ? fault_text(r) : error->text);
    return r < 0 ? CLI_EXIT_SOFTWARE : CLI_EXIT_FAILED;
}

static int answer_take(struct approvals *self)
{
    pack_reset(&self->shown);
    pack_raw(&self->shown, cli_ask_answer(&self->ask));
    return CLI_EXIT_OK;
}

static int shown_read(struct approvals *self)
{
    struct approvals_error error;
    int r;

    if (self->place == PLACE_HERE) {
        r = approvals_file_load(&self->file, self->cli->paths.state_dir, &error);
        pack_reset(&self->shown);
        approvals_file_show(&self->file, &self->shown);
        return r ? refused(r, &error) : CLI_EXIT_OK;
    }
    r = self->place == PLACE_NODE ? cli_ask_text(&self->ask, "exec.approvals.node.get", "nodeId", self->node_id)
                                  : cli_ask_plain(&self->ask, "exec.approvals.get");
    return r ? r : answer_take(self);
}

/* Replaces the file by `content` (a map), which must rest upon what was read. */
static int shown_write(struct approvals *self, struct span content)
{
    struct approvals_error error;
    struct pack *params;
    int r;

    if (self->place == PLACE_HERE) {
        CLEANUP(pack_deinit) struct pack whole;

        pack_init(&whole, 0);
        r = approvals_file_complete(&self->file, content, &whole);
        r = r ? r : approvals_file_save(&self->file, pack_span(&whole), &error);
        return r ? refused(r, &error) : shown_read(self);
    }
    params = cli_ask_params(&self->ask);
    pack_kv_raw(params, "file", content);
    if (text_of(pack_span(&self->shown), "hash").len) {
        pack_kv_str(params, "baseHash", text_of(pack_span(&self->shown), "hash"));
    }
    if (self->place == PLACE_NODE) {
        pack_kv_text(params, "nodeId", self->node_id);
    }
    r = cli_ask_send(&self->ask, self->place == PLACE_NODE ? "exec.approvals.node.set" : "exec.approvals.set");
    return r ? r : answer_take(self);
}

/* Finds the place and reads what is there. Call approvals_close in any case. */
static int approvals_open(struct cli *cli, struct approvals *self)
{
    const char *node = cli_text(cli, "node");
    int r = CLI_EXIT_OK;

    *self = (struct approvals){ .cli = cli };
    pack_init(&self->shown, 0);
    approvals_file_init(&self->file);
    if (node && cli_flag(cli, "gateway")) {
        cli_err("--node and --gateway are two different places; name one");
        return CLI_EXIT_USAGE;
    }
    if (node || cli_flag(cli, "gateway")) {
        r = cli_ask_open(cli, "approvals", &self->ask);
        self->place = r ? PLACE_HERE : node ? PLACE_NODE : PLACE_GATEWAY;
    }
    r = r || !node ? r : cli_node_find(&self->ask, node, self->node_id);
    return r ? r : shown_read(self);
}

static void approvals_close(struct approvals *self)
{
    if (self->place != PLACE_HERE) {
        cli_ask_close(&self->ask);
    }
    approvals_file_deinit(&self->file);
    pack_deinit(&self->shown);
}

/* --- showing --------------------------------------------------------------------------------------------- */

static const char policy_note[] = "What is not set is decided by whoever runs the command: a node by its own file, an "
                                  "agent by tools.exec of the config.";

static void policy_print(const char *name, struct span policy)
{
    char security[CELL];
    char ask[CELL];
    char fallback[CELL];

    cli_out("  %-10s security: %s, ask: %s, when nobody answers: %s\n", name,
            cli_format_str(value_get(policy, "security"), "not set", security, CELL),
            cli_format_str(value_get(policy, "ask"), "not set", ask, CELL),
            cli_format_str(value_get(policy, "askFallback"), "not set", fallback, CELL));
}

static void allowed_print(struct span agents)
{
    struct cli_table table = { .columns_n = 3 };
    struct value_iter of_agents = value_iter(agents);
    struct span name;
    struct span agent;

    cli_table_add(&table, (const char *[]){ "AGENT", "MAY RUN", "LAST USED" });
    while (value_next(&of_agents, &name, &agent)) {
        struct value_iter entries = value_iter(value_get(agent, "allowlist"));
        struct span key;
        struct span entry;

        while (value_next(&entries, &key, &entry)) {
            char cells[3][CELL];
            const char *texts[3] = { cells[0], cells[1], cells[2] };

            (void)snprintf(cells[0], CELL, "%.*s", SPAN_FMT(name)); /* may be cut */
            (void)cli_format_str(value_get(entry, "pattern"), "-", cells[1], CELL);
            (void)cli_ask_age(value_get(entry, "lastUsedAt"), cells[2], CELL);
            cli_table_add(&table, texts);
        }
    }
    cli_out("\n");
    if (table.rows_n > 1) {
        cli_table_print(&table, "");
    } else {
        cli_out("No command is listed that may run without being asked.\n");
    }
    cli_out("%s\n", policy_note);
    cli_table_deinit(&table);
}

/* The file, and what else counts. */
static int shown_json(const struct approvals *self)
{
    CLEANUP(pack_deinit) struct pack out;
    struct value_iter iter = value_iter(pack_span(&self->shown));
    struct span key;
    struct span value;

    pack_init(&out, 0);
    pack_map_begin(&out);
    while (value_next(&iter, &key, &value)) {
        pack_key_span(&out, key);
        pack_raw(&out, value);
    }
    pack_key(&out, "effectivePolicy");
    pack_map_begin(&out);
    pack_key(&out, "scopes");
    pack_array_begin(&out);
    pack_array_end(&out);
    pack_kv_text(&out, "note", policy_note);
    pack_map_end(&out);
    pack_map_end(&out);
    return cli_rpc_print_json_line(pack_span(&out));
}

static int shown_print(const struct approvals *self)
{
    static const char *const places[] = { "this machine", "the gateway", "the node" };
    struct span shown = pack_span(&self->shown);
    struct span file = value_get(shown, "file");
    struct value_iter iter = value_iter(value_get(file, "agents"));
    struct span name;
    struct span agent;
    char text[CELL];

    if (cli_flag(self->cli, "json")) {
        return shown_json(self);
    }
    cli_out("What may run without being asked, of %s: %.*s%s\n", places[self->place], SPAN_FMT(text_of(shown, "path")),
            value_bool(value_get(shown, "exists"), false) ? "" : " (no such file yet, so nothing is set)");
    policy_print("defaults", value_get(file, "defaults"));
    while (value_next(&iter, &name, &agent)) {
        (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(name)); /* may be cut */
        policy_print(text, agent);
    }
    allowed_print(value_get(file, "agents"));
    return CLI_EXIT_OK;
}

int cmd_approvals_get(struct cli *cli)
{
    struct approvals self;
    int r = approvals_open(cli, &self);

    r = r ? r : shown_print(&self);
    approvals_close(&self);
    return r;
}

/* --- replacing ----------------------------------------------------------------------------------------------- */

static int stream_read(FILE *from, const char *name, struct text_buf *out)
{
    char chunk[8192];
    size_t n;

    while ((n = fread(chunk, 1, sizeof(chunk), from)) > 0) {
        if (out->len > INPUT_MAX || text_buf_add(out, (struct span){ chunk, n })) {
            cli_err("%s is longer than such a file can be", name);
            return CLI_EXIT_FAILED;
        }
    }
    if (ferror(from)) {
        cli_err("cannot read %s: %s", name, strerror(errno));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

static int input_read(const struct cli *cli, struct text_buf *out)
{
    const char *path = cli_text(cli, "file");
    FILE *file;
    int r;

    if ((path != NULL) == cli_flag(cli, "stdin")) {
        cli_err("say where the new file is: --file <path>, or --stdin");
        return CLI_EXIT_USAGE;
    }
    if (!path) {
        return stream_read(stdin, "standard input", out);
    }
    file = fopen(path, "re");
    if (!file) {
        cli_err("cannot read %s: %s", path, strerror(errno));
        return CLI_EXIT_FAILED;
    }
    r = stream_read(file, path, out);
    (void)fclose(file); /* only read */
    return r;
}

static int input_parse(struct span text, struct pack *out)
{
    struct json_opts opts = { .depth_max = 0, .json5 = true };
    struct json_error error = { .line = 0 };

    if (json_to_pack(text, &opts, out, &error)) {
        cli_err("the new file is not JSON: expected %s at line %u, column %u", error.expected, error.line,
                error.column);
        return CLI_EXIT_FAILED;
    }
    if (value_i64(value_get(pack_span(out), "version"), 0) != 1) {
        cli_err("the new file must be an object whose \"version\" is 1");
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

int cmd_approvals_set(struct cli *cli)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(pack_deinit) struct pack content;
    struct approvals self;
    int r;

    pack_init(&content, 0);
    r = input_read(cli, &text);
    r = r ? r : input_parse((struct span){ text.data, text.len }, &content);
    if (r) {
        return r;
    }
    r = approvals_open(cli, &self);
    r = r ? r : shown_write(&self, pack_span(&content));
    r = r ? r : shown_print(&self);
    approvals_close(&self);
    return r;
}

/* --- the allow list --------------------------------------------------------------------------------------------- */

struct change {
    const char *agent;
    const char *pattern;
    bool is_adding;
};

static struct span trimmed_pattern(struct span entry)
{
    return value_kind_of(entry) == VALUE_STR ? value_str(entry, nothing) : text_of(entry, "pattern");
}

static bool is_listed(struct span agent, const char *pattern)
{
    struct value_iter iter = value_iter(value_get(agent, "allowlist"));
    struct span key;
    struct span entry;

    while (value_next(&iter, &key, &entry)) {
        if (span_is_text(trimmed_pattern(entry), pattern)) {
            return true;
        }
    }
    return false;
}

static void agent_pack(struct span agent, const struct change *change, struct pack *out)
{
    struct value_iter iter = value_iter(agent);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&iter, &key, &item)) {
        if (!span_is(key, SPAN_LIT("allowlist"))) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
    pack_key(out, "allowlist");
    pack_array_begin(out);
    iter = value_iter(value_get(agent, "allowlist"));
    while (value_next(&iter, &key, &item)) {
        if (change->is_adding || !span_is_text(trimmed_pattern(item), change->pattern)) {
            pack_raw(out, item);
        }
    }
    if (change->is_adding) {
        pack_map_begin(out);
        pack_kv_text(out, "pattern", change->pattern);
        pack_kv_i64(out, "lastUsedAt", clock_wall_ms());
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

/* The file with the agent's list changed; the secret of its socket is kept by whoever writes it. */
static void changed_pack(struct span file, const struct change *change, struct pack *out)
{
    struct value_iter iter = value_iter(value_get(file, "agents"));
    bool has_agent = value_get(value_get(file, "agents"), change->agent).len > 0;
    struct span key;
    struct span agent;

    pack_map_begin(out);
    pack_kv_i64(out, "version", 1);
    if (value_get(file, "socket").len) {
        pack_kv_raw(out, "socket", value_get(file, "socket"));
    }
    if (value_get(file, "defaults").len) {
        pack_kv_raw(out, "defaults", value_get(file, "defaults"));
    }
    pack_key(out, "agents");
    pack_map_begin(out);
    while (value_next(&iter, &key, &agent)) {
        pack_key_span(out, key);
        if (span_is_text(key, change->agent)) {
            agent_pack(agent, change, out);
        } else {
            pack_raw(out, agent);
        }
    }
    if (!has_agent) {
        pack_key(out, change->agent);
        agent_pack(nothing, change, out);
    }
    pack_map_end(out);
    pack_map_end(out);
}

static int change_make(struct approvals *self, const struct change *change)
{
    CLEANUP(pack_deinit) struct pack content;
    struct span file = value_get(pack_span(&self->shown), "file");
    struct span agent = value_get(value_get(file, "agents"), change->agent);
    int r;

    pack_init(&content, 0);
    if (is_listed(agent, change->pattern) == change->is_adding) {
        cli_out(change->is_adding ? "Already on the list\n" : "Not on the list\n");
        return CLI_EXIT_OK;
    }
    changed_pack(file, change, &content);
    r = shown_write(self, pack_span(&content));
    return r ? r : shown_print(self);
}

static int list_change(struct cli *cli, bool is_adding)
{
    struct change change = { .agent = cli_text(cli, "agent"), .pattern = cli_arg(cli, 0), .is_adding = is_adding };
    struct approvals self;
    int r = approvals_open(cli, &self);

    r = r ? r : change_make(&self, &change);
    approvals_close(&self);
    return r;
}

int cmd_approvals_allow(struct cli *cli)
{
    return list_change(cli, true);
}

int cmd_approvals_disallow(struct cli *cli)
{
    return list_change(cli, false);
}
