/*
 * openclaw config set|unset|patch: one change of the config, made by who owns it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/config_path.h"
#include "edge/cli/config_writer.h"
#include "schema/base/config_file.h"
#include "schema/base/config_merge.h"
#include "schema/base/json5_edit.h"

static int wanted_write(struct config_writer *self, const char *what)
{
    bool is_trial = cli_flag(self->cli, "dry-run");
    int r = is_trial ? config_writer_try(self) : config_writer_write(self);

    if (r) {
        return r;
    }
    cli_out("%s%s\n", is_trial ? "would do: " : "", what);
    if (!is_trial) {
        cli_out("%s\n", config_writer_is_alone(self) ? "It counts when the gateway is started."
                                                     : "The running gateway has it in force.");
    }
    return CLI_EXIT_OK;
}

/* --- set and unset --------------------------------------------------------------------------------------------- */

static int value_parse(const struct cli *cli, const char *text, struct pack *out)
{
    struct json_opts opts = { .json5 = true };
    struct json_error where = { .line = 0 };
    int r = json_to_pack(span_from(text), &opts, out, &where);

    if (r > 0 && (cli_flag(cli, "strict-json") || cli_flag(cli, "json"))) {
        cli_err("the value is no JSON: expected %s at line %u, column %u", where.expected, where.line, where.column);
        return CLI_EXIT_USAGE;
    }
    if (r > 0) {
        pack_reset(out);
        pack_text(out, text);
        r = 0;
    }
    return r ? CLI_EXIT_SOFTWARE : CLI_EXIT_OK;
}

/* Entries that people add one by one; losing some because one is set is never meant. */
static bool is_protected(const char *path)
{
    static const char *const paths[] = { "agents.defaults.models", "models.providers", "plugins.entries",
                                         "auth.profiles", "agents.list" };
    struct span text = span_from(path);

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (span_is_text(text, paths[i])) {
            return true;
        }
    }
    return span_starts(text, "models.providers.") && text.len > 7 && !strcmp(path + text.len - 7, ".models");
}

static bool loses_entries(struct span before, struct span after)
{
    struct value_iter it = value_iter(before);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct value_iter fresh = value_iter(after);
        struct span other_key;
        struct span other;
        bool is_kept = false;

        while (value_next(&fresh, &other_key, &other)) {
            is_kept |= key.len ? span_is(key, other_key) : span_is(value_get(item, "id"), value_get(other, "id"));
        }
        if (!is_kept) {
            return true;
        }
    }
    return false;
}

static int set_prepare(struct config_writer *self, struct config_path *path, struct span value, struct pack *out)
{
    const char *name = cli_arg(self->cli, 0);
    struct span before = config_path_find(path, pack_span(&self->document.source));

    if (cli_flag(self->cli, "merge") && before.len) {
        config_merge(before, value, out);
        return pack_error(out) ? CLI_EXIT_SOFTWARE : CLI_EXIT_OK;
    }
    if (is_protected(name) && before.len && !cli_flag(self->cli, "replace") && loses_entries(before, value)) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "%.100s has entries that this value lacks: add to them with --merge, or mean "
                       "it with --replace",
                       name);
        return config_writer_refuse(self, text);
    }
    pack_raw(out, value);
    return CLI_EXIT_OK;
}

static int path_change(struct cli *cli, bool is_set)
{
    CLEANUP(config_writer_deinit) struct config_writer self;
    CLEANUP(text_buf_deinit) struct text_buf doc = { 0 };
    CLEANUP(pack_deinit) struct pack value;
    CLEANUP(pack_deinit) struct pack final;
    struct config_path path;
    char what[512];

    config_writer_init(&self, cli);
    pack_init(&value, 0);
    pack_init(&final, 0);
    if (config_path_parse(cli_arg(cli, 0), &path)) {
        cli_err("\"%s\" is no path: write it as gateway.port, agents.list[0].id or models.providers[\"a.b\"]",
                cli_arg(cli, 0));
        return CLI_EXIT_USAGE;
    }
    int r = is_set ? value_parse(cli, cli_arg(cli, 1), &value) : CLI_EXIT_OK;
    r = r ? r : config_writer_open(&self);
    r = r || !is_set ? r : set_prepare(&self, &path, pack_span(&value), &final);
    if (r) {
        return r;
    }
    if (!is_set && !config_path_find(&path, pack_span(&self.document.source)).len) {
        return config_writer_refuse(&self, "the config has nothing at that path");
    }
    (void)config_path_find(&path, pack_span(&self.document.source)); /* digits become indexes where lists are */
    r = json_from_value(pack_span(&self.document.source), &doc);
    struct span text = { doc.data, doc.len };
    r = r        ? r
        : is_set ? json5_set(text, path.steps, path.n, pack_span(&final), &self.raw)
                 : json5_remove(text, path.steps, path.n, &self.raw);
    mem_wipe(doc.data, doc.len);
    if (r) {
        return config_writer_refuse(&self, r < 0 ? fault_text(r)
                                                 : "the path leads through something that is no object or list");
    }
    (void)snprintf(what, sizeof(what), "%s %s", is_set ? "set" : "removed", cli_arg(cli, 0));
    return wanted_write(&self, what);
}

int cmd_config_set(struct cli *cli)
{
    return path_change(cli, true);
}

int cmd_config_unset(struct cli *cli)
{
    return path_change(cli, false);
}

/* --- patch -------------------------------------------------------------------------------------------------------- */

static int patch_read(const struct cli *cli, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error = { "" };
    const char *path = cli_flag(cli, "stdin") ? "/dev/stdin" : cli_text(cli, "file");
    FILE *file = path ? fopen(path, "re") : NULL;
    char part[4096];
    size_t n;
    int r = 0;

    if (!file) {
        cli_err("%s", path ? "the patch cannot be read" : "name the patch with --file <path> or --stdin");
        return CLI_EXIT_USAGE;
    }
    while (!r && text.len <= CONFIG_FILE_BYTES_MAX && (n = fread(part, 1, sizeof(part), file)) > 0) {
        r = text_buf_add(&text, (struct span){ part, n });
    }
    (void)fclose(file); /* only read from */
    r = r ? r : config_file_parse((struct span){ text.data ? text.data : "", text.len }, path, out, &error);
    if (r) {
        cli_err("%s", r < 0 ? fault_text(r) : error.text);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

int cmd_config_patch(struct cli *cli)
{
    CLEANUP(config_writer_deinit) struct config_writer self;
    CLEANUP(pack_deinit) struct pack patch;
    CLEANUP(pack_deinit) struct pack wanted;

    config_writer_init(&self, cli);
    pack_init(&patch, 0);
    pack_init(&wanted, 0);
    int r = patch_read(cli, &patch);
    r = r ? r : config_writer_open(&self);
    if (r) {
        return r;
    }
    config_merge_patch(pack_span(&self.document.source), pack_span(&patch), &wanted);
    r = pack_error(&wanted) ? pack_error(&wanted) : json_from_value(pack_span(&wanted), &self.raw);
    return r ? config_writer_refuse(&self, fault_text(r)) : wanted_write(&self, "patched the config");
}
