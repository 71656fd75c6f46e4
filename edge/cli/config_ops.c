#include "edge/cli/config_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "schema/base/config_file.h"
#include "schema/base/secret_target.h"

#define PROVIDERS "secrets.providers"

/* Options that build an entry of secrets.providers. */
enum builder_kind {
    BUILD_TEXT,
    BUILD_NUMBER,
    BUILD_FLAG,
    BUILD_LIST,
    BUILD_PAIRS, /* NAME=VALUE */
};
enum {
    FOR_ENV = 1U << SECRET_SOURCE_ENV,
    FOR_FILE = 1U << SECRET_SOURCE_FILE,
    FOR_EXEC = 1U << SECRET_SOURCE_EXEC,
};
static const struct builder {
    const char *option;
    const char *key;
    enum builder_kind kind;
    unsigned sources; /* that have it */
    unsigned needs;   /* that cannot do without */
} builders[] = {
    { "provider-allowlist", "allowlist", BUILD_LIST, FOR_ENV, 0 },
    { "provider-path", "path", BUILD_TEXT, FOR_FILE, FOR_FILE },
    { "provider-mode", "mode", BUILD_TEXT, FOR_FILE, 0 },
    { "provider-max-bytes", "maxBytes", BUILD_NUMBER, FOR_FILE, 0 },
    { "provider-command", "command", BUILD_TEXT, FOR_EXEC, FOR_EXEC },
    { "provider-arg", "args", BUILD_LIST, FOR_EXEC, 0 },
    { "provider-timeout-ms", "timeoutMs", BUILD_NUMBER, FOR_FILE | FOR_EXEC, 0 },
    { "provider-no-output-timeout-ms", "noOutputTimeoutMs", BUILD_NUMBER, FOR_EXEC, 0 },
    { "provider-max-output-bytes", "maxOutputBytes", BUILD_NUMBER, FOR_EXEC, 0 },
    { "provider-json-only", "jsonOnly", BUILD_FLAG, FOR_EXEC, 0 },
    { "provider-env", "env", BUILD_PAIRS, FOR_EXEC, 0 },
    { "provider-pass-env", "passEnv", BUILD_LIST, FOR_EXEC, 0 },
    { "provider-trusted-dir", "trustedDirs", BUILD_LIST, FOR_EXEC, 0 },
    { "provider-allow-insecure-path", "allowInsecurePath", BUILD_FLAG, FOR_FILE | FOR_EXEC, 0 },
    { "provider-allow-symlink-command", "allowSymlinkCommand", BUILD_FLAG, FOR_EXEC, 0 },
};

const char *config_op_mode_name(enum config_op_mode mode)
{
    static const char *const names[] = {
        [CONFIG_OP_VALUE] = "value", [CONFIG_OP_JSON] = "json", [CONFIG_OP_BUILDER] = "builder"
    };

    return names[mode];
}

void config_ops_init(struct config_ops *self)
{
    *self = (struct config_ops){ .items = mem_new(CONFIG_OPS_MAX * sizeof(*self->items)) };
}

void config_ops_deinit(struct config_ops *self)
{
    for (size_t i = 0; i < self->n; i++) {
        struct pack *value = &self->items[i].value;

        if (value->data) {
            mem_wipe(value->data, value->cap);
        }
        pack_deinit(value);
        free(self->items[i].place);
    }
    free(self->items);
}

/* --- one operation ----------------------------------------------------------------------------------- */

static bool is_provider_place(const struct config_path *path)
{
    return path->n == 3 && span_is_text(path->steps[0].key, "secrets") &&
           span_is_text(path->steps[1].key, "providers") && path->steps[2].key.ptr;
}

/* The next free one, with its path; the value is to be packed. NULL: explained. */
static struct config_op *op_add(struct config_ops *self, struct span place, enum config_op_mode mode)
{
    struct config_op *op = &self->items[self->n];

    if (self->n == CONFIG_OPS_MAX) {
        cli_err("more than %u operations at once", CONFIG_OPS_MAX);
        return NULL;
    }
    *op = (struct config_op){ .place = mem_text(place.len ? place.ptr : "", place.len), .mode = mode };
    pack_init(&op->value, 0);
    self->n++;
    if (config_path_parse(op->place, &op->path)) {
        cli_err("\"%s\" is no path: write it as gateway.port, agents.list[0].id or models.providers[\"a.b\"]",
                op->place);
        return NULL;
    }
    op->is_provider = is_provider_place(&op->path);
    return op;
}

