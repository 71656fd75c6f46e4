/*
 * openclaw config set|unset|patch: a running gateway writes its config itself; while none
 * runs, this command does, under the lock that a gateway would hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/lock.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/config_path.h"
#include "schema/base/config_change.h"
#include "schema/base/config_merge.h"
#include "schema/base/config_store.h"
#include "schema/base/config_valid.h"
#include "schema/base/json5_edit.h"

#define TIMEOUT_MS 15000U

struct job {
    const struct cli *cli;
    struct config_document document; /* what the files say now */
    struct text_buf raw;             /* what the config shall be, as JSON */
    int lock_fd;                     /* held while no gateway runs; -1: one does */
};

static void job_deinit(struct job *self)
{
    config_document_deinit(&self->document);
    if (self->raw.data) {
        mem_wipe(self->raw.data, self->raw.cap);
    }
    text_buf_deinit(&self->raw);
    if (self->lock_fd >= 0) {
        (void)close(self->lock_fd); /* the kernel gives the lock back */
    }
}

static int refuse(const struct job *self, const char *text)
{
    cli_err("%s", text);
    cli_err_more("config: %s; nothing was written", self->cli->paths.config_path);
    return CLI_EXIT_FAILED;
}

/* --- who writes ------------------------------------------------------------------------------------- */

