/*
 * openclaw config set|unset|patch: one change of the config, made by who owns it.
 */
#include <errno.h>
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
#include "edge/cli/config_ops.h"
#include "schema/base/config_path.h"
#include "edge/cli/config_trial.h"
#include "edge/cli/config_writer.h"
#include "schema/base/config_file.h"
#include "schema/base/config_merge.h"
#include "schema/base/json5_edit.h"

/* `ops` is what makes the difference. */
static int wanted_write(struct config_writer *self, const struct config_ops *ops, const char *what)
{
    if (cli_flag(self->cli, "dry-run")) {
        return config_trial(self, ops, what);
    }
    int r = config_writer_write(self);
    if (r) {
        return r;
    }
    cli_out("%s\n", what);
    if (self->left.text[0]) {
        cli_out("The config cannot be used yet: ");
        cli_out_safe(span_from(self->left.text), false);
        cli_out("\n%s\n", config_writer_is_alone(self) ? "No gateway starts from it until that is corrected as well."
                                                       : "The running gateway goes on with what it had in force.");
        return CLI_EXIT_OK;
    }
    if (self->overridden[0]) {
        cli_out_safe(span_from(self->overridden), false);
        cli_out(": a flag or the environment of the running gateway counts before it.\n");
        return CLI_EXIT_OK;
    }
    if (self->start_due[0]) {
        cli_out("The running gateway has it in force, but for ");
        cli_out_safe(span_from(self->start_due), false);
        cli_out(": that counts when it is started again.\n");
        return CLI_EXIT_OK;
    }
    cli_out("%s\n", config_writer_is_alone(self) ? "It counts when the gateway is started."
                                                 : "The running gateway has it in force.");
    return CLI_EXIT_OK;
}

/* A trial changes nothing, so nobody needs to be kept from changing the config meanwhile. */
static int config_open(struct config_writer *self)
{
    if (cli_flag(self->cli, "allow-exec") && !cli_flag(self->cli, "dry-run")) {
        cli_err("--allow-exec is for --dry-run");
        return CLI_EXIT_USAGE;
    }
    return cli_flag(self->cli, "dry-run") ? config_writer_read(self) : config_writer_open(self);
}

/* --- set and unset --------------------------------------------------------------------------------------------- */

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

static int set_prepare(struct config_writer *self, const struct config_op *op, struct span doc,
                       struct config_path *path, struct pack *out)
{
    struct span value = pack_span(&op->value);
    struct span before = config_path_find(path, doc); /* digits become indexes where lists are */

    if (cli_flag(self->cli, "merge") && before.len) {
        config_merge_ids(before, value, out);
    } else {
        pack_raw(out, value);
    }
    if (pack_error(out)) {
        return CLI_EXIT_SOFTWARE;
    }
    if (is_protected(op->place) && before.len && !cli_flag(self->cli, "replace") &&
        loses_entries(before, pack_span(out))) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "%.100s has entries that this value lacks: add to them with --merge, or mean "
                       "it with --replace",
                       op->place);
        return config_writer_refuse(self, text);
    }
    return CLI_EXIT_OK;
}

static int no_place(struct config_writer *self, int r)
{
    return config_writer_refuse(self,
                                r < 0 ? fault_text(r) : "the path leads through something that is no object or list");
}

/* Later operations see what earlier ones have set. */
static int op_apply(struct config_writer *self, const struct config_op *op, struct text_buf *text)
{
    CLEANUP(text_buf_deinit) struct text_buf fresh = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack doc;
    CLEANUP(pack_deinit) struct pack final;
    struct config_path path = op->path;
    struct config_error ignored;

    pack_init_secret(&doc, 0);
    pack_init_secret(&final, 0);
    int r = config_file_parse((struct span){ text->data, text->len }, "", &doc, &ignored); /* our own text */
    r = r ? config_writer_refuse(self, fault_text(FAULT_FOLD(r)))
          : set_prepare(self, op, pack_span(&doc), &path, &final);
    if (!r) {
        r = json5_set((struct span){ text->data, text->len }, path.steps, path.n, pack_span(&final), &fresh);
        r = r ? no_place(self, r) : CLI_EXIT_OK;
    }
    if (!r) {
        struct text_buf old = *text;

        *text = fresh;
        fresh = old;
    }
    return r;
}

static void said_make(const struct config_ops *ops, char *out, size_t out_size)
{
    if (ops->n == 1) {
        (void)snprintf(out, out_size, "set %s", ops->items[0].place); /* cut */
    } else {
        (void)snprintf(out, out_size, "set %zu values", ops->n);
    }
}

static int set_try(struct cli *cli, const struct config_ops *ops, struct config_again *again)
{
    CLEANUP(config_writer_deinit) struct config_writer self;
    char what[512];

    config_writer_init(&self, cli);
    self.again = again;
    int r = config_open(&self);
    if (r) {
        return r;
    }
    r = json_from_value(pack_span(&self.document.source), &self.raw);
    if (r) {
        return config_writer_refuse(&self, fault_text(r));
    }
    for (size_t i = 0; !r && i < ops->n; i++) {
        r = op_apply(&self, &ops->items[i], &self.raw);
    }
    said_make(ops, what, sizeof(what));
    return r ? r : wanted_write(&self, ops, what);
}