/* A reference may only stand where the gateway looks for one. */
static int ref_check(const struct config_op *op)
{
    struct secret_ref ref;
    const char *problem;

    if (!secret_ref_read(pack_span(&op->value), (struct span){ 0 }, &ref)) {
        cli_err("%s: a reference needs source (env, file or exec), provider and id", op->place);
        return CLI_EXIT_USAGE;
    }
    problem = secret_ref_problem(&ref);
    if (problem) {
        cli_err("%s: %s", op->place, problem);
        return CLI_EXIT_USAGE;
    }
    if (!secret_target_find(op->path.steps, op->path.n, "openclaw.json")) {
        cli_err("%s: no reference to a secret may stand there", op->place);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

static int provider_check(const struct config_op *op)
{
    if (!op->is_provider || !secret_provider_is_fit(op->path.steps[2].key)) {
        cli_err("%s: an entry of providers stands at " PROVIDERS ".NAME, its name of a-z, 0-9, _ and -", op->place);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

/* --- a value ----------------------------------------------------------------------------------------------- */

static int plain_read(struct config_ops *self, const struct cli *cli)
{
    bool is_strict = cli_flag(cli, "strict-json") || cli_flag(cli, "json");
    struct config_op *op = op_add(self, span_from(cli_arg(cli, 0)), is_strict ? CONFIG_OP_JSON : CONFIG_OP_VALUE);
    struct json_opts opts = { .json5 = true };
    struct json_error where = { .line = 0 };

    if (!op) {
        return CLI_EXIT_USAGE;
    }
    int r = json_to_pack(span_from(cli_arg(cli, 1)), &opts, &op->value, &where);
    if (r > 0 && is_strict) {
        cli_err("the value is no JSON: expected %s at line %u, column %u", where.expected, where.line, where.column);
        return CLI_EXIT_USAGE;
    }
    if (r > 0) {
        pack_reset(&op->value);
        pack_text(&op->value, cli_arg(cli, 1));
        r = pack_error(&op->value);
    }
    return r ? CLI_EXIT_SOFTWARE : CLI_EXIT_OK;
}

/* --- builders -------------------------------------------------------------------------------------------------- */

static bool is_any_given(const struct cli *cli, const char *prefix)
{
    for (size_t i = 0; i < cli->line.values_n; i++) {
        if (!strncmp(cli->line.values[i].opt->name, prefix, strlen(prefix))) {
            return true;
        }
    }
    return false;
}

static int ref_build(struct config_ops *self, const struct cli *cli)
{
    const char *provider = cli_text(cli, "ref-provider");
    const char *source = cli_text(cli, "ref-source");
    const char *id = cli_text(cli, "ref-id");
    struct config_op *op = op_add(self, span_from(cli_arg(cli, 0)), CONFIG_OP_BUILDER);

    if (!op) {
        return CLI_EXIT_USAGE;
    }
    if (!provider || !source || !id) {
        cli_err("a reference needs --ref-provider, --ref-source and --ref-id");
        return CLI_EXIT_USAGE;
    }
    pack_map_begin(&op->value);
    pack_kv_text(&op->value, "source", source);
    pack_kv_text(&op->value, "provider", provider);
    pack_kv_text(&op->value, "id", id);
    pack_map_end(&op->value);
    return ref_check(op);
}

static int pairs_pack(const struct cli *cli, const struct builder *row, struct pack *out)
{
    pack_map_begin(out);
    for (size_t i = 0; i < cli->line.values_n; i++) {
        const struct cli_value *value = &cli->line.values[i];
        const char *equals = strchr(value->text, '=');

        if (strcmp(value->opt->name, row->option) != 0) {
            continue;
        }
        if (!equals || equals == value->text) {
            cli_err("--%s: \"%s\" is not of the form NAME=VALUE", row->option, value->text);
            return CLI_EXIT_USAGE;
        }
        pack_key_span(out, (struct span){ value->text, (size_t)(equals - value->text) });
        pack_text(out, equals + 1);
    }
    pack_map_end(out);
    return CLI_EXIT_OK;
}

static int builder_pack(const struct cli *cli, const struct builder *row, struct pack *out)
{
    pack_key(out, row->key);
    switch (row->kind) {
    case BUILD_TEXT:
        pack_text(out, cli_text(cli, row->option));
        break;
    case BUILD_NUMBER:
        pack_u64(out, cli_number(cli, row->option));
        break;
    case BUILD_FLAG:
        pack_bool(out, true);
        break;
    case BUILD_PAIRS:
        return pairs_pack(cli, row, out);
    case BUILD_LIST:
        pack_array_begin(out);
        for (size_t i = 0; i < cli->line.values_n; i++) {
            if (!strcmp(cli->line.values[i].opt->name, row->option)) {
                pack_text(out, cli->line.values[i].text);
            }
        }
        pack_array_end(out);
        break;
    }
    return CLI_EXIT_OK;
}

static int provider_build(struct config_ops *self, const struct cli *cli)
{
    const char *name = cli_text(cli, "provider-source");
    enum secret_source source = SECRET_SOURCE_ENV;
    struct config_op *op = op_add(self, span_from(cli_arg(cli, 0)), CONFIG_OP_BUILDER);
    int r = op ? provider_check(op) : CLI_EXIT_USAGE;

    if (r) {
        return r;
    }
    if (!name || !secret_source_find(span_from(name), &source)) {
        cli_err("an entry of providers needs --provider-source env, file or exec");
        return CLI_EXIT_USAGE;
    }
    pack_map_begin(&op->value);
    pack_kv_text(&op->value, "source", name);
    for (size_t i = 0; !r && i < ARRAY_LEN(builders); i++) {
        bool is_given = cli_given(cli, builders[i].option);

        if (is_given && !(builders[i].sources & 1U << source)) {
            cli_err("--%s is not for the source %s", builders[i].option, name);
            return CLI_EXIT_USAGE;
        }
        if (!is_given && builders[i].needs & 1U << source) {
            cli_err("the source %s needs --%s", name, builders[i].option);
            return CLI_EXIT_USAGE;
        }
        r = is_given ? builder_pack(cli, &builders[i], &op->value) : CLI_EXIT_OK;
    }
    pack_map_end(&op->value);
    return r;
}

/* --- a batch ---------------------------------------------------------------------------------------------------------
 */

static int entry_read(struct config_ops *self, struct span entry, size_t number)
{
    static const char *const keys[] = { "value", "ref", "provider" };
    struct span place = value_str(value_get(entry, "path"), (struct span){ 0 });
    struct span found = { 0 };
    const char *kind = NULL;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct span value = value_get(entry, keys[i]);

        if (value.len) {
            found = value;
            kind = keys[i];
            n++;
        }
    }
    if (value_kind_of(entry) != VALUE_MAP || !place.len || n != 1) {
        cli_err("operation %zu of the batch needs a path, and one of value, ref and provider", number + 1);
        return CLI_EXIT_USAGE;
    }
    struct config_op *op = op_add(self, place, kind == keys[0] ? CONFIG_OP_JSON : CONFIG_OP_BUILDER);
    if (!op) {
        return CLI_EXIT_USAGE;
    }
    pack_raw(&op->value, found);
    return kind == keys[1] ? ref_check(op) : kind == keys[2] ? provider_check(op) : CLI_EXIT_OK;
}

static int batch_read(struct config_ops *self, struct span text, const char *name)
{
    CLEANUP(pack_deinit) struct pack list;
    struct config_error error = { "" };
    struct span key;
    struct span entry;

    pack_init(&list, 0);
    int r = config_file_parse_value(text, name, &list, &error);
    struct value_iter it = value_iter(pack_span(&list));
    if (r || value_kind_of(pack_span(&list)) != VALUE_ARRAY || !value_count(pack_span(&list))) {
        cli_err("%s", r > 0 ? error.text : "a batch is a list of operations");
        return CLI_EXIT_USAGE;
    }
    for (size_t i = 0; !r && value_next(&it, &key, &entry); i++) {
        r = entry_read(self, entry, i);
    }
    mem_wipe(list.data, list.cap);
    return r;
}

static int batch_file_read(struct config_ops *self, const char *path)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error = { "" };
    int r = config_file_read(path, &text, &error);

    if (r) {
        cli_err("%s: %s", path, r == CONFIG_FILE_E_ABSENT ? "no such file" : r < 0 ? fault_text(r) : error.text);
        return CLI_EXIT_USAGE;
    }
    r = batch_read(self, (struct span){ text.data ? text.data : "", text.len }, path);
    if (text.data) {
        mem_wipe(text.data, text.cap);
    }
    return r;
}

int config_ops_read(struct config_ops *self, const struct cli *cli)
{
    const char *batch = cli_text(cli, "batch-json");
    const char *file = cli_text(cli, "batch-file");
    bool is_batch = batch || file;
    bool is_ref = is_any_given(cli, "ref-");
    bool is_provider = is_any_given(cli, "provider-");

    if (is_batch + is_ref + is_provider > 1 || (batch && file)) {
        cli_err("one thing at a time: a batch (--batch-json or --batch-file), --ref-*, or --provider-*");
        return CLI_EXIT_USAGE;
    }
    size_t wanted = is_batch ? 0 : is_ref || is_provider ? 1 : 2;
    if (cli->line.args_n != wanted) {
        cli_err("%s", wanted == 2   ? "name a path and a value; `openclaw config set --help` has examples"
                      : wanted == 1 ? "name a path, and no value beside --ref-* or --provider-*"
                                    : "a batch names its paths and values itself");
        return CLI_EXIT_USAGE;
    }
    if (is_batch) {
        return batch ? batch_read(self, span_from(batch), "--batch-json") : batch_file_read(self, file);
    }
    return is_ref ? ref_build(self, cli) : is_provider ? provider_build(self, cli) : plain_read(self, cli);
}
