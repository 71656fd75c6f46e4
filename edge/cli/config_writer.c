#include "edge/cli/config_writer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/lock.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/config_refs.h"
#include "edge/cli/config_turn.h"
#include "edge/cli/gateway_secrets.h"
#include "edge/cli/gateway_state.h"
#include "schema/base/config_audit.h"
#include "schema/base/config_change.h"
#include "schema/base/config_copies.h"
#include "schema/base/config_loss.h"
#include "schema/base/config_store.h"
#include "schema/base/config_valid.h"
#include "schema/base/gateway_check.h"

#define TIMEOUT_MS 15000U

void config_writer_init(struct config_writer *self, const struct cli *cli)
{
    *self = (struct config_writer){ .cli = cli, .lock_fd = -1, .turn_fd = -1 };
    config_document_init(&self->document);
}

void config_writer_deinit(struct config_writer *self)
{
    config_document_deinit(&self->document);
    if (self->raw.data) {
        mem_wipe(self->raw.data, self->raw.cap);
    }
    text_buf_deinit(&self->raw);
    if (self->lock_fd >= 0) {
        (void)close(self->lock_fd); /* the kernel gives the lock back */
    }
    if (self->turn_fd >= 0) {
        (void)close(self->turn_fd); /* likewise */
    }
}

int config_writer_refuse(const struct config_writer *self, const char *text)
{
    cli_err("%s", text);
    cli_err_more("config: %s; nothing was written", self->cli->paths.config_path);
    return CLI_EXIT_FAILED;
}

/* --- who writes ------------------------------------------------------------------------------------- */

int config_writer_turn(struct config_writer *self)
{
    return self->turn_fd >= 0 ? CLI_EXIT_OK : config_turn_take(self->cli, &self->turn_fd);
}