int cmd_config_set(struct cli *cli)
{
    CLEANUP(config_ops_deinit) struct config_ops ops;
    struct config_again again = { 0 };

    config_ops_init(&ops);
    int r = config_ops_read(&ops, cli);
    if (r) {
        return r;
    }
    do {
        r = set_try(cli, &ops, &again);
    } while (config_again_due(&again, r));
    return r;
}

static int unset_try(struct cli *cli, struct config_path *path, struct config_again *again)
{
    CLEANUP(config_writer_deinit) struct config_writer self;
    CLEANUP(text_buf_deinit) struct text_buf doc = { .is_secret = true };
    CLEANUP(config_ops_deinit) struct config_ops none;
    char what[512];

    config_writer_init(&self, cli);
    config_ops_init(&none);
    self.again = again;
    int r = config_open(&self);
    if (r) {
        return r;
    }
    if (!config_path_find(path, pack_span(&self.document.source)).len) {
        return config_writer_refuse(&self, "the config has nothing at that path");
    }
    r = json_from_value(pack_span(&self.document.source), &doc);
    r = r ? r : json5_remove((struct span){ doc.data, doc.len }, path->steps, path->n, &self.raw);
    (void)snprintf(what, sizeof(what), "removed %s", cli_arg(cli, 0)); /* cut */
    return r ? no_place(&self, r) : wanted_write(&self, &none, what);
}

int cmd_config_unset(struct cli *cli)
{
    struct config_again again = { 0 };
    struct config_path path;
    int r;

    if (config_path_parse(cli_arg(cli, 0), &path)) {
        cli_err("\"%s\" is no path: write it as gateway.port, agents.list[0].id or models.providers[\"a.b\"]",
                cli_arg(cli, 0));
        return CLI_EXIT_USAGE;
    }
    do {
        struct config_path fresh = path; /* what it says of lists is found anew each time */

        r = unset_try(cli, &fresh, &again);
    } while (config_again_due(&again, r));
    return r;
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
        if (path) {
            cli_err("the patch %s cannot be read: %s", path, strerror(errno));
        } else {
            cli_err("name the patch with --file <path> or --stdin");
        }
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

/* The value of the patch at that place, as a whole instead of merged into what is there. */
static int place_replace(struct config_writer *self, const char *place, struct span patch)
{
    CLEANUP(text_buf_deinit) struct text_buf fresh = { .is_secret = true };
    struct config_path path;
    struct span value = config_path_parse(place, &path) ? (struct span){ 0 } : config_path_find(&path, patch);

    if (!value.len) {
        cli_err("--replace-path %s: the patch has nothing there", place);
        return CLI_EXIT_USAGE;
    }
    int r = json5_set((struct span){ self->raw.data, self->raw.len }, path.steps, path.n, value, &fresh);
    if (r) {
        return no_place(self, r);
    }
    struct text_buf old = self->raw;
    self->raw = fresh;
    fresh = old;
    return CLI_EXIT_OK;
}

static int places_replace(struct config_writer *self, struct span patch)
{
    const struct cli_line *line = &self->cli->line;
    int r = CLI_EXIT_OK;

    for (size_t i = 0; !r && i < line->values_n; i++) {
        if (!strcmp(line->values[i].opt->name, "replace-path")) {
            r = place_replace(self, line->values[i].text, patch);
        }
    }
    return r;
}

static int patch_try(struct cli *cli, const struct config_ops *ops, struct config_again *again)
{
    CLEANUP(config_writer_deinit) struct config_writer self;
    CLEANUP(pack_deinit) struct pack wanted;
    struct span patch = pack_span(&ops->items[0].value);

    config_writer_init(&self, cli);
    self.again = again;
    pack_init_secret(&wanted, 0);
    int r = config_open(&self);
    if (r) {
        return r;
    }
    config_merge_patch(pack_span(&self.document.source), patch, &wanted);
    r = pack_error(&wanted) ? pack_error(&wanted) : json_from_value(pack_span(&wanted), &self.raw);
    if (r) {
        return config_writer_refuse(&self, fault_text(r));
    }
    r = places_replace(&self, patch);
    return r ? r : wanted_write(&self, ops, "patched the config");
}

int cmd_config_patch(struct cli *cli)
{
    CLEANUP(config_ops_deinit) struct config_ops ops;
    struct config_again again = { 0 };

    config_ops_init(&ops);
    struct config_op *op = &ops.items[ops.n++];
    *op = (struct config_op){ .mode = CONFIG_OP_JSON };
    pack_init(&op->value, 0);
    int r = patch_read(cli, &op->value);
    if (r) {
        return r;
    }
    do {
        r = patch_try(cli, &ops, &again);
    } while (config_again_due(&again, r));
    return r;
}