static int lock_try(struct job *self)
{
    char path[PATH_MAX + 16];
    pid_t holder = 0;

    (void)snprintf(path, sizeof(path), "%s/gateway.lock", self->cli->paths.state_dir);
    int r = lock_take(path, &self->lock_fd, &holder);
    if (r == LOCK_E_HELD) {
        self->lock_fd = -1;
        return CLI_EXIT_OK;
    }
    if (r) {
        cli_err("cannot lock %s: %s", path, fault_text(r));
        cli_err_more("the state directory must exist: make it with mkdir -m 700 %s", self->cli->paths.state_dir);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

static int document_open(struct job *self)
{
    struct config_error error = { "" };
    int r = lock_try(self);

    if (r) {
        return r;
    }
    r = config_document_load(&self->document, self->cli->paths.config_path, config_lookup_process(), &error);
    if (r < 0) {
        cli_err("%s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    return r ? refuse(self, error.text) : CLI_EXIT_OK;
}

/* --- writing through the gateway ------------------------------------------------------------------------ */

static int gateway_write(struct job *self)
{
    CLEANUP(pack_deinit) struct pack params;
    CLEANUP(pack_deinit) struct pack answer;
    struct cli_rpc_opts opts = { .display_name = "config", .timeout_ms = TIMEOUT_MS };
    struct cli_rpc rpc;
    int r = cli_rpc_open(self->cli, &opts, &rpc);

    pack_init(&params, 0);
    pack_init(&answer, 0);
    if (r) {
        return r;
    }
    pack_map_begin(&params);
    pack_kv_str(&params, "raw", (struct span){ self->raw.data, self->raw.len });
    if (self->document.is_present) {
        pack_kv_text(&params, "baseHash", self->document.hash);
    }
    pack_map_end(&params);
    struct cli_call call = { .method = "config.set", .params = pack_span(&params), .timeout_ms = TIMEOUT_MS };
    r = cli_rpc_call(&rpc, &call, &answer);
    mem_wipe(params.data, params.cap);
    cli_rpc_close(&rpc);
    return r;
}

/* --- writing alone ----------------------------------------------------------------------------------------- */

static void now_text(char out[32])
{
    time_t seconds = (time_t)(clock_wall_ms() / 1000);
    struct tm tm = { 0 };

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

static const char *target(const struct job *self, const struct config_edit *edit)
{
    return edit->source ? self->document.sources.items[edit->source]->path : self->cli->paths.config_path;
}

static int trial(const struct job *self, const struct config_edit *edit)
{
    CLEANUP(config_document_deinit) struct config_document fresh;
    struct config_overlay overlay = { .path = target(self, edit), .text = { edit->text.data, edit->text.len } };
    struct config_error error = { "" };

    config_document_init(&fresh);
    fresh.sources.overlay = &overlay;
    int r = config_document_load(&fresh, self->cli->paths.config_path, config_lookup_process(), &error);
    r = r ? r : config_valid(&fresh, &error, NULL);
    return r ? refuse(self, r < 0 ? fault_text(r) : error.text) : CLI_EXIT_OK;
}

static int loss_refuse(const struct job *self, const struct config_edit *edit, struct span before)
{
    struct span after = { edit->text.data, edit->text.len };
    char kept[PATH_MAX] = "";

    if (!config_store_is_loss(before, after)) {
        return CLI_EXIT_OK;
    }
    bool is_kept = config_store_reject(target(self, edit), after, kept);
    int r = refuse(self, "this would drop more than half of the file; to mean it, edit the file by hand");
    if (is_kept) {
        cli_err_more("what it would have become: %s", kept);
    }
    return r;
}

static int alone_write(struct job *self, bool is_trial)
{
    CLEANUP(config_edit_deinit) struct config_edit edit = { 0 };
    struct config_error error = { "" };
    char when[32];

    now_text(when);
    struct config_change change = { .kind = CONFIG_CHANGE_REPLACE,
                                    .raw = { self->raw.data, self->raw.len },
                                    .version = OPENCLAW_VERSION,
                                    .when = when };
    int r =
        config_change(&self->document, self->cli->paths.config_path, &change, config_lookup_process(), &edit, &error);
    if (r) {
        return refuse(self, r < 0 ? fault_text(r) : error.text);
    }
    r = edit.is_changed ? trial(self, &edit) : CLI_EXIT_OK;
    if (r || !edit.is_changed || is_trial) {
        return r;
    }
    struct span before = { 0 };
    if (self->document.is_present) {
        const struct text_buf *text = &self->document.sources.items[edit.source]->text;
        before = (struct span){ text->data, text->len };
    }
    r = loss_refuse(self, &edit, before);
    if (r) {
        return r;
    }
    r = config_store_replace(target(self, &edit), before, (struct span){ edit.text.data, edit.text.len }, &error);
    if (r == CONFIG_STORE_E_CHANGED) {
        return refuse(self, "the file was changed meanwhile: run the command again");
    }
    return r ? refuse(self, r < 0 ? fault_text(r) : error.text) : CLI_EXIT_OK;
}

static int wanted_write(struct job *self, const char *what)
{
    bool is_trial = cli_flag(self->cli, "dry-run");
    bool is_alone = self->lock_fd >= 0;
    int r = is_alone || is_trial ? alone_write(self, is_trial) : gateway_write(self);

    if (r) {
        return r;
    }
    cli_out("%s%s\n", is_trial ? "would do: " : "", what);
    if (!is_trial) {
        cli_out("%s\n", is_alone ? "It counts when the gateway is started." : "The running gateway has it in force.");
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

static int set_prepare(struct job *self, struct config_path *path, struct span value, struct pack *out)
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
        return refuse(self, text);
    }
    pack_raw(out, value);
    return CLI_EXIT_OK;
}

static int path_change(struct cli *cli, bool is_set)
{
    CLEANUP(job_deinit) struct job self = { .cli = cli, .lock_fd = -1 };
    CLEANUP(text_buf_deinit) struct text_buf doc = { 0 };
    CLEANUP(pack_deinit) struct pack value;
    CLEANUP(pack_deinit) struct pack final;
    struct config_path path;
    char what[512];

    config_document_init(&self.document);
    pack_init(&value, 0);
    pack_init(&final, 0);
    if (config_path_parse(cli_arg(cli, 0), &path)) {
        cli_err("\"%s\" is no path: write it as gateway.port, agents.list[0].id or models.providers[\"a.b\"]",
                cli_arg(cli, 0));
        return CLI_EXIT_USAGE;
    }
    int r = is_set ? value_parse(cli, cli_arg(cli, 1), &value) : CLI_EXIT_OK;
    r = r ? r : document_open(&self);
    r = r || !is_set ? r : set_prepare(&self, &path, pack_span(&value), &final);
    if (r) {
        return r;
    }
    if (!is_set && !config_path_find(&path, pack_span(&self.document.source)).len) {
        return refuse(&self, "the config has nothing at that path");
    }
    (void)config_path_find(&path, pack_span(&self.document.source)); /* digits become indexes where lists are */
    r = json_from_value(pack_span(&self.document.source), &doc);
    struct span text = { doc.data, doc.len };
    r = r        ? r
        : is_set ? json5_set(text, path.steps, path.n, pack_span(&final), &self.raw)
                 : json5_remove(text, path.steps, path.n, &self.raw);
    mem_wipe(doc.data, doc.len);
    if (r) {
        return refuse(&self, r < 0 ? fault_text(r) : "the path leads through something that is no object or list");
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
    CLEANUP(job_deinit) struct job self = { .cli = cli, .lock_fd = -1 };
    CLEANUP(pack_deinit) struct pack patch;
    CLEANUP(pack_deinit) struct pack wanted;

    config_document_init(&self.document);
    pack_init(&patch, 0);
    pack_init(&wanted, 0);
    int r = patch_read(cli, &patch);
    r = r ? r : document_open(&self);
    if (r) {
        return r;
    }
    config_merge_patch(pack_span(&self.document.source), pack_span(&patch), &wanted);
    r = pack_error(&wanted) ? pack_error(&wanted) : json_from_value(pack_span(&wanted), &self.raw);
    return r ? refuse(&self, fault_text(r)) : wanted_write(&self, "patched the config");
}