int config_writer_lock(struct config_writer *self)
{
    char path[PATH_MAX + 16];
    pid_t holder = 0;
    int r = config_writer_turn(self);

    if (r) {
        return r;
    }
    (void)snprintf(path, sizeof(path), "%s/gateway.lock", self->cli->paths.state_dir);
    r = lock_take(path, &self->lock_fd, &holder);
    if (r == LOCK_E_HELD) {
        self->lock_fd = -1;
        return CLI_EXIT_OK;
    }
    if (r) {
        struct gateway_state_error error;

        gateway_state_lock_explain(path, r, &error);
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

int config_writer_read(struct config_writer *self)
{
    struct config_error error = { "" };
    int r = config_document_load(&self->document, self->cli->paths.config_path, config_lookup_process(), &error);
    if (r < 0) {
        cli_err("%s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    return r ? config_writer_refuse(self, error.text) : CLI_EXIT_OK;
}

int config_writer_open(struct config_writer *self)
{
    int r = config_writer_lock(self);

    return r ? r : config_writer_read(self);
}

/* --- writing through the gateway ------------------------------------------------------------------------ */

/* The exit code; what went wrong is explained unless the change is made again. */
static int problem_take(struct config_writer *self, const struct cli_rpc *rpc, const struct cli_problem *problem)
{
    if (self->again && config_again_take_problem(self->again, self->cli, problem)) {
        return CLI_EXIT_TRY_LATER;
    }
    return cli_problem_explain(problem, &rpc->target);
}

static int gateway_write(struct config_writer *self)
{
    struct config_error ignored;
    CLEANUP(pack_deinit) struct pack params;
    CLEANUP(pack_deinit) struct pack answer;
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };
    struct cli_rpc_opts opts = { .display_name = "config",
                                 .timeout_ms = TIMEOUT_MS,
                                 .is_config_broken = config_valid(&self->document, &ignored, NULL) != 0,
                                 .ret_problem = &problem };
    struct cli_rpc rpc;
    int r = cli_rpc_open(self->cli, &opts, &rpc);

    pack_init(&params, 0);
    pack_init(&answer, 0);
    if (r) {
        r = problem.kind == CLI_PROBLEM_NONE ? r : problem_take(self, &rpc, &problem);
        cli_rpc_close(&rpc);
        return r;
    }
    pack_map_begin(&params);
    pack_kv_str(&params, "raw", (struct span){ self->raw.data, self->raw.len });
    if (self->document.is_present) {
        pack_kv_text(&params, "baseHash", self->document.hash);
    }
    pack_map_end(&params);
    struct cli_call call = { .method = "config.set", .params = pack_span(&params), .timeout_ms = TIMEOUT_MS };
    if (cli_session_call(rpc.session, &call, &answer, &problem)) {
        r = problem_take(self, &rpc, &problem);
    } else {
        struct span due = value_str(value_get(pack_span(&answer), "startDue"), SPAN_LIT(""));
        struct span overridden = value_str(value_get(pack_span(&answer), "overridden"), SPAN_LIT(""));
        struct span reason = value_str(value_get(pack_span(&answer), "reason"), SPAN_LIT(""));

        (void)snprintf(self->start_due, sizeof(self->start_due), "%.*s", SPAN_FMT(due));          /* cut */
        (void)snprintf(self->overridden, sizeof(self->overridden), "%.*s", SPAN_FMT(overridden)); /* likewise */
        (void)snprintf(self->left.text, sizeof(self->left.text), "%.*s", SPAN_FMT(reason));       /* likewise */
    }
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

static const char *target(const struct config_writer *self, const struct config_edit *edit)
{
    return edit->source ? self->document.sources.items[edit->source]->path : self->cli->paths.config_path;
}

/* What a start would say of it, which is all that can be wrong: 0 when a gateway would start from it, or none is to. */
static int start_check(const struct config_document *document, struct config_error *error, struct config_issues *issues)
{
    CLEANUP(gateway_config_deinit) struct gateway_config config = { 0 };
    struct config_lookup lookup = config_lookup_process();
    struct gateway_overrides overrides = gateway_overrides_from(lookup);
    int r = gateway_check(document, &overrides, lookup, &config, error, issues);

    if (r == GATEWAY_CHECK_E_ELSEWHERE) {
        return 0;
    }
    r = r ? r : gateway_secrets_look(document, error);
    return r;
}

/* What is not complete yet is completed step by step, so only what was is held to it. */
int config_writer_judge(struct config_writer *self, const struct config_document *fresh, struct config_error *error)
{
    CLEANUP(config_issues_destroy) struct config_issues *before = config_issues_new();
    CLEANUP(config_issues_destroy) struct config_issues *after = config_issues_new();
    struct config_error ignored = { "" };
    bool is_startable = !start_check(&self->document, &ignored, before);

    config_issues_lead(after, before);
    int r = start_check(fresh, error, after);

    self->left.text[0] = '\0';
    if (r <= 0 || is_startable) {
        return r;
    }
    if (config_valid(fresh, &ignored, NULL)) {
        if (!config_issues_is_mend(before, after)) {
            return r;
        }
        self->left = *error;
    }
    error->text[0] = '\0';
    return 0;
}

int config_writer_make(const struct config_writer *self, struct config_edit *edit, struct config_document *fresh,
                       struct config_error *error)
{
    char when[32];
    struct config_change change = { .kind = CONFIG_CHANGE_REPLACE,
                                    .raw = { self->raw.data, self->raw.len },
                                    .version = OPENCLAW_VERSION,
                                    .when = when };

    now_text(when);
    int r = config_change(&self->document, self->cli->paths.config_path, &change, config_lookup_process(), edit, error);
    if (r) {
        return r;
    }
    struct config_overlay overlay = { .path = target(self, edit), .text = { edit->text.data, edit->text.len } };
    fresh->sources.overlay = edit->is_changed ? &overlay : NULL;
    r = config_document_load(fresh, self->cli->paths.config_path, config_lookup_process(), error);
    fresh->sources.overlay = NULL;
    return r;
}

static struct span text_before(const struct config_writer *self, const struct config_edit *edit)
{
    if (!self->document.is_present) {
        return (struct span){ 0 };
    }
    const struct text_buf *text = &self->document.sources.items[edit->source]->text;
    return (struct span){ text->data, text->len };
}

void config_writer_audit(const struct cli *cli, const char *path, struct span before, struct span after,
                         const char *reason)
{
    char when[32];

    now_text(when);
    int r = config_audit_write(&(struct config_audit){ .state_dir = cli->paths.state_dir,
                                                       .config_path = cli->paths.config_path,
                                                       .path = path,
                                                       .when = when,
                                                       .method = "cli",
                                                       .client_id = SPAN_LIT("cli"),
                                                       .device_id = SPAN_LIT(""),
                                                       .remote_ip = SPAN_LIT(""),
                                                       .before = before,
                                                       .after = after,
                                                       .result = reason[0] ? "rejected" : "rename",
                                                       .reason = reason });
    if (r) {
        cli_err_more("logs/config-audit.jsonl has no line of it: %s", fault_text(r));
    }
}

static int loss_refuse(const struct config_writer *self, const struct config_edit *edit,
                       const struct config_document *fresh)
{
    struct config_loss loss = { .text_before = text_before(self, edit),
                                .text_after = { edit->text.data, edit->text.len },
                                .doc_before = pack_span(&self->document.source),
                                .doc_after = pack_span(&fresh->source) };
    char kept[PATH_MAX] = "";

    if (!config_loss_is(&loss)) {
        return CLI_EXIT_OK;
    }
    bool is_kept = config_store_reject(target(self, edit), loss.text_after, kept);
    int r =
        config_writer_refuse(self, "this would drop more than half of the config; to mean it, edit the file by hand");
    config_writer_audit(self->cli, target(self, edit), loss.text_before, loss.text_after,
                        "this would drop more than half of the config");
    if (is_kept) {
        cli_err_more("what it would have become: %s", kept);
    }
    return r;
}

static int store(struct config_writer *self, const struct config_edit *edit)
{
    struct config_error error = { "" };
    int r = config_store_replace(target(self, edit), text_before(self, edit),
                                 (struct span){ edit->text.data, edit->text.len },
                                 edit->source ? CONFIG_STORE_SHARED : CONFIG_STORE_OURS, &error);

    if (r == CONFIG_STORE_E_CHANGED) {
        return self->again && config_again_take(self->again)
                   ? CLI_EXIT_TRY_LATER
                   : config_writer_refuse(self, "the file was changed meanwhile: run the command again");
    }
    if (!r) {
        config_writer_audit(self->cli, target(self, edit), text_before(self, edit),
                            (struct span){ edit->text.data, edit->text.len }, "");
    }
    return r ? config_writer_refuse(self, r < 0 ? fault_text(r) : error.text) : CLI_EXIT_OK;
}

static void copies_scrub(const struct config_writer *self, const struct config_document *fresh)
{
    int fault = config_copies_scrub(&self->document, fresh);

    if (fault) {
        cli_err("warning: copies of the config may still hold a secret that a reference has replaced: %s",
                fault_text(fault));
        cli_err_more("look at %s.bak and its like", self->cli->paths.config_path);
    }
}

/* It is written; a warning that cannot be given is none. */
static void refs_warn(const struct config_writer *self, const struct config_document *fresh)
{
    CLEANUP(config_refs_deinit) struct config_refs refs = { .n = 0 };

    config_refs_find(&refs, &self->document, fresh);
    (void)config_refs_warn(&refs);
}

static int alone_write(struct config_writer *self, bool is_trial)
{
    CLEANUP(config_edit_deinit) struct config_edit edit = { 0 };
    CLEANUP(config_document_deinit) struct config_document fresh;
    struct config_error error = { "" };

    config_document_init(&fresh);
    int r = config_writer_make(self, &edit, &fresh, &error);
    r = r || !edit.is_changed ? r : config_writer_judge(self, &fresh, &error);
    if (r) {
        return config_writer_refuse(self, r < 0 ? fault_text(r) : error.text);
    }
    r = !edit.is_changed ? r : loss_refuse(self, &edit, &fresh);
    if (r || !edit.is_changed || is_trial) {
        return r;
    }
    r = store(self, &edit);
    if (!r) {
        copies_scrub(self, &fresh);
        refs_warn(self, &fresh);
    }
    return r;
}

bool config_writer_is_alone(const struct config_writer *self)
{
    return self->lock_fd >= 0;
}

int config_writer_try(struct config_writer *self)
{
    return alone_write(self, true);
}

/* A first config is for people as well: what there is of one is the whole text, and takes more than a line. */
static int first_indent(struct config_writer *self)
{
    CLEANUP(pack_deinit) struct pack doc;
    struct text_buf indented = { .is_secret = true };
    struct config_error ignored;

    pack_init_secret(&doc, 0);
    int r = config_file_parse((struct span){ self->raw.data, self->raw.len }, "", &doc, &ignored); /* our own text */
    r = r ? FAULT_FOLD(r) : json_from_value_pretty(pack_span(&doc), &indented);
    r = r ? r : text_buf_add(&indented, SPAN_LIT("\n"));
    if (!r) {
        struct text_buf line = self->raw;

        self->raw = indented;
        indented = line;
    }
    if (indented.data) {
        mem_wipe(indented.data, indented.cap);
    }
    text_buf_deinit(&indented);
    return r ? config_writer_refuse(self, fault_text(r)) : CLI_EXIT_OK;
}

int config_writer_write(struct config_writer *self)
{
    int r = self->document.is_present ? CLI_EXIT_OK : first_indent(self);

    if (r) {
        return r;
    }
    return config_writer_is_alone(self) ? alone_write(self, false) : gateway_write(self);
}
